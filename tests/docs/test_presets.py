"""The presets in docs/rules.md are those of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.presets import presets
from scripts import preset_page


def test_the_page_has_the_presets_of_the_program() -> None:
    assert preset_page.PAGE.read_text("utf-8") == preset_page.page(), "run `make presets`"


def test_every_preset_stands_in_the_table_and_in_the_list() -> None:
    page = preset_page.page()
    for name, one in presets().items():
        assert page.count(f"\n| `{name}`: ") == 1
        assert page.count(f"\n- `{name}`: ") == 1
        assert all(sentence in page for sentence in one.not_enforced)


def test_a_page_without_its_marks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preset_page, "PAGE", tmp_path / "rules.md")
    preset_page.PAGE.write_text("# Rules\n")
    with pytest.raises(ValueError, match="lacks the marks"):
        preset_page.page()
