"""What the settings page sends: read strictly, before anything is asked of the database."""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from segments.models import ContactMode, DateSource
from segments.rule_versions import Values
from segments.sale_rules import Asked


@dataclass(frozen=True, slots=True)
class RuleForm:
    """The sale rule as the page sent it, and the version it was made from."""

    version: int
    values: Values

    @classmethod
    def read(cls, form: MultiDict[str, str]) -> RuleForm:
        """ValueError when it is not our form. All pipelines ticked means those to come as well."""
        ticked = tuple(sorted({int(each) for each in form.getlist("pipelines")}))
        source = DateSource(form.get("date_source", ""))
        values = Values(
            pipelines=None if len(ticked) == form.get("offered", type=int) else ticked,
            date_source=source,
            date_field=form.get("date_field") if source is DateSource.CUSTOM else None,
            contact_mode=ContactMode(form.get("contact_mode", "")),
        )
        return cls(int(form.get("version", "")), values)

    @property
    def problem(self) -> str | None:
        """What is left out, if anything."""
        return "no_pipelines" if self.values.pipelines == () else None

    @property
    def asked(self) -> Asked:
        """The same for the use case, in which () means all pipelines."""
        values = self.values
        return Asked(
            values.pipelines or (), values.date_source, values.date_field, values.contact_mode
        )
