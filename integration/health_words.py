"""What a problem means and what to do about it, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass

from core.web.words import gettext as _
from core.web.words import plural
from integration.rules.health import Code, Problem


@dataclass(frozen=True, slots=True)
class Words:
    """A problem in words. `action`: the button to show, by the name the template knows."""

    title: str
    meaning: str
    advice: str
    action: str = ""


def worded(problem: Problem) -> Words:
    """The words of a problem."""
    table = {**_access(), **_machinery(), **_reading(problem), **_writing(problem)}
    return table[problem.code]


def notice(problem: Problem) -> str:
    """The message an administrator gets in Bitrix24."""
    words = worded(problem)
    where = _("Details: the Rubilnik application, Health page.")
    return "\n".join(
        (_("Rubilnik: %(title)s", title=words.title), words.meaning, words.advice, where)
    )


def reason(problem_reason: str) -> str:
    """The name of an error of the portal, as people would put it."""
    name = problem_reason.partition(":")[0].strip()
    return _reasons().get(name) or _("The portal refused the request.")


def _reasons() -> dict[str, str]:
    return {
        "AccessDenied": _("The portal says that there are not enough rights."),
        "InsufficientScope": _(
            "The application lacks a right it needs: crm, placement, user_basic."
        ),
        "PlanWithoutRest": _("The portal's plan does not let applications work."),
        "PaymentRequired": _("The portal's plan is not paid."),
        "Overloaded": _("Bitrix24 has blocked applications because of their load."),
        "PortalGone": _("There is no portal at this address any more."),
        "AuthDead": _("Access has expired."),
        "UserDismissed": _("The employee who installed Rubilnik has been dismissed."),
        "UserBarred": _("The employee who installed Rubilnik may not use it any more."),
        "WrongClient": _("The portal does not accept the application's keys."),
        "Unreachable": _("The portal does not answer."),
        "PortalFailure": _("The portal answered with an error of its own."),
        "UnexpectedAnswer": _("The portal's answer could not be understood."),
        "RateLimited": _("The portal asks to wait with further requests."),
        "OperationTimeLimit": _("The portal has used up its time for this kind of requests."),
        "FieldIgnored": _("The portal accepted a value and kept the old one."),
        "the database refuses a row": _("A row of the portal could not be stored."),
    }


def _access() -> dict[Code, Words]:
    kept = _("The data read so far is kept.")
    return {
        Code.NOT_INSTALLED: Words(
            _("The application has never been opened on the portal"),
            _("Its keys are known, but Bitrix24 gave no access yet."),
            _("Open Rubilnik from the portal's menu as an administrator."),
        ),
        Code.UNINSTALLED: Words(
            _("The application was removed from the portal"),
            kept,
            _("Install it again in Bitrix24: it goes on from where it stopped."),
        ),
        Code.INSTALL_UNFINISHED: Words(
            _("The installation is not finished"),
            _("Some of its steps were refused by the portal."),
            _("Look at the steps and repeat them."),
            "install",
        ),
        Code.ACCESS_LOST: Words(
            _("Access to the portal has expired"),
            _("Nothing is read or written until it is renewed.") + " " + kept,
            _(
                "Open Rubilnik from the Bitrix24 menu once as an administrator: that renews access at once."
            ),
        ),
        Code.PLAN_WITHOUT_REST: Words(
            _("The portal's plan does not let applications work"),
            _("Nothing is read or written.") + " " + kept,
            _(
                "Move the portal to a plan with REST and Market. Rubilnik asks once an hour and starts by itself."
            ),
        ),
        Code.PORTAL_UNPAID: Words(
            _("The portal's plan is not paid"),
            _("Nothing is read or written.") + " " + kept,
            _("Pay the plan. Rubilnik asks once an hour and starts by itself."),
        ),
        Code.PORTAL_OVERLOADED: Words(
            _("Bitrix24 has blocked applications because of their load"),
            _("Nothing is read or written.") + " " + kept,
            _(
                "Write to Bitrix24 support to lift the block. Rubilnik asks once an hour and starts by itself."
            ),
        ),
        Code.PORTAL_CLOSED: Words(
            _("The portal has been closed"),
            _("Nothing is read or written.") + " " + kept,
            _(
                "If the portal was renamed, open Rubilnik from its menu as an administrator. Otherwise it is asked once an hour."
            ),
        ),
        Code.PORTAL_SILENT: Words(
            _("The portal does not answer at its address"),
            _("Nothing is read or written.") + " " + kept,
            _(
                "Rubilnik asks every ten minutes and starts by itself. If the portal was renamed or moved, open Rubilnik from its menu as an administrator."
            ),
        ),
        **_people(kept),
    }


def _people(kept: str) -> dict[Code, Words]:
    takes_over = _(
        "Open Rubilnik from the Bitrix24 menu as an administrator: from then on it works with your access."
    )
    return {
        Code.INSTALLER_DISMISSED: Words(
            _("The administrator who connected Rubilnik has been dismissed"),
            _("Rubilnik worked with that employee's access, and it has ended.") + " " + kept,
            takes_over,
        ),
        Code.INSTALLER_BARRED: Words(
            _("The employee who connected Rubilnik may not use it any more"),
            _("An administrator chose who may use the application, without that employee.")
            + " "
            + kept,
            takes_over,
        ),
        Code.KEYS_REFUSED: Words(
            _("The portal does not accept the application's keys"),
            _("The application was removed and made anew, or its secret was changed.") + " " + kept,
            _(
                "Tell whoever runs the Rubilnik server to enter the present keys of the application; then open it once as an administrator."
            ),
        ),
    }


def _machinery() -> dict[Code, Words]:
    call = _("Tell whoever runs the Rubilnik server.")
    return {
        Code.QUEUE_AWAY: Words(
            _("The server's queue does not answer"),
            _("Pages open, but nothing is read, counted or written."),
            call + " " + _("Redis must be started; nothing is lost."),
        ),
        Code.PROCESS_SILENT: Words(
            _("A part of the server is not running"),
            _("Part of the work stands still: reading, counting or writing."),
            call + " " + _("The processes named here must be started; nothing is lost."),
        ),
        Code.WORK_STUCK: Words(
            _("A reading waits for its turn too long"),
            _("The workers are busy with other portals, or stuck."),
            call + " " + _("More workers of the sync queue may be needed."),
        ),
        Code.EVENTS_STUCK: Words(
            _("Change notices wait too long"),
            _("The portal told of changes that nobody has looked at yet; cards lag behind."),
            call + " " + _("More workers of the interactive queue may be needed."),
        ),
    }


def _reading(problem: Problem) -> dict[Code, Words]:
    why = reason(problem.reason)
    again = _("It is tried again every five minutes. If this stays for an hour, check the portal.")
    return {
        Code.SYNC_FAILED: Words(_("The last reading failed"), why, again, "check"),
        Code.SYNC_INTERRUPTED: Words(_("The reading was interrupted"), why, again),
        Code.SYNC_LATE: Words(
            _("The portal has not been read for long"),
            _("What changed since then is known from change notices only."),
            _("Start a reading. If it does not begin, tell whoever runs the Rubilnik server."),
            "check",
        ),
        Code.SYNC_LIMITED: Words(
            _("The reading waits for the portal's limit"),
            _("Bitrix24 gives each kind of requests a limited time; it is used up for these."),
            _("Nothing is to be done: the reading goes on by itself."),
        ),
        Code.QUARANTINED: Words(
            plural(problem.number, "%(n)s row is set aside", "%(n)s rows are set aside"),
            _("A value in them is not what its field says, so it can't be counted with."),
            _("Correct the value on the card, or the type of the field, and read the row again."),
            "quarantine",
        ),
        Code.CHECK_HELD: Words(
            plural(
                problem.number,
                "%(n)s row seems to have vanished from the portal at once",
                "%(n)s rows seem to have vanished from the portal at once",
            ),
            _(
                "So many at once look like narrowed rights rather than deletions: nothing was deleted here."
            ),
            _(
                "Check that the administrator who installed Rubilnik still sees the whole CRM. If the rows were really deleted, let them go here too."
            ),
            "confirm",
        ),
        Code.MAILINGS_HELD: Words(
            plural(
                problem.number,
                "%(n)s mailing waits for your word",
                "%(n)s mailings wait for your word",
            ),
            _(
                "The database is a copy of an earlier day, or nothing was heard for long: some messages may have been sent that it does not know of."
            ),
            _("Open the paused mailings and choose for each of them how it goes on."),
            "mailings",
        ),
        Code.EVENTS_MISSED: Words(
            _("Change notices do not come"),
            _(
                "Cards are still updated, but up to five minutes later: changes are found by reading."
            ),
            _(
                "Check that the portal can reach the server's address, then open Rubilnik as an administrator."
            ),
        ),
    }


def _writing(problem: Problem) -> dict[Code, Words]:
    why = reason(problem.reason)
    refused = plural(
        problem.number,
        "%(n)s card was refused by the portal.",
        "%(n)s cards were refused by the portal.",
    )
    return {
        Code.FIELDS_MISSING: Words(
            _("Fields for figures are gone from the portal"),
            _("The figures of these fields are not written; the other ones are."),
            _("Open the settings and save writing to the cards: the fields are created again."),
            "writing",
        ),
        Code.TARGETS_LOST: Words(
            _("A field chosen for a figure can't take it any more"),
            _(
                "It was deleted, changed or left out of the reading, or keeps its old value. The other figures are written."
            ),
            _("Open the settings and choose where this figure goes, or save to try it again."),
            "writing",
        ),
        Code.WRITING_REFUSED: Words(
            _("Bitrix24 does not let Rubilnik change cards"),
            (refused + " " if problem.number else "")
            + _("The employee who connected Rubilnik has no right to change them."),
            _(
                "Give that employee the right to change all contacts and companies, or open Rubilnik as another administrator: it works with their access then."
            ),
        ),
        Code.WRITING_FAILED: Words(
            _("Figures were not written to all cards"),
            refused if problem.number else why,
            _(
                "It is tried again after each recount. Look whether required fields on cards stop changes."
            ),
            "writing",
        ),
        Code.WRITING_WAITS: Words(
            _("Writing to the cards waits for the portal"),
            why,
            _("Nothing is to be done: writing goes on by itself."),
        ),
        Code.NOTHING_COUNTS: Words(
            _("No deal counts as a sale: all pipelines of the sale rule are gone"),
            _(
                "By the rule every LTV would be 0, so nothing is written: the cards keep what they had."
            ),
            _("Open the settings, choose the pipelines that are sales now, and save the rule."),
            "settings",
        ),
        Code.FIGURES_LATE: Words(
            _("Figures are behind the deals"),
            _("Something changed, and the recount has not happened yet."),
            _(
                "It should end within minutes. If this stays, tell whoever runs the Rubilnik server."
            ),
        ),
    }
