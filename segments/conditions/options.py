"""Lists of values to choose from: the portal's dictionaries as (value, words), by the name a field gives."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.web.words import N_
from core.web.words import gettext as _
from integration.goods import Product, ProductSection
from integration.mirror import Currency, CustomField, Pipeline, PortalUser, Status
from segments.scoring import score_words, scores

Options = list[tuple[str, str]]
Reader = Callable[[Session, int, str], Options]

_FIXED: dict[str, tuple[tuple[str, str], ...]] = {
    "deal_states": (("P", N_("in progress")), ("S", N_("won")), ("F", N_("lost"))),
    "lead_states": (("P", N_("in progress")), ("S", N_("converted")), ("F", N_("failed"))),
    "address_kinds": (
        ("email", N_("e-mail")),
        ("phone", N_("phone")),
        ("messenger", N_("messenger")),
        ("web", N_("site")),
    ),
    "purposes": (
        ("WORK", N_("work")),
        ("HOME", N_("home")),
        ("MOBILE", N_("mobile")),
        ("MAILING", N_("for mailings")),
        ("FAX", N_("fax")),
        ("PAGER", N_("pager")),
        ("OTHER", N_("other")),
    ),
    "activity_kinds": (
        ("1", N_("meeting")),
        ("2", N_("call")),
        ("3", N_("task")),
        ("4", N_("letter")),
        ("6", N_("from an application")),
    ),
    "directions": (("1", N_("incoming")), ("2", N_("outgoing"))),
}
_DEAL_STAGES = "DEAL_STAGE"


def options(session: Session, portal_id: int, name: str) -> Options:
    """The values of this list, in the portal's order. A name nobody knows has none."""
    if name in _FIXED:
        return [(value, _(words)) for value, words in _FIXED[name]]
    head, _colon, rest = name.partition(":")
    reader = READERS.get(head)
    return reader(session, portal_id, rest) if reader else []


def _statuses(session: Session, portal_id: int, dictionary: str, state: str = "") -> Options:
    query = (
        sa.select(Status.status_id, Status.name)
        .where(Status.portal_id == portal_id, Status.dictionary == dictionary)
        .order_by(Status.sort, Status.status_id)
    )
    if state:
        query = query.where(Status.semantic == state)
    return [(value, name) for value, name in session.execute(query)]


def _stages(session: Session, portal_id: int, state: str) -> Options:
    """Stages of deals, each named with its pipeline where there are several; or those of one state."""
    pipelines = _pipelines(session, portal_id, "")
    found: Options = []
    for pipeline_id, pipeline in pipelines or [("0", "")]:
        dictionary = _DEAL_STAGES if pipeline_id == "0" else f"{_DEAL_STAGES}_{pipeline_id}"
        prefix = f"{pipeline}: " if len(pipelines) > 1 else ""
        stages = _statuses(session, portal_id, dictionary, state)
        found += [(value, prefix + name) for value, name in stages]
    return found


def _lead_stages(session: Session, portal_id: int, state: str) -> Options:
    return _statuses(session, portal_id, "STATUS", state)


def _all_stages(session: Session, portal_id: int, _rest: str) -> Options:
    leads = _statuses(session, portal_id, "STATUS")
    return _stages(session, portal_id, "") + [
        (value, _("Lead: %(stage)s", stage=name)) for value, name in leads
    ]


def _types(session: Session, portal_id: int, _rest: str) -> Options:
    found: Options = []
    for kind, dictionary, words in (
        ("contact", "CONTACT_TYPE", _("Contact: %(type)s")),
        ("company", "COMPANY_TYPE", _("Company: %(type)s")),
    ):
        found += [
            (f"{kind}:{value}", words % {"type": name})
            for value, name in _statuses(session, portal_id, dictionary)
        ]
    return found


def _pipelines(session: Session, portal_id: int, _rest: str) -> Options:
    query = (
        sa.select(Pipeline.bitrix_id, Pipeline.name)
        .where(Pipeline.portal_id == portal_id)
        .order_by(Pipeline.sort, Pipeline.bitrix_id)
    )
    return [(str(number), name) for number, name in session.execute(query)]


def _users(session: Session, portal_id: int, _rest: str) -> Options:
    query = (
        sa.select(PortalUser.bitrix_id, PortalUser.name)
        .where(PortalUser.portal_id == portal_id)
        .order_by(PortalUser.active.desc(), PortalUser.name, PortalUser.bitrix_id)
    )
    return [(str(number), name or f"#{number}") for number, name in session.execute(query)]


def _currencies(session: Session, portal_id: int, _rest: str) -> Options:
    query = (
        sa.select(Currency.code, Currency.name)
        .where(Currency.portal_id == portal_id)
        .order_by(Currency.is_base.desc(), Currency.code)
    )
    return [(code, name or code) for code, name in session.execute(query)]


def _products(session: Session, portal_id: int, _rest: str) -> Options:
    """Products, variations left out; those no longer sold last."""
    query = (
        sa.select(Product.bitrix_id, Product.name)
        .where(Product.portal_id == portal_id, Product.parent_id.is_(None))
        .order_by(Product.active.desc(), Product.name, Product.bitrix_id)
    )
    return [(str(number), name) for number, name in session.execute(query)]


def _sections(session: Session, portal_id: int, _rest: str) -> Options:
    """Sections of the catalog, each named with those it lies in."""
    query = (
        sa.select(ProductSection.bitrix_id, ProductSection.parent_id, ProductSection.name)
        .where(ProductSection.portal_id == portal_id)
        .order_by(ProductSection.name, ProductSection.bitrix_id)
    )
    rows = {number: (parent, name) for number, parent, name in session.execute(query)}

    def path(number: int, below: frozenset[int] = frozenset()) -> str:
        parent, name = rows[number]
        if parent is None or parent not in rows or parent in below:
            return name
        return f"{path(parent, below | {number})} / {name}"

    return sorted(((str(number), path(number)) for number in rows), key=lambda each: each[1])


def _custom(session: Session, portal_id: int, rest: str) -> Options:
    """Items of a list field; of a directory field, the directory."""
    entity, _colon, code = rest.partition(":")
    row = session.get(CustomField, (portal_id, entity, code))
    if row is None:
        return []
    return [(str(item["id"]), str(item["value"])) for item in row.items or []]


def _rfm_groups(session: Session, portal_id: int, _rest: str) -> Options:
    names = scores.choices_of(session, portal_id)[1].names
    return list(score_words.groups(names).items())


def _life_stages(_session: Session, _portal_id: int, _rest: str) -> Options:
    return list(score_words.stages().items())


READERS: dict[str, Reader] = {
    "status": _statuses,
    "deal_stages": _stages,
    "lead_stages": _lead_stages,
    "all_stages": _all_stages,
    "types": _types,
    "pipelines": _pipelines,
    "users": _users,
    "currencies": _currencies,
    "products": _products,
    "sections": _sections,
    "custom": _custom,
    "rfm_groups": _rfm_groups,
    "life_stages": _life_stages,
}
