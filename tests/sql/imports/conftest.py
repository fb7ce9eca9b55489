"""A desk to import lists from, and processes that are killed."""

from __future__ import annotations

from collections.abc import Callable
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
        put = Imports._put
        calls = iter(range(1, 1000))

        def dies(*given: Any, **named: Any) -> CheckedLines:
            here = next(calls) == n
            if here and not committed:
                call = Imports._call

                def killed(imports: Imports, connection: Any, routine: str, *rest: object) -> Any:
                    done = call(imports, connection, routine, *rest)
                    if routine == "dialer_import_put":
                        raise Dies
                    return done

                with monkeypatch.context() as patched:
                    patched.setattr(Imports, "_call", killed)
                    return put(*given, **named)
            done = put(*given, **named)
            if here:
                raise Dies
            return done

        monkeypatch.setattr(Imports, "_put", dies)

    return die
