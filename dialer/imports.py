"""`dialer import`: a list from a file becomes cases of a project.

The file is read as a stream, in chunks that are each checked, inserted and noted in one transaction. So whatever dies,
the import goes on where it stopped, and each line is inserted once. Lines that are refused go into a file beside it.
"""

from __future__ import annotations

import codecs
import csv
import json
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dialer.mapping import REFUSED, columns, looks_like_data, zone_of
from dialer.tables import Row, TableError, csv_line, opened
from worker.config import DatabaseSettings
from worker.db import Database
from worker.db.routines.imports import Imports, Staged, Task
from worker.errors import DialerError
from worker.figures import CheckedLines, ImportFigures, RefusedLine
from worker.model import ListLine, Policies

T = TypeVar("T")

POLICIES = ("keep", "skip", "refuse")
DEFAULT_POLICIES = Policies("refuse", "refuse", "keep")
PLACES = {"file": "in_file", "project": "in_project", "elsewhere": "elsewhere"}
_FEWEST, _FIRST, _MOST = 100, 1000, 5000
_CHUNK_SECONDS = 0.25
"""How long a chunk should take: an insert of many rows holds up others who insert."""
_SWITCH_SECONDS = 0.0002
_SLOW = 3.0
"""A server that takes so many times what it took before is busy: it gets a pause after each chunk."""
_UNDO_AT_ONCE = 1000


class ListNotImported(DialerError):  # noqa: N818 - what it says is plain enough
    """An import cannot be made, or not in this way; the message says what to do."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for. maps, constants: column to target, target to value. resume: go on with the import of this
    file that stopped. again: although it was imported before."""

    path: Path
    project: str
    maps: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    duplicates: Policies = DEFAULT_POLICIES
    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    zone: str = ""
    header: bool = True
    dry_run: bool = False
    resume: bool = False
    again: bool = False
    most_rows: int = _MOST

    @property
    def refused(self) -> Path:
        """The file for the lines that are refused."""
        return self.path.with_name(f"{self.path.stem}.refused.csv")


def policies(told: list[str]) -> Policies:
    """What is done with numbers that are there already: 'skip' for file and project, or 'file=skip,elsewhere=refuse'.
    Raises ListNotImported."""
    found = DEFAULT_POLICIES._asdict()
    for one in ",".join(told).split(","):
        place, is_one, policy = one.strip().rpartition("=")
        if not one.strip():
            continue
        if policy not in POLICIES or (is_one and place not in PLACES):
            raise ListNotImported(
                f"--duplicates {one.strip()}: write one of {', '.join(POLICIES)}, for numbers of the file and of the"
                f" project, or for one of {', '.join(PLACES)} alone, like file=skip,elsewhere=refuse."
            )
        found |= {PLACES[place]: policy} if is_one else {"in_file": policy, "in_project": policy}
    return Policies(**found)


def pairs(told: list[str], option: str) -> dict[str, str]:
    """COLUMN=value of an option that may be given several times. Raises ListNotImported."""
    found = {}
    for one in told:
        name, is_one, value = one.rpartition("=") if option == "--map" else one.partition("=")
        if not is_one or not name:
            raise ListNotImported(f"{option} {one}: write COLUMN=WHAT.")
        found[name.strip()] = value.strip()
    return found


def run(settings: DatabaseSettings, wanted: Wanted) -> int:
    """Import, or try to; prints what comes of it. 0: every line is a case now, or was skipped as asked; 1: some were
    refused. Raises DialerError; KeyboardInterrupt, and then the import can go on."""
    database = Database(settings)
    try:
        database.require_head()
        return _Import(Imports(database), wanted).run()
    finally:
        database.dispose()


class _Import:
    """One run over one file."""

    def __init__(self, imports: Imports, wanted: Wanted) -> None:
        self._imports = imports
        self._zone = imports.zone(wanted.project)
        self._begun: ImportFigures | None = None
        self._wanted = wanted
        self._pace = Pace(wanted.most_rows)
        self._refused = self._skipped = self._good = self._as_written = 0
        self._table = opened(wanted.path, encoding=wanted.encoding, separator=wanted.separator, sheet=wanted.sheet)
        if wanted.resume:
            self._resume()
        elif not wanted.dry_run and not wanted.again:
            self._require_new()
        self._header, self._rows = self._read()
        zone = zone_of(self._wanted.zone or self._zone)
        self._columns = columns(self._header, self._wanted.maps, self._wanted.constants, zone, imports.zero_codes())

    def run(self) -> int:
        """Read the file to its end."""
        wanted = self._wanted
        print(f"{wanted.path}: {self._table.told}, {self._table.lines} lines")
        print(self._columns.told())
        if wanted.dry_run:
            return self._try()
        if self._begun is None:
            self._begun = self._imports.begin(
                wanted.project, wanted.path.name, self._table.digest, self._options(), wanted.duplicates
            )
        begun = self._begun
        after = begun.done_to
        self._good, self._refused, self._skipped = begun.inserted, begun.refused, begun.skipped
        task = Task(wanted.project, self._columns.targets, wanted.duplicates, begun.id)
        kept = after if wanted.resume else -1
        with RefusedFile(wanted.refused, self._header, self._table.separator, keep_to=kept) as refused:
            try:
                for chunk in self._chunks(after, task):
                    refused.cells = {line.line: line.cells for line in chunk.lines}
                    with self._pace.chunk(len(chunk.lines)):
                        put = self._imports.put(
                            task, chunk.lines, after, refused.draft, last=chunk.is_last, staged=chunk.staged
                        )
                        for part, found in put:
                            refused.keep()
                            self._count(part, found)
                            after = part[-1].line if part else after
            except KeyboardInterrupt:
                print(f"Stopped after line {after}: import {begun.id} goes on there with --resume.", file=sys.stderr)
                raise
        self._told_end(begun.id, refused)
        return 1 if self._refused else 0

    def _try(self) -> int:
        task = Task(self._wanted.project, self._columns.targets, self._wanted.duplicates)
        for chunk in self._chunks(0):
            with self._pace.chunk(len(chunk.lines)):
                found = self._imports.check(task, chunk.lines)
            self._count(chunk.lines, found)
            for one in found.refused:
                if not one.skipped:
                    print(f"line {one.line}: {one.reason}")
        print(f"{self._totals('would be inserted')}; nothing was written")
        self._tell_as_written()
        return 1 if self._refused else 0

    def _told_end(self, import_id: int, refused: RefusedFile) -> None:
        told = self._totals("inserted")
        where = f" ({refused.path})" if self._refused else ""
        print(f"import {import_id}: {told}{where}")
        self._tell_as_written()
        print(f"To take it back: dialer import --undo {import_id}")

    def _tell_as_written(self) -> None:
        if not self._as_written:
            return
        now, soon = self._imports.countries(self._wanted.project)
        if now != soon:
            print(
                f"Numbers kept as they are written: {self._as_written}. No worker has taken up yet that the country is"
                f" {soon}; when one does, they are read again."
            )
            return
        why = f"they do not fit the numbering plan of {now}" if now else "no country is set"
        remedy = "write them with +" if now else "set dialer_params.country, or write them with +"
        print(
            f"Numbers kept as they are written: {self._as_written} ({why}). Written otherwise elsewhere, these are"
            f" other numbers to do-not-call entries and limits: {remedy}."
        )

    def _totals(self, done: str) -> str:
        told = f"{self._good} cases {done}, {self._refused} lines refused, {self._skipped} skipped"
        cleaned = self._columns.cleaned
        return f"{told}, {cleaned} numbers cleaned of blanks, dashes and brackets" if cleaned else told

    def _count(self, lines: Sequence[ListLine], found: CheckedLines) -> None:
        self._as_written += found.as_written
        skipped = sum(one.skipped for one in found.refused)
        self._skipped += skipped
        self._refused += len(found.refused) - skipped
        self._good += len(lines) - len(found.refused)

    def _chunks(self, after: int, task: Task | None = None) -> Iterator[_Chunk]:
        """The lines after `after`, staged if there is a task, with a bar that shows how far they have come."""
        shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        with (
            Progress(*shown, console=console, disable=not console.is_terminal) as bar,
            closing(_ahead(self._read_chunks(after, task), _Chunk.drop)) as chunks,
        ):
            shown_as = bar.add_task(self._wanted.path.name, total=self._table.lines, completed=after)
            for chunk in chunks:
                yield chunk
                bar.update(shown_as, completed=self._table.lines if chunk.is_last else chunk.lines[-1].line)

    def _read_chunks(self, after: int, task: Task | None) -> Iterator[_Chunk]:
        held: list[ListLine] = []
        for line in self._columns.lines(self._rows):
            if line.line <= after:
                continue
            # One is kept back: who has the last one in hand knows that it is the last.
            if len(held) >= self._pace.rows:
                yield self._chunk(held, task, is_last=False)
                held = []
            held.append(self._imports.written(line))
        yield self._chunk(held, task, is_last=True)

    def _chunk(self, lines: list[ListLine], task: Task | None, *, is_last: bool) -> _Chunk:
        return _Chunk(lines, is_last, self._imports.stage(task, lines) if task else None)

    def _read(self) -> tuple[list[str], Iterator[Row]]:
        rows = self._table.rows()
        first = next(rows, None)
        if first is None:
            raise TableError(f"{self._wanted.path} is empty.")
        if not self._wanted.header:
            return [f"column {place}" for place in range(1, len(first.cells) + 1)], chain([first], rows)
        if looks_like_data(first.cells):
            raise TableError(
                f"The first line of {self._wanted.path} has a telephone number in it, and no names of columns: if there"
                " are none, say --no-header, and which is which, --map 'column 1=phone_number'."
            )
        return first.cells, rows

    def _require_new(self) -> None:
        before = self._imports.of_file(self._table.digest, self._wanted.project)
        if not before:
            return
        last = before[0]
        if last.ended_at is None:
            raise ListNotImported(
                f"Import {last.id} of this file into {last.project_id} stopped after line {last.done_to}: --resume goes"
                f" on there, --undo {last.id} takes it back, --again begins another one."
            )
        raise ListNotImported(
            f"This file was imported into {last.project_id} on {last.ended_at:%Y-%m-%d %H:%M} UTC already (import"
            f" {last.id}, {last.file_name}, {last.inserted} cases): --undo {last.id} takes that back, --again imports"
            " it once more."
        )

    def _resume(self) -> None:
        """Go on as it was begun, whatever was told now."""
        before = self._imports.of_file(self._table.digest, self._wanted.project)
        last = next((one for one in before if one.ended_at is None), None)
        if last is None:
            raise ListNotImported(
                f"No import of this file into {self._wanted.project} has stopped: there is none to resume. Without"
                " --resume it is imported from its first line on."
            )
        options = json.loads(last.options)
        self._begun = last
        self._table = opened(self._wanted.path, **options["read_as"])
        self._zone = options["zone"]
        self._wanted = replace(
            self._wanted,
            maps=options["maps"],
            constants=options["constants"],
            header=options["header"],
            zone=options["zone"],
            duplicates=Policies(last.in_file, last.in_project, last.elsewhere),
        )

    def _options(self) -> str:
        return json.dumps(
            {
                "read_as": self._table.read_as,
                "maps": dict(self._wanted.maps),
                "constants": dict(self._wanted.constants),
                "header": self._wanted.header,
                "zone": self._wanted.zone or self._zone,
            }
        )


@dataclass(frozen=True)
class _Chunk:
    """Lines that are inserted together. staged: what the server has made of them already."""

    lines: list[ListLine]
    is_last: bool
    staged: Staged | None

    def drop(self) -> None:
        """It is not wanted any more."""
        if self.staged is not None:
            self.staged.drop()


def _ahead(items: Iterator[T], drop: Callable[[T], None]) -> Generator[T]:
    """The items, each made while the one before it is worked on: by the server, here. One that was made and nobody
    asks for is dropped."""
    nothing = object()
    before = sys.getswitchinterval()
    # Who waits for the server is to hear its answer at once, not when the other thread has had its 5 ms.
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        with ThreadPoolExecutor(1) as pool:
            coming: Future[T | object] = pool.submit(next, items, nothing)
            try:
                while (item := coming.result()) is not nothing:
                    coming = pool.submit(next, items, nothing)
                    yield cast(T, item)
            except BaseException:
                if coming.exception() is None and (item := coming.result()) is not nothing:
                    drop(cast(T, item))
                raise
    finally:
        sys.setswitchinterval(before)


class Pace:
    """How many lines are inserted at once: few enough that nobody else waits for long, and with pauses while the server
    is busy with more important things."""

    def __init__(
        self,
        most: int = _MOST,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rows = min(_FIRST, most)
        self._most = most
        self._best: float | None = None
        self._clock, self._sleep = clock, sleep

    def chunk(self, rows: int) -> _Timed:
        """Time a chunk of so many lines."""
        return _Timed(self, rows)

    def took(self, rows: int, seconds: float) -> None:
        """Learn from a chunk."""
        if rows < _FEWEST:
            return
        each = seconds / rows
        self._best = each if self._best is None else min(self._best, each)
        self.rows = max(min(int(_CHUNK_SECONDS / each), self._most, 2 * self.rows), min(_FEWEST, self._most))
        if each > _SLOW * self._best:
            self._sleep(min(seconds, 1.0))

    def now(self) -> float:
        """By its clock."""
        return self._clock()


class _Timed:
    def __init__(self, pace: Pace, rows: int) -> None:
        self._pace, self._rows = pace, rows

    def __enter__(self) -> None:
        self._since = self._pace.now()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._pace.took(self._rows, self._pace.now() - self._since)


class RefusedFile:
    """The lines that were refused, as a list that can be mended and imported again. They are written before the chunk
    is committed, so that none is lost; what was written of a chunk that was not is taken back by whoever resumes."""

    def __init__(self, path: Path, header: Sequence[str], separator: str, *, keep_to: int) -> None:
        """separator: the list's own, so that whoever opened that can open this. keep_to: a resumed import keeps what
        was refused up to this line; -1: none."""
        self.path = path
        self._separator = separator
        self.cells: Mapping[int, Sequence[str]] = {}
        """The lines that may be refused next, as they were read."""
        kept = _rows_to(path, separator, keep_to) if keep_to >= 0 else []
        self._begin = codecs.BOM_UTF8.decode() + self._line([*REFUSED, *header])
        self._file: BinaryIO | None = None
        self._kept = 0
        if kept:
            self._write(map(self._line, kept))
            self.keep()
        elif path.exists():
            path.unlink()

    def __enter__(self) -> RefusedFile:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # After an error it is not known what was committed.
        if self._file is None:
            return
        if kind is None:
            self._file.truncate(self._kept)
        self._file.close()
        if kind is None and not self._kept:
            self.path.unlink()

    def draft(self, found: list[RefusedLine]) -> None:
        """Write the refused lines of a chunk, in place of those that were not kept."""
        refused = [one for one in found if not one.skipped]
        if refused or self._file is not None:
            self._write(self._line([str(one.line), one.reason, *self.cells[one.line]]) for one in refused)

    def keep(self) -> None:
        """What was written is committed."""
        if self._file is not None:
            self._kept = self._file.tell()

    def _line(self, cells: Sequence[str]) -> str:
        return csv_line(cells, self._separator)

    def _write(self, lines: Iterable[str]) -> None:
        if self._file is None:
            self._file = self.path.open("wb")
        self._file.seek(self._kept)
        self._file.truncate()
        written = "".join(lines)
        if written and not self._kept:
            written = self._begin + written
        self._file.write(written.encode())
        self._file.flush()


def _rows_to(path: Path, separator: str, line: int) -> list[list[str]]:
    """The rows of a file of refused lines, up to a line of the list."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter=separator))[1:]
    # What a process that was killed wrote last may not be whole.
    return [row for row in rows if len(row) > len(REFUSED) and row[0].isdigit() and int(row[0]) <= line]


def undo(settings: DatabaseSettings, import_id: int) -> int:
    """Delete the cases of an import that were never dialled; prints how many. Raises ListNotImported."""
    database = Database(settings)
    try:
        database.require_head()
        imports = Imports(database)
        found = imports.get(import_id)
        if found is None:
            raise ListNotImported(f"There is no import {import_id}: `dialer import --list` shows them.")
        at, deleted, left = 0, 0, 0
        looked: int | None = 0
        while looked is not None:
            looked, gone, stay = imports.undo(import_id, at, _UNDO_AT_ONCE)
            at = looked or at
            deleted, left = deleted + gone, left + stay
    finally:
        database.dispose()
    stays = f"; {left} stay, since they have been dialled or are in a worker's hands" if left else ""
    again = f" (it was undone on {found.undone_at:%Y-%m-%d %H:%M} UTC already)" if found.undone_at else ""
    print(f"import {import_id} of {found.file_name} into {found.project_id}: {deleted} cases deleted{stays}{again}")
    return 0


def show(settings: DatabaseSettings, project: str | None) -> int:
    """Print the imports there were, the latest first."""
    database = Database(settings)
    try:
        database.require_head()
        found = [one for one in Imports(database).all() if project in {None, one.project_id}]
        if not found:
            print("no imports yet")
        for one in found:
            state = "undone" if one.undone_at else "ended" if one.ended_at else f"stopped after line {one.done_to}"
            undone = f", {one.undone} deleted again" if one.undone else ""
            print(
                f"{one.id}  {one.begun_at:%Y-%m-%d %H:%M}  {one.project_id}  {one.file_name}  {state}:"
                f" {one.inserted} inserted, {one.refused} refused, {one.skipped} skipped{undone}"
            )
    finally:
        database.dispose()
    return 0
