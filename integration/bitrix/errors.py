"""Every way a Bitrix24 portal or its OAuth server refuses, as classes, and the one table that tells which.

Codes come in any case, may be empty, a number or a whole sentence, and depend on the module that
answers; so a row of the table looks at code, HTTP status and description, and the first match wins.
https://apidocs.bitrix24.com/error-codes.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import ServiceError
from core.log import mask

_LONG_TOKEN = re.compile(r"[A-Za-z0-9]{24,}")
_DETAIL_LENGTH = 300


class BitrixError(ServiceError):
    """The portal refused. `executed`: False = certainly not, None = unknown (matters for writes)."""

    executed: bool | None = False

    def __init__(
        self,
        detail: str = "",
        *,
        code: str = "",
        status: int = 0,
        retry_after: float | None = None,
        executed: bool | None = None,
    ) -> None:
        self.code = code
        self.status = status
        text = redacted(detail)
        super().__init__(
            " ".join(part for part in (str(status or ""), code, text) if part),
            retry_after=retry_after,
        )
        self.description = text
        if executed is not None:
            self.executed = executed


class RateLimited(BitrixError):
    """Too many requests a second; nothing was executed."""

    retryable = True


class OperationTimeLimit(BitrixError):
    """The method has used up its execution time; others go on. `reset_at`: Unix time by our clock."""

    retryable = True

    def __init__(
        self,
        detail: str = "",
        *,
        code: str = "",
        status: int = 0,
        retry_after: float | None = None,
        reset_at: float | None = None,
    ) -> None:
        super().__init__(detail, code=code, status=status, retry_after=retry_after)
        self.reset_at = reset_at


class Overloaded(BitrixError):
    """The portal's REST is blocked because of overload: stop and tell, do not hammer."""


class TokenExpired(BitrixError):
    """The access token is out of date: renew it once and repeat."""

    retryable = True


class AuthDead(BitrixError):
    """The tokens will not work again: an administrator has to open the application."""


class UserDismissed(AuthDead):
    """The employee whose token this is has been dismissed."""


class UserBarred(AuthDead):
    """An administrator let only certain employees use the application; this one is not among them."""


class WrongClient(AuthDead):
    """The OAuth server does not accept the application's id or secret."""


class AccessDenied(BitrixError):
    """The user we act as may not do this."""


class InsufficientScope(AccessDenied):
    """The application's card lacks a scope."""


class PlanWithoutRest(BitrixError):
    """The portal's plan has no REST."""


class PaymentRequired(BitrixError):
    """The portal or the application is not paid for."""


class PortalGone(BitrixError):
    """The portal is deleted or closed."""


class NotInstalled(BitrixError):
    """The application is not installed on the portal (any more)."""


class NotFound(BitrixError):
    """The object does not exist, or the user may not see it."""


class MethodNotFound(BitrixError):
    """The portal has no such method."""


class InvalidRequest(BitrixError):
    """The request is malformed: a defect of ours."""


class InvalidValue(InvalidRequest):
    """A value of a field does not suit the portal."""


class PortalFailure(BitrixError):
    """The portal broke down on the request; a write may still have been executed."""

    retryable = True
    executed = None


class UnexpectedAnswer(BitrixError):
    """Not an answer of the REST interface: HTML, truncated JSON, a wrong shape."""

    retryable = True
    executed = None


class PageMismatch(BitrixError):
    """A page holds rows that were not asked for: it is an error, not data."""


class PortalMoved(BitrixError):
    """The portal answers at another address. `location` is unverified."""

    def __init__(self, location: str, *, status: int = 302) -> None:
        super().__init__("the portal answers at another address", status=status)
        self.location = location


class Unreachable(BitrixError):
    """No connection or no answer in time. `executed` is False only if nothing was sent."""

    retryable = True
    executed = None


class Refused(BitrixError):
    """A refusal the table does not know."""


@dataclass(frozen=True)
class _Row:
    kind: type[BitrixError]
    codes: frozenset[str] = frozenset()
    statuses: frozenset[int] = frozenset()
    text: re.Pattern[str] | None = None

    def matches(self, code: str, status: int, description: str) -> bool:
        return (
            (not self.codes or code in self.codes)
            and (not self.statuses or status in self.statuses)
            and (self.text is None or self.text.search(description) is not None)
        )


def _row(
    kind: type[BitrixError], codes: str = "", statuses: tuple[int, ...] = (), text: str = ""
) -> _Row:
    pattern = re.compile(text, re.IGNORECASE) if text else None
    return _Row(kind, frozenset(codes.split()), frozenset(statuses), pattern)


_TABLE = (
    _row(RateLimited, "QUERY_LIMIT_EXCEEDED"),
    _row(OperationTimeLimit, "OPERATION_TIME_LIMIT"),
    _row(Overloaded, "OVERLOAD_LIMIT"),
    _row(TokenExpired, "EXPIRED_TOKEN"),
    _row(WrongClient, "WRONG_CLIENT INVALID_CLIENT"),
    _row(UserDismissed, "AUTHORIZATION_ERROR"),
    _row(UserBarred, "USER_ACCESS_ERROR"),
    _row(AuthDead, "INVALID_GRANT NO_AUTH_FOUND INVALID_TOKEN"),
    _row(NotInstalled, "NOT_INSTALLED ERROR_OAUTH APPLICATION_NOT_FOUND"),
    _row(PaymentRequired, "PAYMENT_REQUIRED"),
    _row(PortalGone, "PORTAL_DELETED"),
    _row(InsufficientScope, "INSUFFICIENT_SCOPE INVALID_SCOPE"),
    _row(PlanWithoutRest, "ACCESS_DENIED", text="commercial plan|коммерческ"),
    _row(
        AccessDenied,
        "ACCESS_DENIED ACCESS_ERROR INVALID_CREDENTIALS ALLOWED_ONLY_INTRANET_USER "
        "WRONG_AUTH_TYPE METHOD_CONFIRM_WAITING METHOD_CONFIRM_DENIED UPDATE_DYNAMIC_ITEM_RESTRICTED",
    ),
    _row(MethodNotFound, "ERROR_METHOD_NOT_FOUND METHOD_NOT_FOUND"),
    _row(NotFound, "NOT_FOUND ERROR_NOT_FOUND"),
    _row(
        InvalidValue,
        "ERROR_CORE INVALID_ARG_VALUE CRM_FIELD_ERROR_VALUE_NOT_VALID CRM_FIELD_ERROR_REQUIRED 100",
    ),
    _row(
        InvalidRequest,
        "INVALID_REQUEST ERROR_BATCH_LENGTH_EXCEEDED ERROR_BATCH_METHOD_NOT_ALLOWED "
        "ENTITY_TYPE_NOT_SUPPORTED ERROR_ARGUMENT ERROR_EVENT_NOT_FOUND",
    ),
    _row(PortalFailure, "INTERNAL_SERVER_ERROR ERROR_UNEXPECTED_ANSWER"),
    # Classic CRM methods answer 400 with an empty code: only the words tell.
    _row(AccessDenied, statuses=(400, 401, 403), text=r"access denied|доступ запрещ"),
    _row(NotFound, statuses=(400, 404), text=r"not found|не найден"),
    _row(
        InvalidRequest, statuses=(400,), text=r"is not defined|must be|invalid identifier|required"
    ),
    _row(TokenExpired, statuses=(401,), text="token.*expired"),
    _row(AuthDead, statuses=(401,)),
    _row(PaymentRequired, statuses=(402,)),
    _row(AccessDenied, statuses=(403,)),
    _row(NotFound, statuses=(404,)),
    _row(PortalGone, statuses=(410,)),
    _row(OperationTimeLimit, statuses=(429,)),
    _row(PortalFailure, statuses=(500, 502, 503, 504)),
    _row(InvalidRequest, statuses=(400, 405)),
)


def refusal(code: object, status: int, description: object = "") -> BitrixError:
    """The exception for an answer that has an `error` key, whatever stands under the key."""
    words = str(description or "")
    text = str(code) if code is not None else ""
    key = text.strip().upper()
    kind = next((row.kind for row in _TABLE if row.matches(key, status, words or text)), Refused)
    return kind(words, code=redacted(text if " " in key else key), status=status)


def redacted(text: str) -> str:
    """The text without secrets and personal data, on one line, not too long."""
    line = " ".join(_LONG_TOKEN.sub("***", mask(text)).split())
    return line[:_DETAIL_LENGTH]
