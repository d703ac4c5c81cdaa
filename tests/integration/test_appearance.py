"""How light the pages are, and whether to be shown round, is each employee's own choice, in every frame from its first byte."""

from __future__ import annotations

import re

import pytest

MEDIA = {"light": "not all", "dark": "all", "auto": "(prefers-color-scheme: dark)"}


def media(answer):
    """When the first page puts the dark on."""
    return re.search(
        r'<link rel="stylesheet" id="dark"[^>]*media="([^"]+)"', answer.get_data(as_text=True)
    )[1]


def choose(world, user, theme):
    headers = {"Authorization": f"Bearer {world.open(user).headers['X-Session']}"}
    return world.browser.post("/appearance", data={"theme": theme}, headers=headers)


def test_everybody_begins_in_the_light_and_chooses_for_himself(world):
    assert media(world.open(1)) == MEDIA["light"]
    for theme in ("auto", "dark"):
        assert choose(world, 1, theme).status_code == 204
        assert media(world.open(1)) == MEDIA[theme]
    assert media(world.open(10)) == MEDIA["light"]


def test_a_refusal_is_as_dark_as_the_rest(world):
    choose(world, 10, "dark")
    token = world.open(10).headers["X-Session"]
    answer = world.browser.get("/settings", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert media(answer) == MEDIA["dark"]


@pytest.mark.parametrize("theme", ["", "pink"])
def test_another_theme_is_not_taken(world, theme):
    assert choose(world, 1, theme).status_code == 422
    assert media(world.open(1)) == MEDIA["light"]


def test_the_tour_is_offered_to_everybody_until_he_has_answered(world):
    offered = 'id="tour-offer"'
    choose(world, 1, "dark")
    headers = {"Authorization": f"Bearer {world.open(1).headers['X-Session']}"}
    assert offered in world.open(1).text
    assert world.browser.post("/tour", headers=headers).status_code == 204
    assert offered not in world.open(1).text
    assert media(world.open(1)) == MEDIA["dark"], "the theme is as it was"
    assert offered in world.open(10).text, "another one has not answered"
