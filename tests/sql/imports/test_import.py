"""`dialer import`: lines become cases, each once; what is refused says why, in the words of the trigger."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from dialer import imports
from dialer.imports import ListNotImported, Wanted
from dialer.tables import Shield
from tests.support.caller import Caller
from tests.support.dialects import Dialect, execute, servers
from tests.support.factories import PROJECT, add_case, add_cases, add_project, add_trunk
from tests.support.lists import Desk, Dies
from tests.support.waiting import wait_for
from worker.db import Database
from worker.db.database import reason
from worker.db.routines.imports import ImportMovedOn, Imports, Task
from worker.errors import DatabaseUnavailable, UnknownProject
from worker.figures import RefusedLine
from worker.model import ListLine, Policies


def test_a_list_becomes_cases(desk: Desk) -> None:
    path = desk.write(
        "Name;Phone;City;utc;priority;allowed_start;allowed_stop;call_back;call_back_period;deferred_time;region",
        "Ann;+49 (0)30-1;Berlin;+1;2;9:00;18:00;yes;30,120;2026-12-01 15:00+03:00;DE-BE",
        'Bob "B";0302;;;;;;;;;',
    )
    code, told = desk.run(path)
    assert code == 0
    assert "separator semicolon" in told
    assert "Phone → phone_number" in told
    assert "City → fields" in told
    assert "2 cases inserted, 0 lines refused, 0 skipped, 1 numbers cleaned" in told
    rows = desk.db.query(
        "SELECT case_name, project_id, phone_number, utc, priority, allowed_start, allowed_stop, call_back,"
        " call_back_period, deferred_time, deferred_kind, region, fields, import_id FROM dialer_clients ORDER BY id"
    )
    ann, bob = (tuple(row.values()) for row in rows)
    assert ann[:9] == ("Ann", PROJECT, "+49301", "+1", 2, "9:00", "18:00", True, "30,120")
    assert (ann[9].isoformat(), ann[10], ann[11]) == ("2026-12-01T12:00:00+00:00", "scheduled", "DE-BE")
    assert (ann[12] if isinstance(ann[12], dict) else json.loads(ann[12])) == {"City": "Berlin"}
    assert bob[:12] == ('Bob "B"', PROJECT, "0302", None, 1, "00:00:00", "00:00:00", False, None, None, None, None)
    assert bob[12] is None
    assert {ann[13], bob[13]} == {desk.imported()["id"]}
    assert (desk.imported()["done_to"], desk.imported()["inserted"]) == (3, 2)
    assert desk.refused() == []


BAD: list[tuple[str, str, str | None]] = [
    ("phone_number", "12a", None),
    ("phone_number", "", None),
    ("phone_number", "1" * 81, None),
    ("utc", "+3 hours", None),
    ("utc", "Mars/Olympus", None),
    ("allowed_start", "25:00", None),
    ("allowed_stop", "9am", None),
    ("call_back_period", "1;1", None),
    ("case_name", "a\tb", None),
    ("case_name", "x" * 1001, None),
    ("region", "Florida", None),
    ("region", "us", None),
    ("fields", json.dumps({"a": "x" * 10_000}), None),
    ("deferred_time", "1970-06-01 00:00", "1970-06-01 00:00:00"),
    ("deferred_time", "2038-01-19 00:00", "2038-01-19 00:00:00"),
]


@pytest.mark.parametrize(
    "odd",
    [
        r'{"a": "\ud800"}',
        '{"a": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"a": [' + ", ".join(["1e300"] * 40) + "]}",
    ],
    ids=["half a character", "deep", "long numbers"],
)
def test_an_odd_cell_refuses_its_line_alone(desk: Desk, odd: str) -> None:
    quoted = odd.replace('"', '""')
    code, _ = desk.run(desk.write("phone;fields", "+491;", f'+492;"{quoted}"', "+493;"))
    imported = [row[0] for row in desk.cases()]
    if "1e300" in odd and desk.db.dialect.name == "mariadb":
        assert (code, imported) == (0, ["+491", "+492", "+493"]), "there a JSON value is the text that was written"
    else:
        assert (code, imported) == (1, ["+491", "+493"])
        assert "dialer_clients.fields is" in desk.refused()[1][1]


@pytest.mark.parametrize(("column", "value", "written"), BAD)
def test_a_refused_line_has_the_sentence_of_the_trigger(
    desk: Desk, dialect: Dialect, column: str, value: str, written: str | None
) -> None:
    row = {"note": "x", "phone_number": "+49301", column: value}
    path = desk.folder / "spring.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerows([row.keys(), ["x", "+49300", *[""] * (len(row) - 2)], row.values()])
    code, told = desk.run(path, dry_run=True)
    assert code == 1
    assert desk.cases() == []
    assert "1 cases would be inserted, 1 lines refused" in told
    code, _ = desk.run(path)
    assert code == 1
    (begin, (line, why, *cells)) = desk.refused()
    assert begin == ["refused_line", "refused_reason", *row]
    assert (line, [Shield.off(cell) for cell in cells]) == ("3", list(row.values()))
    assert f"line 3: {why}\n" in told
    assert desk.cases() == [("+49300", "")]
    cast = "::jsonb" if column == "fields" and dialect.name == "postgresql" else ""
    cast = "::timestamptz" if column == "deferred_time" and dialect.name == "postgresql" else cast
    names = {"case_name": "x", "project_id": PROJECT, "phone_number": "+49301", column: written or value or None}
    marks = ", ".join(f"CAST(:{name} AS {cast[2:]})" if name == column and cast else f":{name}" for name in names)
    with pytest.raises(DBAPIError) as caught:
        execute(desk.db, f"INSERT INTO dialer_clients ({', '.join(names)}) VALUES ({marks})", **names)
    if column != "deferred_time" or dialect.name == "postgresql" or written != "1970-06-01 00:00:00":
        # That instant MariaDB's column cannot even hold.
        assert why == reason(caught.value)
    assert f"dialer_clients.{column}" in why


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("priority", "high", "dialer_clients.priority is 'high': write a whole number, or leave the column out"),
        ("priority", "1.5", "dialer_clients.priority is '1.5': write a whole number, or leave the column out"),
        ("priority", "9" * 19, "dialer_clients.priority is '9999999999999999999': write a whole number, or leave"),
        ("call_back", "maybe", "dialer_clients.call_back is 'maybe': write true or false, or leave the column out"),
        ("deferred_time", "tomorrow", "dialer_clients.deferred_time is 'tomorrow': write an instant like"),
        ("deferred_time", "2026-02-30 10:00", "dialer_clients.deferred_time is '2026-02-30 10:00': write"),
        ("fields", "[1]", "dialer_clients.fields is '[1]': write a JSON object"),
    ],
)
def test_what_is_no_value_of_its_column_is_refused_and_not_bent(desk: Desk, column: str, value: str, said: str) -> None:
    code, _ = desk.run(desk.write(f"phone_number;{column}", "1;", f"2;{value}"))
    assert code == 1
    assert desk.cases("phone_number") == [("1",)]
    assert desk.refused()[1][1].startswith(said)


def test_a_bad_constant_refuses_each_line(desk: Desk) -> None:
    code, told = desk.run(desk.write("phone", "1", "2"), constants={"region": "Bavaria"}, dry_run=True)
    assert code == 1
    assert told.count("dialer_clients.region is 'Bavaria'") == 2


def test_an_unknown_project_is_refused(desk: Desk) -> None:
    with pytest.raises(UnknownProject):
        desk.run(desk.write("phone", "1"), project="sprnig")


# --- duplicates ---------------------------------------------------------------------------------------------------

LIST = ("phone", "+491", "+492", "+491", "+493", "+494", "+491")


@pytest.mark.parametrize("rows", [2, 1000])
@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("duplicates", "inserted", "refused", "skipped"),
    [
        ("keep", 6, 0, 0),
        ("skip", 3, 0, 3),
        ("refuse", 3, 3, 0),
        ("file=keep,project=skip", 5, 0, 1),
        ("file=keep,project=refuse,elsewhere=skip", 4, 1, 1),
        ("file=skip,project=keep,elsewhere=refuse", 3, 1, 2),
    ],
)
def test_numbers_that_are_there_already(  # noqa: PLR0917 - they are parameters
    desk: Desk, rows: int, dry: bool, duplicates: str, inserted: int, refused: int, skipped: int
) -> None:
    add_project(desk.db, "other")
    add_cases(desk.db, [{"phone_number": "+493"}, {"phone_number": "+494", "project_id": "other"}])
    before = len(desk.cases())
    wanted = {"duplicates": imports.policies([duplicates]), "most_rows": rows, "dry_run": dry}
    _, told = desk.run(desk.write(*LIST), **wanted)
    assert f"{inserted} cases {'would be ' if dry else ''}inserted, {refused} lines refused, {skipped} skipped" in told
    assert len(desk.cases()) - before == (0 if dry else inserted)
    if not dry:
        assert [desk.imported()[name] for name in ("inserted", "refused", "skipped")] == [inserted, refused, skipped]


def test_the_number_of_a_case_that_has_moved_on_to_another_is_noticed(desk: Desk, caller: Caller) -> None:
    add_trunk(desk.db)
    caller.start()
    case = add_case(desk.db, phone_number="+493")
    execute(desk.db, "INSERT INTO dialer_case_numbers (case_id, place, phone_number) VALUES (:c, 2, '+499')", c=case)
    caller.call(case, "BUSY")
    assert caller.case(case)["number"] == "+499"
    desk.run(desk.write("phone", "+493", "+495"))
    assert [row[:2] for row in desk.refused()[1:]] == [
        ["2", "dialer_clients.phone_number is '+493': the number is in the project already"]
    ]


def test_why_a_number_is_refused_says_where_it_is(desk: Desk) -> None:
    add_project(desk.db, "other")
    add_cases(desk.db, [{"phone_number": "+493"}, {"phone_number": "+494", "project_id": "other"}])
    desk.run(desk.write(*LIST), duplicates=imports.policies(["file=refuse,project=refuse,elsewhere=refuse"]))
    assert [row[:2] for row in desk.refused()[1:]] == [
        ["4", "dialer_clients.phone_number is '+491': the number is on an earlier line of the file"],
        ["5", "dialer_clients.phone_number is '+493': the number is in the project already"],
        ["6", "dialer_clients.phone_number is '+494': the number is in another project"],
        ["7", "dialer_clients.phone_number is '+491': the number is on an earlier line of the file"],
    ]


def test_forms_of_one_number_are_one_number(desk: Desk) -> None:
    plan = "INSERT INTO dialer_countries VALUES ('XR', '7', '8', '810', '|10|')"
    execute(desk.db, plan)
    execute(desk.db, "INSERT INTO dialer_numbering (project_id, country) VALUES ('p', 'XR')")
    _, told = desk.run(desk.write("phone", "+79991234567", "8 999 123-45-67", "79991234567"), dry_run=True)
    assert "1 cases would be inserted, 2 lines refused" in told


# --- resuming -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("chunk", [1, 3, 10])
def test_after_a_kill_in_the_middle_each_line_is_there_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, dying: Callable[[int, bool], None], chunk: int, committed: bool
) -> None:
    lines = [f"+49{1000 + n}" if n % 5 else f"bad {n}" for n in range(100)]
    path = desk.write("phone;City", *[f"{line};Köln" for line in lines])
    with monkeypatch.context():
        dying(chunk, committed)
        with pytest.raises(Dies):
            desk.run(path, most_rows=10)
    monkeypatch.undo()
    stopped = desk.imported()
    settled = 10 * (chunk - 1 + committed)
    assert stopped["done_to"] == (1 + settled if settled else 0)
    if stopped["ended_at"] is None:
        with pytest.raises(ListNotImported, match=rf"stopped after line {stopped['done_to']}: --resume goes on"):
            desk.run(path)
        # What was told at the beginning holds.
        code, _ = desk.run(path, resume=True, most_rows=7, duplicates=imports.policies(["keep"]))
        assert code == 1
    good = [line for line in lines if line.startswith("+")]
    assert desk.cases("phone_number") == [(line,) for line in good]
    assert [row[0] for row in desk.refused()[1:]] == [str(n + 2) for n in range(0, 100, 5)]
    ended = desk.imported()
    assert (ended["inserted"], ended["refused"], ended["done_to"]) == (80, 20, 101)
    assert ended["ended_at"] is not None


def test_two_who_resume_at_once_do_not_write_twice(desk: Desk) -> None:
    path = desk.write("phone", "1")
    desk.run(path)
    task = Task(PROJECT, ("phone_number",), Policies("keep", "keep", "keep"), desk.imported()["id"])
    execute(desk.db, "UPDATE dialer_imports SET ended_at = NULL")
    line = ListLine(3, ("3",), None, ["3"])
    for after in (1, 3):
        with pytest.raises(ImportMovedOn):
            list(Imports(desk.db).put(task, [line], after, lambda found: None, last=False))
    list(Imports(desk.db).put(task, [line], 2, lambda found: None, last=True))
    assert desk.cases("phone_number") == [("1",), ("3",)]


def test_two_imports_at_once_do_not_insert_one_number_twice(desk: Desk, other: Database) -> None:
    """The second one comes between the first one's look and its insert."""
    paths = [desk.write("phone", f"+49{n}", "+4930", name=f"{n}.csv") for n in (1, 2)]
    begun = [Imports(desk.db).begin(PROJECT, path.name, path.name, "{}", imports.DEFAULT_POLICIES).id for path in paths]
    tasks = [Task(PROJECT, ("phone_number",), imports.DEFAULT_POLICIES, number) for number in begun]
    lines = [ListLine(2, (f"+49{n}",), None, []) for n in (1, 2)]
    same = ListLine(3, ("+4930",), None, [])
    second: Future[list[Any]] | None = None

    with ThreadPoolExecutor(1) as pool:

        def between(_: list[RefusedLine]) -> None:
            nonlocal second
            if second is None:
                put = Imports(other).put(tasks[1], [lines[1], same], 0, lambda found: None, last=True)
                second = pool.submit(list, put)

        list(Imports(desk.db).put(tasks[0], [lines[0], same], 0, between, last=True))
        assert second is not None
        [(_, found)] = second.result(30)
    assert [one.line for one in found.refused] == [3]
    assert {row[0] for row in desk.cases()} == {"+491", "+492", "+4930"}
    assert len(desk.cases()) == 3


def test_lines_that_were_staged_before_another_import_has_inserted_their_number_are_refused(
    desk: Desk, other: Database
) -> None:
    begun = [Imports(desk.db).begin(PROJECT, f"{n}", f"{n}", "{}", imports.DEFAULT_POLICIES).id for n in (1, 2)]
    first, second = (Task(PROJECT, ("phone_number",), imports.DEFAULT_POLICIES, number) for number in begun)
    lines = [ListLine(2, ("+4930",), None, []), ListLine(3, ("+4931",), None, [])]
    staged = Imports(other).stage(second, lines)
    assert staged is not None
    list(Imports(desk.db).put(first, lines[:1], 0, lambda found: None, last=True))
    [(_, found)] = Imports(other).put(second, lines, 0, lambda found: None, last=True, staged=staged)
    assert [one.line for one in found.refused] == [2]
    assert desk.cases("phone_number") == [("+4930",), ("+4931",)]


@pytest.mark.parametrize("dialect", servers("postgresql"), indirect=True)
def test_what_is_refused_at_the_commit_is_refused_line_by_line(desk: Desk) -> None:
    execute(
        desk.db,
        "ALTER TABLE dialer_clients ADD CONSTRAINT own UNIQUE (case_name, phone_number) DEFERRABLE INITIALLY DEFERRED",
    )
    try:
        path = desk.write("phone;name", "+491;a", "+491;a", "+492;b", "+493;c")
        code, told = desk.run(path, duplicates=imports.policies(["keep"]), most_rows=3)
    finally:
        execute(desk.db, "DELETE FROM dialer_clients")
        execute(desk.db, "ALTER TABLE dialer_clients DROP CONSTRAINT own")
    assert code == 1
    assert "3 cases inserted, 1 lines refused" in told
    assert [row[0] for row in desk.refused()[1:]] == ["3"]


def test_lines_whose_session_was_ended_meanwhile_are_put_again(desk: Desk, other: Database) -> None:
    begun = Imports(desk.db).begin(PROJECT, "list", "list", "{}", imports.DEFAULT_POLICIES).id
    task = Task(PROJECT, ("phone_number",), imports.DEFAULT_POLICIES, begun)
    lines = [ListLine(2, ("+4930",), None, []), ListLine(3, ("+4931",), None, [])]
    staged = Imports(other).stage(task, lines)
    assert staged is not None
    is_mariadb = desk.db.dialect.name == "mariadb"
    session = staged.connection.exec_driver_sql(
        "SELECT connection_id()" if is_mariadb else "SELECT pg_backend_pid()"
    ).scalar_one()
    execute(desk.db, f"KILL {session}" if is_mariadb else f"SELECT pg_terminate_backend({session})")
    [(_, found)] = Imports(other).put(task, lines, 0, lambda found: None, last=True, staged=staged)
    assert found.refused == []
    assert desk.cases("phone_number") == [("+4930",), ("+4931",)]


def test_who_gets_no_second_connection_imports_with_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Imports._stage
    there = iter([True, False])

    def stages(*given: Any) -> list[RefusedLine]:
        if not next(there, True):
            raise DatabaseUnavailable("the database", "too many connections")
        return stage(*given)

    monkeypatch.setattr(Imports, "_stage", stages)
    path = desk.write("phone", *[f"+49{n}" for n in range(20)])
    assert desk.run(path, most_rows=7)[0] == 0
    assert len(desk.cases()) == 20


def test_who_may_have_one_connection_imports_with_it(desk: Desk) -> None:
    path = desk.write("phone", *[f"+49{n}" for n in range(20)])
    settings = replace(desk.db.settings, max_open_conns=1)
    assert imports.run(settings, Wanted(path, PROJECT, most_rows=7)) == 0
    assert len(desk.cases()) == 20


@pytest.mark.parametrize("n", [1, 2, 4])
def test_an_import_that_dies_leaves_no_session_behind(desk: Desk, dying: Callable[[int, bool], None], n: int) -> None:
    """The next lines are looked at in a transaction of their own while it dies."""
    sessions = "information_schema.processlist WHERE db = database()"
    if desk.db.dialect.name == "postgresql":
        sessions = "pg_stat_activity WHERE datname = current_database()"

    def count() -> int:
        return int(desk.db.query(f"SELECT count(*) AS n FROM {sessions}")[0]["n"])

    before = count()
    dying(n, True)
    with pytest.raises(Dies):
        desk.run(desk.write("phone", *[f"+49{n}" for n in range(40)]), most_rows=10)
    wait_for(lambda: count() <= before, 10, "the sessions of the import end")


def test_nothing_to_resume_is_said(desk: Desk) -> None:
    path = desk.write("phone", "1")
    with pytest.raises(ListNotImported, match="none to resume"):
        desk.run(path, resume=True)
    desk.run(path)
    with pytest.raises(ListNotImported, match="none to resume"):
        desk.run(path, resume=True)


def test_the_same_content_is_imported_once_unless_told(desk: Desk) -> None:
    lines = ("phone", "1", "2")
    desk.run(desk.write(*lines))
    again = desk.write(*lines, name="other name.csv")
    with pytest.raises(ListNotImported, match=r"imported into p on .* already .*spring.csv, 2 cases.*--again"):
        desk.run(again)
    add_project(desk.db, "other")
    desk.run(again, project="other")
    assert len(desk.cases()) == 4
    desk.run(again, again=True, duplicates=imports.policies(["keep"]))
    assert len(desk.cases()) == 6


def test_a_dry_run_writes_nothing(desk: Desk) -> None:
    path = desk.write("phone", "1", "x")
    desk.run(path, dry_run=True)
    assert desk.cases() == []
    assert desk.db.query("SELECT * FROM dialer_imports") == []
    assert sorted(one.name for one in desk.folder.iterdir()) == ["spring.csv"]


# --- what others have in the database -----------------------------------------------------------------------------


def test_a_line_that_a_constraint_of_a_dba_refuses_is_refused_alone(own_database: Database, tmp_path: Path) -> None:
    add_project(own_database)
    execute(own_database, "ALTER TABLE dialer_clients ADD CONSTRAINT no_thirteen CHECK (phone_number <> '13')")
    path = tmp_path / "spring.csv"
    path.write_text("phone\n" + "\n".join(str(n) for n in range(1, 31)) + "\nbad\n")
    assert imports.run(own_database.settings, Wanted(path, PROJECT)) == 1
    rows = own_database.query("SELECT phone_number FROM dialer_clients ORDER BY id")
    assert [row["phone_number"] for row in rows] == [str(n) for n in range(1, 31) if n != 13]
    told = (tmp_path / "spring.refused.csv").read_text("utf-8-sig").splitlines()
    assert [one.split(",")[0] for one in told] == ["refused_line", "14", "32"]
    assert "no_thirteen" in told[1]
    (ended,) = own_database.query("SELECT inserted, refused, done_to, ended_at FROM dialer_imports")
    assert (ended["inserted"], ended["refused"], ended["done_to"]) == (29, 2, 32)
    assert ended["ended_at"] is not None


def test_a_trigger_of_a_dba_changes_an_imported_case_and_what_it_writes_is_checked(
    own_database: Database, tmp_path: Path
) -> None:
    db = own_database
    add_project(db)
    change = "NEW.phone_number = replace(replace(NEW.phone_number, '0044', '+44'), '13', 'x')"
    if db.dialect.name == "postgresql":
        execute(
            db,
            f"CREATE FUNCTION a_dba() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {_doubled(change)}; RETURN NEW; END'",
        )
        execute(db, "CREATE TRIGGER a_dba BEFORE INSERT ON dialer_clients FOR EACH ROW EXECUTE FUNCTION a_dba()")
    else:
        execute(
            db,
            "CREATE TRIGGER a_dba BEFORE INSERT ON dialer_clients FOR EACH ROW PRECEDES dialer_clients_before_insert"
            f" SET {change}",
        )
    path = tmp_path / "spring.csv"
    path.write_text("phone\n00442079460001\n13\n")
    assert imports.run(db.settings, Wanted(path, PROJECT)) == 1
    (row,) = db.query("SELECT phone_number, number, zones FROM dialer_clients")
    assert tuple(row.values()) == ("+442079460001", "+442079460001", "Europe/London")
    assert "dialer_clients.phone_number is 'x'" in (tmp_path / "spring.refused.csv").read_text("utf-8-sig")


def _doubled(text: str) -> str:
    return text.replace("'", "''")


def test_an_imported_case_is_as_if_it_had_been_inserted(desk: Desk, caller: Caller) -> None:
    """The import finds out what the trigger would, for many lines at once."""
    execute(desk.db, "UPDATE dialer_params SET country = 'GB'")
    caller.screen()
    phones = ["+12025550143", "+18505550143", "+493012345678", "02079460001", "0049301", "+0", "+7", "12", "+99999999"]
    lines = [f"{phone},{zone}" for phone in phones for zone in ("", "Europe/Paris", "+3")]
    lines[4] += ",2026-12-01T15:00Z,1"
    desk.run(desk.write("phone,utc,deferred_time,call_back", *lines), duplicates=imports.policies(["keep"]))
    known = "case_name, phone_number, project_id, utc, deferred_time, call_back"
    execute(desk.db, f"INSERT INTO dialer_clients ({known}) SELECT {known} FROM dialer_clients ORDER BY id")
    written = (
        "number, number_place, number_region, zones, window_key, deferred_time, deferred_kind, deferred_done,"
        " call_back_period, redials_done, failures, brought_back, checked, used, held_for, held_until, not_before_at"
    )
    rows = desk.db.query(f"SELECT {known}, {written} FROM dialer_clients ORDER BY id")
    half = len(rows) // 2
    assert half == len(lines)
    assert rows[:half] == rows[half:]
    assert any(row["zones"] == "America/Chicago&America/New_York" for row in rows)


# --- undo ---------------------------------------------------------------------------------------------------------


def test_undo_deletes_what_was_never_dialled(desk: Desk, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_UNDO_AT_ONCE", 3)
    add_trunk(desk.db)
    before = add_case(desk.db, used=True)
    desk.run(desk.write("phone;utc", *[f"+4930{n};Z" for n in range(10)]))
    own = add_case(desk.db, used=True)
    caller.start()
    dialled, taken, *_ = caller.claim(2)
    caller.call(dialled, "NOANSWER")
    import_id = desk.imported()["id"]
    said = desk.undo(import_id)
    assert said.startswith(f"import {import_id} of spring.csv into p: 8 cases deleted; 2 stay")
    assert sorted(desk.cases("id")) == sorted([(before,), (dialled,), (taken,), (own,)])
    assert (desk.imported()["undone"], desk.imported()["undone_at"] is None) == (8, False)
    assert "8 deleted again" in desk.show()
    assert re.search(r"0 cases deleted; 2 stay.* \(it was undone on .* UTC already\)", desk.undo(import_id))
    desk.run(desk.folder / "spring.csv")  # it is no longer imported
    with pytest.raises(ListNotImported, match="no import 12345"):
        imports.undo(desk.db.settings, 12345)
    assert desk.db.query("SELECT * FROM dialer_invariants") == []


def test_that_there_were_no_imports_is_said(desk: Desk) -> None:
    assert desk.show() == "no imports yet\n"


def test_what_is_undone_does_not_go_on(desk: Desk) -> None:
    desk.run(desk.write("phone", "1"))
    import_id = desk.imported()["id"]
    execute(desk.db, "UPDATE dialer_imports SET ended_at = NULL")
    desk.undo(import_id)
    task = Task(PROJECT, ("phone_number",), Policies("keep", "keep", "keep"), import_id)
    with pytest.raises(ImportMovedOn):
        list(Imports(desk.db).put(task, [ListLine(3, ("3",), None, ["3"])], 2, lambda found: None, last=True))
    assert desk.cases() == []


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("country", "said"),
    [
        (None, "Numbers kept as they are written: 2 (no country is set)"),
        ("DE", "Numbers kept as they are written: 1 (they do not fit the numbering plan of DE)"),
    ],
)
def test_numbers_that_no_plan_explains_are_told(
    desk: Desk, caller: Caller, *, country: str | None, said: str, dry_run: bool
) -> None:
    execute(desk.db, "UPDATE dialer_params SET country = :country", country=country)
    caller.screen()
    path = desk.write("phone", "030 1234567", "17", "+49 30 55555555", "x", "17")
    assert said in desk.run(path, dry_run=dry_run)[1]


def test_a_country_that_no_worker_has_taken_up_is_told(desk: Desk) -> None:
    execute(desk.db, "UPDATE dialer_params SET country = 'DE'")
    _, said = desk.run(desk.write("phone", "030 1234567"))
    assert "kept as they are written: 1. No worker has taken up yet that the country is DE" in said


def test_a_list_of_readable_numbers_is_told_nothing_of_them(desk: Desk) -> None:
    assert "as they are written" not in desk.run(desk.write("phone", "+49 30 1234567"))[1]


def test_it_is_told_by_whose_clock_instants_are_read(desk: Desk) -> None:
    path = desk.write("phone;deferred_time", "+49301234567;2027-12-01 15:00")
    assert "instants without an offset by Europe/Moscow" in desk.run(path, zone="Europe/Moscow")[1]
    assert desk.cases("deferred_time")[0][0].strftime("%H:%M") == "12:00"


def test_refused_lines_are_separated_like_the_list(desk: Desk) -> None:
    desk.run(desk.write("name;phone", "Ann;x"))
    written = desk.folder.joinpath("spring.refused.csv").read_text("utf-8-sig")
    assert written.startswith("refused_line;refused_reason;name;phone")
