"""`make rework`: keeps the installed text of a routine and writes the migration, here on a copy of the tree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from scripts.rework import ROOT, ReworkError, rework


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("sql", "alembic"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    # As the next dialect will stand beside the first.
    twin = tmp_path / "sql" / "procedures" / "mariadb"
    twin.mkdir(exist_ok=True)
    (twin / "dialer_claim.sql").write_text("-- the twin\n")
    return tmp_path


def script(tree: Path) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(tree / "alembic"))
    return ScriptDirectory.from_config(config)


def head(tree: Path) -> str:
    found = script(tree).get_current_head()
    assert found is not None
    return found


def test_the_installed_text_is_kept_in_each_dialect_beside_the_live_one(tree: Path) -> None:
    before = head(tree)
    done = rework("dialer_claim", tree)
    assert {path.parent.name for path in done.kept} == {"mariadb", "postgresql"}
    for kept, live in zip(done.kept, done.live, strict=True):
        assert kept.name == f"dialer_claim@{before}.sql"
        assert kept.read_bytes() == live.read_bytes()


def test_the_migration_is_the_new_head_and_leads_back_to_the_kept_text(tree: Path) -> None:
    before = head(tree)
    done = rework("dialer_claim", tree)
    assert head(tree) == f"{int(before) + 1:04}"
    found = script(tree).get_revision(head(tree))
    assert found is not None
    assert found.down_revision == before
    text = done.migration.read_text()
    assert 'op.install_routine("dialer_claim", revision)' in text
    assert f'op.install_routine("dialer_claim", "{before}")' in text
    assert done.migration.name == f"{head(tree)}_rework_claim.py"


def test_a_second_rework_keeps_what_the_first_one_installed(tree: Path) -> None:
    first = rework("dialer_claim", tree)
    assert rework("dialer_next", tree).kept, "another routine in between"
    live = first.live[-1]
    live.write_text("-- changed\n")
    second = rework("dialer_claim", tree)
    installed = first.migration.name[:4]
    assert {path.name for path in second.kept} == {f"dialer_claim@{installed}.sql"}
    assert second.kept[-1].read_text() == "-- changed\n"
    assert f'op.install_routine("dialer_claim", "{installed}")' in second.migration.read_text()


@pytest.mark.parametrize("name", ["dialer_clai", "", "../claim", "dialer_claim@0001"])
def test_an_unknown_routine_is_an_error_and_writes_nothing(tree: Path, name: str) -> None:
    before = sorted(tree.rglob("*"))
    with pytest.raises(ReworkError, match="There is no routine"):
        rework(name, tree)
    assert sorted(tree.rglob("*")) == before


def test_a_routine_that_no_migration_installs_is_an_error(tree: Path) -> None:
    (tree / "sql/procedures/postgresql/dialer_new.sql").write_text("--\n")
    with pytest.raises(ReworkError, match="No migration installs"):
        rework("dialer_new", tree)


def test_a_near_name_is_suggested(tree: Path) -> None:
    with pytest.raises(ReworkError, match="dialer_attempt_finish"):
        rework("finish", tree)
