"""`dialer export`: all rows, in portions; and a list that was exported is imported again as it was."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from dialer import exports, imports
from tests.support.caller import Caller
from tests.support.factories import PROJECT, add_case, add_cases, add_project, add_trunk
from worker.db import Database
from worker.db.routines import exports as routines
from worker.errors import UnknownProject


def exported(db: Database, what: str, path: Path, **wanted: Any) -> list[dict[str, str]]:
    assert exports.run(db.settings, exports.Wanted(what, output=path, **wanted)) == 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


LIST = """name;phone;utc;prio;allowed_start;allowed_stop;call_back;call_back_period;deferred_time;region;City;Formula
Ann;+49301;+1;2;9:00;18:00;true;30,120;2027-12-01 15:00:00+03:00;DE-BE;Köln;=1+1
O'Neil "B" 😀;0302;Europe/Moscow;1;;;;;;;;
'=Bob;*100#;;;;;;;;US;"a
b";'quoted
"""


@pytest.mark.parametrize("name", ["cases.csv", "cases.xlsx"])
def test_a_list_goes_out_and_comes_in_again(
    db: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for project in (PROJECT, "again"):
        add_project(db, project)
    list_ = tmp_path / "list.csv"
    list_.write_text(LIST, encoding="utf-8")
    assert imports.run(db.settings, imports.Wanted(list_, PROJECT)) == 0
    out = tmp_path / name
    exports.run(db.settings, exports.Wanted("cases", PROJECT, output=out))
    assert f"{out}: 3 cases, instants by UTC" in capsys.readouterr().out
    assert imports.run(db.settings, imports.Wanted(out, "again", zone="Z")) == 0
    assert "left out: id, project_id, deferred_done, used, created, number, import_id" in capsys.readouterr().out
    columns = (
        "case_name, phone_number, priority, utc, allowed_start, allowed_stop, call_back, call_back_period,"
        " deferred_time, region, fields"
    )

    def cases(project: str) -> list[Any]:
        rows = db.query(f"SELECT {columns} FROM dialer_clients WHERE project_id = :p ORDER BY id", p=project)
        return [
            {**row, "fields": json.loads(row["fields"]) if isinstance(row["fields"], str) else row["fields"]}
            for row in rows
        ]

    assert cases("again") == cases(PROJECT)
    assert cases(PROJECT)[0]["fields"] == {"City": "Köln", "Formula": "=1+1"}
    assert cases(PROJECT)[2]["case_name"] == "=Bob"


def test_all_rows_come_in_portions(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routines, "AT_ONCE", 7)
    add_cases(db, [{"case_name": str(n)} for n in range(21)])
    add_cases(db, [{"case_name": "other", "project_id": "other"} for n in range(3)])
    rows = exported(db, "cases", tmp_path / "a.csv")
    assert [row["case_name"] for row in rows] == [*map(str, range(21)), *["other"] * 3]
    assert len(exported(db, "cases", tmp_path / "a.csv", project=PROJECT)) == 21


def test_attempts_and_results_are_those_of_the_project_and_the_time(
    db: Database, caller: Caller, tmp_path: Path
) -> None:
    add_project(db)
    add_trunk(db)
    caller.start()
    add_project(db, "other")
    case = add_case(db, case_name="=Ann", call_back=True, call_back_period="1")
    first = caller.call(case, "BUSY")
    caller.forward(days=1)
    second = caller.call(case, "ANSWERED", answered=9, agent=8, agent_name="PJSIP/anna")
    rows = exported(db, "attempts", tmp_path / "a.csv", project=PROJECT, zone="+03:00")
    assert [(row["id"], row["outcome"], row["agent"]) for row in rows] == [
        (str(first), "BUSY", ""),
        (str(second), "ANSWERED", "PJSIP/anna"),
    ]
    assert rows[0]["begun_at"].endswith("15:00:00+03:00")
    assert rows[0]["case_name"] == "'=Ann"
    since = caller.now.strftime("%Y-%m-%d")
    assert [row["id"] for row in exported(db, "attempts", tmp_path / "a.csv", since=since)] == [str(second)]
    (result,) = exported(db, "results", tmp_path / "r.csv")
    assert (result["id"], result["dial_count"], result["outcome"], result["used"]) == (
        str(case),
        "2",
        "ANSWERED",
        "true",
    )
    assert exported(db, "results", tmp_path / "r.csv", project="other") == []


def test_an_unknown_project_is_refused_and_one_that_has_left_something_is_not(db: Database, tmp_path: Path) -> None:
    out = tmp_path / "cases.csv"
    with pytest.raises(UnknownProject, match="There is no project 'sprang'"):
        exported(db, "cases", out, project="sprang")
    assert not out.exists()
    add_case(db, project_id="sprang")
    assert len(exported(db, "cases", out, project="sprang")) == 1


def test_no_workbook_of_another_kind_is_written(db: Database, tmp_path: Path) -> None:
    with pytest.raises(exports.NotExported, match=r"cases\.xls: of workbooks only \.xlsx is written"):
        exported(db, "cases", tmp_path / "cases.xls")
