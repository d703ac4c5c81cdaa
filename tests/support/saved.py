"""What only saving brings: answers to the posts of a signed-in person, put into a page as htmx would put them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from support.browser import Browser
from support.every_page import Filled
from support.samples.every import SAMPLES
from support.visitor import Visitor

from core.web.guard import Rule, access_of

# All of a part of a page is new; of a page that can be opened as well, what says that something was done.
SHOW = """((text) => {{
  const brought = new DOMParser().parseFromString(text, "text/html");
  const whole = brought.querySelector("#page");
  document.querySelector("#page").replaceChildren(...(whole ?? brought.body).childNodes);
  document.dispatchEvent(new Event("htmx:after:settle"));
  const said = "#page :is(.alert, .banner, .saved)";
  const part = whole ? said : "#page";
  return [part, [...document.querySelectorAll(part)].map((each) => each.innerHTML).join()];
}})({})"""


def answers(filled: Filled) -> Iterator[tuple[str, str]]:
    """Each route that takes a post of somebody signed in, and the page or the part of one it answers with."""
    visitor = Visitor(filled.world, filled.cards["contact"])
    posts = _posts(filled)
    for (method, route), sample in SAMPLES.items():
        if method == "POST" and route in posts:
            answer = sample.ask(visitor)
            text = answer.get_data(as_text=True)
            assert answer.status_code == sample.status, f"{route}: {text[:300]}"
            if answer.mimetype == "text/html" and text.strip():
                yield route, text


def shown(browser: Browser, markup: str) -> tuple[str, str]:
    """Put an answer into the page that is open; the selector of what is new, and its markup without numbers."""
    part, inside = browser.eval(SHOW.format(json.dumps(markup)))
    return part, re.sub(r"\d+", "", inside)


def _posts(filled: Filled) -> set[str]:
    app = filled.world.app
    nobodys = {Rule.PUBLIC, Rule.FRAME_ENTRY, Rule.PROGRAM}
    return {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ())
        and access_of(app.view_functions[rule.endpoint]).rule not in nobodys
    }
