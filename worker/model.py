"""The words that worker, database and API share: rows of the routines and the life of an attempt."""

from __future__ import annotations

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
