"""The settings page as its administrator uses it, over HTTP."""

from __future__ import annotations

import html
import re

DEFAULT = {
    "date_source": "closed", "contact_mode": "primary", "client_mode": "each",
    "margin_source": "none", "active_sales": "1", "active_window": "month",
}  # fmt: skip


def plain(text: str) -> str:
    """What a person reads of a page: no tags, single spaces."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


class SettingsPage:
    """One administrator with the application open."""

    def __init__(self, world, user=1):
        self.world, self.user = world, user
        self.token = world.open(user).headers["X-Session"]
        self.look()

    def look(self):
        """Load the page; it remembers the version its form was made from."""
        answer = self.ask("GET", "/settings")
        assert answer.status_code == 200
        self._remember(answer)
        return self.text

    def save(self, pipelines=(0, 1), **choices):
        """Press «Save»; the status."""
        return self.post("/settings/rule", **self.form(pipelines, **choices))

    def preview(self, pipelines=(0, 1), **choices):
        """Press «See what would change»; the text of the answer."""
        form = self.form(pipelines, **choices)
        answer = self.ask("POST", "/settings/rule/preview", data=form)
        return plain(answer.get_data(as_text=True))

    def restore(self, number):
        """Press «Put back» of a version; the status."""
        return self.post("/settings/rule/restore", number=number, version=self.version)

    def form(self, pipelines=(0, 1), **choices):
        """What the browser would send."""
        own = {"pipelines": [str(each) for each in pipelines], "version": self.version}
        return {**DEFAULT, **own, "offered": self.offered, **choices}

    def post(self, path, **form):
        """Send a form that answers with the page; the status."""
        answer = self.ask("POST", path, data=form)
        self._remember(answer)
        return answer.status_code

    def ask(self, method, path, **how):
        """A request of this administrator."""
        headers = {"Authorization": f"Bearer {self.token}", "HX-Request": "true"}
        return self.world.browser.open(path, method=method, headers=headers, **how)

    def ticked(self, name):
        """Values of the chosen inputs of this name."""
        return re.findall(rf'<input type="\w+" name="{name}" value="(\w+)" checked', self.page)

    @property
    def text(self):
        """The page as read."""
        return plain(self.page)

    def _remember(self, answer):
        self.page = answer.get_data(as_text=True)
        for name in ("version", "offered"):
            found = re.search(rf'name="{name}" value="(\d+)"', self.page)
            if found:
                setattr(self, name, int(found[1]))
