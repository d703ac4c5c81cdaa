"""axe-core in a page of the test's browser: what keeps people out by WCAG 2.2 AA.

axe.load(browser, frame)                 # once for a document
axe.violations(browser, frame)           # ["color-contrast: .hint: Element has insufficient …"]
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from support.browser import Browser, Frame

SOURCE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
LEVELS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
SHOWN = 4
"""So many places of one rule are named."""

_LOOK = """axe.run({where}, {options}).then(({{ violations }}) => violations.map(({{ id, nodes }}) =>
    `${{id}} × ${{nodes.length}}: ` + nodes.slice(0, {shown}).map((node) =>
        `${{node.target.join(' ')}} (${{node.failureSummary.split('\\n').slice(1).join(' ').trim()}})`).join('; ')))"""


def load(browser: Browser, frame: Frame = ()) -> None:
    """Bring axe into the document shown now, unless it is there."""
    if not browser.eval("Boolean(window.axe)", frame):
        browser.eval(_source(), frame)


def violations(
    browser: Browser, frame: Frame = (), rules: Sequence[str] = (), within: str = ""
) -> list[str]:
    """What breaks these rules, else all of WCAG 2.2 A and AA; frames inside are not looked into.

    `within`: a selector, where only a part of the page is looked at.
    """
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": LEVELS}
    every = {} if rules else {"rules": {"target-size": {"enabled": True}}}
    options = {"runOnly": only, "resultTypes": ["violations"], "iframes": False, **every}
    where = json.dumps(within) if within else "document"
    look = _LOOK.format(where=where, options=json.dumps(options), shown=SHOWN)
    found: list[str] = browser.eval(look, frame)
    return found


@cache
def _source() -> str:
    return SOURCE.read_text(encoding="utf-8")
