"""The words that worker, database and API share: rows of the routines and the life of an attempt."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Step(StrEnum):
    """Where a call has got to, in order; the ledger keeps an instant for each."""

    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    WAITING = "waiting"
    AGENT = "agent"
    PLAYED = "played"


class Outcome(StrEnum):
    """How an attempt ended; meanings and consequences stand in the table dialer_outcomes."""

    ANSWERED = "ANSWERED"
    ABANDONED = "ABANDONED"
    EARLY_HANGUP = "EARLY_HANGUP"
    MACHINE = "MACHINE"
    BUSY = "BUSY"
    NOANSWER = "NOANSWER"
    REJECTED = "REJECTED"
    INVALID = "INVALID"
    CONGESTION = "CONGESTION"
    UNAVAILABLE = "UNAVAILABLE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TECHNICAL = "TECHNICAL"
    LOST = "LOST"


class State(StrEnum):
    """Where an attempt is (dialer_attempts.state), in order: it may skip states and never goes back."""

    BEGUN = "begun"
    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    WAITING = "waiting"
    CONNECTED = "connected"
    ENDED = "ended"


@dataclass(frozen=True)
class Transition:
    """One way on: from a state to another, and what moves the attempt."""

    source: State
    target: State
    mover: str


TRANSITIONS = (
    Transition(State.BEGUN, State.DIALING, "Originate is sent"),
    Transition(State.DIALING, State.RINGING, "DialState RINGING or PROGRESS, Newstate Ringing"),
    Transition(State.DIALING, State.ANSWERED, "Newstate Up, DialEnd ANSWER or OriginateResponse Success"),
    Transition(State.RINGING, State.ANSWERED, "Newstate Up, DialEnd ANSWER or OriginateResponse Success"),
    Transition(State.ANSWERED, State.WAITING, "QueueCallerJoin"),
    Transition(State.WAITING, State.CONNECTED, "AgentConnect"),
)
"""The life of an attempt that is watched from its beginning. Where events were missed, or one overtook another, a
state is skipped; the end may come in any state, see ENDINGS."""

_NEVER_UP = frozenset({Outcome.FAILED, Outcome.CANCELLED, Outcome.TECHNICAL, Outcome.LOST})
_REFUSED = frozenset(
    {
        Outcome.BUSY,
        Outcome.NOANSWER,
        Outcome.REJECTED,
        Outcome.INVALID,
        Outcome.CONGESTION,
        Outcome.UNAVAILABLE,
    }
)
_LEFT = frozenset({Outcome.ABANDONED, Outcome.EARLY_HANGUP})
ENDINGS = {
    State.BEGUN: _NEVER_UP | _REFUSED,
    State.DIALING: _NEVER_UP | _REFUSED,
    State.RINGING: _REFUSED | {Outcome.CANCELLED, Outcome.TECHNICAL, Outcome.LOST},
    # ANSWERED here: autoinforming, where the message takes the call.
    State.ANSWERED: _LEFT | {Outcome.ANSWERED, Outcome.MACHINE},
    State.WAITING: _LEFT | {Outcome.ANSWERED, Outcome.MACHINE},
    State.CONNECTED: frozenset({Outcome.ANSWERED, Outcome.MACHINE}),
}
"""The outcomes that an attempt may get in each state."""

_STATE_OF = {
    Step.AGENT: State.CONNECTED,
    Step.WAITING: State.WAITING,
    Step.ANSWERED: State.ANSWERED,
    Step.RINGING: State.RINGING,
    Step.DIALING: State.DIALING,
}


def reached(steps: Container[Step]) -> State:
    """The state of an attempt that has not ended, as dialer_attempt_step finds it."""
    return next((state for step, state in _STATE_OF.items() if step in steps), State.BEGUN)


def storable(text: str) -> str:
    """Text from outside as a database takes it: bytes that are no UTF-8 show as '\N{REPLACEMENT CHARACTER}'."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


@dataclass(frozen=True)
class Ownership:
    """A worker's right to dial on an Asterisk; everything done under an older epoch is refused."""

    worker_id: int
    asterisk: str
    epoch: int


@dataclass(frozen=True)
class Work:
    """A project that may be dialled on an Asterisk, with what is up and what its trunk has left."""

    project_id: str
    type: str
    lines: int
    queue: str
    exten: str | None
    context: str
    trunk: str
    trunk_lines: int | None
    trunk_live: int
    trunk_failing: bool | None
    trunk_retry_at: datetime | None
    live: int
    state: str
    until_at: datetime | None

    @property
    def serves_agents(self) -> bool:
        """Are answered calls handed to agents (rather than to a message)?"""
        return self.type != "autoinforming"


@dataclass(frozen=True)
class Claim:
    """A case in hand, not dialled yet."""

    case_id: int
    kind: str


@dataclass(frozen=True)
class Begun:
    """The permission to dial: an attempt that is written and committed."""

    attempt_id: int
    case_id: int
    case_name: str
    project_id: str
    type: str
    phone_number: str
    channel: str
    channel_id: str
    action_id: str
    exten: str | None
    context: str
    queue: str
    caller_id: str | None
    dial_seconds: float
    abandon_seconds: float


@dataclass(frozen=True)
class Refusal:
    """Why a claimed case may not be dialled now; retry_at: when to ask again, if that is known."""

    case_id: int
    reason: str
    retry_at: datetime | None


@dataclass(frozen=True)
class OpenAttempt:
    """An attempt without an end, with the age in seconds of each step that it has reached."""

    attempt_id: int
    case_id: int
    project_id: str
    phone_number: str
    type: str
    queue: str
    channel_id: str
    action_id: str
    epoch: int
    dial_seconds: float
    abandon_seconds: float
    agent: str | None
    begun_ago: float
    steps_ago: dict[Step, float]


@dataclass(frozen=True)
class ProjectStatus:
    """A project after a start or a stop; changed: it was not what was asked before; calls_up: live calls."""

    project_id: str
    wanted: str
    state: str
    reason: str | None
    since_at: datetime
    until_at: datetime | None
    changed: bool
    calls_up: int
