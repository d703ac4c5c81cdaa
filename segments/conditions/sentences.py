"""A segment's definition → one sentence in the reader's language that can be understood in one way only.

«Контакты и компании, у которых «LTV» — не меньше 100 ₽ и есть сделка, у которой («Состояние» — одно из:
«проиграна»).» Labels and texts stand in «», nested groups and inner conditions in brackets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from babel.numbers import get_currency_symbol
from sqlalchemy.orm import Session

from core.web.words import N_, spoken_locale
from core.web.words import gettext as _
from segments.conditions import phrases
from segments.conditions.card_fields import CARD
from segments.conditions.catalog import Context, Field, Scope
from segments.conditions.definitions import measured
from segments.conditions.operators import OPERATORS, Operator, Type
from segments.conditions.options import Options, options
from segments.conditions.phrases import ROW_WORDS, TAKEN, number, quoted
from segments.conditions.relations import RELATIONS
from segments.rules.tree import (
    CLIENTS,
    Condition,
    Definition,
    Group,
    Kind,
    Limit,
    Measure,
    Mode,
    Node,
    Related,
)
from segments.saved import Segment

ALL = {
    CLIENTS: N_("all contacts and companies"),
    (Kind.CONTACT,): N_("all contacts"),
    (Kind.COMPANY,): N_("all companies"),
    (Kind.LEAD,): N_("all leads"),
}
FOR_WHICH = {
    CLIENTS: N_("contacts and companies for which"),
    (Kind.CONTACT,): N_("contacts for which"),
    (Kind.COMPANY,): N_("companies for which"),
    (Kind.LEAD,): N_("leads for which"),
}
_SIGNS = {"RUB": "₽", "KZT": "₸", "UAH": "₴", "BYN": "Br"}


def sentence(session: Session, scope: Scope, definition: Definition) -> str:
    """The whole definition in words."""
    return Teller(session, scope).definition(definition)


def phrase(session: Session, scope: Scope, node: Node, kind: Kind) -> str:
    """One part of a card's tree in words, as cards of this kind have it."""
    return Teller(session, scope).node(node, CARD.of((kind,)))


def label(known: Field, context: Context, scope: Scope) -> str:
    """A field's label; with its code where the portal has several of this name."""
    shown = _shown(known)
    if known.code is None:
        return quoted(shown)
    same = sum(1 for each in context.listed(scope) if _shown(each) == shown)
    return f"{quoted(shown)} ({known.code})" if same > 1 else quoted(shown)


@dataclass
class Teller:
    """Puts a portal's conditions into words."""

    session: Session
    scope: Scope
    _lists: dict[str, Options] = field(default_factory=dict)

    def definition(self, definition: Definition) -> str:
        """Both sides and the limit."""
        sides = []
        if definition.clients is not None:
            sides.append(self._side(definition.kinds, definition.clients))
        if definition.leads is not None:
            sides.append(self._side((Kind.LEAD,), definition.leads))
        text = _("; also ").join(sides)
        if definition.limit is not None:
            text += _limited(definition.limit)
        return text[:1].upper() + text[1:] + "."

    def _side(self, kinds: tuple[Kind, ...], tree: Group) -> str:
        if tree.mode is not Mode.ANY and not tree.parts:
            return _(ALL[kinds])
        return _(FOR_WHICH[kinds]) + " " + self.node(tree, CARD.of(kinds))

    def node(self, node: Node, context: Context) -> str:
        """A part of the tree; several joined ones without brackets around them."""
        match node:
            case Group():
                return self._group(node, context)
            case Condition():
                return self._condition(node, context)
            case Related():
                return self._related(node)

    def _group(self, group: Group, context: Context) -> str:
        if not group.parts:
            return _("nothing fits") if group.mode is Mode.ANY else _("everything fits")
        if group.mode is Mode.NONE:
            parts = "; ".join(self.node(part, context) for part in group.parts)
            return _("none of: (%(parts)s)", parts=parts)
        if len(group.parts) == 1:
            return self.node(group.parts[0], context)
        joint = _(" and ") if group.mode is Mode.ALL else _(" or ")
        return joint.join(self._inside(part, context) for part in group.parts)

    def _inside(self, node: Node, context: Context) -> str:
        """A part of a joined group: in brackets where it joins several itself."""
        text = self.node(node, context)
        while isinstance(node, Group) and len(node.parts) == 1 and node.mode is not Mode.NONE:
            node = node.parts[0]
        joins = isinstance(node, Group) and len(node.parts) > 1 and node.mode is not Mode.NONE
        return f"({text})" if joins else text

    def _condition(self, condition: Condition, context: Context) -> str:
        known = context.find(condition.field, self.scope)
        if known is None:
            return _("%(field)s is gone from the portal", field=quoted(condition.field))
        op = known.operators[condition.op]
        said = self._said(op, condition.value, known)
        return _("%(subject)s %(said)s", subject=label(known, context, self.scope), said=said)

    def _related(self, node: Related) -> str:
        relation, words = RELATIONS[node.relation], ROW_WORDS[node.relation]
        inner = None if node.where is None else self.node(node.where, relation.context)
        many = "" if inner is None else _(" for which (%(inner)s)", inner=inner)
        match node.measure:
            case Measure.NONE:
                return _(words.none) + many
            case Measure.ANY | Measure.FIRST | Measure.LAST:
                if inner is None:
                    return _(words.one)
                which = {Measure.FIRST: words.first_which, Measure.LAST: words.last_which}
                return f"{_(which.get(node.measure, words.one_which))} ({inner})"
        known = relation.context.find(node.of or "", self.scope)
        kind = measured(relation, node.measure, node.of, self.scope)
        if kind is None:
            return _("%(field)s is gone from the portal", field=quoted(node.of or ""))
        subject = _(words.number)
        if known is not None:
            taken = label(known, relation.context, self.scope)
            subject = f"{_(TAKEN[node.measure], field=taken)} {_(words.over)}"
        op = OPERATORS[kind][node.op or ""]
        said = self._said(op, node.value, known)
        return _("%(subject)s %(said)s", subject=subject + many, said=said)

    def _said(self, op: Operator, value: object, known: Field | None) -> str:
        unit = self._currency() if known is not None and known.type is Type.MONEY else ""

        def called(value: str) -> str:
            return "" if known is None else self.named(known, value)

        return phrases.phrase(op, value, called, unit)

    def named(self, known: Field, value: str) -> str:
        """A value of a list by its words; with its id where several have the same."""
        if known.type is Type.SEGMENT:
            saved = self.session.get(Segment, (self.scope.portal_id, int(value)))
            return f"№{value}" if saved is None else f"{quoted(saved.name)} №{value}"
        if known.type is Type.LIST and known.options is None:
            return quoted(value)
        rows = [] if known.options is None else self.options(known.options)
        words = dict(rows).get(value)
        if words is None:
            return f"№{quoted(value)}"
        several = sum(1 for _value, each in rows if each == words) > 1
        return f"{quoted(words)} №{quoted(value)}" if several else quoted(words)

    def options(self, name: str) -> Options:
        """The values of a list, read once."""
        if name not in self._lists:
            self._lists[name] = options(self.session, self.scope.portal_id, name)
        return self._lists[name]

    def _currency(self) -> str:
        code = self.scope.rule.base_currency
        return _SIGNS.get(code) or str(get_currency_symbol(code, spoken_locale()))


def _shown(known: Field) -> str:
    return known.label if known.code is not None else _(known.label)


def _limited(limit: Limit) -> str:
    most = number(limit.count)
    if limit.by is None:
        return _("; at most %(most)s of them, by chance", most=most)
    by = quoted(_(CARD.fields[limit.by].label))
    return _("; at most %(most)s of them with the highest %(field)s", most=most, field=by)
