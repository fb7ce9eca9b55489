"""The index of routines is what their files say."""

from __future__ import annotations

import pytest

from scripts import routines
from sql import DIALECTS, LIBRARY


def test_the_page_is_what_the_files_say() -> None:
    assert routines.PAGE.read_text("utf-8") == routines.page(), "run `make routines`"


def test_every_name_is_on_the_page_once() -> None:
    page = routines.page()
    for dialect in DIALECTS:
        for name in LIBRARY.names(dialect):
            assert page.count(f"\n| `{name}`") == 1, name


def test_a_room_that_nobody_has_described_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(routines.ROOMS, "gate")
    with pytest.raises(ValueError, match=r"describe gate in ROOMS"):
        routines.page()
