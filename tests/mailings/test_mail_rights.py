"""A marketer who is no administrator: chosen by name, works at once, and stops when the right is taken away."""

from __future__ import annotations

import pytest
from support.mail_pages import MailPages
from support.world import read

from integration import rights
from integration.mirror import PortalUser

ADMIN, MARKETER, OTHER, NOBODY = 1, 6, 7, 99_999


@pytest.fixture
def admin(world):
    return MailPages(world.reach(read), ADMIN)


def give(admin, user, right, version=None):
    with admin.world.runtime.sessions() as session:
        now = rights.rights_of(session, admin.world.portal_id)[0]
    form = {"user": user, "right": right, "version": now if version is None else version}
    return admin.post("/settings/people", **form)


def name_of(pages, user):
    with pages.world.runtime.sessions() as session:
        return session.get_one(PortalUser, (pages.world.portal_id, user)).name


def test_an_administrator_lets_a_marketer_prepare_and_then_start(admin):
    marketer = MailPages(admin.world, MARKETER)
    assert f"Попросите: {name_of(admin, ADMIN)}" in marketer.get("/home")
    assert f"Попросите: {name_of(admin, ADMIN)}" in marketer.get("/mailings")
    assert marketer.status == 403

    assert name_of(admin, MARKETER) in admin.get(
        "/settings/people/found", search=name_of(admin, MARKETER).lower()
    )
    assert "Сохранено" in give(admin, MARKETER, "write")
    home = marketer.get("/home")
    assert ("Рассылки" in home, "Настройки" in home) == (True, False)
    mailing = marketer.drafted()
    assert "Рубильник включит тот" in marketer.get(f"/mailings/{mailing}/side")
    for path in ("start", "pause", "resume", "cancel"):
        marketer.post(f"/mailings/{mailing}/{path}")
        assert marketer.status == 403, path
    for path in ("/settings", "/settings/mailings", "/settings/people", "/health"):
        marketer.get(path)
        assert marketer.status == 403, path

    give(admin, MARKETER, "start")
    assert "Включить рубильник" in marketer.get(f"/mailings/{mailing}/side")
    marketer.get(f"/mailings/{mailing}/launch")
    assert marketer.status == 200
    give(admin, MARKETER, "")
    marketer.get("/segments")
    assert marketer.status == 403


def test_a_right_is_given_to_who_works_there_and_over_no_newer_change(admin):
    give(admin, MARKETER, "write")
    assert "уже сохранил другие" in give(admin, OTHER, "write", version=0)
    assert admin.status == 422
    assert "нет" in give(admin, NOBODY, "write")
    assert admin.status == 422
    assert f"{name_of(admin, MARKETER)}: ничего → Готовит" in admin.get("/settings/people")
    give(admin, MARKETER, "owner")
    assert admin.status == 400
