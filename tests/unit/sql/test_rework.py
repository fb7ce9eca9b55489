"""`make rework`: keeps what a migration replaces and writes the migration, here on a copy of the tree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from scripts.rework import ROOT, ReworkError, rework
from sql import DIALECTS, Library


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("sql", "alembic"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def head(tree: Path) -> str:
    found = ScriptDirectory(str(tree / "alembic")).get_current_head()
    assert found is not None
    return found


def following(revision: str, by: int = 1) -> str:
    return f"{int(revision) + by:04}"


def test_what_is_changed_is_kept_in_each_dialect_beside_the_live_file(tree: Path) -> None:
    before = head(tree)
    library = Library(tree / "sql")
    done = rework("new_claim", changes=["dialer_claim"], root=tree)
    for dialect in DIALECTS:
        live = library.path(dialect, "dialer_claim")
        kept = live.with_name(f"dialer_claim@before_{following(before)}.sql")
        assert kept in done.written
        assert live in done.edit
        assert kept.read_bytes() == live.read_bytes()
        live.write_text("CREATE changed")
        assert library.at(dialect, before)["dialer_claim"] == kept.read_text("utf-8")
        assert library.at(dialect, head(tree))["dialer_claim"] == "CREATE changed"


def test_the_migration_is_the_new_head_and_names_the_set_of_each_way(tree: Path) -> None:
    before = head(tree)
    done = rework("new_claim", changes=["dialer_claim"], root=tree)
    assert done.migration.name == f"{following(before)}_new_claim.py"
    found = ScriptDirectory(str(tree / "alembic")).get_revision(head(tree))
    assert (found.revision, found.down_revision) == (following(before), before)
    text = done.migration.read_text()
    assert "with op.routines(revision):\n        pass" in text
    assert "with op.routines(down_revision):\n        pass" in text


def test_a_second_change_keeps_what_the_first_one_has_installed(tree: Path) -> None:
    before = head(tree)
    library = Library(tree / "sql")
    rework("new_claim", changes=["dialer_claim"], root=tree)
    library.path("mariadb", "dialer_claim").write_text("CREATE first")
    rework("in_between", changes=["dialer_next"], root=tree)
    rework("newer_claim", changes=["dialer_claim"], root=tree)
    library.path("mariadb", "dialer_claim").write_text("CREATE second")
    texts = [library.at("mariadb", following(before, by))["dialer_claim"] for by in range(4)]
    assert texts[1:] == ["CREATE first", "CREATE first", "CREATE second"]
    assert texts[0] == Library(ROOT / "sql").text("mariadb", "dialer_claim")


def test_the_same_name_again_adds_to_the_same_migration_and_keeps_what_was_kept(tree: Path) -> None:
    before = head(tree)
    library = Library(tree / "sql")
    first = rework("new_claim", changes=["dialer_claim"], root=tree)
    library.path("mariadb", "dialer_claim").write_text("CREATE changed")
    second = rework("new_claim", changes=["dialer_claim", "dialer_next"], root=tree)
    assert head(tree) == following(before)
    assert second.migration == first.migration
    assert {path.stem.partition("@")[0] for path in second.written} == {"dialer_next"}
    assert library.at("mariadb", before)["dialer_claim"] != "CREATE changed"


def test_what_is_removed_stands_until_then_and_no_longer(tree: Path) -> None:
    before = head(tree)
    library = Library(tree / "sql")
    rework("fewer", removes=["dialer_stat_hour"], root=tree)
    for dialect in DIALECTS:
        assert "dialer_stat_hour" not in library.names(dialect)
        assert "dialer_stat_hour" in library.at(dialect, before)
        assert "dialer_stat_hour" not in library.at(dialect, head(tree))


def test_what_is_added_stands_from_then_on(tree: Path) -> None:
    before = head(tree)
    library = Library(tree / "sql")
    done = rework("made_up_more", adds=["gate/dialer_made_up"], root=tree)
    assert {path.name for path in done.edit} == {"dialer_made_up.sql"}
    for path in done.edit:
        path.write_text("-- dialer_made_up\nCREATE OR REPLACE VIEW dialer_made_up AS SELECT 1\n")
    for dialect in DIALECTS:
        assert library.room(dialect, "dialer_made_up") == "gate"
        assert "dialer_made_up" not in library.at(dialect, before)
        assert "dialer_made_up" in library.at(dialect, head(tree))
    rework("made_up_less", removes=["dialer_made_up"], root=tree)
    stood = ["dialer_made_up" in library.at("mariadb", following(before, by)) for by in range(3)]
    assert stood == [False, True, False]


def test_changes_of_tables_have_a_file_with_both_ways(tree: Path) -> None:
    before = head(tree)
    done = rework("columns", tables=True, root=tree)
    text = done.migration.read_text()
    revision = following(before)
    assert f'op.run("{revision}")' in text
    assert f'op.run("{revision}", down=True)' in text
    for dialect in DIALECTS:
        path = tree / "sql" / "schema" / dialect / f"{revision}.sql"
        assert path in done.written
        for down in (False, True):
            assert Library(tree / "sql").schema(dialect, revision, down=down) == [], "a comment is no statement"
        path.write_text("-- One\nA;\n\n-- Down: b\nB;\nC")
        assert Library(tree / "sql").schema(dialect, revision) == ["-- One\nA"]
        assert Library(tree / "sql").schema(dialect, revision, down=True) == ["B", "C"]
        path.write_text("-- Down:\nB;\n")
        assert Library(tree / "sql").schema(dialect, revision) == []
        assert Library(tree / "sql").schema(dialect, revision, down=True) == ["B"]
        for unclear in ("-- down:", " -- Down:", "--Down:", "-- Down", "-- Down: B;", "-- Down:\nB;\n-- Down:"):
            path.write_text(f"A;\n{unclear}\nB;\n")
            with pytest.raises(ValueError, match="one line alone begins with -- Down:"):
                Library(tree / "sql").schema(dialect, revision)
        path.write_text("A;\n")
        with pytest.raises(ValueError, match="does not say how it is taken back"):
            Library(tree / "sql").schema(dialect, revision, down=True)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"changes": ["dialer_clai"]}, "There is no 'dialer_clai'.*Did you mean .*dialer_claim"),
        ({"changes": ["dialer_claim", "finish"]}, "Did you mean .*dialer_attempt_finish"),
        ({"removes": ["../claim"]}, "There is no"),
        ({"changes": [""]}, "There is no"),
        ({"changes": ["dialer_claim"], "removes": ["dialer_claim"]}, "cannot be changed and removed at once"),
        ({"changes": ["dialer_claim@before_0002"]}, "There is no"),
        ({"adds": ["dialer_made_up"]}, "write room/name.*The rooms are .*gate"),
        ({"adds": ["gat/dialer_made_up"]}, "no room 'gat'.*Did you mean gate"),
        ({"adds": ["../dialer_made_up"]}, "write room/name"),
        ({"adds": ["claims/dialer_claim"]}, "There is a dialer_claim already: say that it changes"),
        ({"name": "Add DNC"}, "cannot name a migration"),
    ],
)
def test_an_error_is_a_sentence_and_nothing_is_written(tree: Path, wrong: dict[str, object], said: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    with pytest.raises(ReworkError, match=said):
        rework(**{"name": "made_up_more", "root": tree, **wrong})  # type: ignore[arg-type]
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before
