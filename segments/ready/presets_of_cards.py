"""Presets about who clients and leads are: everybody, foreign ones, birthdays, how to reach them."""

from __future__ import annotations

from collections.abc import Callable

from core.web.words import N_
from segments.ready.parameters import Asks, OfFields, Parameter
from segments.ready.preset_parts import (
    Flag,
    Given,
    Json,
    Missing,
    Preset,
    all_of,
    any_of,
    both,
    clients,
    days,
    is_,
    leads,
    no,
    none_of,
    nothing_chosen,
    some,
)
from segments.rules.tree import Kind

EVERYBODY, CARDS = N_("Everybody"), N_("Cards and addresses")
_REACHED_BY = is_("kind", "any_of", ["email", "phone", "messenger"])


# ---- everybody ----------------------------------------------------------------------------------


def _all_clients(given: Given) -> Json:
    return clients(*([is_("sales", "ge", 1)] if given["buyers"] else []))


_NEW_LEAD = all_of(
    some("addresses", _REACHED_BY), is_("client_contact", "empty"), is_("client_company", "empty")
)

# ---- foreign ones -------------------------------------------------------------------------------

_FOREIGN = "иностран|зарубеж|foreign"
_FOREIGN_LEAD = OfFields(("lead",), ("boolean",), _FOREIGN)
_FOREIGN_CLIENT = OfFields(("contact", "company"), ("boolean",), _FOREIGN)
LEAD_FLAG = Flag("UF_CRM_RUBILNIK_FOREIGN", ("lead",), "Иностранный лид", "Foreign lead")
CLIENT_FLAG = Flag(
    "UF_CRM_RUBILNIK_FOREIGN", ("contact", "company"), "Иностранный клиент", "Foreign client"
)


def _foreign_parameters(fields: OfFields) -> tuple[Parameter, ...]:
    return (
        Parameter("field", N_("Mark «foreign»"), Asks.FIELD, fields=fields),
        Parameter(
            "how", N_("Who counts"), Asks.WAY, "mark",
            ways=(
                ("mark", N_("those with the mark")),
                ("signs", N_("also those without one, by phone code and e-mail zone")),
            ),
        ),
        Parameter("codes", N_("Phone codes of your country"), Asks.TEXTS, ("+7",)),
        Parameter("zones", N_("E-mail zones of your country"), Asks.TEXTS, ("ru", "su")),
    )  # fmt: skip


def _signs(given: Given) -> tuple[Json, Json]:
    """A phone of another country, or an e-mail in another country's zone."""
    own_codes = [is_("phone", "starts", code) for code in given["codes"]]
    own_zones = [is_("domain", "ends", f".{zone.lstrip('.')}") for zone in given["zones"]]
    return (
        some("addresses", is_("phone", "filled"), none_of(*own_codes)),
        some("addresses", is_("domain", "matches", r"\.[a-z][a-z]$"), none_of(*own_zones)),
    )


def _foreign(given: Given) -> Json:
    field = given["field"]
    if field is None:
        return any_of(*_signs(given))
    if given["how"] == "mark":
        return is_(field, "yes")
    unmarked = (all_of(is_(field, "empty"), sign) for sign in _signs(given))
    return any_of(is_(field, "yes"), *unmarked)


def _foreign_leads(given: Given) -> Json:
    living = [is_("state", "none_of", ["F"])] if given["living"] else []
    return leads(_foreign(given), *living)


def _foreign_clients(given: Given) -> Json:
    facts, field = given.facts, given["field"]
    if field is None or given["how"] == "signs":
        return clients(_foreign(given))
    having = [kind for kind in (Kind.CONTACT, Kind.COMPANY) if facts.has(kind, field)]
    return clients(_foreign(given), kinds=having)


def _no_mark(flag: Flag, words: str) -> Callable[[Given], list[Missing]]:
    def lacks(given: Given) -> list[Missing]:
        if given["field"] or given["how"] == "signs":
            return []
        return [Missing(words, parameter="field", flag=flag)]

    return lacks


def _contacts(*where: Json) -> Json:
    return clients(*where, kinds=(Kind.CONTACT,))


_WITHIN = Parameter("days", N_("In the next days"), default=7, low=0, high=366)
_NO_EMAIL = (
    no("addresses", is_("kind", "any_of", ["email"])),
    some("addresses", is_("kind", "any_of", ["phone"])),
)

PRESETS = (
    Preset(
        "all_clients", EVERYBODY, N_("All clients"),
        N_("All contacts and companies except your own ones."),
        _all_clients,
        (Parameter("buyers", N_("Only those who bought"), Asks.SWITCH, default=False),),
    ),
    Preset(
        "all_leads", EVERYBODY, N_("All leads"),
        N_("Leads that can be reached and are not clients yet."),
        lambda _g: leads(_NEW_LEAD),
    ),
    Preset(
        "all_clients_and_leads", EVERYBODY, N_("All clients and leads"),
        N_("Everybody, each person once."),
        lambda _g: both(all_of(), _NEW_LEAD),
    ),
    Preset(
        "foreign_leads", EVERYBODY, N_("Foreign leads"),
        N_("Leads marked as foreign; without a mark, by phone code and e-mail zone if you like."),
        _foreign_leads,
        (
            *_foreign_parameters(_FOREIGN_LEAD),
            Parameter("living", N_("Without failed leads"), Asks.SWITCH, default=False),
        ),
        _no_mark(LEAD_FLAG, N_(
            "No field of leads says that a lead is foreign: choose one, create «Foreign lead», "
            "or go by phone code and e-mail zone"
        )),
    ),
    Preset(
        "foreign_clients", EVERYBODY, N_("Foreign clients"),
        N_("Clients marked as foreign; without a mark, by phone code and e-mail zone if you like."),
        _foreign_clients,
        _foreign_parameters(_FOREIGN_CLIENT),
        _no_mark(CLIENT_FLAG, N_(
            "No field of clients says that a client is foreign: choose one, create «Foreign client», "
            "or go by phone code and e-mail zone"
        )),
    ),
    Preset(
        "birthday", CARDS, N_("Birthday soon"),
        N_("Contacts whose birthday is today or in the next days; 29 February counts as the 28th."),
        lambda g: _contacts(is_("birth_date", "anniversary_within", days(g["days"]))),
        (_WITHIN,),
    ),
    Preset(
        "first_sale_anniversary", CARDS, N_("Anniversary of the first sale"),
        N_("Clients whose first sale was on this or the next days, years ago."),
        lambda g: clients(
            is_("first_sale_on", "anniversary_within", days(g["days"])),
            is_("first_sale_on", "more_than_ago", days(0)),
        ),
        (_WITHIN,),
    ),
    Preset(
        "no_email_has_phone", CARDS, N_("Phone but no e-mail"),
        N_("Worth asking for an e-mail: only a phone is known."),
        lambda _g: both(all_of(*_NO_EMAIL), all_of(*_NO_EMAIL)),
    ),
    Preset(
        "by_phone_code", CARDS, N_("By phone code"),
        N_("Has a phone of the chosen countries or cities."),
        lambda g: both(*(2 * [all_of(_phone_of(g))])),
        (Parameter("codes", N_("Phone codes"), Asks.TEXTS),),
        nothing_chosen(N_("Write at least one phone code, as +375"), "codes"),
    ),
    Preset(
        "by_industry", CARDS, N_("By industry"),
        N_("Companies of the chosen industries."),
        lambda g: clients(is_("industry", "any_of", g["industries"]), kinds=(Kind.COMPANY,)),
        (Parameter("industries", N_("Industries"), Asks.CHOICES, options="status:INDUSTRY"),),
        nothing_chosen(N_("Choose at least one industry"), "industries"),
    ),
    Preset(
        "by_position", CARDS, N_("By position"),
        N_("Contacts whose position has one of the words."),
        lambda g: _contacts(any_of(*(is_("post", "contains", word) for word in g["words"]))),
        (Parameter("words", N_("Words of the position"), Asks.TEXTS),),
        nothing_chosen(N_("Write at least one word"), "words"),
    ),
)  # fmt: skip


def _phone_of(given: Given) -> Json:
    return some("addresses", any_of(*(is_("phone", "starts", code) for code in given["codes"])))
