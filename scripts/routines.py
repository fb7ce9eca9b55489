"""Writes docs/routines.md, the index of all routines, views and triggers: `make routines`.

What each is for stands in the header of its file, who asks it in the files themselves; so the page is made of both, and
a test says when it is not what it would be.
"""

from __future__ import annotations

import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from sql import DIALECTS, LIBRARY, statements
from worker.db.objects import TRIGGER, VIEW, SchemaObject, parsed

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "routines.md"

ROOMS = {
    "numbers": "A telephone's number in one form.",
    "time": "What time it is, zones and offsets, the call window of one case.",
    "checks": "How a bad row is refused.",
    "settings": "`dialer_settings`.",
    "wakeups": "How workers hear that there is something to do.",
    "cases": "`dialer_clients`: what an INSERT or UPDATE means, and what the end of a call does to its case.",
    "imports": "Lists from files become cases, in chunks that are each checked, inserted and noted in one transaction.",
    "selection": "Which cases are next, in which order, and when there will be one.",
    "gate": "Whether a case may be called now, and why not.",
    "claims": "Cases in a worker's hands.",
    "attempts": "The life of an attempt, and its way into the ledger.",
    "rules": "The tables of rules: whom we may call, when, how often.",
    "callerids": "`dialer_caller_ids`: which number a call shows, and how often.",
    "trunks": "`dialer_trunks`: lines, calls per second, and carriers that fail.",
    "projects": "`dialer_params`: what was asked of a project, its state, and what a worker needs to know of it.",
    "owners": "Workers, the Asterisks that they own, and the agents whom they see there.",
    "pacing": "What the pacing learns, decides and is measured by.",
    "statistics": "Numbers for people.",
    "upkeep": "What dead workers leave, what is too old, what must never be, and what somebody should look at.",
}
ROUTINES_FOR_PEOPLE = {"dialer_next", "dialer_now", "dialer_dispose"}
_VIEWS_FOR_THE_DIALER = re.compile(r"For the dialer alone,(.*?)\.\n", re.DOTALL)
_NAME = re.compile(r"\bdialer_\w+")
_MOST_ASKERS = 4
_LONGEST = 140

_INTRODUCTION = """# Routines, views and triggers

Each stands in `sql/procedures/<dialect>/<room>/<name>.sql`, once for each dialect, under the same header, which says
what a caller must know. *People* may ask these in SQL; *the program* is the worker, the API and the commands; a *table*
has the trigger. `make routines` writes this page.
"""


@dataclass
class _File:
    """What stands under one name, in one dialect or both."""

    name: str
    dialects: list[str] = field(default_factory=list)
    objects: list[SchemaObject] = field(default_factory=list)

    @property
    def header(self) -> list[str]:
        """The comment at the top, without its dashes."""
        lines = self.objects[0].statement.splitlines()
        return [line.removeprefix("--").removeprefix(" ") for line in lines if line.startswith("--")]

    @property
    def row(self) -> str:
        only = "" if len(self.dialects) == len(DIALECTS) else f" ({self.dialects[0]} alone)"
        return f"`{self.name}`{only} | {_purpose(self)}"


def page() -> str:
    """The page as it should be. Raises ValueError for a room that nobody has described."""
    files = _files()
    modules = [path for part in ("worker", "api", "dialer", "simulator") for path in (ROOT / part).rglob("*.py")]
    program = {name for path in modules for name in _in(path)}
    parts = [_INTRODUCTION]
    by_room: dict[str, list[_File]] = {}
    for one in files.values():
        by_room.setdefault(LIBRARY.room(one.dialects[0], one.name), []).append(one)
    if unknown := by_room.keys() - ROOMS.keys():
        raise ValueError(f"describe {', '.join(sorted(unknown))} in ROOMS of scripts/routines.py")
    for room, about in ROOMS.items():
        rows = [f"| {one.row} | {', '.join(_askers(one, files, program))} |" for one in by_room[room]]
        parts.append("\n".join([f"## {room}", "", about, "", "| name | what | asked by |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _files() -> dict[str, _File]:
    found: dict[str, _File] = {}
    for dialect in DIALECTS:
        for name in LIBRARY.names(dialect):
            one = found.setdefault(name, _File(name))
            one.dialects.append(dialect)
            one.objects += map(parsed, statements(dialect, LIBRARY.text(dialect, name)))
    return dict(sorted(found.items()))


def _in(path: Path) -> set[str]:
    return set(_NAME.findall(path.read_text("utf-8")))


def _askers(one: _File, files: dict[str, _File], program: set[str]) -> list[str]:
    own = _VIEWS_FOR_THE_DIALER.search((ROOT / "docs" / "database.md").read_text("utf-8"))
    assert own is not None, "docs/database.md says which views are for the dialer alone"
    read = one.objects[0].kind == VIEW and one.name not in own[1]
    found = ["people"] if read or one.name in ROUTINES_FOR_PEOPLE else []
    found += ["the program"] if one.name in program else []
    found += sorted({f"table `{thing.table}`" for thing in one.objects if thing.kind == TRIGGER})
    users = [f"`{name}`" for name, file in files.items() if name != one.name and _names(file, one.name)]
    return found + users[:_MOST_ASKERS] + (["…"] if len(users) > _MOST_ASKERS else [])


def _names(file: _File, name: str) -> bool:
    return any(name in thing.names() for thing in file.objects)


def _purpose(one: _File) -> str:
    """The first sentence of the header, behind the name with its parameters and results."""
    lines = one.header
    first = 1
    if lines[0].startswith(f"{one.name}:") or lines[0].startswith("Trigger,"):
        lines = [lines[0].partition(": ")[2] if lines[0].startswith(one.name) else lines[0], *lines[1:]]
        first = 0
    while first < len(lines) and lines[first].startswith("  "):
        first += 1
    text = " ".join(line.strip() for line in lines[first:])
    sentence = re.split(r"(?<=[.;?])\s", text, maxsplit=1)[0].rstrip(".;")
    return textwrap.shorten(sentence, _LONGEST, placeholder=" …").replace("|", "\\|")


def main() -> int:
    """The command line; the exit status."""
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
