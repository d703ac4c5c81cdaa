"""Arguments of every command that works for one portal, and the names of the others."""

from __future__ import annotations

from pathlib import Path

CONSENTS_FILE = str(Path(__file__).parents[1] / "consents.csv")

RULE_FILE = str(Path(__file__).parents[1] / "buyers.json")

COMMANDS = {
    "sync": ["--portal", "{portal}", "--json"],
    "sync status": ["--portal", "{portal}"],
    "reconcile": ["--portal", "{portal}", "--json"],
    "metrics": ["--portal", "{portal}", "--json"],
    "writeback": ["--portal", "{portal}", "--dry-run", "--json"],
    "sale-rule": ["--portal", "{portal}", "--pipelines", "0,1", "--contacts", "split"],
    "writing": ["--portal", "{portal}", "--map", "sales=own", "--off"],
    "sync-rule": ["--portal", "{portal}", "--skip", "activity", "--hours", "9-18", "--json"],
    "health": ["--portal", "{portal}"],
    "calls": ["--portal", "{portal}", "--json"],
    "best-client": ["--portal", "{portal}", "--json"],
    "client": ["--portal", "{portal}", "contact:1", "--json"],
    "segments presets": ["--portal", "{portal}", "--json"],
    "segments list": ["--portal", "{portal}"],
    "segments count": ["--portal", "{portal}", "all_clients", "--json"],
    "segments export": ["--portal", "{portal}", "all_clients_and_leads"],
    "segments create": ["--portal", "{portal}", "--name", "Покупатели", "--rule-file", RULE_FILE],
    "mailings list": ["--portal", "{portal}", "--json"],
    "mailings create": [
        "--portal",
        "{portal}",
        "--segment",
        "all_clients",
        "--subject",
        "S",
        "--body-file",
        RULE_FILE,
        "--json",
    ],
    "consents import": ["--portal", "{portal}", "--source", "x", CONSENTS_FILE, "--json"],
    "suppress": ["--portal", "{portal}", "nobody@example.com", "--json"],
    "export-person": ["--portal", "{portal}", "--contact", "1", "--json"],
    "erase": ["--portal", "{portal}", "--contact", "1", "--json"],
    "consents field": ["--portal", "{portal}", "--code", "UF_CRM_MAIL_CONSENT", "--json"],
}

STEERED = {
    f"mailings {word}" for word in ("start", "pause", "resume", "cancel", "stats", "deliveries")
}

FOR_ALL_PORTALS = STEERED | {
    "portals list",
    "portals add",
    "keys rotate",
    "worker",
    "ticker",
    "sender",
    "migrate",
}
