"""A request of every route of the shell and of the portal itself: installing, reading, health."""

from __future__ import annotations

from support.visitor import OURS, Sample

SAMPLES = {
    ("GET", "/healthz"): Sample(lambda v: v.get("/healthz")),
    ("GET", "/readyz"): Sample(lambda v: v.get("/readyz"), status=503),
    ("GET", "/metrics"): Sample(lambda v: v.get("/metrics")),
    ("GET", "/static/<path:filename>"): Sample(lambda v: v.get("/static/app.js")),
    ("POST", "/install"): Sample(lambda v: v.frame("/install")),
    ("POST", "/tour"): Sample(lambda v: v.post("/tour"), status=204),
    ("GET", "/install/progress"): Sample(lambda v: v.get("/install/progress")),
    ("POST", "/install/again"): Sample(lambda v: v.post("/install/again")),
    ("POST", "/session"): Sample(lambda v: v.frame("/session"), status=204),
    ("POST", "/events"): Sample(lambda v: v.event()),
    ("GET", "/standing"): Sample(lambda v: v.get("/standing")),
    ("GET", "/live"): Sample(lambda v: v.get("/live?on=nothing"), status=204),
    ("GET", "/health/line"): Sample(lambda v: v.get("/health/line")),
    ("POST", "/appearance"): Sample(lambda v: v.post("/appearance", theme="light"), status=204),
    ("POST", "/lists/<list_key>/keep"): Sample(
        lambda v: v.post("/lists/segments/keep", at="/segments", name=OURS, query="sort=name")
    ),
    ("POST", "/lists/<list_key>/rename"): Sample(
        lambda v: v.post("/lists/segments/rename", at="/segments", view=OURS, name="Мои")
    ),
    ("POST", "/lists/<list_key>/forget"): Sample(
        lambda v: v.post("/lists/segments/forget", at="/segments", view=OURS)
    ),
    ("POST", "/lists/<list_key>/first"): Sample(
        lambda v: v.post("/lists/segments/first", at="/segments", view=OURS, on="0")
    ),
    ("POST", "/lists/<list_key>/columns"): Sample(
        lambda v: v.post("/lists/segments/columns", at="/segments", column="cards")
    ),
    ("GET", "/settings/value-field"): Sample(lambda v: v.get("/settings/value-field")),
    ("POST", "/settings/value-field"): Sample(lambda v: v.post("/settings/value-field")),
    ("GET", "/health"): Sample(lambda v: v.get("/health")),
    ("GET", "/health/live"): Sample(lambda v: v.get("/health/live")),
    ("GET", "/health/calls"): Sample(lambda v: v.get("/health/calls")),
    ("POST", "/health/check"): Sample(lambda v: v.post("/health/check")),
    ("POST", "/health/compare"): Sample(lambda v: v.post("/health/compare")),
    ("POST", "/health/confirm"): Sample(lambda v: v.post("/health/confirm")),
    ("POST", "/health/retry"): Sample(lambda v: v.post("/health/retry")),
    ("GET", "/health/aside"): Sample(lambda v: v.get("/health/aside")),
    ("GET", "/health/aside/file"): Sample(lambda v: v.get("/health/aside/file")),
    ("POST", "/health/aside/retry"): Sample(lambda v: v.post("/health/aside/retry", pick="contact:1")),
}  # fmt: skip
