"""What the migrations say of tables, as texts: for tests that compare it with the program or the pages."""

from __future__ import annotations

import re

import sql


def newest(dialect: str, pattern: str) -> re.Match[str]:
    """The first match in what the newest revision that has one does to tables."""
    folder = sql.ROOT / "schema" / dialect
    for path in sorted(folder.glob("*.sql"), reverse=True):
        if found := re.search(pattern, path.read_text("utf-8").partition("\n-- Down:")[0], re.DOTALL):
            return found
    raise LookupError(f"nothing in {folder} matches {pattern!r}")


def made(dialect: str) -> set[str]:
    """The tables that migrations have made and left."""
    there: set[str] = set()
    for path in sorted((sql.ROOT / "schema" / dialect).glob("*.sql")):
        for statement in sql.LIBRARY.schema(dialect, path.stem):
            there |= set(re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", statement, re.MULTILINE))
            there -= set(re.findall(r"^DROP TABLE (?:IF EXISTS )?(\w+)", statement, re.MULTILINE))
    return there
