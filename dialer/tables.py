"""Lists in files: CSV in whatever encoding and with whatever separator, and workbooks. Reads, and decides nothing.

`opened` looks at the whole file once: encoding, separator, lines and a hash of its content. The rows are then read as a
stream of texts, each with the line that it begins on.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from worker.errors import DialerError

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_PIECE = 1 << 20
_SAMPLE_LINES = 200
_SAMPLE_BYTES = 1 << 18
_LONGEST_CELL = 1 << 20
_TOLD_SEPARATOR = re.compile(r"sep=(.)\r?\n?")


class TableError(DialerError):
    """A file cannot be read as a list; the message says where, and what to do about it."""


class Row(NamedTuple):
    """One row. line: of the file, from 1; on which it begins, if a cell has line breaks."""

    line: int
    cells: list[str]


class Table(Protocol):
    """A list in a file."""

    path: Path
    told: str
    """What was found out about the file, for people."""
    lines: int
    """How many lines it has, at least: a measure of progress."""
    digest: str
    """SHA-256 of its content, in hexadecimal digits."""
    read_as: dict[str, str]
    """How to read it in the same way again: keywords for `opened`."""
    separator: str
    """Between the cells of a CSV file that goes with it."""

    def rows(self) -> Iterator[Row]:
        """All rows that are not empty, from the first line on. Raises TableError."""


def opened(path: Path, *, encoding: str = "", separator: str = "", sheet: str = "") -> Table:
    """Look at a file. encoding, separator, sheet: as told; empty: as found. Raises TableError."""
    if not path.is_file():
        raise TableError(f"There is no file {path}.")
    if path.suffix.lower() in WORKBOOKS:
        return Workbook(path, sheet)
    return Csv(path, encoding, separator)


# --- CSV ----------------------------------------------------------------------------------------------------------


class Csv:
    """Comma-separated values, or whatever separates them."""

    def __init__(self, path: Path, encoding: str, separator: str) -> None:
        """Raises TableError."""
        self.path = path
        digest = hashlib.sha256()
        self.lines, last = 0, b"\n"
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                self.lines += piece.count(b"\n")
                last = piece[-1:]
        self.lines += last != b"\n"
        self.digest = digest.hexdigest()
        self._encoding, how = _encoding(path, encoding)
        self._skipped = 0
        found = self._separator()
        self.separator = _named(separator) or found
        shown = SEPARATORS.get(self.separator, repr(self.separator))
        self.told = f"CSV, {self._encoding.upper().replace('-SIG', '')} ({how}), separator {shown}"
        self.read_as = {"encoding": self._encoding, "separator": self.separator}

    def rows(self) -> Iterator[Row]:
        """All rows that are not empty."""
        with _long_cells(), self.path.open(encoding=self._encoding, newline="") as file:
            reader = csv.reader(islice(file, self._skipped, None), delimiter=self.separator)
            line = self._skipped + 1
            try:
                for cells in reader:
                    if any(cells):
                        yield Row(line, cells)
                    line = self._skipped + reader.line_num + 1
            except csv.Error as error:
                raise TableError(
                    f"{self.path} cannot be read from line {line} on: {error}. Look for a quotation mark that"
                    " is not closed there."
                ) from error
            except UnicodeDecodeError as error:
                raise _undecodable(self.path, self._encoding, error) from error

    def _separator(self) -> str:
        """The separator with which most of the first lines have as many cells as the first one, and several."""
        try:
            with self.path.open(encoding=self._encoding, newline="") as file:
                sample = list(islice(file, _SAMPLE_LINES))
        except UnicodeDecodeError as error:
            raise _undecodable(self.path, self._encoding, error) from error
        if sample and (told := _TOLD_SEPARATOR.fullmatch(sample[0])):
            # Excel's own way to say it.
            self._skipped = 1
            return told[1]
        with _long_cells():
            return max(SEPARATORS, key=lambda one: _fit(sample, one))


@contextmanager
def _long_cells() -> Iterator[None]:
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _fit(sample: Sequence[str], separator: str) -> tuple[float, int]:
    try:
        widths = [len(cells) for cells in csv.reader(sample, delimiter=separator) if any(cells)]
    except csv.Error:
        return 0.0, 0
    if not widths or widths[0] == 1:
        return 0.0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _named(separator: str) -> str:
    """A separator as a person writes it: one character, or its name. Raises TableError."""
    names = {name: one for one, name in SEPARATORS.items()} | {"\\t": "\t"}
    found = names.get(separator.lower(), separator)
    if len(found) > 1 or found in {'"', "\n", "\r"}:
        told = ", ".join(names)
        raise TableError(f"{separator!r} separates no cells: give one character, or one of {told}.")
    return found


def _encoding(path: Path, told: str) -> tuple[str, str]:
    """The encoding of a file, and how it is known. Raises TableError."""
    with path.open("rb") as file:
        begin = file.read(4)
    marked = next((name for bom, name in _BOMS.items() if begin.startswith(bom)), "")
    if told:
        try:
            found = codecs.lookup(told).name
        except LookupError as error:
            raise TableError(f"There is no encoding {told!r}: give utf-8, cp1251, cp1252 or the like.") from error
        return ("utf-8-sig" if found == "utf-8" else found), "as told"
    if marked:
        return marked, "by its mark"
    if b"\0" in begin:
        return ("utf-16-le" if begin[1:2] == b"\0" else "utf-16-be"), "by its zero bytes"
    if _decodes(path, "utf-8"):
        return "utf-8-sig", "found"
    guess = _guess(path)
    return (guess, "guessed") if _decodes(path, guess) else ("cp1252", "guessed")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _guess(path: Path) -> str:
    """By the lines that are not plain ASCII: the others say nothing."""
    import cchardet  # noqa: PLC0415 - rarely needed

    sample: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        for line in file:
            if not line.isascii():
                sample.append(line)
                size += len(line)
                if size > _SAMPLE_BYTES:
                    break
    found = cchardet.detect(b"".join(sample))["encoding"]
    try:
        return codecs.lookup(found or "cp1252").name
    except LookupError:
        return "cp1252"


def _undecodable(path: Path, encoding: str, error: UnicodeDecodeError) -> TableError:
    byte = error.object[error.start]
    return TableError(f"{path} is not {encoding}: it has a byte {byte:#04x} there. Give another --encoding, or none.")


# --- workbooks ----------------------------------------------------------------------------------------------------


class Workbook:
    """One sheet of an Excel or LibreOffice workbook."""

    def __init__(self, path: Path, sheet: str) -> None:
        """sheet: its name; empty: the first one. Raises TableError."""
        from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415 - CSV is more frequent

        self.path = path
        self.separator = ","
        with path.open("rb") as file:
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()
        try:
            book = CalamineWorkbook.from_path(str(path))
            names = book.sheet_names
            if sheet and sheet not in names:
                raise TableError(f"{path} has no sheet {sheet!r}, only {', '.join(names)}.")
            self._sheet = book.get_sheet_by_name(sheet or names[0])
        except (CalamineError, OSError, IndexError) as error:
            raise TableError(f"{path} cannot be read as a workbook: {error}. Save it as CSV.") from error
        # Two sheets of one file are two lists.
        self.digest = hashlib.sha256(f"{self.digest} {self._sheet.name}".encode()).hexdigest()
        self.lines = self._sheet.total_height
        self.told = f"workbook, sheet {self._sheet.name!r}"
        if others := [name for name in names if name != self._sheet.name]:
            self.told += f" (others: {', '.join(others)})"
        self.read_as = {"sheet": self._sheet.name}

    def rows(self) -> Iterator[Row]:
        """All rows that are not empty."""
        for line, values in enumerate(self._sheet.iter_rows(), 1):
            cells = [written(value) for value in values]
            if any(cells):
                yield Row(line, cells)


def written(value: Any) -> str:
    """A cell's value as text. Workbooks hold telephone numbers as floating-point numbers."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, time):
        return value.isoformat("seconds")
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return value.isoformat() if isinstance(value, date) else str(value)


# --- cells that a spreadsheet would take for formulas -------------------------------------------------------------

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_PLAIN = re.compile(r"[+-]?[0-9][0-9 .:,()h/-]*")
"""Numbers, telephone numbers and offsets from UTC: they do nothing in a spreadsheet."""


@dataclass(frozen=True)
class Shield:
    """Keeps what somebody else has written into a cell from being run by the spreadsheet that opens the file: such a
    text gets an apostrophe in front, and loses it when it is imported again."""

    @staticmethod
    def on(cell: str) -> str:
        """As it is written into a CSV file."""
        return f"'{cell}" if _FORMULA.match(cell) and not _PLAIN.fullmatch(cell) else cell

    @staticmethod
    def off(cell: str) -> str:
        """As it was before."""
        return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


def csv_line(cells: Sequence[str], separator: str = ",") -> str:
    """A line of a CSV file, its end included; formulas are made harmless."""
    line = StringIO()
    csv.writer(line, delimiter=separator, lineterminator="\r\n").writerow([Shield.on(cell) for cell in cells])
    return line.getvalue()
