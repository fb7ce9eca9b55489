"""What a turn of the dialling works on, made up: a database with cases, a session whose Asterisk takes every call."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from gevent.event import Event

from tests.support.facts import member, queue_params
from tests.support.fake_database import FakeDatabase, open_attempt
from worker.ami.actions import UnsafeAction
from worker.ami.errors import AmiRefused
from worker.ami.message import Message
from worker.asterisk.agents import Agents
from worker.asterisk.notices import CasesChanged, Notices, Obstacle
from worker.asterisk.session import Session
from worker.calls.call import Call
from worker.calls.ledger import Ledger
from worker.calls.tracker import Tracker
from worker.clock import VirtualClock
from worker.dialling.turns import Turns
from worker.errors import DatabaseUnavailable, StatementTimedOut
from worker.model import Begun, Outcome, Ownership
from worker.troubles import Troubles

START = 1_800_000_000.0
POLL = 5.0


class Cases(FakeDatabase):
    """Projects and their waiting cases, and what became of them."""

    def __init__(self) -> None:
        super().__init__()
        self.projects: dict[str, dict[str, Any]] = {}
        self.waiting: dict[str, list[int]] = {}
        self.claimed: dict[str, list[int]] = {}
        self.begun: list[tuple[str, int]] = []
        self.refuse: dict[int, tuple[str, datetime | None]] = {}
        """Refusals by case: reason and retry_at."""
        self.settled: list[str] = []
        """Projects that were asked for their state alone."""
        self.reports: list[tuple[str, str | None]] = []
        self.released: list[str | None] = []
        self.release_error: Exception | None = None
        self.answer_is_lost = False
        self.claim_is_lost = False
        self.hold: dict[str, Event] = {}
        """Claims of these projects take until the event."""
        self.hold_begin: dict[str, Event] = {}
        """Begins of these projects take until the event."""
        self.asked: list[list[int]] = []
        """The cases of each begin."""
        self.errors: dict[int, Exception] = {}
        """By case: what a begin with it runs into."""
        self.claim_errors: dict[str, Exception] = {}
        self.late_commits: set[str] = set()
        """Begins of these projects are given up just after their commit."""
        self.report_error: Exception | None = None
        self.slow_claims: set[str] = set()
        """Claims of these projects are given up."""

    def project(self, name: str, cases: int = 0, **changes: Any) -> None:
        first = 100 * (len(self.projects) + 1)
        self.waiting[name] = list(range(first, first + cases))
        self.projects[name] = {
            "project_id": name,
            "type": "progressive",
            "queue": "sales",
            "exten": None,
            "context": "progressive",
            "trunk": "default",
            "room": 30,
            "trunk_failing": False,
            "trunk_retry_at": None,
            "state": "running",
            "until_at": None,
            "unfit": False,
            "unfit_until": None,
            "dial_seconds": 30,
            "abandon_seconds": 2,
            "abandon_target": 3,
            "calls_per_agent": 10,
            "predictive_agents": 5,
            "dial_ratio": None,
            "amd": False,
            "priority": 0,
            **changes,
        }

    def call(  # noqa: PLR0912 - a routine a branch
        self, routine: str, *arguments: Any, timeout_seconds: float | None = None
    ) -> list[dict[str, Any]]:
        if routine == "dialer_work" and not self.down:
            self.calls.append(routine)
            return [{key: value for key, value in row.items() if key != "caller_id"} for row in self.projects.values()]
        if routine == "dialer_claim":
            self.calls.append(routine)
            project, count = arguments[3], arguments[4]
            if project in self.hold:
                self.hold[project].wait()
            if project in self.claim_errors:
                raise self.claim_errors[project]
            if count == 0:
                self.settled.append(project)
                return []
            if self.claim_is_lost:
                raise DatabaseUnavailable("of this test", "the connection broke")
            if project in self.slow_claims:
                raise StatementTimedOut("of this test", timeout_seconds or 0, "it took too long")
            taken, self.waiting[project] = self.waiting[project][:count], self.waiting[project][count:]
            self.claimed.setdefault(project, []).extend(taken)
            return [
                {"case_id": case, "kind": "fresh", "guarded": False, "dials": 0, "last_outcome": None} for case in taken
            ]
        if routine == "dialer_release":
            self.calls.append(routine)
            return self._release(arguments[2])
        if routine == "dialer_attempt_begin":
            self.calls.append(routine)
            project, requests = arguments[3], json.loads(arguments[4])
            self.asked.append([request["case_id"] for request in requests])
            if project in self.hold_begin:
                self.hold_begin[project].wait()
            for request in requests:
                if request["case_id"] in self.errors:
                    raise self.errors[request["case_id"]]
            rows = self._begin(project, requests)
            if project in self.late_commits:
                self._open(rows)
                raise StatementTimedOut("of this test", timeout_seconds or 0, "it took too long")
            return rows
        if routine == "dialer_project_report":
            if self.report_error is not None:
                raise self.report_error
            self.reports.append((arguments[3], arguments[4]))
            return []
        return super().call(routine, *arguments, timeout_seconds=timeout_seconds)

    def _release(self, project: str | None) -> list[dict[str, Any]]:
        if self.release_error is not None and project is not None:
            raise self.release_error
        self.released.append(project)
        for name in [project] if project else list(self.claimed):
            self.waiting.setdefault(name, [])[:0] = self.claimed.pop(name, [])
        return [{"dialer_release": 0}]

    def _begin(self, project: str, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = []
        for request in requests:
            case = request["case_id"]
            assert case in self.claimed[project], f"case {case} is begun without having been claimed"
            reason, retry_at = self.refuse.get(case, (None, None))
            if reason is None or reason not in ("no_line", "pacing"):
                self.claimed[project].remove(case)
            if reason is None:
                self.begun.append((project, case))
            rows.append(
                {
                    "case_id": case,
                    "attempt_id": None if reason else 1000 + case,
                    "refusal": reason,
                    "retry_at": retry_at,
                    "case_name": "",
                    "phone_number": f"7{case}",
                    "channel": f"PJSIP/7{case}@carrier",
                    "channel_id": request["channel_id"],
                    "action_id": request["action_id"],
                    "exten": None,
                    "context": "progressive",
                    "queue": self.projects[project]["queue"],
                    "caller_id": self.projects[project].get("caller_id"),
                    "dial_seconds": 30,
                    "abandon_seconds": 2,
                    "patience": None,
                    "amd": False,
                    "machine_action": "hangup",
                }
            )
        if self.answer_is_lost:
            self._open(rows)
            raise DatabaseUnavailable("of this test", "the connection broke")
        return rows

    def _open(self, rows: list[dict[str, Any]]) -> None:
        self.open = [
            open_attempt(
                row["attempt_id"], row["channel_id"], action_id=row["action_id"], epoch=9, case_id=row["case_id"]
            )
            for row in rows
            if row["attempt_id"]
        ]


@dataclass
class Lists:
    """The part of the AMI client that a turn uses: answers to ShowDialPlan and QueueStatus."""

    contexts: set[str] = field(default_factory=lambda: {"progressive", "autoinforming"})
    queues: set[str] = field(default_factory=set)
    error: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def ask_list(self, fields: list[tuple[str, str]]) -> list[Message]:
        values = dict(fields)
        self.asked.append(values["Action"])
        if self.error is not None:
            raise self.error
        if values["Action"] == "QueueStatus":
            return [queue_params(values["Queue"])] if values["Queue"] in self.queues else []
        if values["Context"] not in self.contexts:
            raise refused("Did not find context " + values["Context"])
        return [queue_params()]


def refused(text: str) -> AmiRefused:
    return AmiRefused("ShowDialPlan", Message(f"Response: Error\r\nMessage: {text}".encode()))


class FakeSession:
    """A session whose Asterisk takes every Originate; agents and calls are real."""

    def __init__(self, clock: VirtualClock, database: Cases) -> None:
        self.name = "default"
        self.owner = Ownership(4, "default", 9)
        self.notices = Notices()
        self.agents = Agents(clock.monotonic)
        self.troubles = Troubles(database.as_database(), clock, self.owner)
        self.ledger = Ledger(database.as_database(), clock, self.owner, self.troubles)
        self.tracker = Tracker(clock.monotonic, self)
        self.over: list[Call] = []
        self.ready = True
        self.client = Lists()
        self.sent: list[Begun] = []
        self.given_up: list[Begun] = []
        self.unsafe: set[str | None] = set()
        """Caller ids that cannot be sent."""

    def stepped(self, call: Call) -> None:
        self.ledger.stepped(call)

    def ended(self, call: Call) -> None:
        self.over.append(call)
        self.ledger.ended(call)

    def opted_out(self, call: Call) -> None:
        self.ledger.opted_out(call)

    def astray(self, project_id: str, why: str) -> None:
        self.notices.put(Obstacle(project_id, why))

    def waits(self) -> None:
        pass

    def forget_ends(self) -> None:
        """Nobody is told how calls have ended."""
        self.over.clear()
        self.ledger._lanes.clear()

    def originate(self, begun: Begun) -> bool:
        call = self.tracker.begin(begun)
        if begun.caller_id in self.unsafe:
            self.tracker.unsent(call, "an AMI line is too long", Outcome.FAILED)
            raise UnsafeAction("an AMI line is too long")
        self.sent.append(begun)
        self.tracker.sent(call)
        return True

    def give_up(self, begun: Begun, why: str) -> None:
        self.given_up.append(begun)
        self.tracker.unsent(self.tracker.begin(begun), why)


class Lab:
    def __init__(self, database: Cases | None = None) -> None:
        self.clock = VirtualClock(START)
        self.database = database or Cases()
        self.session = FakeSession(self.clock, self.database)
        self.may_dial = True
        self.turns = Turns(
            cast("Session", self.session),
            self.database.as_database(),
            self.clock,
            lambda: self.may_dial,
            POLL,
        )

    def staff(self, count: int, *queues: str) -> None:
        """So many free agents, each of them in all of these queues."""
        items = []
        for queue in queues or ("sales",):
            items.append(queue_params(queue))
            items += [member("QueueMember", f"PJSIP/agent{number}", queue=queue) for number in range(count)]
        self.session.agents.replace_all(items)

    def turn(self) -> float:
        return self.turns.turn()

    def changed(self, project: str) -> None:
        """The database says that cases of a project have changed, which wakes a turn."""
        self.session.notices.put(CasesChanged(project))
        self.turn()

    def cases(self) -> list[int]:
        """Cases that were dialled, in order."""
        return [begun.case_id for begun in self.session.sent]

    def pass_time(self, seconds: float) -> None:
        self.clock.run_until(self.clock.time() + seconds)

    def at(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(self.clock.time() + seconds, UTC)

    def troubles(self) -> dict[tuple[str, str, str], str]:
        """What readers of the database see, by kind, subject and step."""
        self.session.troubles.write()
        told = {trouble[:3]: trouble[3] for trouble in self.database.troubles}
        return {trouble: detail for trouble, detail in told.items() if detail is not None}

    def end_calls(self) -> None:
        for call in list(self.session.tracker.calls()):
            self.session.tracker.unsent(call, "over")
        self.session.forget_ends()
