"""The judge itself: content with a good day, and every way to break the promise is one complaint of its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.faults.judge import Books, CallRecord, Fault, judge

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()


def instant(second: float) -> datetime:
    return datetime.fromtimestamp(NINE + second, UTC)


def attempt(number: int, case: int, begun: float, ended: float, ending: str, **facts: Any) -> Any:
    outcome, effect = ending.split()
    return {
        "id": number,
        "case_id": case,
        "project_id": "p",
        "phone_number": f"70{case}",
        "case_inserted_at": instant(-60),
        "asterisk": "default",
        "trunk": "default",
        "type": "progressive",
        "channel_id": f"c{number}",
        "state": "ended",
        "outcome": outcome,
        "effect": effect,
        "begun_at": instant(begun),
        "dialing_at": instant(begun),
        "ended_at": instant(ended),
        "brought_back": 0,
        **facts,
    }


def case(number: int, *, used: bool, last: int | None) -> Any:
    return {
        "id": number,
        "project_id": "p",
        "phone_number": f"70{number}",
        "inserted_at": instant(-60),
        "used": used,
        "checked": False,
        "call_back": True,
        "deferred_time": None,
        "deferred_done": False,
        "brought_back": 0,
        "last_attempt_id": last,
    }


def stat(number: int, dial_count: int) -> Any:
    return {
        "id": number,
        "project_id": "p",
        "phone_number": f"70{number}",
        "case_inserted_at": instant(-60),
        "counted_from": instant(-60),
        "dial_count": dial_count,
    }


def call(attempt_id: int, case_id: int, began: float, ended: float, **facts: Any) -> CallRecord:
    instants = {name: NINE + second for name, second in facts.items()}
    channel = f"c{attempt_id}"
    return CallRecord(f"70{case_id}", channel, NINE + began, "default", channel, ended=NINE + ended, **instants)


@dataclass
class Day:
    """Three people: one talks to an agent for ten seconds; one is busy and talks the second time; one waits."""

    calls: list[CallRecord] = field(
        default_factory=lambda: [
            call(1, 1, 0, 20, answered=5, connected=8),
            call(2, 2, 1, 3),
            call(3, 2, 30, 40, answered=32, connected=33),
        ]
    )
    attempts: list[Any] = field(
        default_factory=lambda: [
            attempt(1, 1, 0, 20, "ANSWERED used"),
            attempt(2, 2, 1, 3, "BUSY redial"),
            attempt(3, 2, 30, 40, "ANSWERED used"),
        ]
    )
    cases: list[Any] = field(
        default_factory=lambda: [
            case(1, used=True, last=1),
            case(2, used=True, last=3),
            case(3, used=False, last=None),
        ]
    )
    stat: dict[int, Any] = field(default_factory=lambda: {1: stat(1, 1), 2: stat(2, 2)})
    lines: dict[str, int] = field(default_factory=lambda: {"p": 2})
    trunk_lines: dict[tuple[str, str], int] = field(default_factory=lambda: {("default", "default"): 30})
    invariants: list[Any] = field(default_factory=list)
    in_hand: list[str] = field(default_factory=list)
    taken_away: list[Any] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def complaints(self) -> set[str]:
        books = Books(
            self.attempts,
            self.cases,
            self.stat,
            self.lines,
            self.trunk_lines,
            self.invariants,
            self.in_hand,
            self.taken_away,
        )
        return {complaint.kind for complaint in judge(self.calls, books, self.faults).complaints}

    def ends(self, attempt_id: int, **facts: Any) -> None:
        """The ledger says something else of an attempt."""
        self.attempts = [{**row, **facts} if row["id"] == attempt_id else row for row in self.attempts]

    def use(self, case_id: int, *, used: bool) -> None:
        """The case is used, or is not."""
        self.cases = [{**row, "used": used} if row["id"] == case_id else row for row in self.cases]


def replaced(day: Day) -> None:
    """A DBA gives the id of the first one to somebody else."""
    day.taken_away.append(day.cases[0])
    day.cases[0] = {**case(1, used=False, last=None), "phone_number": "799", "inserted_at": instant(15)}


def rung_by_a_stranger(day: Day) -> None:
    day.calls.append(call(9, 3, 50, 60))


def rung_twice_at_once(day: Day) -> None:
    day.attempts.append(attempt(4, 2, 35, 45, "NOANSWER redial"))
    day.calls.append(call(4, 2, 35, 45))


def rung_on_two_asterisks(day: Day) -> None:
    day.attempts.append(attempt(4, 1, 10, 15, "NOANSWER redial", asterisk="east"))
    day.calls.append(replace(call(4, 1, 10, 15), asterisk="east"))


def one_attempt_twice(day: Day) -> None:
    day.calls.append(replace(call(2, 2, 5, 6), call_id="again"))


def late_originate(day: Day) -> None:
    day.ends(2, ended_at=instant(0.5))


def said_unsent(day: Day) -> None:
    day.ends(2, outcome="CANCELLED", dialing_at=None, effect="back")


def other_asterisk(day: Day) -> None:
    day.ends(2, asterisk="east")


def never_rung(day: Day) -> None:
    del day.calls[1]


def answer_denied(day: Day) -> None:
    day.ends(3, outcome="NOANSWER")


def answer_invented(day: Day) -> None:
    day.ends(2, outcome="ABANDONED")


def agent_denied(day: Day) -> None:
    day.ends(3, outcome="ABANDONED")


def no_outcome(day: Day) -> None:
    day.ends(3, outcome=None, ended_at=None, effect=None, state="dialing")


def no_effect(day: Day) -> None:
    day.ends(3, effect=None)


def call_without_end(day: Day) -> None:
    day.calls[2] = replace(day.calls[2], ended=None)


def crowded_project(day: Day) -> None:
    day.lines["p"] = 1


def crowded_trunk(day: Day) -> None:
    day.trunk_lines["default", "default"] = 1


def case_goes_on(day: Day) -> None:
    day.ends(2, effect="used")


def case_waits_after_its_end(day: Day) -> None:
    day.use(2, used=False)


def case_is_forgotten(day: Day) -> None:
    day.use(3, used=True)


def redial_never_comes(day: Day) -> None:
    day.ends(3, outcome="BUSY", effect="redial")
    day.calls[2] = replace(day.calls[2], answered=None, connected=None)


def case_vanishes(day: Day) -> None:
    del day.cases[1]


def namesake_is_swallowed(day: Day) -> None:
    replaced(day)
    day.use(1, used=True)


def comes_back_and_is_rung_again(day: Day) -> None:
    day.taken_away.append(day.cases[0])
    day.attempts.append(attempt(4, 1, 50, 60, "ANSWERED used"))
    day.calls.append(call(4, 1, 50, 60, answered=52, connected=53))
    day.stat[1] = stat(1, 2)


def miscounted(day: Day) -> None:
    day.stat[2] = stat(2, 3)


def not_counted(day: Day) -> None:
    del day.stat[1]


def claimed(day: Day) -> None:
    day.in_hand.append("claim of case 3, attempt None")


def invariant_broken(day: Day) -> None:
    day.invariants.append({"kind": "two_live_attempts_of_a_case", "id": 1, "detail": "2 attempts"})


def talker_rung_again(day: Day) -> None:
    day.faults.append(Fault("worker killed", NINE + 15, NINE + 25))
    day.ends(1, outcome="LOST", effect="redial")
    day.attempts.append(attempt(4, 1, 26, 29, "BUSY used"))
    day.calls.append(call(4, 1, 26, 29))
    day.stat[1] = stat(1, 2)


def talker_forgotten(day: Day) -> None:
    day.faults.append(Fault("worker killed", NINE + 15, NINE + 25))
    day.ends(1, outcome="LOST", effect="used")


@pytest.mark.parametrize(
    ("breach", "kinds"),
    [
        (rung_by_a_stranger, {"call_without_attempt", "more_calls_than_attempts"}),
        (rung_twice_at_once, {"two_at_once", "case_twice", "count_disagrees", "case_lost"}),
        (rung_on_two_asterisks, {"two_at_once", "case_twice", "count_disagrees", "case_lost"}),
        (one_attempt_twice, {"two_calls_of_an_attempt", "more_calls_than_attempts", "rung_after_its_end"}),
        (late_originate, {"rung_after_its_end"}),
        (said_unsent, {"unsent_but_rung"}),
        (other_asterisk, {"rung_elsewhere"}),
        (never_rung, {"attempt_without_call"}),
        (answer_denied, {"wrong_outcome"}),
        (answer_invented, {"wrong_outcome"}),
        (agent_denied, {"wrong_outcome"}),
        (no_outcome, {"attempt_not_ended", "wrong_outcome", "case_lost", "count_disagrees"}),
        (no_effect, {"attempt_not_ended", "case_lost"}),
        (call_without_end, {"attempt_not_ended"}),
        (crowded_project, {"too_many_lines"}),
        (crowded_trunk, {"too_many_lines"}),
        (case_goes_on, {"case_twice"}),
        (case_waits_after_its_end, {"case_twice"}),
        (case_is_forgotten, {"case_lost"}),
        (redial_never_comes, {"case_lost"}),
        (case_vanishes, {"case_lost"}),
        (namesake_is_swallowed, {"case_lost"}),
        (comes_back_and_is_rung_again, {"case_twice"}),
        (miscounted, {"count_disagrees"}),
        (not_counted, {"count_disagrees"}),
        (claimed, {"left_in_hand"}),
        (invariant_broken, {"invariant"}),
        (talker_rung_again, {"talker_called_again"}),
        (talker_forgotten, {"wrong_outcome"}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_each_breach_of_the_promise_is_a_complaint(breach: Callable[[Day], None], kinds: set[str]) -> None:
    day = Day()
    assert day.complaints() == set()
    breach(day)
    assert day.complaints() == kinds


def test_a_witness_who_knows_no_channels_is_matched_by_number_and_time() -> None:
    day = Day()
    day.calls = [replace(one, channel_id=None, asterisk=None) for one in day.calls]
    assert day.complaints() == set()
    day.calls.append(replace(day.calls[1], call_id="stranger", began=NINE + 5, ended=NINE + 6))
    assert day.complaints() == {"two_calls_of_an_attempt", "more_calls_than_attempts", "rung_after_its_end"}


def test_a_dba_may_take_cases_away_and_give_their_ids_to_others() -> None:
    day = Day()
    replaced(day)
    assert day.complaints() == set()


def test_the_count_of_who_came_back_begins_after_the_call_of_who_had_the_id_meanwhile() -> None:
    day = Day()
    day.attempts.append(attempt(4, 2, 50, 60, "BUSY redial"))
    day.attempts.append(attempt(5, 2, 70, 80, "BUSY redial", brought_back=1))
    for row in day.attempts[-2:]:
        day.calls.append(call(row["id"], 2, 50 if row["id"] == 4 else 70, 60 if row["id"] == 4 else 80))
    day.attempts[3] |= {"phone_number": "799", "case_inserted_at": instant(45)}
    day.calls[3] = replace(day.calls[3], number="799")
    day.taken_away.append({**case(2, used=False, last=4), "phone_number": "799", "inserted_at": instant(45)})
    day.cases[1] = {**case(2, used=False, last=5), "brought_back": 1}
    day.stat[2] = {**stat(2, 1), "counted_from": instant(80)}
    assert day.complaints() == set()


def test_an_agent_whom_nobody_could_see_is_no_complaint() -> None:
    day = Day()
    agent_denied(day)
    day.faults.append(Fault("AMI cut", NINE + 32.5, NINE + 41))
    assert day.complaints() == set()


def test_a_talker_whose_talk_nobody_could_write_is_excused() -> None:
    day = Day()
    talker_rung_again(day)
    day.faults.append(Fault("database killed", NINE + 7, NINE + 30))
    assert day.complaints() == set()


def test_numbers_may_be_called_again_once_the_call_is_over() -> None:
    day = Day()
    day.calls[0] = replace(day.calls[0], ended=day.calls[2].began)
    assert day.complaints() == set()


@pytest.mark.parametrize(("answered", "kinds"), [(2.95, set()), (2.5, {"wrong_outcome"})])
def test_an_answer_just_before_asterisk_was_killed_is_heard_by_nobody(answered: float, kinds: set[str]) -> None:
    day = Day()
    day.calls[1] = replace(day.calls[1], answered=NINE + answered)
    day.ends(2, outcome="TECHNICAL", effect="back")
    assert day.complaints() == kinds
