"""`make soak`: people and misfortune at work on the portal for half an hour, and then: does every card tell the truth?

Random edits, won and lost deals, merges, deletions, expired tokens and spoilt answers, some of them
behind the application's back. Meanwhile the time from a changed deal to the new figure on its client's
card is measured; with `--full-sync` while the whole portal is being read again and again. At the end the
portal's own rows are counted naively and compared with the cards.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import signal
import statistics
import sys
import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from demo.data.sizes import PRESETS
from demo.full_syncs import FullSyncs
from demo.running import ROOT, SALES_PIPELINES, Demo, DemoFailed, Options, get, post

LTV = "UF_CRM_RUBILNIK_LTV"
CHECK = "UF_CRM_RUBILNIK_AVERAGE_CHECK"
LONGEST_WAIT = 90.0
QUIET_WITHIN = 900.0
BEHIND_ITS_BACK = 0.1
FAULTS = (
    {"kind": "error", "status": 503, "code": "QUERY_LIMIT_EXCEEDED"},
    {"kind": "error", "status": 500},
    {"kind": "html", "status": 502},
    {"kind": "cut"},
    {"kind": "drop"},
    {"kind": "drop_after_commit"},
    {"kind": "delay", "seconds": 1.0},
    {"kind": "duplicate_rows"},
    {"kind": "bad_rows"},
)


@dataclass
class Soak:
    """A running demo, what is done to it and what was seen."""

    demo: Demo
    rng: random.Random
    waits: list[float] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    late: int = 0
    calm: bool = False
    probe_every: float = 10.0

    def run(self, minutes: float) -> None:
        """Trouble for so many minutes, and a probe now and then."""
        ends = time.monotonic() + minutes * 60
        probe_at = time.monotonic()
        while time.monotonic() < ends:
            if not self.calm:
                self.something()
            if time.monotonic() >= probe_at:
                self._probe()
                probe_at = time.monotonic() + self.probe_every
            time.sleep(self.rng.expovariate(2))

    def batches(self) -> int:
        """How many requests of the usual kind the portal has had so far."""
        return int(self._control("counters").get("batch", 0))

    def quiet(self) -> list[str]:
        """No more trouble; a full check; then the differences that are left, in words."""
        self._control("faults", method="DELETE")
        self._flask("reconcile")
        self._flask(
            "reconcile", "--confirm"
        )  # people deleted much: more than a check takes for granted
        ends = time.monotonic() + QUIET_WITHIN
        while True:
            time.sleep(5)
            self._flask("sync")
            self._flask("writeback")
            found = self.drift()
            print(f"  {len(found)} cards differ", flush=True)
            if not found or time.monotonic() > ends:
                return found

    def drift(self) -> list[str]:
        """Cards that do not hold what their rows say they are worth."""
        truth = self._control(f"truth?categories={SALES_PIPELINES}")
        wrong = []
        for table, worth in (("contact", truth["contacts"]), ("company", truth["companies"])):
            for row in self._rows(table):
                known = worth.get(str(row["ID"]), {"ltv": 0, "average_check": None})
                asked = (_money(known["ltv"]) or 0, _money(known["average_check"]))
                held = (_money(row.get(LTV)) or 0, _money(row.get(CHECK)))
                if row.get("IS_MY_COMPANY") != "Y" and held != asked:
                    wrong.append(f"{table} {row['ID']}: holds {held}, is worth {asked}")
        return wrong

    def something(self) -> None:
        """One random piece of trouble."""
        action = self.rng.choices(
            (self._edit, self._win, self._move, self._add, self._delete, self._merge, self._spoil),
            (40, 15, 10, 15, 5, 3, 12),
        )[0]
        name = action.__name__.strip("_")
        if action():
            self.done[name] = self.done.get(name, 0) + 1

    def _edit(self) -> bool:
        amount = round(self.rng.lognormvariate(10, 1), 2)
        return self._change_deal({"OPPORTUNITY": amount})

    def _win(self) -> bool:
        semantic = self.rng.choice("SSPF")
        stages = [
            row["STATUS_ID"]
            for row in self._rows("status")
            if row["ENTITY_ID"] == "DEAL_STAGE" and (row.get("SEMANTICS") or "P") == semantic
        ]
        deal = self._any("deal")
        if not stages or deal is None or deal.get("CATEGORY_ID"):
            return False
        return self._mutate("deal", "update", deal["ID"], {"STAGE_ID": self.rng.choice(stages)})

    def _move(self) -> bool:
        contact = self._any("contact")
        return contact is not None and self._change_deal({"CONTACT_IDS": [contact["ID"]]})

    def _add(self) -> bool:
        like, contact = self._any("deal"), self._any("contact")
        if like is None or contact is None:
            return False
        names = ("TITLE", "CATEGORY_ID", "STAGE_ID", "OPPORTUNITY", "CURRENCY_ID", "CLOSEDATE")
        fields = {name: like[name] for name in names if like.get(name) is not None}
        return self._mutate("deal", "insert", 0, {**fields, "CONTACT_IDS": [contact["ID"]]})

    def _delete(self) -> bool:
        table = self.rng.choice(("deal", "deal", "contact", "lead"))
        row = self._any(table)
        return row is not None and self._mutate(table, "delete", row["ID"], {})

    def _merge(self) -> bool:
        winner, loser = self._any("contact"), self._any("contact")
        if winner is None or loser is None or winner["ID"] == loser["ID"]:
            return False
        order = {"table": "contact", "action": "merge", "id": winner["ID"]}
        self._control("mutate", {**order, "losers": [loser["ID"]]})
        return True

    def _spoil(self) -> bool:
        if self.rng.random() < 0.2:
            self._control("tokens/expire", {})
        else:
            fault = self.rng.choice(FAULTS)
            self._control("faults", {**fault, "times": self.rng.randint(1, 4)})
        return True

    def _change_deal(self, fields: dict[str, Any]) -> bool:
        deal = self._any("deal")
        return deal is not None and self._mutate("deal", "update", deal["ID"], fields)

    def _mutate(self, table: str, action: str, row_id: int, fields: dict[str, Any]) -> bool:
        """As a person would; now and then without an event, as when the portal loses one."""
        lost = self.rng.random() < BEHIND_ITS_BACK
        self._control("options", {"event_copies": 0 if lost else 1})
        try:
            self._control(
                "mutate", {"table": table, "action": action, "id": row_id, "fields": fields}
            )
        finally:
            self._control("options", {"event_copies": 1})
        return True

    def _probe(self) -> None:
        """A deal of a known client changes: how long until the card shows it?"""
        for _ in range(20):
            deal = self._any("deal")
            if deal is None or deal.get("STAGE_SEMANTIC_ID") != "S" or not deal.get("CONTACT_ID"):
                continue
            if deal.get("CATEGORY_ID") not in (0, 1) or deal.get("IS_RECURRING") == "Y":
                continue
            contact_id = deal["CONTACT_ID"]
            amount = float(deal["OPPORTUNITY"]) + 1000
            before = self._row("contact", contact_id).get(LTV)
            self._control(
                "mutate",
                {"table": "deal", "action": "update", "id": deal["ID"], "fields": {"OPPORTUNITY": amount}},
            )  # fmt: skip
            self._wait_for(contact_id, before)
            return

    def _wait_for(self, contact_id: int, before: Any) -> None:
        started = time.monotonic()
        while time.monotonic() - started < LONGEST_WAIT:
            if self._row("contact", contact_id).get(LTV) != before:
                self.waits.append(time.monotonic() - started)
                return
            time.sleep(0.1)
        self.late += 1

    def _any(self, table: str) -> dict[str, Any] | None:
        after = self.rng.randint(0, max(0, int(self._control("")["rows"][table]) - 1))
        found = self._control(f"rows/{table}?after={after}&limit=1")
        return found[0] if found else None

    def _row(self, table: str, row_id: int) -> dict[str, Any]:
        found = self._control(f"rows/{table}?ids={row_id}")
        return found[0] if found else {}

    def _rows(self, table: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while page := self._control(
            f"rows/{table}?limit=1000&after={rows[-1]['ID'] if rows else 0}"
        ):
            rows += page
        return rows

    def _control(self, path: str, body: dict[str, Any] | None = None, method: str = "") -> Any:
        url = f"{self.demo.portal}/control/{path}"
        if method:
            with urlopen(Request(url, method=method), timeout=30) as answer:
                return answer.read()
        return json.loads(get(url)) if body is None else post(url, body)

    def _flask(self, command: str, *options: str) -> None:
        self.demo.flask(command, "--portal", self.demo.member_id, *options, check=False)


def _told(soak: Soak, drift: list[str]) -> None:
    print(f"Done: {', '.join(f'{name} {number}' for name, number in sorted(soak.done.items()))}")
    waits = sorted(soak.waits)
    if waits:
        p99 = waits[min(len(waits) - 1, int(0.99 * len(waits)))]
        print(
            f"From a changed deal to its client's card: median {statistics.median(waits):.1f} s, "
            f"p99 {p99:.1f} s, {len(waits)} probes, {soak.late} later than {LONGEST_WAIT:.0f} s"
        )
    print(f"Drift: {len(drift)}", *itertools.islice(drift, 20), sep="\n  ", flush=True)


def main() -> int:
    """Soak; 1 when a card is wrong in the end."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", default="demo", choices=list(PRESETS))
    parser.add_argument("--calm", action="store_true", help="no trouble: only measure")
    parser.add_argument("--full-sync", action="store_true", help="read everything all the while")
    parser.add_argument("--probe-every", type=float, default=10, help="seconds between probes")
    parser.add_argument("--port", type=int, default=8010)
    parser.add_argument("--portal-port", type=int, default=8890)
    asked = parser.parse_args()
    place = Path(ROOT) / ".data" / "soak"
    demo = Demo(
        Options(
            *(asked.port, asked.portal_port, asked.portal_port + 2, asked.sizes, asked.seed, place),
            limits="standard",
        )
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    soak = Soak(demo, random.Random(asked.seed), calm=asked.calm, probe_every=asked.probe_every)
    reading = FullSyncs(demo) if asked.full_sync else None
    try:
        demo.start()
        print(f"{'Calm' if asked.calm else 'Trouble'} for {asked.minutes:g} minutes…", flush=True)
        before, began = soak.batches(), time.monotonic()
        if reading is not None:
            reading.start()
        soak.run(asked.minutes)
        pace = (soak.batches() - before) / (time.monotonic() - began)
        print(f"The portal was asked {pace:.1f} batches a second", flush=True)
        if reading is not None:
            reading.stop()
        print("Quiet…", flush=True)
        drift = soak.quiet()
    except DemoFailed as error:
        print(f"The demo stopped: {error}", file=sys.stderr)
        return 1
    finally:
        demo.stop()
    _told(soak, drift)
    return 1 if drift or soak.late else 0


def _money(value: Any) -> Decimal | None:
    return Decimal(str(value).partition("|")[0]) if value else None


if __name__ == "__main__":
    sys.exit(main())
