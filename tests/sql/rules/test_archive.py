"""`dialer archive`: what rules and counters answer is the same before and after, and no attempt is lost."""

from __future__ import annotations

import csv
import fcntl
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dialer import archives, exports
from dialer.archives import NotArchived, Wanted
from tests.support.caller import NOON, Caller, at
from tests.support.dialects import execute, query_at
from tests.support.factories import add_attempt, add_case, add_project, add_retry, add_trunk
from worker.db import Database
from worker.db.routines.archives import Archives, Run
from worker.errors import DatabaseUnavailable

LONG_AGO = NOON - timedelta(days=60)
WORLDS = 6
# The one in `make test`.
BRIEF = 1


def archive(caller: Caller, to: Path, before: str = "2d", *, dry_run: bool = False, at_once: int = 7) -> None:
    wanted = Wanted(before, to, dry_run, now=caller.now)
    assert archives.run(caller.db.settings, wanted, at_once) == 0


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def filed(path: Path) -> list[int]:
    return [int(line["id"]) for line in lines(path)]


def ledger(db: Database) -> list[int]:
    return [row["id"] for row in db.query("SELECT id FROM dialer_attempts ORDER BY id")]


def limit(db: Database, **columns: Any) -> int:
    values = {"most": 1} | columns
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    execute(db, f"INSERT INTO dialer_limits ({names}) VALUES ({marks})", **values)
    return int(db.query("SELECT max(id) AS id FROM dialer_limits")[0]["id"])


def forgetful(caller: Caller) -> set[int]:
    """The limits that dialer_warnings names as counting too little."""
    statement = "SELECT id FROM dialer_warnings WHERE kind = 'limit_forgets'"
    return {row["id"] for row in query_at(caller.db, caller.dialect, caller.now, statement)}


# --- what is answered --------------------------------------------------------------------------------------------


class World:
    """Projects, cases that share numbers, limits, retry rules, and a ledger of a hundred days."""

    def __init__(self, caller: Caller, seed: int) -> None:
        self.caller, self.db = caller, caller.db
        self.random = random.Random(seed)
        choose = self.random.choice
        add_trunk(self.db)
        for project in "pqr":
            add_project(
                self.db,
                project,
                client=choose([None, "acme"]),
                purpose=choose(["sales", "debt"]),
                zone=choose(["Z", "Europe/Berlin", "America/New_York"]),
                most_attempts=choose([None, 3]),
                abandon_days=choose([1, 30]),
            )
            self.caller.start(project)
        add_retry(self.db, outcome="NOANSWER", period_minutes=60, most=2)
        self.numbers = [f"+49301{place}" for place in range(6)]
        for _ in range(25):
            add_case(
                self.db,
                project_id=choose("pqr"),
                phone_number=choose(self.numbers),
                utc=choose(["Z", None]),
                call_back=True,
                call_back_period="60,60",
            )
        for _ in range(self.random.randint(1, 5)):
            self._limit()
        cases = self.db.query("SELECT id, project_id, phone_number, number, inserted_at FROM dialer_clients")
        for attempt in range(1, 160):
            self._attempt(attempt, choose(cases))
        for case in cases:
            self._turn(case["id"])

    def _limit(self) -> None:
        choose = self.random.choice
        minutes, local = choose([(1440, None), (20 * 1440, None), (None, "week"), (None, "month"), *3 * [(None, None)]])
        limit(
            self.db,
            project_id=choose([None, None, *"pqr"]),
            client=choose([None, None, "acme"]),
            purpose=choose([None, None, "debt"]),
            keyed_by=choose(["number", "number", "case"]),
            counts=choose(["attempts", "attempts", "connected", "conversations"]),
            most=choose([1, 2, 3, 5, 12]),
            period_minutes=minutes,
            local_period=local,
            callbacks=choose([True, False]),
        )

    def _attempt(self, attempt: int, case: Any) -> None:
        choose = self.random.choice
        begun = NOON - timedelta(minutes=choose([20, 50_000, 50_000, 150_000]) * self.random.random())
        if self.random.random() < 0.2:
            begun = NOON - timedelta(days=choose([7, 20, 31, 40]))  # to the microsecond, and several at once
        outcome = choose(["NOANSWER", "NOANSWER", "ANSWERED", "FAILED", "CANCELLED", "INVALID", "ABANDONED", "MACHINE"])
        answered = begun if outcome in ("ANSWERED", "ABANDONED", "MACHINE") else None
        add_attempt(
            self.db,
            attempt,
            begun,
            outcome,
            case_id=case["id"],
            project_id=case["project_id"],
            phone_number=case["phone_number"],
            number=case["number"],
            case_inserted_at=choose([case["inserted_at"], case["inserted_at"], begun]),
            brought_back=choose([0, 0, 1]),
            effect=choose(["used", "redial", "back"]),
            answered_at=answered,
            agent_at=begun if outcome == "ANSWERED" and choose([True, False]) else None,
            abandoned_at=begun if outcome == "ABANDONED" else None,
            caller_id=choose([None, "+49309"]),
        )

    def _turn(self, case: int) -> None:
        """Used, brought back, promised, or as it is."""
        choice = self.random.random()
        if choice < 0.75:
            execute(self.db, "UPDATE dialer_clients SET used = true WHERE id = :id", id=case)
        if choice < 0.15:
            execute(self.db, "UPDATE dialer_clients SET used = false WHERE id = :id", id=case)
        if 0.75 < choice < 0.85:
            at = NOON + timedelta(days=1)
            execute(self.db, "UPDATE dialer_clients SET deferred_time = :at WHERE id = :id", at=at, id=case)

    def answers(self) -> Iterator[Any]:
        """All that others decide by, as it is and as if all cases were brought back."""
        now = self.caller.now
        for ahead in (0, 24 * 3, 24 * 25):
            for brought_back in (False, True):
                with self.db.transaction() as connection:
                    if brought_back:
                        connection.execute(text("UPDATE dialer_clients SET used = false WHERE used"))
                    self.caller.dialect.set_now(connection, now + timedelta(hours=ahead))
                    for statement in (
                        "SELECT case_id, reason, own_reason, own_until_at, next_at, detail FROM dialer_why",
                        "SELECT case_id, own_reason, ready_at, other_reason FROM dialer_gate",
                    ):
                        yield [tuple(row) for row in connection.execute(text(f"{statement} ORDER BY case_id"))]
                    connection.rollback()
        for project in "pqr":
            yield self.db.call("dialer_abandon_ledger", project, now)
        yield self.db.query("SELECT * FROM dialer_stat ORDER BY id")
        for view in ("dialer_stat_project", "dialer_stat_outcome", "dialer_stat_caller_id"):
            rows = query_at(self.db, self.caller.dialect, now, f"SELECT * FROM {view}")
            yield sorted(map(str, rows))

    def counters(self) -> dict[int, tuple[int, int]]:
        """Of the cases that are not used, by their latest attempt: what retry rules count."""
        latest = self.db.query(
            "SELECT max(a.id) AS id FROM dialer_attempts a JOIN dialer_clients c ON c.id = a.case_id"
            " AND c.inserted_at = a.case_inserted_at AND c.brought_back = a.brought_back WHERE NOT c.used"
            " GROUP BY a.case_id"
        )
        counts = "SELECT dialer_attempt_count(:id) AS calls, dialer_invalid_count(:id) AS dead"
        found = {row["id"]: self.db.query(counts, id=row["id"])[0] for row in latest}
        return {attempt: (row["calls"], row["dead"]) for attempt, row in found.items()}


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=[pytest.mark.full] if n != BRIEF else []) for n in range(WORLDS)]
)
def test_nothing_that_is_decided_changes(caller: Caller, tmp_path: Path, seed: int) -> None:
    to = tmp_path / "old.csv"
    world = World(caller, seed)
    everything, rows = ledger(caller.db), exported(caller, tmp_path)
    before, counted = list(world.answers()), world.counters()
    archive(caller, to)
    assert list(world.answers()) == before
    assert world.counters() == counted
    left = ledger(caller.db)
    assert sorted([*left, *filed(to)]) == everything
    assert 20 < len(left) < len(everything) - 20
    assert lines(to) == [row for row in rows if int(row["id"]) not in left]
    assert forgetful(caller) == set()
    # What stays does so whenever it is asked again, and later on all the same.
    archive(caller, to)
    assert ledger(caller.db) == left
    caller.forward(days=200)
    later = list(world.answers())
    archive(caller, to, "100d")
    assert list(world.answers()) == later
    assert sorted([*ledger(caller.db), *filed(to)]) == everything


def exported(caller: Caller, folder: Path) -> list[dict[str, str]]:
    exports.run(caller.db.settings, exports.Wanted("attempts", output=folder / "all.csv"))
    return lines(folder / "all.csv")


# --- what stays, and why -----------------------------------------------------------------------------------------


def stays(caller: Caller, before: datetime = NOON - timedelta(days=2)) -> dict[int, tuple[str, int | None]]:
    rows = caller.db.call("dialer_archivable", before, 0, 1000, caller.now)
    return {row["attempt_id"]: (row["stays_for"], row["limit_id"]) for row in rows if row["stays_for"] is not None}


def test_the_newest_that_fill_a_limit_stay(caller: Caller) -> None:
    add_project(caller.db)
    for attempt in range(1, 6):
        add_attempt(caller.db, attempt, LONG_AGO + timedelta(hours=attempt), phone_number="1")
    add_attempt(caller.db, 6, LONG_AGO + timedelta(hours=6), "FAILED", phone_number="1")
    assert stays(caller) == {}
    one = limit(caller.db, most=2)
    assert stays(caller) == {4: ("limit", one), 5: ("limit", one)}
    two = limit(caller.db, most=3, project_id="p")
    assert stays(caller) == {3: ("limit", two), 4: ("limit", one), 5: ("limit", one)}
    execute(caller.db, "UPDATE dialer_limits SET period_minutes = 59 * 1440")
    assert stays(caller) == {}
    execute(caller.db, "UPDATE dialer_limits SET period_minutes = 61 * 1440")
    assert stays(caller).keys() == {3, 4, 5}
    execute(caller.db, "UPDATE dialer_limits SET counts = 'connected'")
    assert stays(caller) == {}


@pytest.mark.parametrize("scope", [{"client": "acme"}, {"purpose": "debt"}, {"project_id": "p"}])
def test_newer_calls_out_of_its_scope_do_not_fill_a_limit(caller: Caller, scope: dict[str, str]) -> None:
    add_project(caller.db, "p", client="acme", purpose="debt")
    add_project(caller.db, "q")
    add_attempt(caller.db, 1, LONG_AGO, phone_number="1")
    add_attempt(caller.db, 2, LONG_AGO + timedelta(hours=1), phone_number="1", project_id="q")
    one = limit(caller.db, **scope)
    assert stays(caller) == {1: ("limit", one)}


@pytest.mark.parametrize(
    ("period", "now", "first"),
    [
        ("month", at(23, 30, day=31, month=5), at(0, 30, month=5)),
        ("week", at(23, 30, day=7), at(0, 30)),
        # 25 hours, as clocks are put back.
        ("day", at(22, 50, day=25, month=10), at(22, 10, day=24, month=10)),
    ],
)
def test_local_periods_are_looked_back_to_their_beginning(
    caller: Caller, tmp_path: Path, period: str, now: datetime, first: datetime
) -> None:
    add_project(caller.db)
    caller.now = now
    case = add_case(caller.db, phone_number="1", utc="Europe/Berlin" if period == "day" else "Z")
    add_attempt(caller.db, 1, first, phone_number="1")
    add_attempt(caller.db, 2, first - timedelta(hours=2), phone_number="1")
    limit(caller.db, most=2, local_period=period)
    limit(caller.db, local_period=period)
    answer = caller.why(case)
    assert answer["own_reason"] == "number_limit"
    archive(caller, tmp_path / "old.csv", "24h")
    assert caller.why(case) == answer
    assert 1 in ledger(caller.db)


def test_a_call_under_way_takes_the_place_of_none(caller: Caller) -> None:
    """It may turn out to be no call at all."""
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    one = limit(caller.db)
    case = add_case(caller.db, phone_number="1")
    attempt = caller.dial(case)
    add_attempt(caller.db, attempt + 1, LONG_AGO, phone_number="1", ringing_at=LONG_AGO)
    assert stays(caller) == {attempt + 1: ("limit", one)}


def test_what_retry_rules_count_stays_as_long_as_the_case_may_be_called(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    case = add_case(caller.db, call_back=True, call_back_period="99999,1")
    first = caller.call(case, "BUSY")
    caller.forward(days=80)
    before = caller.now - timedelta(days=2)
    assert stays(caller, before) == {first: ("case", None)}
    second = caller.call(case, "ANSWERED", answered=1, agent=0)
    assert caller.case(case)["used"]
    assert stays(caller, before) == {first: ("case", None)}, "the code of the last call may settle it anew"
    caller.forward(days=1)
    before = caller.now - timedelta(hours=1)
    assert stays(caller, before) == {second: ("abandon_rate", None)}, "it counts as connected for 30 days"
    execute(caller.db, "UPDATE dialer_clients SET used = false")
    assert stays(caller, before) == {second: ("abandon_rate", None)}, "counters begin anew"


def test_the_streak_of_a_silent_trunk_stays(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    case = add_case(caller.db)
    attempt = caller.call(case, "UNAVAILABLE")
    assert caller.case(case)["used"]
    caller.forward(days=60)
    before = caller.now - timedelta(days=2)
    assert stays(caller, before) == {attempt: ("trunk", None)}
    caller.call(add_case(caller.db), "BUSY")
    assert stays(caller, before) == {}


def test_the_command_tells_what_stays_and_a_dry_run_moves_nothing(
    caller: Caller, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "old.csv"
    add_project(caller.db)
    for attempt in range(1, 20):
        add_attempt(caller.db, attempt, LONG_AGO + timedelta(hours=attempt), phone_number="1")
    add_attempt(caller.db, 20, NOON - timedelta(days=3), "ANSWERED", phone_number="2", answered_at=NOON, agent_at=NOON)
    one = limit(caller.db, most=2)
    archive(caller, to, dry_run=True)
    told = (
        "1 stay: count in the abandon rate of their project (abandon_hours, abandon_days)\n"
        f"2 stay: limit {one}: at most 2 attempts of the number over the campaign; it counts them (dialer_limits)\n"
    )
    assert capsys.readouterr().out == f"17 attempts would be archived\n{told}"
    assert not to.exists()
    assert len(ledger(caller.db)) == 20
    archive(caller, to)
    assert capsys.readouterr().out == f"{to}: 17 attempts archived, instants by UTC\n{told}"
    assert filed(to) == list(range(1, 18))
    (noted,) = caller.db.query("SELECT project_id, file_name, attempts, begun_at FROM dialer_archives")
    assert noted == {
        "project_id": "p",
        "file_name": str(to),
        "attempts": 17,
        "begun_at": LONG_AGO + timedelta(hours=17),
    }


# --- limits that come later --------------------------------------------------------------------------------------


def test_limits_of_its_time_forget_nothing_and_later_ones_are_told_of(caller: Caller, tmp_path: Path) -> None:
    add_project(caller.db)
    for attempt in range(1, 4):
        add_attempt(caller.db, attempt, LONG_AGO + timedelta(hours=attempt), phone_number="1")
    limit(caller.db)
    archive(caller, tmp_path / "old.csv")
    assert ledger(caller.db) == [3]
    assert forgetful(caller) == set()
    month, other = limit(caller.db, most=2, local_period="month"), limit(caller.db, most=2, project_id="q")
    later = limit(caller.db, most=2)
    assert forgetful(caller) == {later}
    archive(caller, tmp_path / "old.csv")
    assert forgetful(caller) == {later}, "another run does not bring them back"
    assert month
    assert other
    execute(caller.db, "DELETE FROM dialer_archives")
    assert forgetful(caller) == set()
    execute(caller.db, "DELETE FROM dialer_attempts")
    assert len(forgetful(caller)) == 2, "what somebody else deletes is noted as before"


def test_a_project_that_comes_into_a_limit_s_scope_later_is_told_of(caller: Caller, tmp_path: Path) -> None:
    add_project(caller.db)
    add_attempt(caller.db, 1, LONG_AGO, phone_number="1")
    one = limit(caller.db, client="acme")
    archive(caller, tmp_path / "old.csv")
    assert (ledger(caller.db), forgetful(caller)) == ([], set())
    execute(caller.db, "UPDATE dialer_params SET client = 'acme', scoped_at = :at", at=NOON + timedelta(days=3650))
    assert forgetful(caller) == {one}


# --- whatever dies -----------------------------------------------------------------------------------------------


@pytest.fixture
def old(caller: Caller) -> Caller:
    """Fifty attempts that nothing needs, of cases that are gone."""
    add_project(caller.db)
    for attempt in range(1, 51):
        detail = 'a "quoted"\r\nline' if attempt % 2 else None
        add_attempt(caller.db, attempt, LONG_AGO + timedelta(hours=attempt), phone_number="1", detail=detail)
    return caller


KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from dialer import archives
from worker import config
from worker.db.routines.archives import Archives

when, left, to, now = sys.argv[1], [3], Path(sys.argv[2]), datetime.fromisoformat(sys.argv[3])

def die():
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

put, move = archives._File._put, Archives.move
if when == "half of a portion is written":
    def halved(file, at, text):
        if at and text:
            left[0] -= 1
            if not left[0]:
                put(file, at, text[: len(text) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
        return put(file, at, text)
    archives._File._put = halved
elif when == "a portion is written and not deleted":
    def written(file, at, text):
        end = put(file, at, text)
        if at and text:
            die()
        return end
    archives._File._put = written
else:
    def moved(*given):
        found = move(*given)
        die()
        return found
    Archives.move = moved
archives.run(config.load(None, os.environ, calling=False).database, archives.Wanted("2d", to, now=now), 7)
"""


@pytest.mark.parametrize(
    ("when", "deleted", "back"),
    [
        ("half of a portion is written", 14, 3),
        ("a portion is written and not deleted", 14, 7),
        ("a portion is deleted", 21, 0),
    ],
)
def test_a_killed_run_goes_on_and_each_attempt_is_in_one_place(  # noqa: PLR0917 - three facts of each death
    old: Caller, tmp_path: Path, capsys: pytest.CaptureFixture[str], when: str, deleted: int, back: int
) -> None:
    to = tmp_path / "old.csv"
    url = old.db.settings.url().render_as_string(hide_password=False)
    process = subprocess.run(
        [sys.executable, "-c", KILLED, when, str(to), NOON.isoformat()],
        env={**os.environ, "DIALER_DATABASE_URL": url, "DIALER_DATABASE_SCHEME": old.db.schema},
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert ledger(old.db) == list(range(deleted + 1, 51))
    archive(old, to)
    said = capsys.readouterr().out
    assert (f"the last {back} lines taken out again" in said) is (back > 0)
    assert f"{50 - deleted} attempts archived" in said
    assert filed(to) == list(range(1, 51))
    assert ledger(old.db) == []
    assert sum(row["attempts"] for row in old.db.query("SELECT attempts FROM dialer_archives")) == 50


def test_a_connection_that_breaks_between_file_and_commit(
    old: Caller, other: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "old.csv"
    put, left = archives._File._put, [3]

    def cut(file: Any, at: int, written: bytes) -> int:
        end = put(file, at, written)
        left[0] -= 1
        if not left[0]:
            end_others(other)
        return end

    monkeypatch.setattr(archives._File, "_put", cut)
    with pytest.raises(DatabaseUnavailable):
        archive(old, to)
    assert "7 attempts archived, then it stopped; the same command goes on" in capsys.readouterr().err
    assert len(ledger(old.db)) == 43
    assert len(filed(to)) == 14
    monkeypatch.undo()
    archive(old, to)
    assert filed(to) == list(range(1, 51))
    assert ledger(old.db) == []


def end_others(db: Database) -> None:
    """The server ends every other session in this database."""
    if db.dialect.name == "postgresql":
        db.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return
    found = db.query(
        "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id() AND user <> ''"
    )
    for row in found:
        with db.transaction() as connection:
            connection.execute(text(f"KILL {int(row['id'])}"))


def test_a_disk_that_takes_no_more_leaves_the_ledger_as_it_was(
    old: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "old.csv"
    fsync, left = os.fsync, [4]

    def full(descriptor: int) -> None:
        left[0] -= 1
        if not left[0]:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotArchived, match="No space left on device"):
        archive(old, to)
    monkeypatch.undo()
    there = ledger(old.db)
    assert filed(to) == [attempt for attempt in range(1, 51) if attempt not in there]
    archive(old, to)
    assert filed(to) == list(range(1, 51))


def test_an_archive_that_grows_is_one_file(old: Caller, tmp_path: Path) -> None:
    to = tmp_path / "old.csv"
    archive(old, to, "2026-04-03")
    assert 0 < len(filed(to)) < 50
    archive(old, to, "2026-04-04 06:00+03:00")
    archive(old, to)
    assert filed(to) == list(range(1, 51))


def test_lines_of_another_database_stay_in_the_file(old: Caller, tmp_path: Path) -> None:
    to = tmp_path / "old.csv"
    archive(old, to)
    first = to.read_bytes()
    # The same ids, for other calls.
    for attempt in range(1, 51):
        add_attempt(old.db, attempt, LONG_AGO - timedelta(hours=attempt), phone_number="1")
    archive(old, to)
    assert to.read_bytes().startswith(first)
    assert Counter(filed(to)) == dict.fromkeys(range(1, 51), 2)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("list.csv", b"name,number\r\nAnn,1\r\n", "is no archive of attempts"),
        ("list.csv", b"name", "is no archive of attempts"),
        ("old.xlsx", None, "Write FILE.csv"),
        ("nowhere/old.csv", None, "cannot be written: No such file or directory"),
    ],
)
def test_other_files_are_left_alone(old: Caller, tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    to = tmp_path / name
    if content is not None:
        to.write_bytes(content)
    with pytest.raises(NotArchived, match=told):
        archive(old, to)
    assert (to.read_bytes() if to.exists() else None) == content
    assert len(ledger(old.db)) == 50


def test_a_device_is_no_file(old: Caller) -> None:
    with pytest.raises(NotArchived, match="that is no file"):
        archive(old, Path("/dev/full"))
    assert len(ledger(old.db)) == 50


def test_a_file_whose_quotes_somebody_broke_is_not_cut(old: Caller, tmp_path: Path) -> None:
    to = tmp_path / "old.csv"
    archive(old, to)
    broken = to.read_bytes() + b'51,"\r\n' + b"x" * 70_000
    to.write_bytes(broken)
    with pytest.raises(NotArchived, match=r"nothing after byte \d+ is a whole line"):
        archive(old, to)
    assert to.read_bytes() == broken


def test_one_run_at_a_time_writes_a_file(old: Caller, tmp_path: Path) -> None:
    to = tmp_path / "old.csv"
    with to.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(NotArchived, match="another dialer archive writes into it"):
            archive(old, to)
    archive(old, to)


def test_the_last_day_stays(old: Caller, tmp_path: Path) -> None:
    for before in ("23h", "2026-06-01", "2027-01-01"):
        with pytest.raises(NotArchived, match="the last 24 hours stay"):
            archive(old, tmp_path / "old.csv", before)
    with pytest.raises(exports.NotExported, match="--before yesterday: write 7d"):
        archive(old, tmp_path / "old.csv", "yesterday")


# --- others at work ----------------------------------------------------------------------------------------------


def test_calls_go_on_while_a_portion_is_open(caller: Caller, other: Database) -> None:
    """Of the very numbers and cases whose attempts are being moved, with limits and caps that count them."""
    add_project(caller.db, most_attempts=9)
    add_trunk(caller.db)
    add_retry(caller.db, outcome="NOANSWER", period_minutes=60, most=5)
    caller.start()
    limit(caller.db, most=3)
    limit(caller.db, most=3, keyed_by="case")
    limit(caller.db, most=3, local_period="week")
    case = add_case(caller.db, phone_number="1", call_back=True, call_back_period="60,60")
    row = caller.case(case)
    last = caller.call(add_case(caller.db, phone_number="2"), "ANSWERED", answered=1)
    for attempt in range(1, 20):
        add_attempt(
            caller.db,
            last + 1000 + attempt,
            LONG_AGO + timedelta(hours=attempt),
            "ANSWERED",
            phone_number="1",
            number=row["number"],
            case_id=case,
            case_inserted_at=row["inserted_at"],
            brought_back=9,
            answered_at=LONG_AGO,
        )
    execute(caller.db, "UPDATE dialer_limits SET counts = 'conversations'")

    def keep(rows: Any) -> None:
        assert len(rows) == 19
        while caller.db.value("dialer_screen", 500, caller.now):
            pass
        assert caller.next() == [case]
        attempt = caller.dial(case)
        assert caller.finish(attempt, "NOANSWER", ringing=1)
        assert caller.db.value("dialer_dispose", attempt, "later", caller.now) == "noted"
        assert caller.db.value("dialer_dispose", last, "sold", caller.now) == "noted"
        assert caller.case(case)["deferred_kind"] == "redial"

    run = Run(NOON - timedelta(days=2), "file", NOON, caller.now)
    portion = Archives(other).move(run, 0, 100, keep)
    assert portion.moved == 19
    assert caller.db.query("SELECT id FROM dialer_invariants") == []


def test_two_runs_at_once_move_each_attempt_once(old: Caller, other: Database, tmp_path: Path) -> None:
    """Into two files; the second waits for the rows, and finds them gone."""
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    archive(old, one, "2026-04-03")
    run = Run(NOON - timedelta(days=2), "two", NOON, old.now)

    def keep(rows: Any) -> None:
        assert {row["id"] for row in rows}.isdisjoint(filed(one))
        two.write_text("\n".join(str(row["id"]) for row in rows))

    assert Archives(other).move(run, 0, 100, keep).moved == 50 - len(filed(one))
    archive(old, one)
    assert len(filed(one)) + len(two.read_text().split()) == 50
