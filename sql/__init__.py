"""The SQL of the dialer, and the only reader of its files.

`procedures/<dialect>/<name>.sql` holds one routine or view: what is installed at head. A routine that was
changed since keeps its older texts beside it as `<name>@<revision>.sql`, each named after the last revision
that installed it, so that old migrations find the text they were written for. `schema/<dialect>/` holds the
tables as a revision created them.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent

_MARIADB_TEXT = re.compile(r"\b((?:[pv]_\w+|RETURNS)\s+(?:varchar\(\d+\)|(?:tiny|medium|long)?text\b))")


def routine(dialect: str, name: str, revision: str | None = None) -> str:
    """The text of routine `name` as it was installed at `revision`; None or no older text: as at head."""
    folder = ROOT / "procedures" / dialect
    kept = folder / f"{name}@{revision}.sql"
    return (kept if revision and kept.exists() else folder / f"{name}.sql").read_text(encoding="utf-8")


def routine_names(dialect: str) -> list[str]:
    """Names of all routines and views at head."""
    folder = ROOT / "procedures" / dialect
    return sorted(path.stem for path in folder.glob("*.sql") if "@" not in path.stem)


def schema_statements(dialect: str, revision: str) -> list[str]:
    """The statements of `schema/<dialect>/<revision>.sql`; each ends with a semicolon at a line's end."""
    text = (ROOT / "schema" / dialect / f"{revision}.sql").read_text(encoding="utf-8")
    return [part.strip() for part in text.split(";\n") if part.strip()]


def for_server(dialect: str, text: str) -> str:
    """The text of a routine, view or trigger as the server gets it.

    MariaDB gives a parameter, variable or result without a character set that of the database that it stands in, and
    then compares it with no column of ours where that is another one; one lent to the database for the while would
    stand in every dump. So each is told the tables' own.
    """
    if dialect != "mariadb":
        return text
    return _MARIADB_TEXT.sub(r"\1 CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", text)
