"""Every answer to a post, put into the page it was sent from: what only saving brings can be read and worked too."""

from __future__ import annotations

from support import plain_words, saved
from support.every_page import filled
from support.walking import WIDE, Walk, told


def test_everybody_can_read_what_saving_brings(browser, settings, database, portal_process):
    browser.fresh(375, 900, reducedMotion="reduce")
    walk, seen = Walk(browser, (), 375), set()
    with filled(settings, database, portal_process) as everything:
        walk.knock(everything.doors()["CRM_CONTACT_DETAIL_TAB as administrator"])
        names = everything.names("ru")
        for route, markup in saved.answers(everything):
            part, new = saved.shown(browser, markup)
            if new and new not in seen:
                seen.add(new)
                walk.look(route, part, WIDE)
            if found := sorted(set(plain_words.complaints(markup, "ru", names))):
                walk.wrong.setdefault(route, []).extend(found)
    assert not walk.wrong, told(walk.wrong)
    assert len(seen) > 20
