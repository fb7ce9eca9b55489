"""The words that worker, database and API share: rows of the routines and the life of an attempt."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

DEFAULT_EXTEN = "s"
"""The extension that takes an answered call if dialer_params.exten is NULL."""


class Step(StrEnum):
    """How far a call has got, in order; the ledger keeps an instant for each step."""

    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    AMD = "amd"
    WAITING = "waiting"
    AGENT = "agent"
    PLAYED = "played"


class AmdVerdict(StrEnum):
    """Who has answered, by the answering machine detection in the dialplan (AMDSTATUS of app_amd)."""

    HUMAN = "HUMAN"
    MACHINE = "MACHINE"
    NOTSURE = "NOTSURE"
    """It could not tell in time; treated as a person."""
    HANGUP = "HANGUP"
    """The subscriber hung up while it listened."""


class Outcome(StrEnum):
    """How an attempt ended; the table dialer_outcomes has meanings and consequences."""

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
    """One transition: from a state to another, and what causes it."""

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
"""The life of an attempt that is watched from its beginning. If events were missed, or one overtook another, a state is
skipped; the end may come in any state, see ENDINGS. Neither table steers anything: dialer_attempt_step orders the
states by itself, and worker/calls/verdict.py decides the outcome. The tables are what docs/attempt.md and tests compare
both with."""

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
    """Text from outside as a database accepts it: bytes that are not UTF-8 show as '\N{REPLACEMENT CHARACTER}'."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


@dataclass(frozen=True)
class Ownership:
    """A worker's right to dial on an Asterisk; everything done under an older epoch is refused."""

    worker_id: int
    asterisk: str
    epoch: int


@dataclass(frozen=True)
class Work:
    """A project that may be dialled on an Asterisk: a row of dialer_work."""

    project_id: str
    type: str
    queue: str
    exten: str | None
    context: str
    trunk: str
    room: int | None
    """Lines it has left; None: its trunk does not exist here."""
    trunk_failing: bool | None
    trunk_retry_at: datetime | None
    state: str
    """running, idle or finished: what the last claim found."""
    until_at: datetime | None
    unfit: bool = False
    """What is missing on this Asterisk (queue, context, …)."""
    unfit_until: datetime | None = None
    """When that is checked again."""
    dial_seconds: float = 20.0
    abandon_seconds: float = 2.0
    abandon_target: float = 3.0
    """Per cent of the people who answered that may be abandoned."""
    calls_per_agent: float = 10.0
    """Most calls in flight for each agent who is there."""
    predictive_agents: int = 5
    """With fewer agents there a predictive project dials as a progressive one."""
    dial_ratio: float | None = None
    """Calls for each free agent; None: the pacing decides."""
    amd: bool = False
    priority: int = 0
    """Among projects that share agents or lines: higher first."""

    @property
    def serves_agents(self) -> bool:
        """Are answered calls handed to agents (rather than to a message)?"""
        return self.type != "autoinforming"


@dataclass(frozen=True)
class Claim:
    """A case in hand, not dialled yet."""

    case_id: int
    kind: str
    guarded: bool = False
    """The number was abandoned lately: it is called only with an agent guaranteed."""
    dials: int = 0
    """Calls made for this case before."""
    last_outcome: str | None = None


@dataclass(frozen=True)
class AbandonWindow:
    """The figures for the abandon target over one of its two spans: attempts that ended after since_at.

    name: 'hours' or 'days', for the project's abandon_hours and abandon_days. connected and abandoned count people;
    lost counts attempts where nobody knows whether a person had answered.
    """

    name: str
    since_at: datetime
    connected: int
    abandoned: int
    lost: int


@dataclass(frozen=True)
class PacingDecision:
    """One decision of the pacing, for the journal.

    ago: seconds since it was made. mode: predictive, progressive or ratio. quota: calls that it wanted to begin;
    granted: what lines, calls per second and priority left of them. inputs: JSON, everything that the decision was
    based on.
    """

    project_id: str
    ago: float
    mode: str
    quota: int
    granted: int
    reason: str
    inputs: str


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
    trunk: str = "default"
    patience: int | None = None
    """Seconds in the queue until the safe-harbour message; None: the caller stays in the queue."""
    amd: bool = False
    """Does the dialplan find out whether a machine has answered?"""
    machine_action: str = "hangup"
    """What a machine gets: hangup, or message."""
    key_repeat: str | None = None
    """The key with which the subscriber hears the message again; None: not offered."""
    key_agent: str | None = None
    """The key for an agent of the queue."""
    key_opt_out: str | None = None
    """The key for: never call me again."""
    message: str | None = None
    """The recording to be played; None: the one in the context."""


@dataclass(frozen=True)
class Refusal:
    """Why a claimed case may not be dialled now. retry_at: when to ask again, if that is known."""

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
    trunk: str = "default"
    amd_verdict: AmdVerdict | None = None
    keys_pressed: str = ""
    signed_off: bool = False
    """The worker that began it signed off properly, so no Originate for it can still be on its way to Asterisk."""


class ListLine(NamedTuple):
    """A line of a list that is imported. values: of the columns that the list has, None for an empty cell. fault: why
    it cannot be read; then there are no values. cells: as they were read. written: as the database loads it, if that
    was written ahead (Imports.written). further: the case's telephone numbers after the first one, in the order of
    dialling; further_written: the same, written ahead."""

    line: int
    values: tuple[str | None, ...]
    fault: str | None
    cells: Sequence[str]
    written: str = ""
    further: Sequence[str] = ()
    further_written: Sequence[str] = ()


class Policies(NamedTuple):
    """What an import does with a number that is there already: 'keep', 'skip' or 'refuse' the line."""

    in_file: str
    in_project: str
    elsewhere: str
