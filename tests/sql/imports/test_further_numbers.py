"""`dialer import` of lists whose cases have several telephone numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from dialer import exports, imports
from dialer.imports import Wanted
from tests.support.caller import Caller
from tests.support.dialects import execute
from tests.support.factories import PROJECT, add_case, add_project, add_trunk
from tests.support.lists import Desk, Dies
from worker.db import Database
from worker.db.database import reason
from worker.db.routines.imports import Imports


def numbers(db: Database, project: str = PROJECT) -> list[list[str]]:
    """The numbers of each case, in the order of dialling; places have no gaps."""
    rows = db.query(
        "SELECT c.id, c.phone_number, f.place, f.phone_number AS another, f.number, f.label FROM dialer_clients c"
        " LEFT JOIN dialer_case_numbers f ON f.case_id = c.id AND f.case_inserted_at = c.inserted_at AND f.place > 1"
        " WHERE c.project_id = :p ORDER BY c.id, f.place",
        p=project,
    )
    found: dict[int, list[str]] = {}
    for row in rows:
        case = found.setdefault(row["id"], [row["phone_number"]])
        if row["place"] is not None:
            case.append(row["another"])
            assert row["place"] == len(case)
    return list(found.values())


def test_further_numbers_of_a_list_are_those_of_its_cases(desk: Desk) -> None:
    path = desk.write(
        "Name;Phone;Mobile;Phone 2;Fax",
        "Ann;+49 (0)30-1;+49 171 1;+49302;9",
        "Bob;+49303;;;",
        "Cem;;+491712;+49304;",
        "Dora;+49305;;+49306;",
        "Eve;;;+49307;",
    )
    code, told = desk.run(path, dry_run=True)
    assert code == 0
    assert (
        "Phone → phone_number; Mobile → phone_number_2; Phone 2 → phone_number_3; Name → case_name; Fax → fields"
        in told
    )
    assert "5 cases would be inserted, 0 lines refused, 0 skipped, 2 numbers cleaned" in told
    assert numbers(desk.db) == []
    code, told = desk.run(path)
    assert code == 0
    assert numbers(desk.db) == [
        ["+49301", "+491711", "+49302"],
        ["+49303"],
        ["+491712", "+49304"],
        ["+49305", "+49306"],
        ["+49307"],
    ]
    written = desk.db.query("SELECT phone_number, number, label FROM dialer_case_numbers")
    assert {(row["number"] == row["phone_number"], row["label"]) for row in written} == {(True, "")}
    assert desk.db.query("SELECT * FROM dialer_invariants") == []


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("bad", ["12a", "+49 or +50", "1" * 81, "#"])
def test_a_bad_further_number_refuses_its_line_with_the_sentence_of_the_trigger(
    desk: Desk, bad: str, dry: bool
) -> None:
    path = desk.write("phone;phone_2;phone_3;phone_4", f"+491;+492;{bad};x", "+493;+494;;", f"+49-5a;{bad};;")
    code, told = desk.run(path, dry_run=dry)
    assert code == 1
    case = add_case(desk.db)
    written = bad.replace(" ", "")
    statement = "INSERT INTO dialer_case_numbers (case_id, place, phone_number) VALUES (:c, 2, :n)"
    with pytest.raises(DBAPIError) as caught:
        execute(desk.db, statement, c=case, n=written)
    said = reason(caught.value)
    assert said.startswith(f"dialer_case_numbers.phone_number is '{written}': write 1 to 80 of the characters 0-9")
    if dry:
        assert f"line 2: {said}\n" in told
        assert "line 4: dialer_clients.phone_number is '+495a': write" in told
        assert "1 cases would be inserted, 2 lines refused" in told
    else:
        _, (line, why, *cells), (_, first, *_) = desk.refused()
        assert (line, why) == ("2", said)
        assert cells[0].endswith("+491")
        assert first.startswith("dialer_clients.phone_number is '+495a'")
        assert numbers(desk.db)[0] == ["+493", "+494"]


def test_forms_of_one_number_in_a_line_count_once(desk: Desk) -> None:
    execute(desk.db, "INSERT INTO dialer_numbering (project_id, country) VALUES ('p', 'RU')")
    lines = ("8 999 123-45-67;+79991234567;79991234568;89991234568;9991234569", "*100#;9991234560;*100#;;")
    desk.run(desk.write("phone;phone_2;phone_3;phone_4;phone_5", *lines))
    assert numbers(desk.db) == [["89991234567", "79991234568", "9991234569"], ["*100#", "9991234560"]]
    written = desk.db.query("SELECT number FROM dialer_case_numbers ORDER BY case_id, place")
    assert [row["number"] for row in written] == ["+79991234568", "+79991234569", "+79991234560"]


# --- duplicates ---------------------------------------------------------------------------------------------------

SHARED = (
    "phone;phone_2",
    "+491;+492",
    "+492;+491",  # the same person, the other way round: there
    "+493;+492",  # they share a house: not there
    "+494;+491",  # Ann's own number: there
    "+492;+495",  # there
    "+495;",  # not there: the line before is not inserted
    "+494;",  # neither is that one
    "+496;+494",  # there
)


@pytest.mark.parametrize("rows", [1, 2, 3, 1000])
@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("policy", ["keep", "skip", "refuse"])
def test_a_number_that_is_first_in_one_line_and_further_in_another_is_there_already(
    desk: Desk, rows: int, dry: bool, policy: str
) -> None:
    _, told = desk.run(
        desk.write(*SHARED), duplicates=imports.policies([f"file={policy}"]), most_rows=rows, dry_run=dry
    )
    kept = list(SHARED[1:]) if policy == "keep" else [SHARED[place] for place in (1, 3, 6, 7)]
    there = len(SHARED) - 1 - len(kept)
    refused, skipped = (there, 0) if policy == "refuse" else (0, there)
    assert f"{len(kept)} cases {'would be ' if dry else ''}inserted, {refused} lines refused, {skipped} skipped" in told
    if not dry:
        assert [";".join([*case, ""][:2]) for case in numbers(desk.db)] == kept
    if policy == "refuse" and not dry:
        earlier = "the number is on an earlier line of the file"
        assert [row[:2] for row in desk.refused()[1:]] == [
            ["3", f"dialer_clients.phone_number is '+492': {earlier}"],
            ["5", f"dialer_case_numbers.phone_number is '+491': {earlier}"],
            ["6", f"dialer_clients.phone_number is '+492': {earlier}"],
            ["9", f"dialer_case_numbers.phone_number is '+494': {earlier}"],
        ]


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("place", ["project", "elsewhere"])
def test_numbers_of_cases_that_are_there_count_in_the_same_way(
    desk: Desk, caller: Caller, place: str, dry: bool
) -> None:
    project = PROJECT if place == "project" else "other"
    if place == "elsewhere":
        add_project(desk.db, project)
    add_trunk(desk.db)
    caller.start(project)
    case = add_case(desk.db, phone_number="+491", project_id=project)
    other = add_case(desk.db, phone_number="+494", project_id=project, used=True)
    for one, number in ((case, "+492"), (case, "+493"), (other, "+495")):
        execute(
            desk.db,
            "INSERT INTO dialer_case_numbers (case_id, place, phone_number)"
            " SELECT :c, 1 + count(*) + 1, :n FROM dialer_case_numbers WHERE case_id = :c",
            c=one,
            n=number,
        )
    assert caller.finish(caller.dial(case, project), "BUSY", ringing=0)
    assert caller.case(case)["number"] == "+492"
    lines = ["+491;", "+492;", "+493;", "+495;", "+497;+491", "+498;+492", "+499;+493", "+4910;+494", "+4911;+495"]
    code, told = desk.run(
        desk.write("phone;phone_2", *lines), duplicates=imports.policies(["keep", f"{place}=refuse"]), dry_run=dry
    )
    assert code == 1
    there = "is in the project already" if place == "project" else "is in another project"
    why = [
        (2, "dialer_clients.phone_number is '+491'"),
        (3, "dialer_clients.phone_number is '+492'"),
        (4, "dialer_clients.phone_number is '+493'"),
        (5, "dialer_clients.phone_number is '+495'"),
        (6, "dialer_case_numbers.phone_number is '+491'"),
        (9, "dialer_case_numbers.phone_number is '+494'"),
    ]
    if dry:
        assert [line for line in told.splitlines() if line.startswith("line ")] == [
            f"line {line}: {said}: the number {there}" for line, said in why
        ]
    else:
        assert [row[:2] for row in desk.refused()[1:]] == [
            [str(line), f"{said}: the number {there}"] for line, said in why
        ]
        assert [case[0] for case in numbers(desk.db)][-3:] == ["+498", "+499", "+4911"]


def test_a_line_that_is_not_inserted_for_another_reason_keeps_no_number(desk: Desk) -> None:
    add_case(desk.db, phone_number="+491")
    desk.run(desk.write("phone;phone_2", "+491;+492", "+492;+493", "x;+494", "+494;"))
    assert numbers(desk.db) == [["+491"], ["+492", "+493"], ["+494"]]


# --- each once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("committed", [True, False])
def test_after_a_kill_each_number_is_there_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, dying: Callable[[int, bool], None], committed: bool
) -> None:
    lines = [f"+491{n:03};{f'+492{n:03}' if n % 3 else ''};{f'+493{n:03}' if n % 2 else ''}" for n in range(40)]
    path = desk.write("phone;phone_2;phone_3", *lines)
    with monkeypatch.context():
        dying(3, committed)
        with pytest.raises(Dies):
            desk.run(path, most_rows=7)
    monkeypatch.undo()
    assert 0 < len(numbers(desk.db)) < 40
    desk.run(path, resume=True, most_rows=9)
    assert numbers(desk.db) == [[number for number in line.split(";") if number] for line in lines]


def test_a_row_that_somebody_else_s_trigger_or_constraint_refuses_costs_nobody_else_a_number(
    own_database: Database, tmp_path: Path
) -> None:
    db = own_database
    add_project(db)
    execute(db, "ALTER TABLE dialer_case_numbers ADD CONSTRAINT no_thirteen CHECK (phone_number <> '+4913')")
    left_out = set()
    if db.dialect.name == "postgresql":
        execute(
            db,
            "CREATE FUNCTION a_dba() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN CASE WHEN NEW.phone_number <> ''+4926'' THEN NEW END; END'",
        )
        execute(db, "CREATE TRIGGER a_dba BEFORE INSERT ON dialer_clients FOR EACH ROW EXECUTE FUNCTION a_dba()")
        left_out = {6}
    path = tmp_path / "spring.csv"
    path.write_text("phone,phone_2\n" + "".join(f"+492{n},+491{n}\n" for n in range(10)))
    assert imports.run(db.settings, Wanted(path, PROJECT)) == 1
    assert numbers(db) == [[f"+492{n}", f"+491{n}"] for n in range(10) if n not in {3, *left_out}]
    told = (tmp_path / "spring.refused.csv").read_text("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in told] == ["refused_line", "5"]
    assert "no_thirteen" in told[1]


def test_undo_deletes_further_numbers_with_their_cases(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caller: Caller
) -> None:
    monkeypatch.setattr(imports, "_UNDO_AT_ONCE", 3)
    add_trunk(desk.db)
    statement = "INSERT INTO dialer_case_numbers (case_id, place, phone_number) VALUES (:c, 5, '+494')"
    before = add_case(desk.db, used=True)
    execute(desk.db, statement, c=before)
    desk.run(desk.write("phone;phone_2;phone_3;utc", *[f"+491{n};+492{n};+493{n};Z" for n in range(10)]))
    after = add_case(desk.db, used=True)
    execute(desk.db, statement, c=after)
    caller.start()
    (dialled,) = caller.claim(1)
    caller.call(dialled, "ANSWERED")
    assert "9 cases deleted; 1 stay" in desk.undo(desk.imported()["id"])
    rows = desk.db.query("SELECT case_id, count(*) AS n FROM dialer_case_numbers GROUP BY case_id ORDER BY case_id")
    assert [(row["case_id"], row["n"]) for row in rows] == [(before, 1), (dialled, 2), (after, 1)]


# --- dialled, and taken away --------------------------------------------------------------------------------------


def test_an_imported_case_moves_on_to_its_further_number(desk: Desk, caller: Caller) -> None:
    add_trunk(desk.db)
    caller.start()
    caller.screen()
    # Nobody may call Bob's first number: the second is dialled.
    execute(desk.db, "INSERT INTO dialer_dnc (number) VALUES ('+493')")
    desk.run(desk.write("phone,mobile,utc", "+491,+492,Z", "+493,+494,Z"))
    ann, bob = (row[0] for row in desk.cases("id"))
    while desk.db.value("dialer_screen", 500, caller.now):
        pass
    assert (caller.case(ann)["number"], caller.case(bob)["number"]) == ("+491", "+494")
    caller.call(ann, "BUSY")
    assert caller.case(ann)["number"] == "+492"


@pytest.mark.parametrize("name", ["cases.csv", "cases.xlsx"])
def test_what_was_exported_with_further_numbers_is_imported_with_them(desk: Desk, name: str) -> None:
    for project in ("again", "none"):
        add_project(desk.db, project)
    lines = ("phone,phone_2,phone_3,city", "+491,+492,,Köln", "0302,,,", "+493,'+494,*100#,", "+495,,0306,")
    desk.run(desk.write(*lines))
    out = desk.folder / name
    exports.run(desk.db.settings, exports.Wanted("cases", PROJECT, output=out))
    if name.endswith("csv"):
        header = out.read_text().splitlines()[0].split(",")
        assert header[3:7] == ["phone_number", "phone_number_2", "phone_number_3", "priority"]
    _, told = desk.run(out, project="again")
    assert "phone_number_2 → phone_number_2; phone_number_3 → phone_number_3" in told
    assert numbers(desk.db, "again") == numbers(desk.db)
    assert numbers(desk.db) == [["+491", "+492"], ["0302"], ["+493", "+494", "*100#"], ["+495", "0306"]]
    exports.run(desk.db.settings, exports.Wanted("cases", "none", output=desk.folder / "none.csv"))
    assert "phone_number_2" not in (desk.folder / "none.csv").read_text()


def test_numbers_of_other_cases_do_not_come_along(desk: Desk, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the first number, which the dialer notes at place 1 while another one is dialled."""
    add_trunk(desk.db)
    caller.start()
    add_project(desk.db, "other")
    desk.run(desk.write("phone,phone_2", "+497,+498", name="other.csv"), project="other")
    desk.run(desk.write("phone,phone_2,utc", "+491,+492,Z", "+493,,Z"))
    desk.run(desk.write("phone,phone_2,phone_3", "+499,+4910,+4911", name="more.csv"), project="other")
    caller.call(desk.cases("id")[1][0], "BUSY")
    out = desk.folder / "cases.csv"
    exports.run(desk.db.settings, exports.Wanted("cases", PROJECT, output=out))
    header, ann, bob = (line.split(",") for line in out.read_text().splitlines())
    assert header[3:6] == ["phone_number", "phone_number_2", "priority"]
    assert (ann[3:5], bob[3:5]) == (["+491", "+492"], ["+493", ""])


def test_a_list_without_further_numbers_asks_for_none(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    load = type(desk.db.dialect).load

    def noted(dialect: Any, connection: Any, table: str, *rest: Any) -> None:
        loaded.append(table)
        load(dialect, connection, table, *rest)

    monkeypatch.setattr(type(desk.db.dialect), "load", noted)
    desk.run(desk.write("phone,mobile", "+491,", "+492,"))
    assert set(loaded) == {"dialer_import_lines"}
    assert Imports(desk.db).all()[0].inserted == 2
