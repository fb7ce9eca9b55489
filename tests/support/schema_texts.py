"""What the migrations say of tables, as texts: for tests that compare it with the program or the pages."""

from __future__ import annotations

import re

import sql


def newest(dialect: str, pattern: str) -> re.Match[str]:
    """The first match in what the newest revision that has one does to tables."""
    folder = sql.ROOT / "schema" / dialect
    for path in sorted(folder.glob("*.sql"), reverse=True):
        if not path.stem.endswith("_down") and (found := re.search(pattern, path.read_text("utf-8"), re.DOTALL)):
            return found
    raise LookupError(f"nothing in {folder} matches {pattern!r}")
