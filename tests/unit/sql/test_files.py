"""What the reader of the SQL files makes of them, and in which order it is installed."""

from __future__ import annotations

from graphlib import CycleError
from pathlib import Path

import pytest

import sql
from worker.db.objects import in_order_of_need, parsed


@pytest.fixture
def library(tmp_path: Path) -> sql.Library:
    room = tmp_path / "procedures" / "postgresql" / "room"
    room.mkdir(parents=True)
    for name, text in {
        "dialer_a": "CREATE a4",
        "dialer_a@before_0004": "CREATE a2",
        "dialer_a@before_0002": "CREATE a1",
        "dialer_new": "CREATE new",
        "dialer_new@before_0003": "-- nothing",
        "dialer_gone@before_0002": "CREATE gone",
        "dialer_back@before_0002": "CREATE back1",
        "dialer_back@before_0004": "-- nothing",
        "dialer_back": "CREATE back4",
    }.items():
        (room / f"{name}.sql").write_text(text)
    return sql.Library(tmp_path)


@pytest.mark.parametrize(
    ("revision", "stood"),
    [
        (None, {}),
        ("0001", {"dialer_a": "CREATE a1", "dialer_back": "CREATE back1", "dialer_gone": "CREATE gone"}),
        ("0002", {"dialer_a": "CREATE a2"}),
        ("0003", {"dialer_a": "CREATE a2", "dialer_new": "CREATE new"}),
        ("0004", {"dialer_a": "CREATE a4", "dialer_back": "CREATE back4", "dialer_new": "CREATE new"}),
        ("0010", {"dialer_a": "CREATE a4", "dialer_back": "CREATE back4", "dialer_new": "CREATE new"}),
    ],
)
def test_the_files_tell_what_stood_at_each_revision(
    library: sql.Library, revision: str | None, stood: dict[str, str]
) -> None:
    assert library.at("postgresql", revision) == stood


TRIGGER = """-- Trigger
CREATE OR REPLACE TRIGGER dialer_t_after_write AFTER DELETE OR INSERT OR UPDATE ON dialer_t
FOR EACH ROW CALL dialer_x(coalesce(OLD.a, OLD.`b`), OLDER.a, NEW.a)
"""


def test_on_mariadb_a_trigger_of_several_events_stands_for_one_of_each() -> None:
    delete, insert, update = sql.statements("mariadb", TRIGGER)
    assert "TRIGGER dialer_t_after_insert AFTER INSERT ON dialer_t" in insert
    assert "dialer_x(coalesce(NULL, NULL), OLDER.a, NEW.a)" in insert
    assert "TRIGGER dialer_t_after_update AFTER UPDATE ON dialer_t" in update
    assert "dialer_x(coalesce(OLD.a, OLD.`b`), OLDER.a, NEW.a)" in update
    assert "TRIGGER dialer_t_after_delete AFTER DELETE ON dialer_t" in delete
    assert "dialer_x(coalesce(OLD.a, OLD.`b`), OLDER.a, NULL)" in delete
    assert sql.statements("postgresql", TRIGGER) == [TRIGGER.rstrip()]


def test_a_trigger_of_several_events_has_a_name_for_each() -> None:
    with pytest.raises(ValueError, match="dialer_t_check is a trigger of DELETE OR INSERT OR UPDATE"):
        sql.statements("mariadb", TRIGGER.replace("dialer_t_after_write", "dialer_t_check"))


def test_a_file_of_postgresql_has_a_function_and_its_trigger() -> None:
    text = "-- header\nCREATE FUNCTION f() AS $$\n    CREATE TEMP TABLE x ();\n$$;\nCREATE TRIGGER t ON x\n"
    assert sql.statements("postgresql", text) == [
        "-- header\nCREATE FUNCTION f() AS $$\n    CREATE TEMP TABLE x ();\n$$",
        "CREATE TRIGGER t ON x",
    ]
    assert sql.statements("postgresql", "-- nothing\n") == []


def ordered(*statements: str) -> list[str]:
    orders = {
        tuple(one.name for one in in_order_of_need(list(map(parsed, given))))
        for given in (statements, statements[::-1])
    }
    (order,) = orders
    return list(order)


def test_each_is_installed_behind_those_that_it_names() -> None:
    assert ordered(
        "CREATE OR REPLACE VIEW dialer_a AS SELECT dialer_c(), 'dialer_d' -- dialer_d",
        "CREATE OR REPLACE FUNCTION dialer_c() LANGUAGE sql AS $$ SELECT * FROM dialer_e $$",
        "CREATE OR REPLACE VIEW dialer_d AS SELECT * FROM dialer_a",
        "CREATE OR REPLACE VIEW dialer_e AS SELECT 1",
    ) == ["dialer_e", "dialer_c", "dialer_a", "dialer_d"]


def test_in_a_circle_what_binds_late_comes_first() -> None:
    view = "CREATE OR REPLACE VIEW dialer_a AS SELECT dialer_b()"
    assert ordered(view, "CREATE OR REPLACE FUNCTION dialer_b() LANGUAGE plpgsql AS $$ PERFORM dialer_a $$") == [
        "dialer_b",
        "dialer_a",
    ]
    with pytest.raises(CycleError):
        ordered(view, "CREATE OR REPLACE FUNCTION dialer_b() LANGUAGE sql AS $$ SELECT * FROM dialer_a $$")
