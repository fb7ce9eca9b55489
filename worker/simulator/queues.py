"""Queues and their members: the part of app_queue that an outbound dialer meets. No I/O, no timers.

Strategy rrmemory, ringinuse no, joinempty yes, autofill yes. A *device* is an agent's telephone, whose state
all queues share; a *member* is that device in one queue, with its own pause, wrap-up and statistics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.simulator.scenario import Agent, Queue

if TYPE_CHECKING:
    from worker.simulator.calls import Call

#: Device states as QueueMemberStatus names them.
UNKNOWN, NOT_IN_USE, IN_USE, UNAVAILABLE, RINGING = 0, 1, 2, 5, 6


class Device:
    """An agent's telephone and whether it is in use. `known`: Asterisk is told so."""

    def __init__(self, agent: Agent, telephone: str = "", *, known: bool = True) -> None:
        self.agent = agent
        self.telephone = telephone or agent.interface
        self.known = known
        self.members: list[Member] = []
        self.present = agent.present
        self.state = NOT_IN_USE if agent.present else UNAVAILABLE
        # What was last told to the world: an offer is known a little before its ringing.
        self.shown = self.state if known else UNKNOWN
        # Why its agent has paused: a note to be written, a break.
        self.wrapping = False
        self.on_break = False

    def set_state(self, state: int) -> None:
        """In use, ringing, free: the queues know at once, the world when `shown` follows."""
        self.state = state
        for member in self.members:
            member.refresh()


class Member:
    """A device in a queue."""

    def __init__(self, queue: CallQueue, device: Device, membership: str, now: float, interface: str = "") -> None:
        self.queue = queue
        self.device = device
        self.name = device.agent.member_name
        self.interface = interface or device.agent.interface
        self.membership = membership
        self.paused = device.agent.paused
        self.pause_reason = ""
        self.calls_taken = 0
        self.last_call = 0
        self.last_pause = int(now) if self.paused else 0
        self.login_time = int(now)
        self.in_call = 0
        self.wrapping = False  # within wrapuptime of its last call
        self.penalty = 0

    def refresh(self) -> None:
        """Keep the queue's set of members that it may ring. To be called after every change of this one."""
        free = self.device.state == NOT_IN_USE
        if free and not (self.paused or self.in_call or self.wrapping):
            self.queue.ready.add(self)
        else:
            self.queue.ready.discard(self)

    def event_body(self) -> str:
        """The fields of QueueMemberStatus, -Pause, -Added and -Removed."""
        return (
            f"Queue: {self.queue.spec.name}\r\nMemberName: {self.name}\r\nInterface: {self.interface}\r\n"
            f"StateInterface: {self.device.telephone}\r\n"
            f"Membership: {self.membership}\r\nPenalty: {self.penalty}\r\n"
            f"CallsTaken: {self.calls_taken}\r\n"
            f"LastCall: {self.last_call}\r\nLastPause: {self.last_pause}\r\n"
            f"LoginTime: {self.login_time}\r\nInCall: {self.in_call}\r\nStatus: {self.device.shown}\r\n"
            f"Paused: {int(self.paused)}\r\nPausedReason: {self.pause_reason}\r\nRinginuse: 0\r\n"
            f"Wrapuptime: {self.queue.spec.wrapuptime}\r\n"
        )

    def list_item(self, action_id: str) -> str:
        """This member in the answer to QueueStatus."""
        return (
            f"Event: QueueMember\r\nQueue: {self.queue.spec.name}\r\nName: {self.name}\r\n"
            f"Location: {self.interface}\r\nStateInterface: {self.device.telephone}\r\n"
            f"Membership: {self.membership}\r\n"
            f"Penalty: {self.penalty}\r\nCallsTaken: {self.calls_taken}\r\nLastCall: {self.last_call}\r\n"
            f"LastPause: {self.last_pause}\r\nLoginTime: {self.login_time}\r\nInCall: {self.in_call}\r\n"
            f"Status: {self.device.shown}\r\nPaused: {int(self.paused)}\r\n"
            f"PausedReason: {self.pause_reason}\r\n"
            f"Wrapuptime: {self.queue.spec.wrapuptime}\r\n{action_id}\r\n"
        )


@dataclass(slots=True, eq=False)
class Entry:
    """A caller in a queue."""

    call: Call
    queue: CallQueue
    joined: float
    original_position: int
    being_offered: bool = False  # a member's telephone rings for it, or its retry pause runs
    offers: int = 0
    tried: list[Member] = field(default_factory=list)  # members rung in this round
    tick_set: bool = False
    expires: float = math.inf  # the second (since 1970) at which the queue lets it go
    wake_at: float = 0.0  # when it last looked whether it was its turn (the clock's monotonic time)


class CallQueue:
    """One queue: members in the order of queues.conf, callers in the order of joining."""

    def __init__(self, spec: Queue) -> None:
        self.spec = spec
        self.members: list[Member] = []
        self.ready: set[Member] = set()
        self.entries: list[Entry] = []
        self.next_member = 0  # where rrmemory goes on
        self.completed = 0
        self.abandoned = 0
        self.hold_time = 0
        self.talk_time = 0

    def position(self, entry: Entry) -> int:
        """Its place, from 1."""
        return self.entries.index(entry) + 1

    def member(self, interface: str) -> Member | None:
        return next((member for member in self.members if member.interface == interface), None)

    def in_turn(self) -> Iterator[Entry]:
        """The callers who may be offered now: as many from the head as members are ready."""
        places = len(self.ready)
        for entry in self.entries:
            if places <= 0:
                return
            if not entry.being_offered:
                places -= 1
                yield entry

    def choose(self, tried: Sequence[Member]) -> Member | None:
        """The next ready member not tried in this round, round robin from the one after the last rung."""
        if not self.ready:
            return None
        count = len(self.members)
        for step in range(count):
            member = self.members[(self.next_member + step) % count]
            if member in self.ready and member not in tried:
                self.next_member = (self.next_member + step + 1) % count
                return member
        return None

    def note_hold(self, seconds: int) -> None:
        """The running mean of app_queue (recalc_holdtime): a quarter of the new, three of the old."""
        self.hold_time = ((self.hold_time << 2) - self.hold_time + seconds) >> 2

    def note_talk(self, seconds: int) -> None:
        self.talk_time = ((self.talk_time << 2) - self.talk_time + seconds) >> 2
