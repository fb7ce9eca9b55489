"""Starts a change of SQL routines: `make rework name=other_work changes="dialer_work" adds="gate/dialer_more"`.

Keeps what the next revision changes or removes as `<name>@before_<revision>.sql`, says of what it adds that there was
nothing before, and writes the migration. What is left to do is to edit the live files; the diff that a reviewer then
sees is the change itself. Called again with the same name, it adds to the same migration.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alembic.script import ScriptDirectory

from sql import DIALECTS, Library
from worker.errors import DialerError

ROOT = Path(__file__).resolve().parents[1]

_NOTHING = "-- There was nothing of this name before {revision}.\n"
_TABLES = """-- What {revision} does to tables and rows. MariaDB commits each statement: write what can be run again.

-- Down: how that is taken back.
"""


class ReworkError(DialerError):
    """The change cannot be started; the message says why."""


@dataclass
class Reworked:
    """What was written, and what is to be written now."""

    migration: Path
    written: list[Path] = field(default_factory=list)
    edit: list[Path] = field(default_factory=list)


def rework(
    name: str,
    *,
    changes: Sequence[str] = (),
    adds: Sequence[str] = (),
    removes: Sequence[str] = (),
    tables: bool = False,
    root: Path = ROOT,
) -> Reworked:
    """Prepare a migration called `name` under `root`.

    changes, removes: routines, views and triggers by their names. adds: as room/name. tables: it changes tables or
    rows, too, in a file of its own under sql/schema. Raises ReworkError, and then nothing is written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,38}", name):
        raise ReworkError(f"{name!r} cannot name a migration: write small letters, digits and _, up to 39.")
    library = Library(root / "sql")
    script = _script(root)
    head = script.get_revision("head")
    if head is None:
        raise ReworkError(f"There is no migration in {root / 'alembic'}: this is not the project's tree.")
    again = Path(head.path).stem == f"{head.revision}_{name}" and head.down_revision is not None
    revision = head.revision if again else f"{int(head.revision) + 1:04}"
    for one in (*changes, *removes):
        _require_known(library, one)
    if both := set(changes) & set(removes):
        raise ReworkError(f"{', '.join(sorted(both))} cannot be changed and removed at once.")
    rooms = [_room_and_name(library, one) for one in adds]

    done = Reworked(Path(head.path))
    if not again:
        run = [f'op.run("{revision}")', f'op.run("{revision}", down=True)'] if tables else ["", ""]
        made = script.generate_revision(revision, name.replace("_", " "), upgrades=run[0], downgrades=run[1])
        assert made is not None
        done.migration = Path(made.path)
        done.written.append(done.migration)
    for one in (*changes, *removes):
        _keep(done, library, one, revision, removed=one in removes)
    for room, one in rooms:
        _begin(done, root, room, one, revision)
    if tables:
        _write_tables(done, root, revision)
        if f'op.run("{revision}")' not in done.migration.read_text("utf-8"):
            done.edit.append(done.migration)
    return done


def _script(root: Path) -> ScriptDirectory:
    return ScriptDirectory(str(root / "alembic"), file_template="%(rev)s_%(slug)s", messaging_opts={"quiet": True})


def _keep(done: Reworked, library: Library, name: str, revision: str, *, removed: bool) -> None:
    for path in _live(library, name):
        kept = path.with_name(f"{name}@before_{revision}.sql")
        if not kept.exists():  # else this migration has changed or added it already
            kept.write_bytes(path.read_bytes())
            done.written.append(kept)
        if removed:
            path.unlink()
        else:
            done.edit.append(path)


def _begin(done: Reworked, root: Path, room: str, name: str, revision: str) -> None:
    for dialect in DIALECTS:
        folder = root / "sql" / "procedures" / dialect / room
        folder.mkdir(exist_ok=True)
        kept = folder / f"{name}@before_{revision}.sql"
        if not kept.exists():  # else this migration has removed it
            kept.write_text(_NOTHING.format(revision=revision), encoding="utf-8")
            done.written.append(kept)
        done.edit.append(folder / f"{name}.sql")


def _write_tables(done: Reworked, root: Path, revision: str) -> None:
    for dialect in DIALECTS:
        path = root / "sql" / "schema" / dialect / f"{revision}.sql"
        if not path.exists():
            path.write_text(_TABLES.format(revision=revision), encoding="utf-8")
            done.written.append(path)
        done.edit.append(path)


def _live(library: Library, name: str) -> list[Path]:
    return [library.path(dialect, name) for dialect in DIALECTS if name in library.names(dialect)]


def _require_known(library: Library, name: str) -> None:
    names = {one for dialect in DIALECTS for one in library.names(dialect)}
    if name not in names:
        raise ReworkError(f"There is no {name!r} in sql/procedures.{_hint(name, names)}")


def _room_and_name(library: Library, given: str) -> tuple[str, str]:
    room, _, name = given.rpartition("/")
    rooms = {library.room(dialect, one) for dialect in DIALECTS for one in library.names(dialect)}
    if not re.fullmatch(r"dialer_[a-z0-9_]+", name) or not re.fullmatch(r"[a-z_]+", room):
        told = f"{given!r} does not say what to add: write room/name, like gate/dialer_more."
        raise ReworkError(f"{told} The rooms are {', '.join(sorted(rooms))}.")
    if room not in rooms:
        raise ReworkError(f"There is no room {room!r} in sql/procedures.{_hint(room, rooms)}")
    if _live(library, name):
        raise ReworkError(f"There is a {name} already: say that it changes.")
    return room, name


def _hint(name: str, names: set[str]) -> str:
    last_word = name.rpartition("_")[2]
    near = difflib.get_close_matches(name, sorted(names), n=3) or sorted(
        one for one in names if last_word and last_word in one
    )
    return f" Did you mean {', '.join(near[:5])}?" if near else ""


def main(arguments: list[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="make rework", description="Start the change of SQL routines.")
    parser.add_argument("name", help="what the migration is called, like add_dnc")
    parser.add_argument("--changes", nargs="*", default=[], metavar="NAME", help="routines, views, triggers it changes")
    parser.add_argument("--adds", nargs="*", default=[], metavar="ROOM/NAME", help="those it adds, and where")
    parser.add_argument("--removes", nargs="*", default=[], metavar="NAME", help="those it removes")
    parser.add_argument("--tables", action="store_true", help="it changes tables or rows, too")
    given = parser.parse_args(arguments)
    try:
        done = rework(given.name, changes=given.changes, adds=given.adds, removes=given.removes, tables=given.tables)
    except ReworkError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for path in done.written:
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    if done.edit:
        sys.stdout.write("now edit " + ", ".join(str(path.relative_to(ROOT)) for path in done.edit) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
