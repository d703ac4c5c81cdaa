"""AUTH PLAIN and LOGIN: the words that go to and fro until a name and a password are told."""

from __future__ import annotations

import base64
import binascii
import hmac

_REFUSED = "535 5.7.8 Authentication credentials invalid"
_TAKEN = "235 2.7.0 Authentication successful"
_NAME, _PASSWORD = "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"


class Login:
    """One attempt; `login` is `name:password`."""

    def __init__(self, login: str) -> None:
        self._wanted = login
        self._plain = False
        self._name: str | None = None

    def begin(self, rest: str) -> str:
        """The reply to the command itself."""
        way, _, first = rest.partition(" ")
        self._plain = way.upper() == "PLAIN"
        if not self._plain and way.upper() != "LOGIN":
            return "504 5.5.4 Mechanism not supported"
        if first:
            return self.answer(first)
        return "334 " if self._plain else _NAME

    def answer(self, line: str) -> str:
        """The reply to a line that follows."""
        try:
            told = base64.b64decode(line, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return "501 5.5.2 Not Base64"
        if self._plain:
            return self._judge(":".join(told.split("\0")[1:]))
        if self._name is None:
            self._name = told
            return _PASSWORD
        return self._judge(f"{self._name}:{told}")

    def _judge(self, told: str) -> str:
        right = hmac.compare_digest(told.encode(), self._wanted.encode())
        return _TAKEN if right else _REFUSED
