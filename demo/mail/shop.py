"""The site a letter leads to, seen from the portal: a web form leaves leads there, some of them buy."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from demo.data import names

if TYPE_CHECKING:
    import aiohttp

_SALES_FUNNEL = 0
_DEAR, _CHEAP = 240_000, 18_000


@dataclass
class Shop:
    """Works through the portal's own inside, as its web form would. `seed` invents names and sums."""

    portal: str
    seed: int = 1
    _webhook: str = ""

    async def lead(self, http: aiohttp.ClientSession, address: str, marks: dict[str, str]) -> int:
        """Somebody with this address has asked; the lead's number. A known client keeps his card."""
        known = await self._known(http, address)
        contact = (known.get("CONTACT") or [0])[0]
        card = await self._row(http, "contact", contact) if contact else {}
        name = {k: card[k] for k in ("NAME", "LAST_NAME") if card.get(k)} or self._name(address)
        whole = " ".join(name.values())
        fields: dict[str, Any] = {
            "TITLE": f"Заявка с сайта: {whole}",
            **name,
            "EMAIL": [{"VALUE": address, "VALUE_TYPE": "WORK"}],
            "SOURCE_ID": "WEBFORM",
            "SOURCE_DESCRIPTION": "Перешёл из письма рассылки",
            "ASSIGNED_BY_ID": card.get("ASSIGNED_BY_ID") or 1,
            **{key.upper(): value for key, value in marks.items()},
        }
        if contact:
            fields |= {"CONTACT_ID": contact, "CONTACT_IDS": [contact]}
        return await self._insert(http, "lead", fields)

    async def buy(self, http: aiohttp.ClientSession, lead_id: int, address: str) -> int:
        """The lead is converted and its deal won; the deal's number."""
        lead = await self._row(http, "lead", lead_id)
        contact = lead.get("CONTACT_ID") or await self._insert(
            http,
            "contact",
            {
                **{key: lead.get(key) for key in ("NAME", "LAST_NAME", "ASSIGNED_BY_ID")},
                "EMAIL": [{"VALUE": address, "VALUE_TYPE": "WORK"}],
                "LEAD_ID": lead_id,
            },
        )
        marks = {key: value for key, value in lead.items() if key.startswith("UTM_") and value}
        amount = Random(f"{self.seed}/{address}/{lead_id}").uniform(_CHEAP, _DEAR)
        deal = {
            "TITLE": f"Заказ по рассылке: {lead.get('NAME') or address}",
            "CATEGORY_ID": _SALES_FUNNEL,
            "LEAD_ID": lead_id,
            "CONTACT_ID": contact,
            "CONTACT_IDS": [contact],
            "OPPORTUNITY": round(amount, -2),
            "CURRENCY_ID": "RUB",
            "SOURCE_ID": "WEBFORM",
            "ASSIGNED_BY_ID": lead.get("ASSIGNED_BY_ID") or 1,
            **marks,
        }
        number = await self._insert(http, "deal", deal)
        converted = {"STATUS_ID": "CONVERTED", "CONTACT_ID": contact, "CONTACT_IDS": [contact]}
        await self._mutate(http, "lead", "update", lead_id, converted)
        await self._mutate(http, "deal", "update", number, {"STAGE_ID": "WON"})
        return number

    def _name(self, address: str) -> dict[str, str]:
        person = names.russian(Random(f"{self.seed}/{address}"))
        return {"NAME": person.name, "LAST_NAME": person.last_name}

    async def _known(self, http: aiohttp.ClientSession, address: str) -> dict[str, list[int]]:
        if not self._webhook:
            made = await self._post(http, f"{self.portal}/control/webhooks", {"user_id": 1})
            self._webhook = made["url"]
        asked = {"type": "EMAIL", "values": [address]}
        answer = await self._post(http, f"{self._webhook}crm.duplicate.findbycomm", asked)
        return answer["result"] or {}

    async def _insert(self, http: aiohttp.ClientSession, table: str, fields: dict[str, Any]) -> int:
        return int((await self._mutate(http, table, "insert", 0, fields))["id"])

    async def _mutate(
        self, http: aiohttp.ClientSession, table: str, action: str, row_id: int, fields: Any
    ) -> Any:
        order = {"table": table, "action": action, "id": row_id, "fields": fields}
        return await self._post(http, f"{self.portal}/control/mutate", order)

    async def _row(self, http: aiohttp.ClientSession, table: str, row_id: int) -> dict[str, Any]:
        async with http.get(f"{self.portal}/control/rows/{table}?ids={row_id}") as answer:
            answer.raise_for_status()
            rows = await answer.json()
        return dict(rows[0]) if rows else {}

    @staticmethod
    async def _post(http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> Any:
        async with http.post(url, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()
