"""Every error that a person may read: one base class, and sentences that name the value and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class DialerError(Exception):
    """Something that the dialer was asked to do cannot be done; the message says what, and what to do about it."""


@dataclass(frozen=True)
class Mistake:
    """One wrong setting: name and source, the fault (with the value, but never a secret), the remedy."""

    name: str
    fault: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.fault}. {self.remedy}"


_TOLD = 100  # who gives the wrong file gets a page, not a book


class SettingsError(DialerError):
    """The settings cannot be used; `mistakes` holds every one of them, the message lists the first 100."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = "One setting is wrong" if len(mistakes) == 1 else f"{len(mistakes)} settings are wrong"
        lines = [f"  - {mistake}" for mistake in mistakes[:_TOLD]]
        if len(mistakes) > _TOLD:
            lines.append(f"  - and {len(mistakes) - _TOLD} more, to be told when these are mended")
        super().__init__("\n".join([f"{count}:", *lines]))


class UnknownProject(DialerError):  # noqa: N818 - what it says is plain enough
    """No row of dialer_params has this project_id."""

    def __init__(self, project_id: str) -> None:
        self.project_id = project_id
        super().__init__(f"There is no project {project_id!r}. Insert it into dialer_params, or look at GET /projects.")


class NoNumber(DialerError):  # noqa: N818
    """What was given is no telephone number."""

    def __init__(self, written: str) -> None:
        self.written = written
        super().__init__(f"{written!r} is no telephone number. Write digits, with + before a country code.")


class UnknownCountry(DialerError):  # noqa: N818
    """No row of dialer_countries has this country."""

    def __init__(self, country: str) -> None:
        self.country = country
        super().__init__(f"There is no numbering plan of {country!r}: write a country's two letters, like DE.")


class DatabaseUnavailable(DialerError):  # noqa: N818
    """The database does not answer, or refuses us; a running process waits and tries again by itself."""

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"The database {where} cannot be reached: {reason}. Look at the server, then at [database].")


class DatabaseRefused(DatabaseUnavailable):
    """The database lets nobody in with these settings, or is not fit to work with, until somebody mends that. At its
    start the program ends; a running process waits, since it may be mended at any moment."""

    def __init__(self, where: str, reason: str, remedy: str) -> None:
        self.where = where
        self.reason = reason
        self.remedy = remedy
        DialerError.__init__(self, f"The database {where} cannot be used: {reason}. {remedy}")


class DatabaseUnfit(DatabaseRefused):
    """The database answers, but something in it, or between it and us, keeps the dialer from working with it."""

    def __init__(self, where: str, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(where, "; ".join(f"{one.name} {one.fault}" for one in mistakes), mistakes[0].remedy)


class StatementTimedOut(DialerError):  # noqa: N818
    """The database gave up on a statement after some seconds. Nothing has changed, unless the time ran out just after
    the commit."""

    def __init__(self, where: str, seconds: float, reason: str) -> None:
        self.reason = reason
        self.told = f"given up after {seconds:g} s: {reason}"
        super().__init__(
            f"The database {where} has given up on a statement (its limit is {seconds:g} s): {reason}."
            " Look for a long transaction that is in its way."
        )


class LockTimedOut(StatementTimedOut):
    """A lock could not be had: somebody's open transaction holds it. Nothing has changed."""

    def __init__(self, where: str, seconds: float | None, reason: str) -> None:
        super().__init__(where, seconds or 0, reason)
        self.told = f"a lock was not to be had: {reason}"
        self.args = (
            f"Somebody's open transaction in the database {where} holds a lock that the dialer needs: {reason}."
            " End or commit that transaction.",
        )


class CaseNotBegun(DialerError):  # noqa: N818
    """A call for one case cannot be begun, even if it is the only one in the request."""

    def __init__(self, case_id: int, reason: str) -> None:
        super().__init__(f"case {case_id}: {reason}")


class DatabaseNotAtHead(DialerError):  # noqa: N818
    """The database's schema is not the one that this version of the dialer was written for."""

    def __init__(self, where: str, revision: str | None, head: str, *, newer: bool = False) -> None:
        """`newer`: the revision is not in this program's history."""
        self.revision = revision
        self.head = head
        has = f"is at revision {revision}" if revision else "has no dialer schema yet"
        self.remedy = "Run `dialer migrate`."
        if newer:
            has += ", made by a newer dialer"
            self.remedy = f"Install that one, or let it go back: `dialer migrate --down {head}`."
        super().__init__(f"The database {where} {has}, this program needs {head}. {self.remedy}")
