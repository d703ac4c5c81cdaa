"""What is read of the portal, in words: many of a kind, and one."""

from __future__ import annotations

from core.web.words import gettext as _


def many() -> dict[str, str]:
    """Entities by the name of all their rows."""
    return {
        "contact": _("Contacts"),
        "company": _("Companies"),
        "lead": _("Leads"),
        "deal": _("Deals"),
        "deal_history": _("Stage history of deals"),
        "lead_history": _("Stage history of leads"),
        "activity": _("Activities"),
        "product": _("Products"),
        "product_section": _("Product sections"),
    }


def one() -> dict[str, str]:
    """Entities by the name of one row."""
    return {
        "contact": _("Contact"),
        "company": _("Company"),
        "lead": _("Lead"),
        "deal": _("Deal"),
        "deal_history": _("Line of the deals' stage history"),
        "lead_history": _("Line of the leads' stage history"),
        "activity": _("Activity"),
        "product": _("Product"),
        "product_section": _("Product section"),
    }
