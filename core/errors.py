"""Errors the rest of the code raises and catches: facts for the caller, words are added by views."""

from __future__ import annotations


class ConfigError(Exception):
    """A setting is missing or wrong; the message names it and says how to get it right."""


class ServiceError(Exception):
    """An outside service did not do what was asked.

    `retryable`: the same request may succeed later. `retry_after`: seconds to wait first, if the
    service said so. `detail` is safe to log: it holds no token and no personal data.
    """

    retryable = False

    def __init__(
        self, detail: str, *, retryable: bool | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable


class ForbiddenAddress(ServiceError):
    """An outgoing request was about to reach an address that is not allowed (SSRF guard)."""


class ResponseTooLarge(ServiceError):
    """The answer passed the size cap while it was being read, compressed or unpacked."""
