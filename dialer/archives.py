"""`dialer archive`: old attempts move from the ledger into a CSV file; what rules still need stays.

In portions: the rows are locked, written to the end of the file and flushed to the disk, then deleted and committed.
So whatever dies, an attempt is in the ledger, in the file, or in both; in both only those of the last portion. The next
run takes these out of the file again before it goes on.
"""

from __future__ import annotations

import csv
import fcntl
import os
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import BinaryIO

from dialer.exports import as_text, since
from dialer.tables import csv_line
from worker.config import DatabaseSettings
from worker.db import Database
from worker.db.database import Row
from worker.db.routines.archives import COLUMNS, Archives, Run, Stay
from worker.db.routines.instants import DatabaseClock
from worker.errors import DialerError

AT_ONCE = 500
"""Attempts of a portion."""
_HEADER = csv_line(COLUMNS).encode()
_SAME = [COLUMNS.index(name) for name in ("id", "case_id", "project_id", "phone_number", "begun_at")]
"""What never changes of an attempt; the id alone may be another database's."""
_LONGEST_LINE = 65_536
_LONGEST_NAME = 1000
_YOUNGEST = timedelta(days=1)
_WORDS = {
    "case": "of cases that may still be called, or were lately: redials and retry rules count them",
    "abandon_rate": "count in the abandon rate of their project (abandon_hours, abandon_days)",
    "trunk": "did not ring, and their trunk has given no sign of life since",
}


class NotArchived(DialerError):  # noqa: N818 - what it says is plain enough
    """Attempts cannot be archived in this way; the message says what to do."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for. before: as people write it. now: on a virtual clock, its time."""

    before: str
    to: Path
    dry_run: bool = False
    now: datetime | None = None


def run(settings: DatabaseSettings, wanted: Wanted, at_once: int = AT_ONCE) -> int:
    """Archive; returns 0. at_once: attempts of a portion. Raises DialerError."""
    database = Database(settings)
    try:
        database.require_head()
        archives = Archives(database)
        now = wanted.now or DatabaseClock(database).now()
        asked = Run(_before(wanted.before, now), _shown(wanted.to), archives.clock(), wanted.now)
        if wanted.dry_run:
            moved, stays = _look(archives, asked, at_once)
            print(f"{moved} attempts would be archived")
        else:
            moved, stays = _move(archives, asked, wanted.to, at_once)
            print(f"{wanted.to}: {moved} attempts archived, instants by UTC")
        for stay, count in sorted(stays.items(), key=lambda item: (item[0].reason, item[0].limit_id or 0)):
            print(f"{count} stay: {_why(archives, stay)}")
    finally:
        database.dispose()
    return 0


def _shown(path: Path) -> str:
    """The file's name as the database takes it."""
    return os.fsencode(path).decode(errors="replace")[-_LONGEST_NAME:]


def _before(written: str, now: datetime) -> datetime:
    before = since("--before", written, UTC, now)
    if before > now - _YOUNGEST:
        raise NotArchived(
            f"--before {written}: the last 24 hours stay, for statistics and caller IDs. Write 1d or more, or an"
            f" instant before {now - _YOUNGEST:%Y-%m-%d %H:%M}."
        )
    return before


def _why(archives: Archives, stay: Stay) -> str:
    if stay.limit_id is None:
        return _WORDS[stay.reason]
    return f"{archives.words(stay.limit_id) or f'limit {stay.limit_id}'}; it counts them (dialer_limits)"


def _look(archives: Archives, asked: Run, at_once: int) -> tuple[int, Counter[Stay]]:
    moved, stays, after = 0, Counter[Stay](), 0
    while (portion := archives.look(asked, after, at_once)).looked_to is not None:
        moved, stays, after = moved + portion.moved, stays + portion.stays, portion.looked_to
    return moved, stays


def _move(archives: Archives, asked: Run, to: Path, at_once: int) -> tuple[int, Counter[Stay]]:
    moved, stays, after = 0, Counter[Stay](), 0
    with _opened(to) as file:
        if back := file.take_back(archives):
            print(f"{to}: the last {back} lines taken out again: their attempts were still in the ledger")
        try:
            while (portion := archives.move(asked, after, at_once, file.keep)).looked_to is not None:
                file.settle()
                moved, stays, after = moved + portion.moved, stays + portion.stays, portion.looked_to
        except BaseException:
            told = f"{to}: {moved} attempts archived, then it stopped; the same command goes on"
            print(told, file=sys.stderr)
            raise
    return moved, stays


@contextmanager
def _opened(path: Path) -> Iterator[_File]:
    if path.suffix.lower() == ".xlsx":
        raise NotArchived(f"--to {path}: attempts are archived into CSV files. Write FILE.csv.")
    try:
        is_new = not path.exists()
        if not is_new and not path.is_file():
            raise NotArchived(f"--to {path}: that is no file. Write FILE.csv.")
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as raw:
            try:
                fcntl.flock(raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise NotArchived(
                    f"{path}: another dialer archive writes into it. Wait until it has ended, or name another file."
                ) from error
            if is_new:
                # The file's name must survive the machine, too.
                folder = os.open(path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
            yield _File(raw, path)
    except BrokenPipeError:
        raise  # nobody reads what we print
    except OSError as error:
        raise NotArchived(f"{path} cannot be written: {error.strerror or error}.") from error


class _File:
    """The archive: only appended to, but for a last portion whose fate is not known."""

    def __init__(self, raw: BinaryIO, path: Path) -> None:
        self._raw = raw
        self._path = path
        self._tail: deque[tuple[int, bytes]] = deque(maxlen=AT_ONCE)
        """The last lines, and where each begins."""
        self._end = self._read()
        """Where the next portion begins."""
        self._written = self._end

    def _read(self) -> int:
        """Where the last whole line ends; a new file gets its first one. Raises NotArchived."""
        self._raw.seek(0)
        at = 0
        for line in _lines(self._raw):
            if at == 0 and line != _HEADER:
                raise self._foreign()
            if at > 0:
                self._tail.append((at, line))
            at += len(line)
        rest = self._raw.seek(0, os.SEEK_END) - at
        if at == 0:
            self._raw.seek(0)
            # The header itself may have been cut off.
            if not _HEADER.startswith(self._raw.read(len(_HEADER) + 1)):
                raise self._foreign()
            self._put(0, _HEADER)
            return len(_HEADER)
        if rest > _LONGEST_LINE:
            # More than a line that was cut off: somebody has edited the file, and attempts may be in there.
            raise NotArchived(
                f"{self._path}: nothing after byte {at} is a whole line of an archive. Mend it, or name another file."
            )
        return at

    def _foreign(self) -> NotArchived:
        return NotArchived(f"{self._path} is no archive of attempts. Name another file, or one that is not there.")

    def take_back(self, archives: Archives) -> int:
        """Take out the last lines whose attempts are still in the ledger: they were written, and never deleted. How
        many they were."""
        rows = [(at, _cells(line.decode(errors="replace"))) for at, line in self._tail]
        there = archives.still_there([int(cells[0]) for _, cells in rows if _is_whole(cells)])
        count = 0
        for at, cells in reversed(rows):
            # What is no attempt was not safe on the disk yet when the machine went down, so it was never deleted.
            if _is_whole(cells) and (
                int(cells[0]) not in there or _facts(_cells(_line(there[int(cells[0])]))) != _facts(cells)
            ):
                break
            self._end = self._written = at
            count += 1
        if self._raw.seek(0, os.SEEK_END) > self._end:
            self._put(self._end, b"")
        return count

    def keep(self, rows: Sequence[Row]) -> None:
        """Write a portion in the place of the one before it, unless that was settled, and flush it to the disk."""
        try:
            self._written = self._put(self._end, "".join(map(_line, rows)).encode())
        except OSError:
            with suppress(OSError):
                self._raw.truncate(self._end)
            raise

    def _put(self, at: int, text: bytes) -> int:
        """The file ends with this text, which begins at a place; where it ends."""
        self._raw.seek(at)
        self._raw.truncate()
        self._raw.write(text)
        self._raw.flush()
        os.fsync(self._raw.fileno())
        return at + len(text)

    def settle(self) -> None:
        """What was kept last is not in the ledger any more."""
        self._end = self._written


def _lines(raw: BinaryIO) -> Iterator[bytes]:
    """The whole lines of a CSV file, with their ends; a cell may have line feeds."""
    line, quotes = b"", 0
    for part in raw:
        line += part
        quotes += part.count(b'"')
        if quotes % 2 == 0 and part.endswith(b"\r\n"):
            yield line
            line, quotes = b"", 0


def _line(row: Row) -> str:
    return csv_line(
        [as_text(value.astimezone(UTC) if isinstance(value, datetime) else value) for value in row.values()]
    )


def _cells(line: str) -> list[str]:
    return next(csv.reader(StringIO(line, newline="")))


def _is_whole(cells: list[str]) -> bool:
    return len(cells) == len(COLUMNS) and cells[0].isdecimal()


def _facts(cells: list[str]) -> list[str]:
    return [cells[place] for place in _SAME]
