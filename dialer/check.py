"""`dialer check`: is everything there that dialling needs? Each line says OK or what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.console import Console
from rich.text import Text

from dialer import check_asterisk, check_database
from dialer.finding import Finding, Verdict, fault
from worker.config import Settings
from worker.db import Database
from worker.db.routines.projects import Projects
from worker.figures import ProjectNeeds

_STYLE = {Verdict.OK: "green", Verdict.LOOK: "yellow", Verdict.FAULT: "bold red"}


def run(settings: Settings, stream: TextIO | None = None) -> int:
    """Print the findings as they come; returns 0 if none of them is a fault, otherwise 1."""
    faults = print_findings(findings(settings), stream)
    summary = f"{faults} fault{'s' if faults > 1 else ''}." if faults else "The dialer can work."
    _console(stream).print(Text(summary, "bold"))
    return 1 if faults else 0


def print_findings(found: Iterable[Finding], stream: TextIO | None = None) -> int:
    """Print findings as they come; how many of them are faults."""
    console = _console(stream)
    faults = 0
    for finding in found:
        faults += finding.verdict is Verdict.FAULT
        console.print(_line(finding))
    return faults


def _console(stream: TextIO | None) -> Console:
    return Console(file=stream, highlight=False, soft_wrap=True)


def findings(settings: Settings) -> Iterator[Finding]:
    """All checks, cheap and necessary ones first."""
    database = Database(settings.database)
    projects: list[ProjectNeeds] = []
    try:
        usable, found = check_database.reach(database)
        yield from found
        if usable:
            yield from check_database.look_around(database)
            yield from check_database.trunks(database)
            projects = Projects(database).needs()
    finally:
        database.dispose()
    if not settings.asterisks:
        remedy = "Set Ip, Username and Password in [ami], or DIALER_AMI_IP, _USERNAME and _PASSWORD."
        yield fault("Asterisk", "none is set, so nothing can be dialled", remedy)
    for asterisk in settings.asterisks:
        yield from check_asterisk.check(asterisk, [one for one in projects if one.asterisk == asterisk.name])
    known = {asterisk.name for asterisk in settings.asterisks}
    for project in projects:
        if known and project.asterisk not in known:
            remedy = f"Add [asterisk.{project.asterisk}], or correct dialer_params.asterisk."
            text = f"its Asterisk {project.asterisk!r} is not in these settings"
            yield fault(f"project {project.project_id}", text, remedy)


def _line(finding: Finding) -> Text:
    """Names come from the database and may contain anything: print them as they are, never as markup."""
    line = Text(f"{finding.verdict.value:<6}", _STYLE[finding.verdict])
    line.append(f"{finding.subject}: ", "bold")
    line.append(_printable(finding.text))
    if finding.remedy:
        line.append(f"\n      -> {_printable(finding.remedy)}")
    return line


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)
