"""`dialer export`: cases, attempts or results as a CSV file or a workbook."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from dialer.mapping import instant, zone_name, zone_of
from dialer.tables import WORKBOOKS, csv_line
from worker.config import DatabaseSettings
from worker.db import Database
from worker.db.routines.exports import EXPORTS, Exports
from worker.errors import DialerError

WHAT = tuple(EXPORTS)
_AGO = re.compile(r"([0-9]{1,5}) ?([dh])")
_WORKBOOK = ".xlsx"
_LONGEST_SHEET = 1_048_576
_EXACT = 10**15
"""Spreadsheets know no larger whole numbers."""


class NotExported(DialerError):  # noqa: N818 - what it says is plain enough
    """An export cannot be made in this way; the message says what to do."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for. output: None: a CSV file on standard output. since: as people write it; zone: by whose clock
    instants are read and written."""

    what: str
    project: str | None = None
    since: str = ""
    output: Path | None = None
    separator: str = ","
    bom: bool = False
    zone: str = "Z"


def run(settings: DatabaseSettings, wanted: Wanted) -> int:
    """Export; returns 0. Raises DialerError."""
    zone = zone_of(wanted.zone)
    if wanted.output is not None and wanted.output.suffix.lower() in set(WORKBOOKS) - {_WORKBOOK}:
        raise NotExported(f"{wanted.output}: of workbooks only {_WORKBOOK} is written; give it that ending, or .csv.")
    start = since("--since", wanted.since, zone) if wanted.since else None
    database = Database(settings)
    try:
        database.require_head()
        exports = Exports(database)
        if wanted.project is not None:
            exports.require(wanted.project)
        columns = exports.columns(wanted.what, wanted.project, start)
        found = exports.rows(wanted.what, wanted.project, start)
        rows = ([_in_zone(row.get(name), zone) for name in columns] for row in found)
        written = _write(wanted, columns, rows)
    finally:
        database.dispose()
    if wanted.output is not None:
        print(f"{wanted.output}: {written} {wanted.what}, instants by {zone_name(zone)}")
    return 0


def since(option: str, text: str, zone: tzinfo, now: datetime | None = None) -> datetime:
    """The instant that an option names. now: None: by this machine's clock. Raises NotExported."""
    if ago := _AGO.fullmatch(text):
        count = int(ago[1])
        return (now or datetime.now(UTC)) - (timedelta(days=count) if ago[2] == "d" else timedelta(hours=count))
    try:
        return datetime.fromisoformat(instant(text, zone)).replace(tzinfo=UTC)
    except ValueError as error:
        raise NotExported(
            f"{option} {text}: write 7d, 24h, or an instant like 2026-11-24 or 2026-11-24 09:00."
        ) from error


def _in_zone(value: object, zone: tzinfo) -> object:
    return value.astimezone(zone) if isinstance(value, datetime) else value


def _write(wanted: Wanted, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """How many rows were written."""
    if wanted.output is None:
        # Lines end as CSV has it, whatever the system's own end is.
        sys.stdout.reconfigure(newline="", encoding="utf-8")  # type: ignore[union-attr]
        return _csv(sys.stdout, wanted, columns, rows)
    if wanted.output.suffix.lower() == _WORKBOOK:
        with _whole(wanted.output) as part:
            return _workbook(part, wanted.what, columns, rows)
    with _whole(wanted.output) as part, part.open("w", encoding="utf-8", newline="") as file:
        return _csv(file, wanted, columns, rows)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file that is there as a whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise NotExported(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)


def _csv(file: TextIO, wanted: Wanted, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    if wanted.bom:
        file.write("\ufeff")
    file.write(csv_line(columns, wanted.separator))
    count = 0
    for row in rows:
        file.write(csv_line([as_text(value) for value in row], wanted.separator))
        count += 1
    return count


def as_text(value: object) -> str:
    """A value as a cell of a CSV file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _workbook(path: Path, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Cells are written with the types they have: nothing in them is taken for a formula or a link."""
    from xlsxwriter import Workbook  # noqa: PLC0415 - CSV is more frequent

    if not path.parent.is_dir():
        raise FileNotFoundError(2, "there is no such folder")
    # It keeps one row in memory, and writes the rest into files.
    with Workbook(os.fspath(path), {"constant_memory": True}) as book:
        instants = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        bold = book.add_format({"bold": True})
        count, at, sheets = 0, _LONGEST_SHEET, 0
        for row in rows:
            if at == _LONGEST_SHEET:
                sheets += 1
                sheet = book.add_worksheet(name if sheets == 1 else f"{name} {sheets}")
                sheet.freeze_panes(1, 0)
                sheet.write_row(0, 0, columns, bold)
                at = 1
            for place, value in enumerate(row):
                if isinstance(value, bool):
                    sheet.write_boolean(at, place, value)
                elif isinstance(value, datetime):
                    sheet.write_datetime(at, place, value.replace(tzinfo=None), instants)
                elif isinstance(value, int | float | Decimal) and -_EXACT < value < _EXACT:
                    sheet.write_number(at, place, value)
                elif value is not None:
                    sheet.write_string(at, place, as_text(value))
            at += 1
            count += 1
        if not sheets:
            book.add_worksheet(name).write_row(0, 0, columns, bold)
    return count
