"""A desk to import lists from, and processes that are killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.lists import Desk, Dies
from worker.db import Database
from worker.db.routines.imports import Imports
from worker.figures import CheckedLines


@pytest.fixture
def desk(db: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(db, tmp_path, capsys)


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, bool], None]:
    """dying(n, committed): the process dies with its n-th chunk, before its commit or just after."""

    def die(n: int, committed: bool) -> None:
        put, call = Imports.put, Imports._call
        calls = iter(range(1, 1000))

        def put_and_dies(*given: Any, **named: Any) -> Iterator[tuple[Any, CheckedLines]]:
            for done in put(*given, **named):
                if next(calls) == n:
                    raise Dies
                yield done

        def called_and_dies(imports: Imports, connection: Any, routine: str, *rest: object) -> Any:
            done = call(imports, connection, routine, *rest)
            if routine == "dialer_import_put" and next(calls) == n:
                raise Dies
            return done

        if committed:
            monkeypatch.setattr(Imports, "put", put_and_dies)
        else:
            monkeypatch.setattr(Imports, "_call", called_and_dies)

    return die
