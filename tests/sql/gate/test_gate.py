"""One gate: whether a case may be called, and when, is the same to all that ask, in made-up worlds.

dialer_next, dialer_claim, dialer_attempt_begin, dialer_why, dialer_why_count and dialer_project_until are compared with
each other, and with the rules a second time, in Python.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.support.caller import NOON, Caller
from tests.support.dialects import execute, query_at, servers
from tests.support.factories import add_attempt, add_case, add_cases, add_project, add_trunk
from tests.support.hours import Hours
from tests.support.number_rules import NumberRules
from worker.db.database import Row

WORLDS = 12
BRIEF = {3}
"""Those of them that `make test` looks at: many rules on numbers in a few projects."""
INSTANTS = 4
PLACES = {
    "9990": ("US-FL", "America/New_York"),
    "9991": ("US", "America/New_York&America/Chicago"),
    "9992": ("DE", None),
}
"""Where numbers are, by how they begin."""
LEADS = ["", *(f"+{prefix}" for prefix in PLACES)]
NUMBERS = [f"{LEADS[number % 4]}{number}" for number in range(100, 110)]
TYPES = {"auto": "autoinforming", "slow": "progressive", "fast": "predictive", "idle": "autoinforming"}
PROJECTS = [*TYPES, "nobody"]
"""`idle` is not started, of `nobody` nothing is known."""
INSTANT = timedelta(microseconds=1)


# --- made-up worlds -----------------------------------------------------------------------------------------------


class World:
    """Projects, cases, promises, delays, calls, claims and abandoned numbers; the same on each database."""

    def __init__(self, caller: Caller, seed: int) -> None:
        self.caller = caller
        self.db = caller.db
        self.random = random.Random(seed)
        self._places()
        self._projects()
        self._cases()
        self._calls_and_claims()
        self._abandoned()
        self._rules()
        self._hours()
        self._edits()
        self.caller.screen()

    def soon(self) -> datetime:
        """An instant around noon, often one that several things share."""
        return NOON + timedelta(minutes=self.random.choice([-600, -60, -1, 0, 1, 30, 60, 90, 600, 2000]))

    def _places(self) -> None:
        execute(self.db, "DELETE FROM dialer_prefixes WHERE source = 'own'")
        for prefix, (region, zones) in PLACES.items():
            execute(
                self.db,
                "INSERT INTO dialer_prefixes (prefix, country, region, zones)"
                " VALUES (:prefix, :country, :region, :zones)",
                prefix=prefix,
                country=region[:2],
                region=region if "-" in region else None,
                zones=zones,
            )
        self.caller.screen()

    def _projects(self) -> None:
        choose = self.random.choice
        add_trunk(self.db, max_lines=1000, calls_per_second=10000)
        for project, type_ in TYPES.items():
            zone = choose([None, "Europe/Berlin", "+5", "America/New_York"])
            sort = choose(["1:2", "2:1", "3:1,2:2"])
            client, purpose = choose([None, "acme"]), choose(["sales", "debt"])
            about = {"client": client, "purpose": purpose, "zone_by": choose(["project", "number"])}
            scrub: dict[str, Any] = {"scrub_days": choose([None, None, 1]), "scrub_blocks": choose([True, True, False])}
            scrub["scrubbed_at"] = choose([None, *3 * [self.soon() - timedelta(days=1)]])
            add_project(self.db, project, type=type_, zone=zone, sort=sort, **about, **scrub)
            if project != "idle":
                self.caller.start(project)
        free = '[{"queue": "slow", "interface": "PJSIP/a", "name": "Ann", "state": "%s", "since": 0}]'
        self.db.call("dialer_agents_write", *self.caller.owner, free % choose(["free", "talking"]), NOON)

    def _cases(self) -> None:
        choose = self.random.choice
        rows = [
            {
                "project_id": choose(PROJECTS),
                "phone_number": choose(NUMBERS) if self.random.random() < 0.6 else f"{choose(LEADS)}7{number}",
                "priority": choose([1, 1, 2]),
                "utc": choose([None, None, "", "Z", "+3", "-05:30", "Europe/Berlin"]),
                "allowed_start": choose(["00:00", "00:00", "09:00", "22:00"]),
                "allowed_stop": choose(["00:00", "24:00", "18:00", "02:00"]),
                "created": NOON - timedelta(hours=choose([1, 1, 30])),
                "region": choose([None, None, "US", "US-FL", "DE"]),
            }
            for number in range(self.random.randint(4, 40))
        ]
        add_cases(self.db, rows)
        for case in self.ids():
            self._delay(case)

    def ids(self) -> list[int]:
        return sorted(row["id"] for row in self.db.query("SELECT id FROM dialer_clients"))

    def _delay(self, case: int) -> None:
        """Something to wait for, or nothing."""
        what = self.random.random()
        if what < 0.15:
            execute(self.db, "UPDATE dialer_clients SET deferred_time = :at WHERE id = :id", at=self.soon(), id=case)
        elif what < 0.3:
            # As the dialer writes it.
            execute(
                self.db,
                "UPDATE dialer_clients SET deferred_time = :at, deferred_kind = 'redial', last_attempt_id = :own"
                " WHERE id = :id",
                at=self.soon(),
                own=self.random.randint(1, 10**9),
                id=case,
            )
        if self.random.random() < 0.25:
            execute(self.db, "UPDATE dialer_clients SET not_before_at = :at WHERE id = :id", at=self.soon(), id=case)
        if self.random.random() < 0.05:
            execute(self.db, "UPDATE dialer_clients SET used = true WHERE id = :id", id=case)

    def _calls_and_claims(self) -> None:
        for project in ("auto", "slow", "fast"):
            claimed = self.caller.claim(self.random.randint(0, 6), project) if self.random.random() < 0.8 else []
            if claimed:
                self.caller.begin(self.random.sample(claimed, self.random.randint(0, len(claimed))), project)

    def _abandoned(self) -> None:
        for number in self.random.sample(NUMBERS, self.random.randint(0, 4)):
            execute(
                self.db,
                "INSERT INTO dialer_abandoned (number, until_at, project_id, attempt_id)"
                " VALUES (:number, :until, 'slow', 5)",
                number=number,
                until=self.soon(),
            )

    def _scope(self) -> dict[str, str | None]:
        choose = self.random.choice
        return {
            "project_id": choose([None, None, None, *TYPES]),
            "client": choose([None, None, None, "acme"]),
            "region": choose([None, None, None, "US", "US-FL"]),
            "purpose": choose([None, None, None, "sales"]),
        }

    def _write(self, table: str, **columns: Any) -> None:
        values = columns | self._scope()
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        execute(self.db, f"INSERT INTO {table} ({names}) VALUES ({marks})", **values)

    def _rules(self) -> None:
        """Do-not-call, limits, pauses; and a ledger for the limits to count."""
        choose, often = self.random.choice, self.random.random
        for place in range(choose([0, 1, 4])):
            begun = choose([None, None, self.soon()])
            until = choose([None, (begun or NOON) + timedelta(minutes=choose([1, 60, 700]))])
            number = choose([choose(NUMBERS), "10*", "+9991*", f"{choose(NUMBERS)}*"])
            self._write("dialer_dnc", number=number, from_at=begun, until_at=until, attempt_id=place + 1)
        for _ in range(choose([0, 1, 3])):
            minutes, local = choose([(60, None), (1440, None), (None, "day"), (None, "week"), (None, None)])
            self._write(
                "dialer_limits",
                keyed_by=choose(["number", "number", "case"]),
                counts=choose(["attempts", "attempts", "connected", "conversations"]),
                most=choose([1, 1, 2, 3]),
                period_minutes=minutes,
                local_period=local,
                callbacks=choose([True, False]),
            )
        for _ in range(choose([0, 1, 3])):
            self._write(
                "dialer_number_pauses",
                number=choose(NUMBERS),
                callbacks=choose([True, False]),
                until_at=self.soon(),
                pause_id=1,
                attempt_id=1,
            )
        cases = self.db.query("SELECT id, project_id, phone_number, number, inserted_at FROM dialer_clients")
        for place in range(choose([0, 10, 30])):
            case = choose(cases)
            begun = NOON - timedelta(minutes=choose([1, 30, 59, 60, 700, 1439, 3000, 9000]))
            outcome = choose(["ANSWERED", "ABANDONED", "BUSY", "NOANSWER", "MACHINE", "FAILED", "CANCELLED"])
            answered = begun if outcome in ("ANSWERED", "ABANDONED", "MACHINE") else None
            add_attempt(
                self.db,
                10**6 + place,
                begun,
                outcome,
                case_id=case["id"],
                project_id=case["project_id"] if often() < 0.7 else choose(PROJECTS),
                phone_number=case["phone_number"],
                number=case["number"],
                case_inserted_at=case["inserted_at"],
                ringing_at=begun if often() < 0.5 else None,
                answered_at=answered,
                agent_at=answered if outcome == "ANSWERED" and often() < 0.8 else None,
            )

    def _hours(self) -> None:
        """Intervals by day, and holidays; half of the worlds have none."""
        choose = self.random.choice
        execute(self.db, "DELETE FROM dialer_holidays WHERE source = 'own'")
        for _ in range(choose([0, 0, 1, 4])):
            starts, stops = choose([("00:00", "24:00"), ("08:00", "20:00"), ("08:00", "12:30"), ("13:00", "21:00:30")])
            weekdays = choose(["Mo-Su,PH", "Mo-Su", "Mo-Fr", "Sa,Su,PH", "Fr-Mo", "Tu"])
            self._write("dialer_hours", weekdays=weekdays, starts=starts, stops=stops, preset=choose([None, "x"]))
        for day in self.random.sample([date(2026, 5, 31), date(2026, 6, 1), date(2026, 6, 2)], choose([0, 1])):
            region = choose(["US", "US-FL", "DE"])
            execute(self.db, "INSERT INTO dialer_holidays (region, day) VALUES (:region, :day)", region=region, day=day)

    def _edits(self) -> None:
        """What a DBA does meanwhile, to cases in hand as well."""
        for case in self.random.sample(self.ids(), min(4, len(self.ids()))):
            self._delay(case)

    # --- what is asked --------------------------------------------------------------------------------------------

    def at(self, instant: datetime, statement: str, **values: Any) -> list[Row]:
        return query_at(self.db, self.caller.dialect, instant, statement, **values)

    def why(self, instant: datetime) -> dict[int, Row]:
        return {row["case_id"]: row for row in self.at(instant, "SELECT * FROM dialer_why")}

    def own_reason(self, case: int, instant: datetime) -> str | None:
        """Of one case, which is a lookup."""
        rows = self.at(instant, "SELECT own_reason FROM dialer_why WHERE case_id = :case", case=case)
        return None if rows[0]["own_reason"] is None else str(rows[0]["own_reason"])

    def next(self, project: str, instant: datetime, n: int = 1000) -> list[int]:
        return [row["case_id"] for row in self.db.call("dialer_next", project, instant, n)]

    def claims(self) -> list[Row]:
        return self.db.query("SELECT case_id, project_id, attempt_id FROM dialer_claims ORDER BY place")

    def expected(self) -> Judge:
        return Judge(self)


class Judge:
    """The rules a second time, in Python."""

    def __init__(self, world: World) -> None:
        db = world.db
        self._cases = {
            row["id"]: row
            for row in db.query(
                "SELECT id, project_id, phone_number, number, utc, allowed_start, allowed_stop, deferred_time,"
                " deferred_done, deferred_kind, not_before_at, inserted_at, region, number_region, zones"
                " FROM dialer_clients WHERE NOT used"
            )
        }
        self._hours = Hours(db)
        self._rules = NumberRules(db, self._hours)
        self._claims = {row["case_id"]: row["attempt_id"] for row in world.claims()}
        self._live = {row["number"]: row for row in db.query("SELECT * FROM dialer_live")}
        self._abandoned = {row["number"]: row["until_at"] for row in db.query("SELECT * FROM dialer_abandoned")}
        self._list_until = {
            row["project_id"]: row["scrubbed_at"] and row["scrubbed_at"] + timedelta(days=row["scrub_days"])
            for row in db.query("SELECT project_id, scrubbed_at, scrub_days, scrub_blocks FROM dialer_params")
            if row["scrub_blocks"] and row["scrub_days"] is not None
        }
        """Of projects whose list may be too old: from when on it is; None: it always is."""

    def own_reason(self, case: int, now: datetime) -> str | None:
        row = self._cases[case]
        if self._claims.get(case) is not None:
            return None
        rule = self._rules.reason(row, now)
        if rule == "do_not_call":
            return rule
        if self._list_binds(row) and self._list_is_old(row, now):
            return "list_too_old"
        if row["deferred_time"] is not None and not row["deferred_done"] and row["deferred_time"] > now:
            return str(row["deferred_kind"])
        if row["not_before_at"] is not None and row["not_before_at"] > now:
            return "delayed"
        until = self._abandoned.get(row["phone_number"])
        if TYPES.get(row["project_id"]) == "autoinforming" and until is not None and until > now:
            return "number_abandoned"
        if rule is not None:
            return rule
        if not self._hours.are_open(row, now):
            return "window_closed"
        return "number_in_call" if row["phone_number"] in self._live else None

    def waits_for_something(self, case: int, now: datetime) -> bool:
        """Is there a reason whose end nobody knows? A call ends when it ends."""
        row = self._cases[case]
        if row["number"] in self._live or self._rules.never_ends(row, now) or self._hours.never_open(row, now):
            return True
        return self._list_binds(row) and all(
            self.own_reason(case, at) is not None for at in self._while_young(row, now)
        )

    def _list_binds(self, row: Row) -> bool:
        promised = row["deferred_kind"] == "scheduled" and not row["deferred_done"]
        return row["project_id"] in self._list_until and not promised

    def _list_is_old(self, row: Row, now: datetime) -> bool:
        until = self._list_until[row["project_id"]]
        return until is None or until <= now

    def _while_young(self, row: Row, now: datetime) -> list[datetime]:
        """Instants before the list is too old, each half hour, at which everything else that ends has its end."""
        first = now.replace(minute=0, second=0, microsecond=0)
        steps = [now, *(first + timedelta(minutes=30 * step) for step in range(200)), *self._ends(row)]
        return [at for at in steps if at >= now and not self._list_is_old(row, at)]

    @staticmethod
    def _ends(row: Row) -> list[datetime]:
        return [at for at in (row["deferred_time"], row["not_before_at"]) if at is not None]


def shown(rows: Sequence[Row]) -> Counter[tuple[Any, ...]]:
    return Counter({(row["project_id"], row["reason"], row["own_reason"]): row["cases"] for row in rows})


@pytest.fixture(params=[pytest.param(one, marks=[] if one in BRIEF else [pytest.mark.full]) for one in range(WORLDS)])
def world(request: pytest.FixtureRequest, caller: Caller) -> World:
    return World(caller, request.param)


@pytest.fixture
def instants(world: World) -> list[datetime]:
    return [world.soon() + timedelta(minutes=world.random.choice([0, 0, 7, 800])) for _ in range(INSTANTS)]


# --- they say the same --------------------------------------------------------------------------------------------


def test_own_reason_is_what_python_makes_of_the_rules(world: World, instants: list[datetime]) -> None:
    judge = world.expected()
    for instant in instants:
        found = {case: row["own_reason"] for case, row in world.why(instant).items()}
        assert found == {case: judge.own_reason(case, instant) for case in found}


def test_next_is_exactly_the_cases_without_an_own_reason(world: World, instants: list[datetime]) -> None:
    claims = world.claims()
    in_call = {row["case_id"] for row in claims if row["attempt_id"] is not None}
    for instant in instants:
        why = world.why(instant)
        for project in PROJECTS:
            free = {case for case, row in why.items() if row["project_id"] == project and row["own_reason"] is None}
            order = world.next(project, instant)
            assert len(order) == len(set(order))
            assert set(order) == free - in_call
            in_hand = [row["case_id"] for row in claims if row["project_id"] == project and row["case_id"] in order]
            in_hand = [case for case in in_hand if case not in in_call]
            assert order[: len(in_hand)] == in_hand, "claimed ones first"
            few = world.random.randint(1, 3)
            assert world.next(project, instant, few) == order[:few]


def test_a_claim_takes_what_next_has_shown(world: World, instants: list[datetime]) -> None:
    claimed = {row["case_id"] for row in world.claims()}
    world.caller.now = instants[0]
    for project in ("auto", "slow", "fast"):
        order = [case for case in world.next(project, instants[0]) if case not in claimed]
        few = world.random.randint(1, 4)
        assert world.caller.claim(few, project) == order[:few]
        assert world.caller.claim(1000, project) == order[few:]


@pytest.mark.parametrize("guaranteed", [True, False])
def test_begin_refuses_a_claimed_case_with_its_own_reason(
    world: World, instants: list[datetime], guaranteed: bool
) -> None:
    world.caller.now = instants[0]
    for project in ("auto", "slow", "fast"):
        world.caller.claim(world.random.randint(1, 6), project)
        # What has been claimed may have to wait by now.
        world.caller.now = instant = world.random.choice(instants)
        rows = [row for row in world.claims() if row["project_id"] == project and row["attempt_id"] is None]
        cases = [row["case_id"] for row in rows]
        why = world.why(instant)
        abandoned = {
            row["number"]
            for row in world.db.query("SELECT number FROM dialer_abandoned WHERE until_at > :now", now=instant)
        }
        taken: set[str] = set()
        expected: dict[int, str | None] = {}
        for case in cases:
            if case not in why:
                expected[case] = "used"
                continue
            number = why[case]["phone_number"]
            needs_agent = number in abandoned and not guaranteed
            expected[case] = (
                why[case]["own_reason"]
                or ("number_in_call" if number in taken else None)
                or ("number_abandoned" if needs_agent else None)
            )
            taken.add(number)
        used = {row["phone_number"] for row in world.db.query("SELECT id, phone_number FROM dialer_clients WHERE used")}
        refusals = world.caller.refusals(cases, project, guaranteed=guaranteed)
        for case, refusal in zip(cases, refusals, strict=True):
            if case in why and why[case]["phone_number"] in used and refusal == "number_in_call":
                continue  # a withdrawn case before it had its number
            assert refusal == expected[case], case
        assert world.db.query("SELECT * FROM dialer_invariants") == []


def test_when_an_own_reason_is_said_to_end_it_does(world: World, instants: list[datetime]) -> None:
    for instant in instants:
        for case, row in world.why(instant).items():
            if row["own_until_at"] is not None:
                assert row["own_until_at"] > instant
                assert world.own_reason(case, row["own_until_at"]) != row["own_reason"]


def test_next_at_is_the_first_instant_without_an_own_reason(world: World, instants: list[datetime]) -> None:
    judge = world.expected()
    for instant in instants:
        for case, row in world.why(instant).items():
            if row["own_reason"] is None:
                assert row["next_at"] == instant
            elif row["next_at"] is None:
                assert judge.waits_for_something(case, instant), "nobody knows when that ends"
            else:
                assert world.own_reason(case, row["next_at"]) is None
                assert world.own_reason(case, row["next_at"] - INSTANT) is not None


def test_a_project_is_idle_until_the_first_next_at(world: World, instants: list[datetime]) -> None:
    claimed = {row["case_id"] for row in world.claims()}
    for instant in instants:
        rows = world.at(instant, "SELECT case_id, project_id, next_at, ready_at FROM dialer_gate")
        assert all(row["next_at"] in (None, row["ready_at"]) for row in rows)
        for project in PROJECTS:
            waiting = [row for row in rows if row["project_id"] == project and row["case_id"] not in claimed]
            until = world.db.value("dialer_project_until", project, instant)
            ready = [row["ready_at"] for row in waiting if row["ready_at"] is not None]
            assert until == min(ready, default=None)


def test_why_summed_is_why_grouped(world: World, instants: list[datetime]) -> None:
    for instant in instants:
        world.caller.now = instant
        world.caller.screen()
        grouped = world.at(
            instant,
            "SELECT project_id, reason, own_reason, count(*) AS cases, min(until_at) AS until_at,"
            " dialer_now() AS counted_at, true AS screened FROM dialer_why GROUP BY project_id, reason, own_reason",
        )
        summed = world.at(instant, "SELECT * FROM dialer_why_count")
        assert [list(row) for row in summed][:1] == [list(row) for row in grouped][:1], "the columns"
        assert shown(summed) == shown(grouped)
        assert sorted(map(str, summed)) == sorted(map(str, grouped))
        for project in PROJECTS:
            one = world.at(instant, "SELECT * FROM dialer_why_count WHERE project_id = :project", project=project)
            assert sorted(map(str, one)) == sorted(str(row) for row in grouped if row["project_id"] == project)


def test_who_stands_apart_is_found_as_the_gate_says(world: World, instants: list[datetime]) -> None:
    for instant in instants:
        found = {row["case_id"] for row in world.at(instant, "SELECT case_id FROM dialer_apart")}
        gate = world.at(instant, "SELECT case_id, stands_apart FROM dialer_gate")
        assert {row["case_id"] for row in gate if row["stands_apart"]} == found & {row["case_id"] for row in gate}


def test_who_is_to_be_held_is_among_those_who_may_be(world: World, instants: list[datetime]) -> None:
    """Without what hides it: a case that is held already is among them anyhow, and limits of cases, or of no minutes,
    make all of them holdable."""
    execute(world.db, "UPDATE dialer_clients SET held_for = NULL, held_until = NULL WHERE held_for IS NOT NULL")
    execute(world.db, "DELETE FROM dialer_limits WHERE keyed_by = 'case' OR period_minutes IS NULL")
    for instant in instants:
        holdable = {row["case_id"] for row in world.at(instant, "SELECT case_id FROM dialer_holdable")}
        held = world.at(
            instant,
            "SELECT g.case_id FROM dialer_gate g JOIN dialer_clients c ON c.id = g.case_id"
            " WHERE dialer_holds(g.own_reason) AND NOT c.checked",
        )
        assert {row["case_id"] for row in held} <= holdable


# --- single cases -------------------------------------------------------------------------------------------------


def abandon(caller: Caller, number: str, until: datetime) -> None:
    execute(
        caller.db,
        "INSERT INTO dialer_abandoned (number, until_at, project_id, attempt_id) VALUES (:number, :until, 'q', 7)",
        number=number,
        until=until,
    )


@pytest.fixture
def informing(caller: Caller) -> Caller:
    """An autoinforming project that runs."""
    add_project(caller.db, sort="2:2")
    add_trunk(caller.db)
    caller.start()
    return caller


def test_an_abandoned_number_of_a_project_without_agents_is_not_next_and_does_not_spin(informing: Caller) -> None:
    """It stood first in dialer_next for as long as dialer_why said that it waits, and every turn claimed it in vain."""
    caller = informing
    until = NOON + timedelta(hours=10)
    case = add_case(caller.db, phone_number="1")
    abandon(caller, "1", until)
    row = caller.why(case)
    assert (row["reason"], row["until_at"]) == ("number_abandoned", until)
    assert row["detail"] == "attempt 7 abandoned this number: only projects with agents may call it"
    assert (row["own_reason"], row["own_until_at"], row["next_at"]) == ("number_abandoned", until, until)
    assert caller.next() == []
    assert caller.claim() == []
    project = caller.project()
    assert (project["state"], project["until_at"]) == ("idle", until)
    caller.now = until
    assert caller.next() == [case]
    assert caller.claim() == [case]


def test_a_number_abandoned_since_the_claim_is_refused_and_costs_the_case_nothing(informing: Caller) -> None:
    caller = informing
    case = add_case(caller.db, phone_number="1", deferred_time=NOON)
    assert caller.claim() == [case]
    abandon(caller, "1", NOON + timedelta(hours=1))
    assert caller.next() == []
    assert caller.refusals([case]) == ["number_abandoned"]
    row = caller.case(case)
    assert (row["checked"], row["not_before_at"], row["deferred_done"]) == (False, None, False)
    assert caller.claim() == []


def test_many_objections_before_the_first_free_case_are_passed_over(informing: Caller) -> None:
    caller = informing
    add_cases(caller.db, [{"phone_number": f"1{number}", "created": NOON - timedelta(days=2)} for number in range(70)])
    execute(
        caller.db,
        "INSERT INTO dialer_abandoned (number, until_at, project_id, attempt_id)"
        " SELECT phone_number, :until, 'q', 7 FROM dialer_clients",
        until=NOON + timedelta(hours=1),
    )
    free = [add_case(caller.db, created=NOON - timedelta(days=1, minutes=-number)) for number in range(5)]
    assert caller.next(3) == free[:3]
    assert caller.next(500) == free
    assert caller.db.value("dialer_project_until", "p", caller.now) == caller.now
    assert caller.claim(3) == free[:3]
    assert caller.claim(500) == free[3:]
    caller.db.call("dialer_release", caller.worker_id, "default", None)
    execute(caller.db, "UPDATE dialer_clients SET used = true WHERE created > :day", day=NOON - timedelta(days=2))
    assert caller.db.value("dialer_project_until", "p", caller.now) == NOON + timedelta(hours=1)


def test_the_first_of_many_delays_is_found_whatever_the_order_of_the_cases(informing: Caller) -> None:
    caller = informing
    add_cases(caller.db, [{} for _ in range(300)])
    cases = [row["id"] for row in caller.db.query("SELECT id FROM dialer_clients ORDER BY id")]
    for place, case in enumerate(cases):
        at = NOON + timedelta(minutes=300 - place)
        execute(caller.db, "UPDATE dialer_clients SET not_before_at = :at WHERE id = :id", at=at, id=case)
    assert caller.db.value("dialer_project_until", "p", NOON) == NOON + timedelta(minutes=1)
    execute(caller.db, "UPDATE dialer_clients SET not_before_at = NULL WHERE id = :id", id=cases[150])
    assert caller.db.value("dialer_project_until", "p", NOON) == NOON


def test_a_window_that_never_opens_is_waited_for_by_nobody(informing: Caller) -> None:
    caller = informing
    case = add_case(caller.db)
    with caller.dialect.unchecked(caller.db, "dialer_clients"):
        execute(caller.db, "UPDATE dialer_clients SET allowed_start = 'nine'")
    row = caller.why(case)
    assert (row["own_reason"], row["own_until_at"], row["next_at"]) == ("window_closed", None, None)
    assert caller.db.value("dialer_project_until", "p", NOON) is None


def test_a_case_of_the_same_id_and_number_is_not_in_the_call_of_the_other(informing: Caller) -> None:
    """TRUNCATE and a new list while calls are up: the new case waits for the end of the other's call."""
    caller = informing
    case = add_case(caller.db, phone_number="1")
    caller.dial(case)
    execute(caller.db, "DELETE FROM dialer_clients")
    execute(
        caller.db,
        "INSERT INTO dialer_clients (id, case_name, project_id, phone_number, created, inserted_at)"
        " VALUES (:id, 'Another', 'p', '1', :at, :at)",
        id=case,
        at=NOON - timedelta(days=1),
    )
    row = caller.why(case)
    assert (row["reason"], row["own_reason"], row["next_at"]) == ("number_in_call", "number_in_call", None)
    assert caller.next() == []


def test_own_reasons_stand_beside_those_of_the_project(caller: Caller) -> None:
    """What Start would dial can be seen before it is pressed."""
    add_project(caller.db)
    late = add_case(caller.db, deferred_time=NOON + timedelta(hours=1), allowed_start="15:00", allowed_stop="16:00")
    free = add_case(caller.db)
    row = caller.why(late)
    assert (row["reason"], row["until_at"]) == ("project_stopped", None)
    assert (row["own_reason"], row["own_until_at"]) == ("scheduled", NOON + timedelta(hours=1))
    assert row["next_at"] == NOON + timedelta(hours=3), "the promise, then the window"
    row = caller.why(free)
    assert (row["reason"], row["own_reason"], row["next_at"]) == ("project_stopped", None, NOON)


def test_the_instant_that_is_asked_about_ends_with_the_question(informing: Caller) -> None:
    """Whatever the session has set for itself, which stays."""
    caller = informing
    tonight, now = NOON + timedelta(hours=8), NOON + timedelta(hours=3)
    case = add_case(caller.db, allowed_start="20:00", allowed_stop="21:00")
    with caller.db.transaction() as connection:
        caller.dialect.set_now(connection, now)

        def ask(statement: str) -> list[Any]:
            return [row[0] for row in connection.exec_driver_sql(statement)]

        literal = f"'{tonight:%Y-%m-%d %H:%M}'"
        asked = caller.dialect.call("dialer_next", "p", tonight, 10)
        for _ in range(2):
            assert len(connection.exec_driver_sql(asked).all()) == 1, literal
            assert len(connection.exec_driver_sql(caller.dialect.call("dialer_next", "p", None, 10)).all()) == 0
            assert ask("SELECT dialer_now()")[0].replace(tzinfo=NOON.tzinfo) == now
            until = ask(f"SELECT dialer_project_until('p', {literal})")[0]
            assert until.replace(tzinfo=NOON.tzinfo) == tonight
            assert ask("SELECT dialer_now()")[0].replace(tzinfo=NOON.tzinfo) == now
            assert ask(f"SELECT own_reason FROM dialer_gate WHERE case_id = {case}") == ["window_closed"]


@pytest.mark.parametrize("dialect", servers("postgresql"), indirect=True)
@pytest.mark.parametrize("style", ["SQL, DMY", "Postgres, MDY", "German"])
def test_a_session_that_writes_dates_in_its_own_way_is_told_the_same(informing: Caller, style: str) -> None:
    """Names of zones are no way to write an instant: CST is China's and Chicago's."""
    add_case(informing.db, utc="+8", allowed_start="09:00", allowed_stop="18:00")

    def asked(connection: Connection) -> tuple[int, bool]:
        connection.execute(text(f"SET LOCAL datestyle = '{style}'"))
        connection.execute(text("SET LOCAL timezone = 'Asia/Shanghai'"))
        connection.execute(text("SET LOCAL dialer.now = '2026-06-01 12:00+08'"))
        found = connection.execute(text("SELECT count(*) FROM dialer_next('p', NULL, 10)")).scalar_one()
        due = connection.execute(text("SELECT dialer_project_until('p', dialer_now()) = dialer_now()")).scalar_one()
        return int(found), bool(due)

    assert informing.db.run(asked) == (1, True)
