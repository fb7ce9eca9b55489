"""Calls of the simulated switch, and the races of Asterisk's threads as weighted orders of their events.

Letters: N Newchannel, R Newstate Ringing, S DialState, U Newstate Up, D DialEnd, O OriginateResponse,
Q QueueCallerJoin, A AgentConnect, H Hangup (h: of the agent's leg), L QueueCallerLeave, B QueueCallerAbandon and L,
M QueueMemberStatus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from worker.simulator.behaviour import AgentBehaviour, Behaviour
from worker.simulator.engine import Timer
from worker.simulator.events import Channel
from worker.simulator.queues import Entry, Member

Weighted = Sequence[tuple[float, str]]


def shares(counts: Mapping[str, int]) -> Weighted:
    """Cumulated shares of the orders, from how often each was seen."""
    total, sum_ = sum(counts.values()), 0
    shares = []
    for order, count in counts.items():
        sum_ += count
        shares.append((sum_ / total, order))
    return shares


def pick(orders: Weighted, u: float) -> str:
    """The order that `u`, uniform in 0 to 1, falls upon."""
    for share, order in orders:
        if u < share:
            return order
    return orders[-1][1]


@dataclass(slots=True)
class SimCall:
    """One call in the carrier's own log. Instants are seconds since 1970, None: it did not happen."""

    number: str
    channel_id: str
    begun: float
    behaviour: str
    trunk: str
    ringing: float | None = None
    answered: float | None = None
    agent: str | None = None
    connected: float | None = None
    played: bool = False
    machine: bool = False  # what has answered, whatever AMD() says
    verdict: str = ""  # AMD()'s
    judged: float | None = None
    let_go: float | None = None  # by the queue, whose patience was over
    ended: float | None = None
    cause: int | None = None
    ended_by: str = ""  # subscriber, agent, dialer, switch, timeout, carrier


@dataclass(slots=True)
class Statistics:
    """What has happened since the start."""

    originated: int = 0
    without_channel: int = 0
    ringing: int = 0
    answered: int = 0
    queued: int = 0
    connected: int = 0
    abandoned: int = 0
    let_go: int = 0  # of them, by the queue: they hear the safe-harbour message, or are hung up on
    played: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    ended: int = 0
    channels: int = 0
    channels_peak: int = 0
    events: int = 0
    causes: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OriginateRequest:
    """What an Originate asks, checked for syntax."""

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


class Call:
    """One originated call."""

    __slots__ = (
        "application", "behaviour", "channel", "data", "entry", "log", "number", "offer", "ordinal", "other",
        "over", "request", "stage", "timers", "trunk", "up",
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
        self.up = False
        self.over = False
        self.entry: Entry | None = None
        self.offer: Offer | None = None
        self.stage: Timer | None = None  # the next step of dialling or of the message
        self.timers: list[Timer] = []
        self.log: SimCall | None = None

    def chance(self, step: int) -> float:
        """A uniform number for the race at `step`, from the one number the draw gave."""
        return (self.behaviour.order * (7919 + 2 * step) + step * 0.618) % 1.0

    def cancel(self) -> None:
        """Nothing of what was planned happens any more."""
        if self.stage is not None:
            self.stage.cancel()
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


@dataclass(slots=True, eq=False)
class Offer:
    """An agent's leg of a call."""

    call: Call
    entry: Entry
    member: Member
    channel: Channel
    agent: AgentBehaviour
    began: float
    connected: float | None = None
    hold: int = 0
    timer: Timer | None = None
