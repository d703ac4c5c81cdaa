"""What the pages show of each kind of item: columns of its list, sections of its card."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A titled group of fields in the left card."""

    title: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """One kind of item: its plural, its list and its card."""

    plural: str
    icon: str
    columns: tuple[str, ...]
    sections: tuple[Section, ...]
    draft: dict[str, str]


LAYOUTS = {
    "contact": Layout(
        "Контакты",
        "contact",
        ("COMPANY_ID", "PHONE", "ASSIGNED_BY_ID", "DATE_CREATE"),
        (
            Section(
                "О контакте",
                (
                    *("LAST_NAME", "NAME", "SECOND_NAME", "PHONE", "EMAIL", "COMPANY_IDS", "POST"),
                    *("TYPE_ID", "SOURCE_ID", "BIRTHDATE", "IM", "WEB", "COMMENTS"),
                    "ASSIGNED_BY_ID",
                ),
            ),
        ),
        {"NAME": "Новый контакт"},
    ),
    "company": Layout(
        "Компании",
        "company",
        ("COMPANY_TYPE", "INDUSTRY", "PHONE", "ASSIGNED_BY_ID", "DATE_CREATE"),
        (
            Section(
                "О компании",
                (
                    *("TITLE", "COMPANY_TYPE", "INDUSTRY", "EMPLOYEES", "REVENUE", "PHONE"),
                    *("EMAIL", "WEB", "COMMENTS", "ASSIGNED_BY_ID"),
                ),
            ),
        ),
        {"TITLE": "Новая компания"},
    ),
    "deal": Layout(
        "Сделки",
        "deal",
        ("STAGE_ID", "OPPORTUNITY", "CONTACT_ID", "ASSIGNED_BY_ID", "DATE_CREATE"),
        (
            Section(
                "О сделке",
                (
                    *("TITLE", "OPPORTUNITY", "CURRENCY_ID", "BEGINDATE", "CLOSEDATE"),
                    *("CONTACT_IDS", "COMPANY_ID", "TYPE_ID", "SOURCE_ID", "IS_RECURRING"),
                    *("COMMENTS", "ASSIGNED_BY_ID"),
                ),
            ),
        ),
        {"TITLE": "Новая сделка"},
    ),
    "lead": Layout(
        "Лиды",
        "lead",
        ("STATUS_ID", "OPPORTUNITY", "SOURCE_ID", "ASSIGNED_BY_ID", "DATE_CREATE"),
        (
            Section(
                "О лиде",
                (
                    *("TITLE", "LAST_NAME", "NAME", "COMPANY_TITLE", "PHONE", "EMAIL"),
                    *("OPPORTUNITY", "CURRENCY_ID", "SOURCE_ID", "CONTACT_IDS", "COMPANY_ID"),
                    *("COMMENTS", "ASSIGNED_BY_ID"),
                ),
            ),
        ),
        {"TITLE": "Новый лид"},
    ),
}

CALCULATED = "Показатели"
CUSTOM = "Дополнительно"
EDITABLE_TYPES = frozenset(
    {
        *("string", "integer", "double", "boolean", "date", "datetime", "money", "url"),
        *("enumeration", "crm_status", "crm_currency", "user", "employee", "crm_multifield"),
    }
)
