"""The SQL of the dialer, and the only reader of its files.

`procedures/<dialect>/<room>/<name>.sql` holds one routine or view, or a trigger with the function that it calls: what
the newest revision installs. The old text of what a revision changed or removed is kept beside it, named after that
revision: `dialer_work@before_0003.sql` is what was installed until 0003. A kept file without a statement says that
nothing of that name existed until then. So the files alone tell what was installed at any revision.

`schema/<dialect>/` holds what a revision does to tables and rows, and how that is taken back. `data/` holds the rows of
tables that are made from libraries, the same for both dialects.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parent

DIALECTS = ("postgresql", "mariadb")

KEPT = re.compile(r"(?P<name>\w+)@before_(?P<revision>\w+)")
"""The name of a kept text's file, without its suffix."""

_COMMENT = re.compile(r"--[^\n]*")
_DOWN = re.compile(r"^[ \t]*--[ \t]*down\b[^\n]*", re.MULTILINE | re.IGNORECASE)
_BEGINS = re.compile(r"^CREATE ", re.MULTILINE)
_EVENTS = re.compile(r"^CREATE OR REPLACE TRIGGER (\w+) (BEFORE|AFTER) (\w+(?: OR \w+)+) ON ", re.MULTILINE)
_MARIADB_TEXT = re.compile(r"\b((?:[pv]_\w+|RETURNS)\s+(?:varchar\(\d+\)|(?:tiny|medium|long)?text\b))")


@dataclass(frozen=True)
class Library:
    """The SQL files under a folder: the program's own, or a copy."""

    root: Path = ROOT

    def names(self, dialect: str) -> list[str]:
        """The names of all files of the newest revision."""
        return sorted(self._live(dialect))

    def path(self, dialect: str, name: str) -> Path:
        """The file from which the newest revision installs `name`. KeyError: there is none."""
        return self._live(dialect)[name]

    def room(self, dialect: str, name: str) -> str:
        """The folder that holds `name`. KeyError: there is no such file."""
        return self.path(dialect, name).parent.name

    def text(self, dialect: str, name: str) -> str:
        """The text of `name` at the newest revision. KeyError: there is no such file."""
        return self.path(dialect, name).read_text("utf-8")

    def kept(self, dialect: str) -> dict[str, dict[str, Path]]:
        """The kept texts, by name and by the revision that replaced them."""
        found: dict[str, dict[str, Path]] = defaultdict(dict)
        for path in self._files(dialect):
            if match := KEPT.fullmatch(path.stem):
                found[match["name"]][match["revision"]] = path
        return found

    def at(self, dialect: str, revision: str | None) -> dict[str, str]:
        """Name and text of all that was installed at a revision; None: before the first one, so nothing.

        Revisions are compared as texts, so 0010 comes after 0009.
        """
        if revision is None:
            return {}
        paths = self._live(dialect)
        for name, kept in self.kept(dialect).items():
            if later := [replaced_by for replaced_by in kept if replaced_by > revision]:
                paths[name] = kept[min(later)]
        texts = {name: path.read_text("utf-8") for name, path in sorted(paths.items())}
        return {name: text for name, text in texts.items() if _BEGINS.search(text)}

    def ever(self, dialect: str) -> Iterator[str]:
        """Every text that is or was installed at some revision."""
        for path in self._files(dialect):
            yield path.read_text("utf-8")

    def schema(self, dialect: str, name: str, *, down: bool = False) -> list[str]:
        """The statements of `schema/<dialect>/<name>.sql`, each of which ends with a semicolon at a line's end: those
        before the line `-- Down:`, or those after it. ValueError: there is none, or one that nobody could tell."""
        text = (self.root / "schema" / dialect / f"{name}.sql").read_text("utf-8")
        marks = _DOWN.findall(text)
        if len(marks) > 1 or any(not mark.startswith("-- Down:") or ";" in mark for mark in marks):
            raise ValueError(f"{name}.sql: one line alone begins with -- Down:, and no statement stands in it")
        if down and not marks:
            raise ValueError(f"{name}.sql does not say how it is taken back: write that below a line -- Down:")
        parts = [*_DOWN.split(text), ""]
        return [one.strip() for one in f"{parts[down]}\n".split(";\n") if _COMMENT.sub("", one).strip()]

    def data(self, table: str) -> list[dict[str, str | None]]:
        """The rows of `data/<table>.csv`; an empty field is NULL."""
        with (self.root / "data" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            return [{name: value or None for name, value in row.items()} for row in csv.DictReader(file)]

    def _live(self, dialect: str) -> dict[str, Path]:
        return {path.stem: path for path in self._files(dialect) if "@" not in path.stem}

    def _files(self, dialect: str) -> list[Path]:
        return sorted((self.root / "procedures" / dialect).glob("*/*.sql"))


LIBRARY = Library()
"""The program's own files."""


def statements(dialect: str, text: str) -> list[str]:
    """The statements of a file under procedures/ as they go to the server; each begins with CREATE at the start of a
    line.

    A trigger on MariaDB can have only one event. So a trigger named `…_write` that says INSERT OR UPDATE, say, stands
    for one trigger per event, named `…_insert` and so on; as on PostgreSQL, OLD is NULL in INSERT, and NEW in DELETE.
    ValueError: a trigger of several events has another name.
    """
    starts = [match.start() for match in _BEGINS.finditer(text)]
    # The comment at the top belongs to the first one.
    bounds = [0, *starts[1:], len(text)]
    found = [text[start:end].rstrip().removesuffix(";") for start, end in pairwise(bounds) if starts]
    if dialect != "mariadb":
        return found
    return [_with_charset(one) for statement in found for one in _by_event(statement)]


def _by_event(statement: str) -> list[str]:
    match = _EVENTS.search(statement)
    if match is None:
        return [statement]
    name, timing, events = match.groups()
    if not name.endswith("_write"):
        raise ValueError(f"{name} is a trigger of {events}: name it …_write, so that there is a name for each event")
    name = name.removesuffix("_write")
    made = []
    for event in events.split(" OR "):
        body = statement[match.end() :]
        if missing := {"INSERT": "OLD", "DELETE": "NEW"}.get(event):
            body = re.sub(rf"\b{missing}\.(\w+|`\w+`)", "NULL", body)
        first = f"CREATE OR REPLACE TRIGGER {name}_{event.lower()} {timing} {event} ON "
        made.append(statement[: match.start()] + first + body)
    return made


def _with_charset(statement: str) -> str:
    """MariaDB gives a parameter, variable or result without a character set the one of its database, and cannot compare
    it with our columns if that is a different one. Changing the database's character set for a moment would show in
    every dump. So each of them is declared with the tables' own."""
    return _MARIADB_TEXT.sub(r"\1 CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", statement)
