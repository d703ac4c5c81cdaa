"""Templates: what a strict policy and a cross-origin frame forbid, and blocks that stand for pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.web_gallery import SETTINGS, create, viewer

from core.web import session

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "integration", "segments", "mailings", "insights", "styleguide")
TEMPLATES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.html"))]
VENDOR_LIST = ROOT / "scripts" / "vendor.mjs"

FORBIDDEN = {
    "an inline style": r"\sstyle\s*=",
    "an inline handler": r"\son[a-z]+\s*=\s*[\"']",
    "htmx evaluation": r"hx-on[:\s=]|[\"']js:|javascript:",
    "an evaluated trigger filter": r"hx-trigger=\"[^\"]*\[",
    "an inline script": r"<script(?![^>]*\bsrc=)",
    "autofocus, which browsers refuse in a foreign frame": r"\bautofocus\b",
    "htmx 2 inheritance": r"hx-(disabled-elt|ext|vars|params)\b",
    "an address of somebody else": r"(src|href)=[\"']https?://",
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_needs_what_our_policy_forbids(path):
    text = path.read_text(encoding="utf-8")
    assert [name for name, pattern in FORBIDDEN.items() if re.search(pattern, text)] == []


@pytest.mark.parametrize(
    "sample",
    [
        '<p style="color:red">', '<a onclick="x()">', '<a hx-on:click="x()">', '<a hx-vals="js:{}">',
        '<a hx-trigger="click[ctrlKey]">', "<script>x()</script>", "<input autofocus>",
        '<a hx-disabled-elt="this">', '<img src="https://cdn.example.com/x.png">',
    ],
)  # fmt: skip
def test_the_check_above_sees_each_of_them(sample):
    assert any(re.search(pattern, sample) for pattern in FORBIDDEN.values())


def test_every_icon_that_templates_name_is_in_the_sprite_list():
    listed = set(re.search(r"const ICONS = `(.*?)`", VENDOR_LIST.read_text(), re.DOTALL)[1].split())
    named: set[str] = set()
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"\b(?:_|\w*gettext|plural)\([^)]*\)", "", text)
        # Not the keys of a table: {"AccessDenied": …} is an error's name.
        named |= set(re.findall(r"\"([A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*)\"(?!:)", text))
    assert {"Alert", "CheckM", "CrossM"} <= named
    assert named - listed == set()


@pytest.fixture
def client():
    return create().test_client()


@pytest.fixture
def signed_in() -> dict[str, str]:
    return {"Authorization": f"Bearer {session.issue(SETTINGS.secret_key, viewer())}"}


def test_the_same_address_gives_a_document_or_its_block_alone(client, signed_in):
    document = client.get("/gallery", headers=signed_in).get_data(as_text=True)
    block = client.get("/gallery", headers=signed_in | {"HX-Request": "true"}).get_data(
        as_text=True
    )
    assert document.startswith("<!doctype html>")
    assert block.startswith("<title>Клиенты</title>")
    assert "<html" not in block
    inside = document.split('<main id="page" class="stack" tabindex="-1">')[1].split("</main>")[0]
    assert _bare(inside) in _bare(block)


def _bare(markup: str) -> str:
    return re.sub(r"\s+", " ", markup).strip()


def test_the_token_is_in_the_first_page_only(client, signed_in):
    assert '<meta name="session"' in client.post("/").get_data(as_text=True)
    assert '<meta name="session"' not in client.get("/gallery", headers=signed_in).get_data(
        as_text=True
    )


def test_names_of_clients_cannot_become_markup():
    app = create()
    with app.test_request_context("/"):
        page = app.jinja_env.from_string(
            '{% import "ui.html" as ui %}{{ ui.person(name, note=name) }}{{ ui.tile(name, name, hint=name) }}'
            '{{ ui.alert(name, name) }}{{ ui.chip(name) }}{{ ui.text_field("f", name, name, error=name) }}'
            '{{ ui.button(name, attrs={"title": name}) }}{{ ui.facts([(name, name)]) }}'
            '{{ ui.select_field("s", name, [(name, name)]) }}{{ ui.progress(name, 1, 2, hint=name) }}'
        ).render(name="\"><img src=x onerror=alert(1)>'")
    assert "<img" not in page
    assert page.count("&lt;img") > 12


def test_script_order_lets_no_request_go_without_a_session(client):
    page = client.post("/").get_data(as_text=True)
    scripts = re.findall(r'<script src="/static/([\w./]+)', page)
    assert scripts[:2] == ["bridge.js", "app.js"]
    assert scripts[-1] == "vendor/htmx.min.js"
