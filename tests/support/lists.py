"""A supervisor's desk, for tests of lists that are imported."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from dialer import imports
from dialer.imports import Wanted
from dialer.mapping import REFUSED
from tests.support.factories import PROJECT, add_project
from worker.db import Database
from worker.db.database import Row


class Desk:
    """A supervisor with a folder of lists."""

    def __init__(self, db: Database, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.db = db
        self.folder = folder
        self._capsys = capsys
        add_project(db)

    def write(self, *lines: str, name: str = "spring.csv") -> Path:
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def run(self, path: Path, **wanted: Any) -> tuple[int, str]:
        """Import; exit code and what was printed."""
        code = imports.run(self.db.settings, Wanted(path, **{"project": PROJECT, **wanted}))
        return code, self._capsys.readouterr().out

    def undo(self, import_id: int) -> str:
        assert imports.undo(self.db.settings, import_id) == 0
        return self._capsys.readouterr().out

    def show(self) -> str:
        assert imports.show(self.db.settings, None) == 0
        return self._capsys.readouterr().out

    def cases(self, columns: str = "phone_number, case_name") -> list[tuple[Any, ...]]:
        rows = self.db.query(f"SELECT {columns} FROM dialer_clients ORDER BY id")
        return [tuple(row.values()) for row in rows]

    def imported(self) -> Row:
        """The latest import."""
        return self.db.query("SELECT * FROM dialer_imports ORDER BY id DESC")[0]

    def refused(self, name: str = "spring") -> list[list[str]]:
        path = self.folder / f"{name}.refused.csv"
        if not path.exists():
            return []
        text = path.read_text("utf-8-sig")
        return list(csv.reader(StringIO(text, newline=""), delimiter=text[len(REFUSED[0])]))


class Dies(Exception):  # noqa: N818 - it is none
    """A process that is killed."""
