"""Calls of the simulated switch, the queues that they wait in, and the members who take them. No I/O, no timers.

Queues are the part of app_queue that an outbound dialer meets: strategy rrmemory, ringinuse no, joinempty yes, autofill
yes. A *device* is an agent's telephone, whose state all queues share; a *member* is that device in one queue, with its
own pause, wrap-up and statistics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from simulator.call_log import LoggedCall
from simulator.engine import Timer
from simulator.people import AgentBehaviour, Behaviour
from simulator.scenario import Agent, Queue
from simulator.switch.events import Channel


@dataclass(frozen=True, slots=True)
class OriginateRequest:
    """What an Originate asks for, checked for syntax."""

    action_id: str  # a whole line or empty
    dial: str
    context: str
    exten: str
    timeout: float
    number: str  # of the CallerID, '<unknown>' if none
    person: str
    account: str
    channel_id: str
    variables: Mapping[str, str]

    @property
    def caller(self) -> str:
        """The lines of OriginateResponse."""
        return f"CallerIDNum: {self.number}\r\nCallerIDName: {self.person}\r\n"


class SwitchCall:
    """One originated call."""

    __slots__ = (
        "application", "behaviour", "channel", "data", "entry", "log", "message", "number", "offer", "offers",
        "ordinal", "other", "over", "request", "rounds", "stage", "timers", "trunk", "up",
    )  # fmt: skip

    def __init__(
        self, request: OriginateRequest, number: str, ordinal: int, *, behaviour: Behaviour, channel: Channel
    ) -> None:
        self.request = request
        self.number = number
        self.ordinal = ordinal
        self.behaviour = behaviour
        self.channel = channel
        self.trunk = ""
        self.other: Channel | None = None  # ;2 of a Local channel
        self.application = self.data = ""
        self.message = 0.0  # length of the one that is played, in seconds
        self.offers: dict[str, str] = {}  # the keys that it offers: for opt_out, agent or repeat
        self.rounds = 0  # how often it was played
        self.up = False
        self.over = False
        self.entry: QueueEntry | None = None
        self.offer: Offer | None = None
        self.stage: Timer | None = None  # the next step of dialling or of the message
        self.timers: list[Timer] = []
        self.log: LoggedCall | None = None

    def chance(self, step: int) -> float:
        """A uniform number for the race at `step`, from the one number the draw gave."""
        return (self.behaviour.order * (7919 + 2 * step) + step * 0.618) % 1.0

    def cancel(self) -> None:
        """Cancel everything planned for this call."""
        if self.stage is not None:
            self.stage.cancel()
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


@dataclass(slots=True, eq=False)
class Offer:
    """An agent's leg of a call."""

    call: SwitchCall
    entry: QueueEntry
    member: Member
    channel: Channel
    agent: AgentBehaviour
    began: float
    connected: float | None = None
    hold: int = 0
    timer: Timer | None = None


#: Device states as QueueMemberStatus names them.
UNKNOWN, NOT_IN_USE, IN_USE, UNAVAILABLE, RINGING = 0, 1, 2, 5, 6


class Device:
    """An agent's telephone and whether it is in use. `known`: Asterisk knows its state."""

    def __init__(self, agent: Agent, telephone: str = "", *, known: bool = True) -> None:
        self.agent = agent
        self.telephone = telephone or agent.interface
        self.known = known
        self.members: list[Member] = []
        self.present = agent.present
        self.state = NOT_IN_USE if agent.present else UNAVAILABLE
        # The state last reported to the world: the queues know of an offer a little before it rings.
        self.shown = self.state if known else UNKNOWN
        # Why its agent has paused: to write a note, for a break.
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
        """Update the queue's set of members that it may ring. Call it after every change of this member."""
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
class QueueEntry:
    """A caller in a queue."""

    call: SwitchCall
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
        self.entries: list[QueueEntry] = []
        self.next_member = 0  # where rrmemory goes on
        self.completed = 0
        self.abandoned = 0
        self.hold_time = 0
        self.talk_time = 0

    def position(self, entry: QueueEntry) -> int:
        """Its place, from 1."""
        return self.entries.index(entry) + 1

    def member(self, interface: str) -> Member | None:
        return next((member for member in self.members if member.interface == interface), None)

    def in_turn(self) -> Iterator[QueueEntry]:
        """The callers who may be offered now: as many from the head as members are ready."""
        places = len(self.ready)
        for entry in self.entries:
            if places <= 0:
                return
            if not entry.being_offered:
                places -= 1
                yield entry

    def choose(self, tried: Sequence[Member]) -> Member | None:
        """The next ready member not tried in this round: round robin, beginning after the one rung last."""
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
