"""The form of the RFM page, read: an administrator's choices about scores, groups and stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from segments.models import ClientKind
from segments.rules import lifecycle, rfm
from segments.rules.score_choices import How, OfKind, ScoreChoices, WrongChoice

RANKS = range(2, rfm.SCORES + 1)
_T = TypeVar("_T")


def read(form: Mapping[str, str], before: ScoreChoices, kind: ClientKind) -> ScoreChoices:
    """The choices of the form; those of the other kind of client stay. Raises WrongChoice."""
    chosen = OfKind(_how(form), _edges(form), _stages(form))
    wished = replace(
        before,
        window=_whole(form.get("window", ""), "window"),
        kinds={**before.kinds, kind.value: chosen},
        matrix=_matrix(form),
        names=_names(form),
    )
    wished.check()
    return wished


def written(choices: ScoreChoices, kind: ClientKind) -> dict[str, str]:
    """What the form shows of these choices."""
    chosen = choices.of_kind(kind.value)
    found = {"window": str(choices.window), "how": chosen.how.value}
    if chosen.edges is not None:
        days, purchases, money = chosen.edges.days, chosen.edges.purchases, chosen.edges.money
        for place, rank in enumerate(RANKS):
            found[f"days.{rank}"] = str(days[rfm.SCORES - rank] - 1)
            found[f"purchases.{rank}"] = str(purchases[place])
            found[f"money.{rank}"] = f"{money[place]:f}"
    if chosen.stages is not None:
        stages = chosen.stages
        found |= {
            "stages": "own",
            "cooling": str(stages.cooling),
            "sleeping": str(stages.sleeping),
            "lost": str(stages.lost),
        }
    for key, name in choices.names.items():
        found[f"name.{key}"] = name
    for r in range(1, rfm.SCORES + 1):
        for f in range(1, rfm.SCORES + 1):
            little, much = (choices.matrix[rfm.place_of(r, f, much=of)] for of in (False, True))
            found[f"cell.{r}{f}"] = little
            found[f"much.{r}{f}"] = "" if much == little else much
    return found


def _how(form: Mapping[str, str]) -> How:
    try:
        return How(form.get("how", ""))
    except ValueError:
        raise WrongChoice("how") from None


def _edges(form: Mapping[str, str]) -> rfm.Edges | None:
    """The thresholds; None when none is filled in. Days are typed as the most that still get a score."""
    days = _row(form, "days", _whole)
    purchases = _row(form, "purchases", _whole)
    money = _row(form, "money", _amount)
    if days is None and purchases is None and money is None:
        return None
    if days is None or purchases is None or money is None:
        raise WrongChoice("thresholds")
    return rfm.Edges(tuple(most + 1 for most in reversed(days)), tuple(purchases), tuple(money))


def _row(form: Mapping[str, str], name: str, read_one: Callable[[str, str], _T]) -> list[_T] | None:
    typed = [form.get(f"{name}.{rank}", "").strip() for rank in RANKS]
    return [read_one(each, name) for each in typed] if any(typed) else None


def _stages(form: Mapping[str, str]) -> lifecycle.Edges | None:
    if form.get("stages") != "own":
        return None
    names = ("cooling", "sleeping", "lost")
    return lifecycle.Edges(*(_whole(form.get(name, ""), "stages") for name in names))


def _matrix(form: Mapping[str, str]) -> tuple[str, ...]:
    found: list[Any] = [None] * len(rfm.MATRIX)
    for r in range(1, rfm.SCORES + 1):
        for f in range(1, rfm.SCORES + 1):
            little = form.get(f"cell.{r}{f}", "")
            much = form.get(f"much.{r}{f}") or little
            found[rfm.place_of(r, f, much=False)] = little
            found[rfm.place_of(r, f, much=True)] = much
    return tuple(found)


def _names(form: Mapping[str, str]) -> dict[str, str]:
    typed = {key: form.get(f"name.{key}", "").strip() for key in rfm.ALL_GROUPS}
    return {key: name for key, name in typed.items() if name}


def _whole(text: str, what: str) -> int:
    digits = "".join(text.split())
    if not digits.isdecimal() or len(digits) > 9:
        raise WrongChoice(what)
    return int(digits)


def _amount(text: str, what: str) -> Decimal:
    try:
        amount = Decimal("".join(text.split()).replace(",", "."))
    except InvalidOperation:
        raise WrongChoice(what) from None
    if not amount.is_finite():
        raise WrongChoice(what)
    return amount.quantize(Decimal("0.01"))
