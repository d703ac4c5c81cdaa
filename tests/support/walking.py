"""Pages walked through in a browser: what keeps people out of each, what breaks in it, and whether its tour leads on."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from support import axe
from support.browser import Frame

WIDE, NARROW = (), ("color-contrast", "target-size", "scrollable-region-focusable")
"""What is asked of a wide light page: everything; of a small dark one, what its width and colours decide."""

# Counts what htmx has asked for and not got yet, so that a page is looked at when it is whole.
WATCH = """(() => {
  let flying = 0, since = performance.now();
  const step = (by) => () => { flying += by; since = performance.now(); };
  document.addEventListener("htmx:before:request", step(1), true);
  document.addEventListener("htmx:finally:request", step(-1), true);
  window.calm = () => flying <= 0 && !document.querySelector(".htmx-request") && performance.now() - since > 60;
  window.calmed = () => new Promise((done, fail) => {
    const end = performance.now() + 20_000;
    const look = () => {
      if (window.calm()) done(true);
      else if (performance.now() > end) fail(new Error("the page does not come to rest"));
      else setTimeout(look, 20);
    };
    look();
  });
})()"""
# Controls of which a part can't be seen, and choices whose words are cut off.
CRAMPED = """(() => {
  const pen = document.createElement("canvas").getContext("2d");
  const style = (e) => getComputedStyle(e);
  const name = (e) => `${e.tagName} ${(e.ariaLabel || e.name || e.innerText || e.className).trim().slice(0, 50)}`;
  const cut = (e) => {
    const { left, right } = e.getBoundingClientRect();
    for (let up = e.parentElement; up; up = up.parentElement) {
      const box = up.getBoundingClientRect();
      if (style(up).overflowX !== "visible" && (right > box.right + 1 || left < box.left - 1)) return true;
    }
    return right > innerWidth + 1 || left < -1;
  };
  const short = (e) => {
    const { font, paddingLeft, paddingRight } = style(e);
    pen.font = font;
    const room = e.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    return e.matches("select") && pen.measureText(e.selectedOptions[0]?.text ?? "").width > room + 1;
  };
  return [...document.querySelectorAll("#page :is(button, a.button, input, select, textarea)")]
    .filter((e) => e.checkVisibility() && (cut(e) || short(e))).map(name);
})()"""
# The steps of a page's tour, and whether the page has their places today; what is wrong with the one that is said.
STEPS = """[...document.querySelectorAll("[data-tour] > [data-at]")].map((e) =>
    [`${e.querySelector("strong").textContent}: ${e.dataset.at}`,
     Boolean(document.querySelector(e.dataset.at)?.checkVisibility())])"""
STEP = """(() => {
  const [said, place, root] = ["#tour", ".toured", "#root"].map((e) => document.querySelector(e)?.getBoundingClientRect());
  const wrong = [];
  if (!place) return ["there is no place"];
  if (said.top - place.bottom > 20 || place.top - said.bottom > 20) wrong.push("is far from its place");
  if (said.bottom > Math.max(root.bottom, innerHeight) + 1 || said.right > innerWidth) wrong.push("leaves the page");
  if (!document.activeElement.matches("[data-tour-next]")) wrong.push("the keyboard is elsewhere");
  return wrong;
})()"""
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
SCROLLED = "[...document.querySelectorAll('#page *')].filter((e) => e.scrollWidth > e.clientWidth + 1 && e.checkVisibility() && /auto|scroll/.test(getComputedStyle(e).overflowX)).map((e) => e.className || e.tagName)"

# Buttons that ask for a part of the page without changing the rest of it, by what they fill.
BRING = """[...document.querySelectorAll("#page button[hx-post]:not([hx-confirm])")].filter((e) =>
    e.checkVisibility() && /^(#(?!page$)|\\[id=)/.test(e.getAttribute("hx-target")))"""

# A frame is opened by a form that the portal's page posts; at the top of a window it is the same.
KNOCK = """((url, body) => {{
  const form = document.createElement("form");
  Object.assign(form, {{ method: "post", action: url }});
  for (const [name, value] of Object.entries(body)) {{
    const input = Object.assign(document.createElement("input"), {{ name, value }});
    form.append(input);
  }}
  document.body.append(form);
  form.submit();
}})({url}, {body})"""


def told(wrong: dict[str, list[str]]) -> str:
    """One line for each fault, under its page."""
    return "\n".join(f"{page}\n    " + "\n    ".join(faults) for page, faults in wrong.items())


def until(browser: Any, expression: str, frame: Frame) -> None:
    """Wait in a page whose policy lets no text be run but the browser's own."""
    deadline = time.monotonic() + 20
    while not browser.eval(expression, frame):
        assert time.monotonic() < deadline, expression
        time.sleep(0.03)


def calm(browser: Any, frame: Frame) -> None:
    """Wait until the page has everything it asked for."""
    browser.eval("window.calmed()", frame)


class Walk:
    """Goes from page to page in a frame of the portal and notes what is wrong with each: small ones in the dark."""

    def __init__(self, browser: Any, frame: Frame, width: int) -> None:
        self.browser, self.frame, self.width = browser, frame, width
        self.wrong: dict[str, list[str]] = {}
        self.brought: set[str] = set()
        self.toured: dict[str, bool] = {}
        """Steps of tours that have been met, and whether any page had their places."""

    def arrive(self) -> None:
        """A document was opened in the frame."""
        self.browser.wait("#root:not([inert])", self.frame)
        axe.load(self.browser, self.frame)
        self.browser.eval(WATCH, self.frame)
        if self.width < 1280:
            dark = "document.querySelector('#dark')?.setAttribute('media', 'all')"
            self.browser.eval(dark, self.frame)

    def knock(self, door: dict[str, Any]) -> None:
        """Open what the portal posts to (a place with its facts) without the portal around it."""
        self.browser.goto("about:blank")
        self.browser.eval(
            KNOCK.format(**{each: json.dumps(door[each]) for each in ("url", "body")})
        )
        self.arrive()

    def go(self, path: str) -> None:
        """Another page into the same frame, as its links do it."""
        self.browser.eval(
            f"window.htmx.ajax('GET', {path!r}, '#page').then(() => true)", self.frame
        )
        self.look(path)

    def press(self, path: str) -> None:
        """The buttons of the page that is open: each brings a part, looked at for itself and once."""
        parts = f"{BRING}.map((e) => [e.getAttribute('hx-post'), e.getAttribute('hx-target')])"
        for asked, part in self.browser.eval(parts, self.frame):
            if re.sub(r"\d+", "", asked) not in self.brought:
                self.brought.add(re.sub(r"\d+", "", asked))
                brings = f"(e) => e.getAttribute('hx-post') === {json.dumps(asked)}"
                self.browser.eval(f"{BRING}.find({brings})?.click()", self.frame)
                self.look(f"{path}, {part}", part)

    def tour(self, path: str) -> None:
        """The tour of the page that is open, by keyboard; each tour once."""
        steps = dict(self.browser.eval(STEPS, self.frame))
        new = [step for step, here in steps.items() if here and not self.toured.get(step)]
        self.toured = steps | self.toured | dict.fromkeys(new, True)
        if not new:
            return
        start = "document.querySelector('[data-tour-start]:not(#tour-offer *)').focus()"
        self.browser.eval(start, self.frame)
        wrong = []
        for number in range(sum(steps.values())):
            self.browser.press("Enter")
            found = self.browser.eval(STEP, self.frame)
            if not number:
                found += axe.violations(self.browser, self.frame, within="#tour")
            wrong += [f"step {number + 1}: {each}" for each in found]
        self.browser.press("Enter")
        if self.browser.visible("#tour", self.frame):
            wrong.append("it does not end")
        if wrong:
            self.wrong[f"{path}, the tour"] = wrong

    def look(self, name: str, part: str = "", rules: tuple[str, ...] | None = None) -> None:
        """What is wrong with the page that is open, or with a part of it."""
        calm(self.browser, self.frame)
        if rules is None:
            rules = WIDE if self.width >= 1280 else NARROW
        found = axe.violations(self.browser, self.frame, rules, part)
        found += self.browser.errors()
        found += [
            f"{each['status']} {each['url']}"
            for each in self.browser.requests()
            if each["status"] >= 400
        ]
        if self.browser.eval(WIDER, self.frame) or self.browser.eval(WIDER):
            found.append("a horizontal scrollbar")
        if self.width >= 1280:
            scrolled = self.browser.eval(SCROLLED, self.frame)
            found += [f"scrolls sideways: {each}" for each in scrolled]
        else:
            found += [f"is cut off: {each}" for each in self.browser.eval(CRAMPED, self.frame)]
        self.browser.forget()
        if found:
            self.wrong[name] = found
