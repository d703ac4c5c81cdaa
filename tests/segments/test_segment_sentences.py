"""A segment's sentence can be read in one way only: a small parser gets the same question back from it."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from babel.dates import get_day_names, get_month_names
from babel.numbers import parse_decimal
from hypothesis import HealthCheck, given, settings
from support.segment_portal import NOW, Maker, stored
from support.segment_questions import every_condition, random_definitions

from core.web import words
from core.web.words import gettext as _
from integration.mirror import Status
from segments.conditions import definitions, phrases, sentences
from segments.conditions.card_fields import CARD
from segments.conditions.catalog import scope_of
from segments.conditions.definitions import measured
from segments.conditions.operators import OPERATORS, Type
from segments.conditions.relations import RELATIONS
from segments.members import saving
from segments.ready import presets
from segments.rules.tree import CLIENTS, Condition, Definition, Group, Kind, Measure, Mode, Related

QUESTIONS = 40
UNITS = ("day", "week", "month", "quarter", "year")


# ---- the meaning of a tree, whatever way it is written down ---------------------------------------


def meaning(node: Any) -> Any:
    """A tree in a form that is equal for trees that say the same."""
    match node:
        case Group(mode, parts):
            inner = [meaning(part) for part in parts]
            if mode is Mode.NONE and parts:
                return ("none", *inner)
            if not parts:
                return ("any",) if mode is Mode.ANY else ("all",)
            return inner[0] if len(inner) == 1 else (mode.value, *inner)
        case Condition(field, op, value):
            return ("if", field, op, plain(value))
        case Related():
            where = None if node.where is None else meaning(node.where)
            ends = node.measure in {Measure.FIRST, Measure.LAST} and where is None
            measure = Measure.ANY if ends else node.measure
            return (
                "rows",
                node.relation,
                measure.value,
                where,
                node.of,
                node.op,
                plain(node.value),
            )


def plain(value: Any) -> Any:
    """A value in one form: numbers as numbers, texts without blanks around, lists in one order."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return tuple(sorted((plain(each) for each in value), key=str))
    if isinstance(value, dict):
        return tuple(sorted((key, plain(each)) for key, each in value.items()))
    return value if value is None else float(value)


# ---- the parser -----------------------------------------------------------------------------------


class Reader:
    """Reads a sentence by the words of the catalogue and the portal's lists."""

    def __init__(self, session: Any, scope: Any) -> None:
        self.session, self.scope = session, scope
        self.known: dict[tuple[str, str], list[tuple[str, Any]]] = {}
        self.tellers: dict[str, sentences.Teller] = {}

    def labels(self, context: Any) -> list[tuple[str, Any]]:
        """Every field of a context with its label as sentences have it."""
        key = (locale(), context.key)
        if key not in self.known:
            self.known[key] = [
                (sentences.label(field, context, self.scope), field)
                for field in context.listed(self.scope)
            ]
        return self.known[key]

    def definition(self, text: str) -> Any:
        assert text.endswith(".")
        found: dict[str, Any] = {}
        for side in split(text[:1].lower() + text[1:-1], _("; also ")):
            (fits,) = [
                (kinds, rest)
                for kinds in (CLIENTS, (Kind.CONTACT,), (Kind.COMPANY,), (Kind.LEAD,))
                if (rest := self.side(kinds, side)) is not None
            ]
            found["leads" if fits[0] == (Kind.LEAD,) else "clients"] = fits
        return found

    def side(self, kinds: Any, text: str) -> Any:
        head = _(sentences.FOR_WHICH[kinds]) + " "
        if text == _(sentences.ALL[kinds]):
            return ("all",)
        return self.node(text.removeprefix(head), CARD) if text.startswith(head) else None

    def node(self, text: str, context: Any) -> Any:
        for mode, joint in (("all", _(" and ")), ("any", _(" or "))):
            parts = split(text, joint)
            if len(parts) > 1:
                return (mode, *(self.node(part, context) for part in parts))
        if text.startswith("(") and closing(text, 0) == len(text) - 1:
            return self.node(text[1:-1], context)
        if text in (_("everything fits"), _("nothing fits")):
            return ("all",) if text == _("everything fits") else ("any",)
        opening, _end = _("none of: (%(parts)s)").split("%(parts)s")
        if text.startswith(opening):
            assert closing(text, len(opening) - 1) == len(text) - 1
            inside = text[len(opening) : -1]
            return ("none", *(self.node(part, context) for part in split(inside, "; ")))
        readings = self.rows(text) if context is CARD else []
        readings += self.condition(text, context)
        (reading,) = set(readings)  # one way only
        return reading

    def condition(self, text: str, context: Any) -> list[Any]:
        for start, field in self.labels(context):
            head = _("%(subject)s %(said)s").replace("%(subject)s", start).split("%(said)s")[0]
            if text.startswith(head):
                said = text[len(head) :]
                return [
                    ("if", field.key, op, value) for op, value in self.said(said, field.type, field)
                ]
        return []

    def rows(self, text: str) -> list[Any]:
        found = []
        for relation in RELATIONS.values():
            spoken = phrases.ROW_WORDS[relation.key]
            for measure, which in (
                ("any", spoken.one_which), ("first", spoken.first_which), ("last", spoken.last_which),
            ):  # fmt: skip
                if which and text.startswith(_(which) + " ("):
                    inside = text[len(_(which)) + 2 : -1]
                    where = self.node(inside, relation.context)
                    found.append(("rows", relation.key, measure, where, None, None, None))
            if text == _(spoken.one):
                found.append(("rows", relation.key, "any", None, None, None, None))
            if text.startswith(_(spoken.none)):
                where, rest = self.many(text[len(_(spoken.none)) :], relation)
                if not rest:
                    found.append(("rows", relation.key, "none", where, None, None, None))
            found += self.measured(text, relation, spoken)
        return found

    def measured(self, text: str, relation: Any, spoken: Any) -> list[Any]:
        starts = [(Measure.COUNT, None, _(spoken.number))]
        for measure, taken in phrases.TAKEN.items():
            for label, field in self.labels(relation.context):
                start = f"{_(taken, field=label)} {_(spoken.over)}"
                if text.startswith(start) and measured(relation, measure, field.key, self.scope):
                    starts.append((measure, field, start))
        found = []
        for measure, field, start in starts:
            if not text.startswith(start):
                continue
            where, rest = self.many(text[len(start) :], relation)
            between = _("%(subject)s %(said)s").replace("%(subject)s", "").split("%(said)s")[0]
            if not rest.startswith(between):
                continue
            kind = measured(relation, measure, field and field.key, self.scope)
            found += [
                ("rows", relation.key, measure.value, where, field and field.key, op, value)
                for op, value in self.said(rest[len(between) :], kind, field)
            ]
        return found

    def many(self, text: str, relation: Any) -> tuple[Any, str]:
        opening = _(" for which (%(inner)s)").split("%(inner)s")[0]
        if not text.startswith(opening):
            return None, text
        end = closing(text, len(opening) - 1)
        return self.node(text[len(opening) : end], relation.context), text[end + 1 :]

    def said(self, text: str, kind: Type, field: Any) -> list[tuple[str, Any]]:
        """Every operator with a value that would be said so."""
        named = self.teller().named
        unit = "₽" if kind is Type.MONEY else ""
        found = []
        for op in OPERATORS[kind].values():
            for value in self.candidates(op.shape.key, text, field):
                try:
                    said = phrases.phrase(op, value, lambda each: named(field, each), unit)
                except (ValueError, KeyError, IndexError):
                    continue
                if said == text and (op.key, plain(value)) not in found:
                    found.append((op.key, plain(value)))
        return found

    def candidates(self, shape: str, text: str, field: Any) -> list[Any]:
        quoted = re.findall("«([^»]*)»", text)
        numbers, days = numbers_in(text), days_in(text)
        months = get_month_names("wide", "stand-alone", locale())
        weekdays = get_day_names("wide", "stand-alone", locale())
        one_number = numbers[:1]
        found: dict[str, list[Any]] = {
            "nothing": [None],
            "text": quoted[:1],
            "pattern": quoted[:1],
            "texts": [quoted],
            "number": one_number,
            "count": one_number,
            "percent": one_number,
            "numbers": [numbers[:2]],
            "day": days[:1],
            "days": [days[:2]],
            "period": [{"n": int(n), "unit": unit} for n in one_number for unit in UNITS],
            "unit": list(UNITS),
            "months": [named_in(text, months, 0)],
            "weekdays": [named_in(text, weekdays, 1)],
        }
        return [self.choices(text, field)] if shape == "choices" else found.get(shape, [])

    def teller(self) -> sentences.Teller:
        """With the lists it has read once."""
        return self.tellers.setdefault(locale(), sentences.Teller(self.session, self.scope))

    def choices(self, text: str, field: Any) -> list[str]:
        """Values of a list: by id where one is told, else by their words."""
        rows = [] if field.options is None else self.teller().options(field.options)
        found = []
        for label, number, alone in re.findall("«([^»]*)» №«([^»]*)»|((?:№)?«[^»]*»)", text):
            if number:
                assert dict(rows)[number] == label
                found.append(number)
            elif alone.startswith("№") or (field.type is Type.LIST and field.options is None):
                found.append(alone.lstrip("№")[1:-1])
            else:
                (value,) = [value for value, each in rows if each == alone[1:-1]]
                found.append(value)
        return found


def locale() -> str:
    return words.spoken_locale()


def numbers_in(text: str) -> list[Any]:
    bare = re.sub("«[^»]*»", "", text).replace("−", "-")
    found = re.findall(r"-?\d(?:[\d.,\u00a0\u202f]*\d)?", bare)
    numbers = []
    for each in found:
        try:
            number = parse_decimal(each, locale=locale())
        except ValueError:
            continue
        numbers.append(int(number) if number == int(number) else float(number))
    return numbers


def days_in(text: str) -> list[str]:
    if locale() == "ru":
        return [f"{y}-{m}-{d}" for d, m, y in re.findall(r"(\d\d)\.(\d\d)\.(\d{4})", text)]
    months = {
        name: number for number, name in get_month_names("abbreviated", "format", "en").items()
    }
    return [
        date(int(y), months[m], int(d)).isoformat()
        for d, m, y in re.findall(r"(\d\d?) (\w{3}) (\d{4})", text)
    ]


def named_in(text: str, names: Any, shift: int) -> list[int]:
    return [
        number + shift for number, name in sorted(names.items()) if re.search(rf"\b{name}\b", text)
    ]


def split(text: str, joint: str) -> list[str]:
    """Parts between joints that stand outside of quotes and brackets."""
    parts, depth, start, at = [], 0, 0, 0
    while at < len(text):
        depth += (text[at] in "«(") - (text[at] in "»)")
        if not depth and text.startswith(joint, at):
            parts.append(text[start:at])
            at = start = at + len(joint)
            continue
        at += 1
    return [*parts, text[start:]]


def closing(text: str, opening: int) -> int:
    """Where the bracket that opens here closes; those in quotes are text."""
    depth = quotes = 0
    for at in range(opening, len(text)):
        quotes += (text[at] == "«") - (text[at] == "»")
        if not quotes:
            depth += (text[at] == "(") - (text[at] == ")")
        if not depth:
            return at
    raise AssertionError(text)


# ---- tests ----------------------------------------------------------------------------------------


@pytest.fixture
def portal(session):
    """A portal whose lists have names, two of them the same."""
    rows = stored(session, Maker(5).rows())
    for dictionary, status_id, name in (
        ("DEAL_STAGE", "NEW", "Новая"), ("DEAL_STAGE", "WON", "Успех"),
        ("DEAL_STAGE", "LOSE", "Успех"), ("SOURCE", "WEB", "Сайт (форма)"),
        ("SOURCE", "CALL", "«Звонок» и ещё"), ("STATUS", "NEW", "Новый; или нет"),
    ):  # fmt: skip
        session.add(
            Status(portal_id=rows.portal_id, dictionary=dictionary, status_id=status_id, name=name)
        )
    session.flush()
    return scope_of(session, rows.portal_id, NOW)


def in_words(session, scope, definition, language):
    with words.speaking(language):
        return sentences.sentence(session, scope, definition)


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_sentence_is_read_back_to_the_same_question(session, portal, language):
    reader = Reader(session, portal)

    @settings(max_examples=QUESTIONS, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(random_definitions(portal))
    def asked(raw: dict[str, Any]) -> None:
        same(reader, session, portal, definitions.read(raw, portal), language)

    asked()


def same(reader: Reader, session: Any, scope: Any, asked: Definition, language: str) -> None:
    """The sentence says what was asked."""
    text = in_words(session, scope, asked, language)
    with words.speaking(language):
        found = reader.definition(text)
    wanted = {}
    if asked.clients is not None:
        wanted["clients"] = (asked.kinds, meaning(asked.clients))
    if asked.leads is not None:
        wanted["leads"] = ((Kind.LEAD,), meaning(asked.leads))
    assert found == wanted, text


def test_every_operator_of_every_field_is_read_back(session, portal):
    reader = Reader(session, portal)

    @settings(max_examples=1, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(every_condition(portal))
    def asked(questions: list[dict[str, Any]]) -> None:
        assert len(questions) > 300
        for raw in questions[::3]:
            same(reader, session, portal, definitions.read(raw, portal), "ru")

    asked()


LOST = {"related": "deals", "where": {"all": [{"field": "state", "op": "any_of", "value": ["F"]}]}}
SAID = [
    ({"clients": {}}, "Все контакты и компании."),
    (
        {"clients": {"where": {"all": [LOST, {"field": "ltv", "op": "ge", "value": 1000.5}]}}},
        "Контакты и компании, у которых есть сделка, у которой («Состояние» — одно из «проиграна»)"
        " и «LTV» — не меньше 1 000,5.",
    ),
    (
        {"clients": {"kinds": ["contact"], "where": {"any": [
            {"related": "deals", "measure": "count", "op": "ge", "value": 3},
            {"all": [
                {"field": "birth_date", "op": "anniversary_within", "value": {"n": 7, "unit": "day"}},
                {"field": "source", "op": "none_of", "value": ["WEB", "GONE"]},
            ]},
        ]}}},
        "Контакты, у которых число сделок — не меньше 3 или («День рождения» — годовщина в ближайшие"
        " 7 дней и «Источник» — ни одно из «Сайт (форма)», №«GONE»).",
    ),
    (
        {
            "clients": {"where": {"none": [
                {"related": "deals", "measure": "sum", "of": "amount", "op": "gt", "value": 5000},
                {"related": "activities", "measure": "last", "where": {"all": [
                    {"field": "created_at", "op": "more_than_ago", "value": {"n": 2, "unit": "week"}},
                ]}},
            ]}},
            "leads": {"where": {"all": [{"field": "amount", "op": "empty"}]}},
            "limit": {"count": 500, "by": "ltv"},
        },
        "Контакты и компании, у которых ни одно из: (сумма по полю «Сумма» по сделкам — больше 5 000 ₽;"
        " последнее дело такое, у которого («Создано» — больше чем 2 недели назад)); а также лиды, у"
        " которых «Сумма лида» — не заполнено; не больше 500 из них с самым высоким «LTV».",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "said"), SAID)
def test_a_sentence_is_plain_russian(session, portal, raw, said):
    definition = definitions.read({"version": 1, **raw}, portal)
    assert in_words(session, portal, definition, "ru").replace("\u00a0", " ") == said


def test_a_segment_a_share_and_the_highest_are_named(session, portal):
    other = saving.create(session, portal.portal_id, "Мои", {"version": 1, "clients": {}})
    conditions = [
        ({"field": "segment", "op": "not_in", "value": other.id}, "«Сегмент» — не входит в «Мои» №"),
        ({"field": "segment", "op": "was_in_on", "value": {"segment": other.id, "day": "2026-01-31"}},
         "на конец дня 31.01.2026"),
        ({"field": "segment", "op": "entered_in",
          "value": {"segment": other.id, "days": ["2026-01-01", "2026-01-31"]}},
         "в дни от 01.01.2026 до 31.01.2026"),
        ({"field": "sample", "op": "share", "value": {"percent": 12.5, "salt": "весна"}},
         "12,5 % «весна»"),
        ({"field": "ltv", "op": "top", "value": 10}, "«LTV» — среди самых высоких 10 %"),
    ]  # fmt: skip
    for raw, said in conditions:
        definition = definitions.read({"version": 1, "clients": {"where": {"all": [raw]}}}, portal)
        text = in_words(session, portal, definition, "ru").replace("\u00a0", " ")
        assert said in text


def test_every_preset_has_a_sentence_and_words_in_russian(session, portal):
    facts = presets.facts_of(session, portal)
    ready = [key for key, preset in presets.PRESETS.items() if not presets.missing(preset, facts)]
    assert len(ready) > 25
    for key in ready:
        definition = definitions.read(presets.build(facts, key), portal)
        same(Reader(session, portal), session, portal, definition, "ru")
        plainly = re.sub("«[^»]*»", "", in_words(session, portal, definition, "ru"))
        assert re.search("[A-Za-z]{2,}", plainly) is None, key
