"""Renews sql/data/, the rows of tables that are made from libraries: `make data`, then look at the diff.

Rows that have changed reach databases in service by `dialer rules data`, and by a migration that fills them anew where
they must not wait for that. `--check` writes nothing, and says which files are not what the installed libraries give.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from io import StringIO
from pathlib import Path

from scripts import numbering, prefixes, public_holidays

FOLDER = Path(__file__).resolve().parents[1] / "sql" / "data"

Rows = Iterable[tuple[str, ...]]

_TABLES: dict[str, tuple[Sequence[str], Callable[[int], Rows]]] = {
    "dialer_countries": (numbering.COLUMNS, lambda _: numbering.plans()),
    "dialer_holidays": (public_holidays.COLUMNS, public_holidays.rows),
    "dialer_prefixes": (prefixes.COLUMNS, lambda _: prefixes.rows()),
}
TABLES = tuple(_TABLES)


def written(table: str, first_year: int) -> str:
    """The text of a table's file as the installed libraries make it, with holidays from that year on."""
    columns, made = _TABLES[table]
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(made(first_year))
    return out.getvalue()


def path(table: str) -> Path:
    """A table's file."""
    return FOLDER / f"{table}.csv"


def first_year() -> int:
    """The year with which the file of holidays begins."""
    with path("dialer_holidays").open(encoding="utf-8", newline="") as file:
        return min(date.fromisoformat(row["day"]).year for row in csv.DictReader(file))


def main(arguments: Sequence[str]) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="make data", description="Renews sql/data/ from the installed libraries.")
    parser.add_argument("--check", action="store_true", help="write nothing; say which files would change")
    checking = parser.parse_args(arguments).check
    year = first_year() if checking else date.today().year
    stale = []
    for table in TABLES:
        text = written(table, year)
        if not path(table).exists() or path(table).read_text("utf-8") != text:
            stale.append(table)
            if not checking:
                path(table).write_text(text, encoding="utf-8")
    if not stale:
        sys.stdout.write("sql/data is what the installed libraries give\n")
        return 0
    sys.stdout.write(
        f"{'not what the libraries give, run `make data`' if checking else 'written'}: {', '.join(stale)}\n"
    )
    return int(checking)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
