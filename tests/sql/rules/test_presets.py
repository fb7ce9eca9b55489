"""`dialer rules` on a database: rows of presets written, replaced and taken back, and what the check finds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from dialer import rules
from dialer.finding import Finding, Verdict
from dialer.presets import presets
from tests.support.dialects import execute
from tests.support.factories import add_project
from worker.db import Database
from worker.db.routines.rules import PRESET_TABLES, Rules, Scope
from worker.errors import UnknownProject

ALL = Scope()
TODAY = date(2026, 12, 1)


@pytest.fixture
def ruled(db: Database) -> Database:
    """Two projects of sales, the second of a client; their lists were compared with the registry yesterday."""
    add_project(db, "p")
    add_project(db, "q", client="acme")
    execute(db, "UPDATE dialer_params SET scrubbed_at = :at", at=datetime.now(UTC) - timedelta(days=1))
    return db


def apply(db: Database, name: str, scope: Scope = ALL) -> list[str]:
    return list(rules.apply(db.settings, name, scope))


def remove(db: Database, name: str, scope: Scope = ALL) -> list[str]:
    return list(rules.remove(db.settings, name, scope))


def stored(db: Database, table: str) -> list[dict[str, Any]]:
    """The rows of a table of rules without what the database writes, in the order in which they were written."""
    rows = db.query(f"SELECT * FROM {table} ORDER BY id")
    return [
        {name: value for name, value in row.items() if name not in ("id", "days", "added_at", "applied_at")}
        for row in rows
    ]


def everything(db: Database) -> dict[str, list[dict[str, Any]]]:
    return {table: stored(db, table) for table in (*PRESET_TABLES, "dialer_presets")}


def looks(db: Database, project: str | None = None, today: date = TODAY) -> list[Finding]:
    """What the check wants looked at, but for what no preset sees to."""
    found = rules.check(db.settings, project, today)
    return [one for one in found if one.verdict != Verdict.OK and not one.text.startswith("not enforced here")]


@pytest.mark.parametrize("scope", [ALL, Scope(project_id="p"), Scope(client="acme")])
def test_each_preset_writes_its_rows_and_is_recorded(ruled: Database, scope: Scope) -> None:
    for name, one in presets().items():
        told = "\n".join(apply(ruled, name, scope))
        assert all(sentence in told for sentence in one.not_enforced)
        own = {"project_id": scope.project_id, "client": scope.client}
        for table, rows in one.rows().items():
            assert [row for row in stored(ruled, table) if row["preset"] == name] == [own | row for row in rows]
        record = stored(ruled, "dialer_presets")[-1]
        law = {"source": one.source, "dated": one.dated, "sure": one.sure}
        assert record == own | law | {"preset": name, "region": one.region, "purpose": one.purpose}
    assert len(stored(ruled, "dialer_hours")) == sum(len(one.hours) for one in presets().values())


def test_a_second_time_replaces_the_rows_of_the_first_and_no_others(ruled: Database) -> None:
    apply(ruled, "us-fl", Scope(project_id="q"))
    apply(ruled, "us")
    execute(
        ruled,
        "INSERT INTO dialer_hours (region, purpose, weekdays, starts, stops)"
        " VALUES ('US-FL', 'sales', 'Mo', '10:00', '11:00')",
    )
    others = everything(ruled)
    apply(ruled, "us-fl")
    first = everything(ruled)
    assert [len(first[table]) - len(others[table]) for table in first] == [1, 1, 0, 1]
    execute(ruled, "UPDATE dialer_hours SET stops = '23:00' WHERE preset = 'us-fl' AND project_id IS NULL")
    told = apply(ruled, "us-fl")
    assert everything(ruled) == first
    assert "in place of 2 of an earlier time" in told[0]
    remove(ruled, "us-fl")
    assert everything(ruled) == others


def test_if_a_row_is_refused_everything_stays(ruled: Database) -> None:
    apply(ruled, "us-fl")
    before = everything(ruled)
    one = presets()["us-fl"]
    rows = one.rows()
    rows["dialer_limits"] = [row | {"keyed_by": "number", "region": "florida"} for row in rows["dialer_limits"]]
    rows["dialer_hours"] = [row | {"weekdays": "Mo-"} for row in rows["dialer_hours"]]
    record = {"preset": "us-fl", "source": "x", "dated": one.dated, "sure": "A", "region": None, "purpose": None}
    with pytest.raises(DBAPIError, match=r"dialer_hours\.weekdays"):
        Rules(ruled).apply(record, rows, ALL, by_number=True, scrub_days=31)
    assert everything(ruled) == before


def test_a_project_that_is_none_is_told(ruled: Database) -> None:
    with pytest.raises(UnknownProject):
        apply(ruled, "us", Scope(project_id="P"))
    assert not any(everything(ruled).values())
    with pytest.raises(UnknownProject):
        list(rules.check(ruled.settings, "P", TODAY))


def test_what_was_not_applied_cannot_be_taken_back(ruled: Database) -> None:
    apply(ruled, "us", Scope(project_id="p"))
    before = everything(ruled)
    for scope in (ALL, Scope(project_id="q"), Scope(client="acme")):
        with pytest.raises(rules.NotAppliedError, match="but to: project p"):
            remove(ruled, "us", scope)
    assert everything(ruled) == before
    assert "1 row removed" in remove(ruled, "us", Scope(project_id="p"))[0]
    assert not any(everything(ruled).values())


@pytest.mark.parametrize(
    ("scope", "changed"),
    [(ALL, {"p", "q"}), (Scope(project_id="p"), {"p"}), (Scope(client="acme"), {"q"}), (Scope(client="other"), set())],
)
def test_projects_that_the_law_is_about_go_by_the_subscribers_clock(
    ruled: Database, scope: Scope, changed: set[str]
) -> None:
    add_project(ruled, "debts", purpose="debt", client="acme")
    add_project(ruled, "already", zone_by="number")
    told = "\n".join(apply(ruled, "us", scope))
    rows = ruled.query("SELECT project_id FROM dialer_params WHERE zone_by = 'number'")
    assert {row["project_id"] for row in rows} == changed | {"already"}
    assert ("zone_by" in told) == bool(changed)
    assert ("No project has the client" in told) == (scope.client == "other")


def test_projects_that_the_law_is_about_have_a_list_of_an_age(ruled: Database) -> None:
    """The stricter number of days stays, whoever wrote it; whether an older list blocks is for people to say."""
    add_project(ruled, "debts", purpose="debt")
    add_project(ruled, "strict", scrub_days=7)
    add_project(ruled, "lax", scrub_days=90)
    told = "\n".join(apply(ruled, "us"))
    assert "(scrub_days 31) in: lax, p, q. Write into scrubbed_at" in told
    rows = ruled.query("SELECT project_id, scrub_days, scrub_blocks FROM dialer_params")
    assert {row["project_id"]: row["scrub_days"] for row in rows} == {
        "debts": None,
        "strict": 7,
        "lax": 31,
        "p": 31,
        "q": 31,
    }
    assert not any(row["scrub_blocks"] for row in rows)
    told = "\n".join(apply(ruled, "uk", Scope(project_id="p")))
    assert "(scrub_days 28) in: p." in told
    assert "scrub_days" not in "\n".join(apply(ruled, "us-fl"))
    assert "scrub_days stay as they are" in "\n".join(remove(ruled, "us"))


def test_the_list_says_what_is_applied_to_what(ruled: Database) -> None:
    apply(ruled, "us-fl")
    apply(ruled, "us-fl", Scope(client="acme"))
    apply(ruled, "de", Scope(project_id="p"))
    execute(ruled, "UPDATE dialer_presets SET dated = '2024-05-06' WHERE preset = 'de'")
    execute(
        ruled,
        "INSERT INTO dialer_presets (preset, source, dated, sure) VALUES ('xx', 'own', '2026-01-01', 'C')",
    )
    lines = list(rules.list_presets(ruled.settings))
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [*presets(), "xx"]
    at = next(number for number, line in enumerate(lines) if line.startswith("us-fl "))
    assert sorted(line.strip() for line in lines[at + 1 : at + 3]) == [
        "applied to all projects",
        "applied to the projects of client acme",
    ]
    assert "Fla. Stat. 501.616(6)" in lines[at]
    assert any(line.endswith("applied to project p as of 2024-05-06: apply it again") for line in lines)
    assert lines[-1].endswith("applied to all projects; not of this program")


# The check.


def test_a_project_that_keeps_its_presets_has_nothing_to_look_at(ruled: Database) -> None:
    execute(ruled, "UPDATE dialer_params SET dial_time = 20000")
    apply(ruled, "us")
    apply(ruled, "us-fl")
    assert looks(ruled) == []
    told = [one for one in rules.check(ruled.settings, None, TODAY) if one.verdict == Verdict.OK]
    assert [one.subject for one in told] == ["project p", "project q"]
    assert all("us (1 of hours); us-fl (1 of hours, 1 of limits)" in one.text for one in told)
    unenforced = [one.text for one in rules.check(ruled.settings, None, TODAY) if "not enforced" in one.text]
    assert len(unenforced) == len(presets()["us"].not_enforced) + len(presets()["us-fl"].not_enforced)


def test_only_rows_that_bind_a_project_are_told_of_it(ruled: Database) -> None:
    add_project(ruled, "debts", purpose="debt")
    apply(ruled, "us-debt")
    execute(ruled, "INSERT INTO dialer_hours (client, weekdays, starts, stops) VALUES ('acme', 'Mo', '9:00', '10:00')")
    execute(ruled, "INSERT INTO dialer_pauses (project_id, outcome, period_minutes) VALUES ('p', 'ANSWERED', 60)")
    told = {one.subject: one.text for one in rules.check(ruled.settings, None, TODAY) if one.verdict == Verdict.OK}
    assert told == {
        "project debts": "purpose debt, bound by us-debt (1 of hours, 2 of limits)",
        "project p": "purpose sales, bound by your own (1 of pauses); us-debt (no row)",
        "project q": "purpose sales, bound by your own (1 of hours); us-debt (no row)",
    }


def test_a_project_without_any_rule_is_told(ruled: Database) -> None:
    apply(ruled, "us", Scope(project_id="p"))
    assert [(one.subject, "no preset is applied" in one.text) for one in looks(ruled)] == [("project q", True)]
    assert looks(ruled, "p") == []


@pytest.mark.parametrize(
    ("name", "columns", "words"),
    [
        ("us", {"type": "predictive", "abandon_target": 3.5}, "abandon_target is 3.5, us allows 3 per cent"),
        ("us", {"dial_time": 14000}, "phones ring for 14 seconds, us asks for 15 at least"),
        ("de", {"dial_time": 41000}, "phones ring for 41 seconds, de allows 40 at most"),
        ("us", {"zone_by": "project"}, "called by the project's clock, and us means the subscriber's"),
        ("us", {"scrub_days": 32}, "at most 31 days ago, and its scrub_days is 32"),
        ("uk", {"scrub_days": None}, "at most 28 days ago, and its scrub_days is None"),
        ("ca", {"scrubbed_at": None}, "by its scrubbed_at that was longer ago, or nobody has noted it"),
        ("us", {"scrubbed_at": datetime(2026, 1, 1, tzinfo=UTC)}, "by its scrubbed_at that was longer ago"),
        ("us", {"purpose": "debt"}, "us is about sales, and the project's purpose is debt"),
        ("us-fl", {}, "us-fl is applied to it, and us, which holds beside it, is not"),
    ],
)
def test_a_project_that_contradicts_its_preset_is_told(
    ruled: Database, name: str, columns: dict[str, Any], words: str
) -> None:
    apply(ruled, name, Scope(project_id="p"))
    for column, value in columns.items():
        execute(ruled, f"UPDATE dialer_params SET {column} = :value WHERE project_id = 'p'", value=value)
    (found,) = looks(ruled, "p")
    assert found.subject == "project p"
    assert words in found.text
    assert found.remedy


def test_old_law_is_told(ruled: Database) -> None:
    apply(ruled, "us")
    dated = presets()["us"].dated
    assert looks(ruled, today=dated + rules.OLD) == []
    found = looks(ruled, today=dated + rules.OLD + timedelta(days=1))
    assert [one.subject for one in found] == ["us"]
    assert "more than two years ago" in found[0].text
    execute(ruled, "UPDATE dialer_presets SET dated = '2026-01-01'")
    assert "this program has it as of" in looks(ruled)[0].text
    execute(ruled, "UPDATE dialer_presets SET preset = 'gone'")
    assert "is not a preset of this program" in looks(ruled)[0].text


def test_days_that_nobody_knows_any_more_are_told(ruled: Database) -> None:
    apply(ruled, "nz")
    (last,) = ruled.query("SELECT max(day) AS day FROM dialer_holidays WHERE region LIKE 'NZ%'")
    assert looks(ruled, today=TODAY) == []
    found = [one for one in looks(ruled, today=last["day"]) if one.subject == "nz" and "public holidays" in one.text]
    assert len(found) == 1
    apply(ruled, "us")  # whose hours are the same on all days
    assert not [one for one in looks(ruled, today=last["day"]) if one.subject == "us" and "public holidays" in one.text]
