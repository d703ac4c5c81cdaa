"""The table from codes, statuses and words to exceptions."""

from __future__ import annotations

import pytest

from core.errors import ServiceError
from integration.bitrix import errors as e

TABLE = [
    (503, "QUERY_LIMIT_EXCEEDED", "Too many requests", e.RateLimited),
    (503, "query_limit_exceeded", "", e.RateLimited),
    (503, "OVERLOAD_LIMIT", "REST API is blocked due to overload.", e.Overloaded),
    (429, "OPERATION_TIME_LIMIT", "Method is blocked", e.OperationTimeLimit),
    (200, "OPERATION_TIME_LIMIT", "Method is blocked", e.OperationTimeLimit),
    (401, "expired_token", "The access token provided has expired.", e.TokenExpired),
    (401, "EXPIRED_TOKEN", "", e.TokenExpired),
    (400, "invalid_grant", "", e.AuthDead),
    (401, "NO_AUTH_FOUND", "Wrong authorization data", e.AuthDead),
    (401, "invalid_token", "Unable to get application by token", e.AuthDead),
    (401, "authorization_error", "Unable to authorize user", e.UserDismissed),
    (403, "user_access_error", "The user does not have access", e.UserBarred),
    (200, "wrong_client", "", e.WrongClient),
    (400, "invalid_client", "", e.WrongClient),
    (401, "NOT_INSTALLED", "", e.NotInstalled),
    (401, "ERROR_OAUTH", "Application not installed", e.NotInstalled),
    (401, "PAYMENT_REQUIRED", "Subscription has been ended", e.PaymentRequired),
    (500, "PORTAL_DELETED", "", e.PortalGone),
    (410, "PORTAL_DELETED", "", e.PortalGone),
    (403, "insufficient_scope", "", e.InsufficientScope),
    (403, "ACCESS_DENIED", "REST API is available only on commercial plans.", e.PlanWithoutRest),
    (403, "ACCESS_DENIED", "Access denied!", e.AccessDenied),
    (400, "ACCESS_DENIED", "Доступ запрещён", e.AccessDenied),
    (403, "INVALID_CREDENTIALS", "", e.AccessDenied),
    (403, "WRONG_AUTH_TYPE", "", e.AccessDenied),
    (404, "ERROR_METHOD_NOT_FOUND", "Method not found!", e.MethodNotFound),
    (405, "ERROR_BATCH_METHOD_NOT_ALLOWED", "", e.InvalidRequest),
    (400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded", e.InvalidRequest),
    (400, "INVALID_REQUEST", "Https required.", e.InvalidRequest),
    (400, "", "Not found", e.NotFound),
    (400, "", "Contact is not found", e.NotFound),
    (400, "", "Access denied.", e.AccessDenied),
    (400, "", "ID is not defined or invalid.", e.InvalidRequest),
    (400, "", "Parameter 'filter' must be array.", e.InvalidRequest),
    (400, "Invalid identifier.", "", e.InvalidRequest),
    (400, "NOT_FOUND", "Элемент не найден", e.NotFound),
    (400, "ERROR_CORE", "Некорректный e-mail", e.InvalidValue),
    (400, 100, "Could not find value for parameter", e.InvalidValue),
    (
        400,
        "INVALID_ARG_VALUE",
        "Invalid filter: field 'X' is not allowed in filter",
        e.InvalidValue,
    ),
    (500, "INTERNAL_SERVER_ERROR", "", e.PortalFailure),
    (503, "", "", e.PortalFailure),
    (400, 0, "какой-то текст", e.InvalidRequest),
    (200, "SOMETHING_NEW", "", e.Refused),
    (200, None, "", e.Refused),
]


@pytest.mark.parametrize(("status", "code", "text", "kind"), TABLE)
def test_every_refusal_gets_its_class(status, code, text, kind):
    made = e.refusal(code, status, text)
    assert type(made) is kind
    assert made.status == status


def test_an_error_of_this_kind_is_an_outside_service_error():
    assert issubclass(e.BitrixError, ServiceError)


@pytest.mark.parametrize(
    ("kind", "retryable", "executed"),
    [
        (e.RateLimited, True, False),
        (e.OperationTimeLimit, True, False),
        (e.Overloaded, False, False),
        (e.AuthDead, False, False),
        (e.PortalFailure, True, None),
        (e.UnexpectedAnswer, True, None),
        (e.Unreachable, True, None),
        (e.AccessDenied, False, False),
        (e.PageMismatch, False, False),
    ],
)
def test_facts_a_caller_decides_by(kind, retryable, executed):
    made = kind("x")
    assert (made.retryable, made.executed) == (retryable, executed)


def test_details_hold_no_secrets_and_no_personal_data():
    made = e.refusal(
        "ERROR_CORE",
        400,
        "client_secret=Zx81secret auth=9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c mail ivan@example.com\n"
        "https://p.example.com/rest/1/abcdefgh12345/ +7 (900) 000-11-22 " + "x" * 900,
    )
    for leak in ("Zx81secret", "9f8e7d6c", "ivan@", "abcdefgh12345", "000-11-22", "\n"):
        assert leak not in made.detail
        assert leak not in str(made)
    assert len(made.detail) < 400


def test_a_move_keeps_the_address_out_of_the_text():
    made = e.PortalMoved("https://evil.example.net/rest/x?auth=1")
    assert made.location.startswith("https://evil")
    assert "evil" not in str(made)
