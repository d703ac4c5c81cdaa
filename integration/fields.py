"""The fields Rubilnik keeps on the portal's contacts and companies. Their codes are a public contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_OWN = "UF_CRM_RUBILNIK_"


@dataclass(frozen=True, slots=True)
class PortalField:
    """A user field we create: code, type, labels by language. `editable`: people fill it in by hand."""

    code: str
    type_id: str
    ru: str
    en: str
    multiple: bool = False
    editable: bool = False
    in_filter: bool = True

    @property
    def metric(self) -> str:
        """The figure it holds, as rules and the command line name it."""
        return self.code.removeprefix(_OWN).lower()

    def definition(self) -> dict[str, Any]:
        """`fields` of `crm.{entity}.userfield.add`: shown in filters, ours not editable by hand."""
        labels = {"ru": self.ru, "en": self.en}
        return {
            "FIELD_NAME": self.code.removeprefix("UF_CRM_"),
            "USER_TYPE_ID": self.type_id,
            "XML_ID": self.code,
            "MULTIPLE": "Y" if self.multiple else "N",
            "MANDATORY": "N",
            "SHOW_FILTER": "Y" if self.in_filter else "N",
            "EDIT_IN_LIST": "Y" if self.editable else "N",
            "EDIT_FORM_LABEL": labels,
            "LIST_COLUMN_LABEL": labels,
            "LIST_FILTER_LABEL": labels,
        }


LTV = PortalField("UF_CRM_RUBILNIK_LTV", "money", "LTV", "LTV")
AVERAGE_CHECK = PortalField(
    "UF_CRM_RUBILNIK_AVERAGE_CHECK", "money", "Средний чек", "Average check"
)
SALES = PortalField("UF_CRM_RUBILNIK_SALES", "integer", "Число продаж", "Number of sales")
FIRST_SALE = PortalField("UF_CRM_RUBILNIK_FIRST_SALE", "date", "Первая продажа", "First sale")
LAST_SALE = PortalField("UF_CRM_RUBILNIK_LAST_SALE", "date", "Последняя продажа", "Last sale")
RFM = PortalField("UF_CRM_RUBILNIK_RFM", "string", "Группа RFM", "RFM group")

VALUE_CODE = f"{_OWN}VALUE"
"""Of the field that draws the client's value: it holds none itself."""

METRIC_FIELDS = {
    field.code: field for field in (LTV, AVERAGE_CHECK, SALES, FIRST_SALE, LAST_SALE, RFM)
}
METRICS = {field.metric: field for field in METRIC_FIELDS.values()}
DEFAULT_FIELDS = (LTV.code, AVERAGE_CHECK.code)
FIELD_ENTITIES = ("contact", "company")
