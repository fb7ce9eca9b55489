"""The judge of a day with faults: a switch's own record of its calls against the ledger.

    verdict = judge(calls, Books.read(sql), faults)
    assert not verdict.complaints, verdict

Two witnesses who do not know each other: `calls` come from whoever rang the subscribers (the call log of the
simulated Asterisk, or SIPp), the books from the database. The judge is asked when all is over: no call up, no
attempt open. All instants are seconds since 1970, by clocks that agree (one machine).

What it holds against the dialer (`Complaint.kind`):

    call_without_attempt       a subscriber was rung, and no attempt stands for it
    two_calls_of_an_attempt    one attempt, rung twice
    more_calls_than_attempts   of a number
    two_at_once                a number was rung while another call to it was up, on whatever Asterisk
    rung_after_its_end         the ledger had closed the attempt when its call began
    unsent_but_rung            the ledger says that it was never sent, or no channel was made
    rung_elsewhere             other number or Asterisk than its attempt says
    attempt_without_call       its outcome tells of a call that nobody has seen
    wrong_outcome              what the ledger says of the answer cannot be
    too_many_lines             of a project or a trunk, at some instant
    talker_called_again        who was talking when something died was rung again for it
    attempt_not_ended          no outcome, no effect on its case, or an outcome without an end
    case_lost, case_twice      a case that is neither used nor waiting, or is both; or went on after its last call;
                               or has gone though no DBA took it away
    count_disagrees            dial_count is not the number of calls in the ledger
    left_in_hand               claims or lines that nobody needs any more
    invariant                  a row of dialer_invariants
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from operator import attrgetter
from typing import Any

Row = Mapping[str, Any]
Sql = Callable[[str], Sequence[Row]]
Identity = tuple[Any, ...]
"""Who a case is: id, project_id, phone_number, inserted_at. Another one may get its id when a DBA takes it away."""

SLACK = 0.1
"""Seconds by which two witnesses of one instant may differ."""
KNOWN_SECONDS = 1.0
"""After a person and an agent were connected, the ledger has that long to know it, if nothing is broken then."""

# Outcomes that tell of a call which a subscriber's network has seen.
_RUNG = {"ANSWERED", "ABANDONED", "EARLY_HANGUP", "MACHINE", "BUSY", "NOANSWER", "REJECTED", "INVALID", "CONGESTION"}
_ANSWERED = {"ANSWERED", "ABANDONED", "EARLY_HANGUP", "MACHINE"}
# Of these nobody claims to know whether the call was answered.
_UNKNOWN = {"LOST"}


@dataclass(frozen=True)
class CallRecord:
    """One call as the one who was rung has it."""

    number: str
    call_id: str
    """The witness's own name for it: ChannelId, or SIP's Call-ID."""
    began: float
    asterisk: str | None = None
    """None: the witness cannot tell."""
    channel_id: str | None = None
    """dialer_attempts.channel_id; None (SIPp): the judge finds the attempt by number and time."""
    answered: float | None = None
    connected: float | None = None
    """When an agent came; None: none did, or the witness cannot tell."""
    ended: float | None = None
    """None: it is up still."""


@dataclass(frozen=True)
class Fault:
    """Something was dead or cut from `at` to `until` (until it served again)."""

    kind: str
    at: float
    until: float

    def touches(self, first: float, last: float) -> bool:
        """Was it broken at any time between the two?"""
        return self.at <= last and self.until >= first


@dataclass(frozen=True)
class Complaint:
    """One thing that must not be."""

    kind: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


@dataclass
class Verdict:
    """What was found, and how much was looked at."""

    complaints: list[Complaint] = field(default_factory=list)
    calls: int = 0
    attempts: int = 0
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    talked_through: int = 0
    """Calls whose two people were talking when something died."""
    excused: int = 0
    """Of those: nobody can have written that they talked, for the way to the ledger was broken then."""
    unseen: int = 0
    """Calls whose agent nobody saw, because something was broken from the agent's coming to the end."""

    def __str__(self) -> str:
        kinds = Counter(complaint.kind for complaint in self.complaints)
        head = (
            f"{self.calls} calls, {self.attempts} attempts, {self.cases} cases; {self.talked_through} calls talked"
            f" through a fault ({self.excused} of them excused), {self.unseen} with an agent whom nobody saw;"
            f" {dict(self.outcomes)}"
        )
        if not self.complaints:
            return f"{head}; no complaint"
        shown = "\n  ".join(str(complaint) for complaint in self.complaints[:40])
        return f"{head}; {len(self.complaints)} complaints {dict(kinds)}:\n  {shown}"


@dataclass(frozen=True)
class Books:
    """What the database says, read when all is over."""

    attempts: Sequence[Row]
    cases: Sequence[Row]
    stat: Mapping[int, Row]
    """By case id."""
    lines: Mapping[str, int]
    """Of projects that have a limit."""
    trunk_lines: Mapping[tuple[str, str], int]
    """By (trunk, asterisk)."""
    invariants: Sequence[Row]
    in_hand: Sequence[str]
    """What stands in dialer_claims and dialer_live."""
    taken_away: Sequence[Row] = ()
    """Cases that a DBA has deleted, as they were."""

    @classmethod
    def read(cls, sql: Sql, taken_away: Sequence[Row] = ()) -> Books:
        """`sql` runs a statement in a session whose zone is UTC; its rows as mappings."""
        claims = sql("SELECT case_id, attempt_id FROM dialer_claims")
        live = sql("SELECT number, attempt_id FROM dialer_live")
        return cls(
            attempts=sql("SELECT attempt_id AS id, a.* FROM dialer_stat_attempt a ORDER BY attempt_id"),
            cases=sql(
                "SELECT id, project_id, phone_number, inserted_at, used, checked, call_back, deferred_time,"
                " deferred_done, brought_back, last_attempt_id FROM dialer_clients"
            ),
            stat={
                row["id"]: row
                for row in sql(
                    "SELECT id, project_id, phone_number, case_inserted_at, dial_count, counted_from FROM dialer_stat"
                )
            },
            lines={
                row["project_id"]: row["max_lines"]
                for row in sql("SELECT project_id, dialer_rules.lines AS max_lines FROM dialer_rules")
                if row["max_lines"]
            },
            trunk_lines={
                (row["trunk"], row["asterisk"]): row["max_lines"]
                for row in sql("SELECT trunk, asterisk, max_lines FROM dialer_trunks")
            },
            invariants=sql("SELECT kind, id, detail FROM dialer_invariants"),
            in_hand=[
                *(f"claim of case {row['case_id']}, attempt {row['attempt_id']}" for row in claims),
                *(f"line of {row['number']}, attempt {row['attempt_id']}" for row in live),
            ],
            taken_away=taken_away,
        )


def seconds(instant: datetime) -> float:
    """Seconds since 1970; MariaDB's naive instants are in our session's zone, UTC."""
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def judge(calls: Iterable[CallRecord], books: Books, faults: Sequence[Fault] = ()) -> Verdict:
    """All complaints; an empty list is the promise kept."""
    records = sorted(calls, key=attrgetter("began"))
    found = Verdict(calls=len(records), attempts=len(books.attempts), cases=len(books.cases))
    found.outcomes = Counter(str(row["outcome"]) for row in books.attempts)
    matched, unmatched = match(records, books.attempts)
    complaints = found.complaints
    complaints += _strangers(unmatched)
    complaints += _counts(records, books.attempts)
    complaints += _at_once(records)
    for row in books.attempts:
        calls_of_it = matched.get(row["id"], [])
        complaints += _attempt(row, calls_of_it)
        for call in calls_of_it:
            complaints += _agent_unknown(row, call, faults, found)
    complaints += _cases(books)
    complaints += _lines(matched, books)
    complaints += _talkers(matched, books, faults, found)
    complaints += [Complaint("left_in_hand", one) for one in books.in_hand]
    complaints += [Complaint("invariant", f"{row['kind']} {row['id']}: {row['detail']}") for row in books.invariants]
    return found


# --- which call is which attempt's -------------------------------------------------------------------------------


def match(calls: Sequence[CallRecord], attempts: Sequence[Row]) -> tuple[dict[int, list[CallRecord]], list[CallRecord]]:
    """Calls by their attempt's id, and those that belong to none; `calls` in the order of their beginnings.

    By channel_id where the witness knows it. Else by number: a call is that of the last attempt begun before it.
    """
    by_channel = {row["channel_id"]: row for row in attempts}
    by_number: dict[str, list[Row]] = defaultdict(list)
    for row in attempts:
        by_number[row["phone_number"]].append(row)
    begun = {number: [seconds(row["begun_at"]) for row in rows] for number, rows in by_number.items()}
    matched: dict[int, list[CallRecord]] = {}
    unmatched: list[CallRecord] = []
    for call in calls:
        found: Row | None
        if call.channel_id is not None:
            found = by_channel.get(call.channel_id)
        else:
            place = bisect_right(begun.get(call.number, []), call.began + SLACK)
            found = by_number[call.number][place - 1] if place else None
        if found is None:
            unmatched.append(call)
        else:
            matched.setdefault(found["id"], []).append(call)
    return matched, unmatched


def _strangers(calls: Iterable[CallRecord]) -> Iterator[Complaint]:
    for call in calls:
        yield Complaint("call_without_attempt", f"{call}")


def _counts(calls: Iterable[CallRecord], attempts: Iterable[Row]) -> Iterator[Complaint]:
    rung = Counter(call.number for call in calls)
    recorded = Counter(row["phone_number"] for row in attempts)
    for number, count in rung.items():
        if count > recorded[number]:
            yield Complaint("more_calls_than_attempts", f"{number}: {count} calls, {recorded[number]} attempts")


def _at_once(calls: Iterable[CallRecord]) -> Iterator[Complaint]:
    by_number: dict[str, list[CallRecord]] = defaultdict(list)
    for call in calls:
        by_number[call.number].append(call)
    for same in by_number.values():
        for first, second in pairwise(same):
            if first.ended is None or first.ended > second.began:
                yield Complaint("two_at_once", f"{first} had not ended when {second} came")


# --- each attempt ------------------------------------------------------------------------------------------------


def _attempt(row: Row, calls: Sequence[CallRecord]) -> Iterator[Complaint]:
    name = _name(row)
    if row["outcome"] is None or row["ended_at"] is None or row["effect"] is None:
        yield Complaint("attempt_not_ended", name)
    if len(calls) > 1:
        yield Complaint("two_calls_of_an_attempt", f"{name}: {calls}")
    if not calls and row["outcome"] in _RUNG:
        yield Complaint("attempt_without_call", name)
    for call in calls:
        yield from _agree(row, call, name)


def _agree(row: Row, call: CallRecord, name: str) -> Iterator[Complaint]:
    """Does the ledger say of this call what the one who was rung says?"""
    outcome = row["outcome"]
    if row["ended_at"] is not None and call.began > seconds(row["ended_at"]) + SLACK:
        yield Complaint("rung_after_its_end", f"{name}: {call}")
    if outcome == "FAILED" or (outcome == "CANCELLED" and row["dialing_at"] is None):
        yield Complaint("unsent_but_rung", f"{name}: {call}")
    said = (row["phone_number"], call.asterisk and row["asterisk"])
    if said != (call.number, call.asterisk):
        yield Complaint("rung_elsewhere", f"{name}: {call}")
    if call.answered is None and outcome in _ANSWERED:
        yield Complaint("wrong_outcome", f"{name}: nobody answered {call}")
    # What an Asterisk had just begun to tell when it was killed nobody hears.
    unheard = outcome == "TECHNICAL" and call.answered and call.ended and call.ended - call.answered <= SLACK
    if call.answered is not None and outcome not in _ANSWERED | _UNKNOWN and not unheard:
        yield Complaint("wrong_outcome", f"{name}: somebody answered {call}")
    if call.ended is None:
        yield Complaint("attempt_not_ended", f"{name}: its call is still up, {call}")


def _agent_unknown(row: Row, call: CallRecord, faults: Sequence[Fault], found: Verdict) -> Iterator[Complaint]:
    """A call without an agent in the ledger had none, or nobody saw the call from then on."""
    if call.connected is None or row["outcome"] not in ("ABANDONED", "EARLY_HANGUP"):
        return
    # What was seen just before the fault may not have been written.
    if call.ended is not None and any(fault.touches(call.connected, call.ended + KNOWN_SECONDS) for fault in faults):
        found.unseen += 1
        return
    yield Complaint("wrong_outcome", f"{_name(row)}: an agent was there for {call}")


# --- each case ---------------------------------------------------------------------------------------------------


def _identity(case: Row) -> Identity:
    return (case["id"], case["project_id"], case["phone_number"], case["inserted_at"])


def _dialled(row: Row) -> Identity:
    """The case that an attempt, or a row of dialer_stat by its own name for the id, is about."""
    case_id = row["case_id"] if "case_id" in row else row["id"]
    return (case_id, row["project_id"], row["phone_number"], row["case_inserted_at"])


def _cases(books: Books) -> Iterator[Complaint]:
    by_case: dict[Identity, list[Row]] = defaultdict(list)
    for row in books.attempts:
        by_case[_dialled(row)].append(row)
    namesakes = Counter(identity[0] for identity in by_case)
    cases = {_identity(row): row for row in books.cases}
    for identity in by_case.keys() - cases.keys() - {_identity(row) for row in books.taken_away}:
        yield Complaint("case_lost", f"case {identity[0]} has attempts and is not there")
    for identity, case in cases.items():
        attempts = by_case[identity]
        yield from _case(case, attempts)
        # The count begins anew when a case comes back of whose id another one has been dialled meanwhile.
        stat = books.stat.get(case["id"])
        if stat is not None and _dialled(stat) == identity:
            counted, since = stat["dial_count"], stat["counted_from"]
        elif namesakes[case["id"]] > bool(attempts):
            continue
        else:
            counted, since = 0, None
        ended = [row for row in attempts if row["ended_at"] is not None]
        recorded = sum(row["outcome"] != "FAILED" and (since is None or row["ended_at"] >= since) for row in ended)
        if counted != recorded:
            yield Complaint(
                "count_disagrees", f"case {case['id']}: dial_count {counted}, {recorded} calls in the ledger"
            )


def _case(case: Row, attempts: Sequence[Row]) -> Iterator[Complaint]:
    """Used for a reason, or waiting; never on after a call that was to be the last one."""
    name = f"case {case['id']} of {case['project_id']} (used {bool(case['used'])}, {case['phone_number']})"
    if case["checked"]:
        yield Complaint("left_in_hand", f"{name} is checked")
    history = ", ".join(f"{row['id']} {row['outcome']}/{row['effect']}" for row in attempts)
    for row, following in pairwise(attempts):
        if row["ended_at"] is None or seconds(following["begun_at"]) < seconds(row["ended_at"]):
            yield Complaint("case_twice", f"{name}: attempt {following['id']} began before {row['id']} ended")
        if row["effect"] == "used" and row["brought_back"] == following["brought_back"]:
            yield Complaint("case_twice", f"{name} went on after it was used: {history}")
    last = attempts[-1] if attempts else None
    ended = last is not None and last["effect"] == "used"
    if ended and not case["used"] and last is not None and last["brought_back"] == case["brought_back"]:
        yield Complaint("case_twice", f"{name} waits after it was used: {history}")
    # A DBA's hand in the case shows as 'kept'.
    if case["used"] and not ended and (last is None or last["effect"] != "kept"):
        yield Complaint("case_lost", f"{name} is used, and no call of it says why: {history or 'no attempt'}")


# --- limits ------------------------------------------------------------------------------------------------------


def _lines(matched: Mapping[int, Sequence[CallRecord]], books: Books) -> Iterator[Complaint]:
    """Calls up at once, by the witness's instants, against the limits of projects and trunks."""
    of_project: dict[str, list[CallRecord]] = defaultdict(list)
    of_trunk: dict[tuple[str, str], list[CallRecord]] = defaultdict(list)
    for row in books.attempts:
        calls = matched.get(row["id"], [])
        of_project[row["project_id"]] += calls
        of_trunk[row["trunk"], row["asterisk"]] += calls
    for project, limit in books.lines.items():
        yield from _crowds(f"project {project}", of_project[project], limit)
    for (trunk, asterisk), limit in books.trunk_lines.items():
        yield from _crowds(f"trunk {trunk} of {asterisk}", of_trunk[trunk, asterisk], limit)


def _crowds(whose: str, calls: Iterable[CallRecord], limit: int) -> Iterator[Complaint]:
    up: list[float] = []
    for call in sorted(calls, key=attrgetter("began")):
        while up and up[0] <= call.began:
            heapq.heappop(up)
        heapq.heappush(up, float("inf") if call.ended is None else call.ended)
        if len(up) > limit:
            yield Complaint("too_many_lines", f"{whose}: {len(up)} calls, {limit} lines at {call.began:.3f}: {call}")


# --- who was talking when something died -------------------------------------------------------------------------


def _talkers(
    matched: Mapping[int, Sequence[CallRecord]], books: Books, faults: Sequence[Fault], found: Verdict
) -> Iterator[Complaint]:
    """Nobody who was talking when something died is rung again for it.

    Excused are those of whom nobody can know it: something was broken when their talk began already, and it had
    ended when that was over.
    """
    if not faults:
        return
    later: dict[Identity, Row] = {}
    following: dict[int, Row] = {}
    for row in reversed(books.attempts):
        if _dialled(row) in later:
            following[row["id"]] = later[_dialled(row)]
        later[_dialled(row)] = row
    for row in books.attempts:
        for call in matched.get(row["id"], []):
            talking = call.answered if row["type"] == "autoinforming" else call.connected
            if talking is None or call.ended is None:
                continue
            known = talking + KNOWN_SECONDS
            if not any(talking < fault.at < call.ended for fault in faults):
                continue
            found.talked_through += 1
            again = following.get(row["id"])
            if row["outcome"] == "ANSWERED" and again is None:
                continue
            if known > call.ended or any(fault.touches(talking, known) for fault in faults):
                found.excused += 1
                continue
            yield Complaint(
                "talker_called_again" if again is not None else "wrong_outcome",
                f"{_name(row)}: {call}" + ("" if again is None else f", then {_name(again)}"),
            )


def _name(row: Row) -> str:
    return (
        f"attempt {row['id']} of case {row['case_id']} ({row['project_id']}, {row['phone_number']} on"
        f" {row['asterisk']}, {row['state']} {row['outcome']}/{row['effect']}, begun {seconds(row['begun_at']):.3f})"
    )
