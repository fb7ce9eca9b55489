"""What the views show: figures, states and shortcomings; a dataclass for each kind of row that the program passes
on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple


class Readiness(NamedTuple):
    """Can the dialer do its work?"""

    reasons: list[str]
    """What keeps it from dialling, one sentence each; empty: it is ready."""
    troubles: list[str]
    """What keeps one project, trunk, Asterisk, worker or case from being served, while the others are."""


@dataclass(frozen=True)
class ProjectStatus:
    """A project after a start or a stop. changed: it was in the other state before; calls_up: live calls."""

    project_id: str
    wanted: str
    state: str
    reason: str | None
    since_at: datetime
    until_at: datetime | None
    changed: bool
    calls_up: int


@dataclass(frozen=True)
class ProjectNeeds:
    """What a project needs from its Asterisk. wanted: somebody started it, so what it lacks is a fault."""

    project_id: str
    type: str
    asterisk: str
    queue: str
    context: str
    exten: str | None
    wanted: bool
    key_repeat: str | None = None
    key_agent: str | None = None
    key_opt_out: str | None = None

    @property
    def serves_agents(self) -> bool:
        """Are answered calls handed to agents: all of them, or those who ask for one in a message?"""
        return self.type != "autoinforming" or self.key_agent is not None


@dataclass(frozen=True)
class TrunkNeed:
    """The trunk that a project needs; dial_template, state, reason: None where the trunk has no row."""

    project_id: str
    trunk: str
    asterisk: str
    dial_template: str | None
    state: str | None
    reason: str | None


@dataclass(frozen=True)
class BrokenInvariant:
    """A row of dialer_invariants: something that must never be."""

    kind: str
    id: str
    detail: str


@dataclass(frozen=True)
class OperatorWarning:
    """A row of dialer_warnings: something that an operator should look at, and what to do about it."""

    kind: str
    id: str
    detail: str
    remedy: str


@dataclass(frozen=True)
class ProjectFigures:
    """A project as dialer_stat_project shows it: its state, what is up now, and its last 24 hours.

    Rates go from 0 to 1. They, and the means in seconds, are None if there was nothing to divide by.
    """

    project_id: str
    type: str
    wanted: str
    state: str
    reason: str | None
    since_at: datetime | None
    until_at: datetime | None
    cases_waiting: int | None
    counted_at: datetime | None
    claimed: int
    calls_up: int
    ringing: int
    waiting: int
    talking: int
    agents_free: int
    agents_talking: int
    agents_paused: int
    agents: int
    attempts: int
    cases: int
    answered: int
    connected: int
    abandoned: int
    abandon_rate: float | None
    answer_rate: float | None
    ring_seconds: float | None
    wait_seconds: float | None
    talk_seconds: float | None
    lost: int
    talked: int
    heard: int


@dataclass(frozen=True)
class PacingFigures:
    """A predictive project as dialer_stat_pacing shows it: its abandon target against the measured rates.

    abandon_target: per cent; rates are 0 to 1. left_before_target: how many more calls may be abandoned now; None: a
    target of 100 per cent is never reached. mode to decided_at: the last decision of the pacing; None: there is none.
    """

    project_id: str
    abandon_target: float
    day_connected: int
    day_abandoned: int
    day_rate: float | None
    days_connected: int
    days_abandoned: int
    days_rate: float | None
    days_lost: int
    left_before_target: int | None
    mode: str | None
    reason: str | None
    quota: int | None
    decided_at: datetime | None
    saved_at: datetime | None


@dataclass(frozen=True)
class OutcomeFigures:
    """How many attempts of a project ended with this outcome in the last 24 hours, and when the last of them did."""

    outcome: str
    attempts: int
    last_at: datetime


@dataclass(frozen=True)
class HourFigures:
    """The attempts of a project that ended within one hour (UTC), as in dialer_stat_hour; rates go from 0 to 1."""

    hour_at: datetime
    attempts: int
    cases: int
    answered: int
    connected: int
    abandoned: int
    abandon_rate: float | None
    answer_rate: float | None
    ring_seconds: float | None
    wait_seconds: float | None
    talk_seconds: float | None
    lost: int
    talked: int
    heard: int


@dataclass(frozen=True)
class AgentFigures:
    """A member of a project's queue: its state, since when, and its calls of the last 24 hours."""

    agent: str
    name: str | None
    state: str
    since_at: datetime
    calls: int
    talk_seconds: float


@dataclass(frozen=True)
class ProjectStatistics:
    """The figures of one project: now and for the last day, by outcome, by hour and by agent.

    pacing: only for a predictive project, otherwise None. hours: the latest first. agents: by name.
    """

    project: ProjectFigures
    pacing: PacingFigures | None
    outcomes: list[OutcomeFigures]
    hours: list[HourFigures]
    agents: list[AgentFigures]


@dataclass(frozen=True)
class LedgerTotals:
    """Totals over all projects: cases dialled and answered, attempts lost, and attempts without an end."""

    dialled: int
    answered: int
    lost: int
    up: int


@dataclass(frozen=True)
class OutcomeMeans:
    """The attempts of a project that ended with this outcome, with means in seconds; None: there was nothing to
    measure."""

    project_id: str
    outcome: str
    attempts: int
    ring_seconds: float | None
    wait_seconds: float | None
    talk_seconds: float | None


@dataclass(frozen=True)
class NumberCase:
    """A case with a number: as its project's reason says it (dialer_why). reason: 'used' if no further attempt is made.

    own_reason, own_until_at: the case's own; next_at: when no own reason holds if nothing else happens. None: none, or
    nobody knows. place: which of the case's numbers it is; the first is phone_number. dialled: the one that is dialled
    next, in one form.
    """

    case_id: int
    project_id: str
    case_name: str
    phone_number: str
    place: int
    reason: str
    until_at: datetime | None
    detail: str | None
    own_reason: str | None
    own_until_at: datetime | None
    next_at: datetime | None
    dialled: str


@dataclass(frozen=True)
class NumberAttempt:
    """An attempt on a number, under way (outcome and ended_at None) or in the ledger."""

    attempt_id: int
    case_id: int
    project_id: str
    phone_number: str
    begun_at: datetime
    ended_at: datetime | None
    state: str
    outcome: str | None
    agent: str | None
    caller_id: str | None
    disposition: str | None
    talk_seconds: float | None


@dataclass(frozen=True)
class NumberRule:
    """A rule that has to do with a number: a row of dialer_number_rules."""

    kind: str
    rule_id: int | None
    project_id: str | None
    number: str | None
    reason: str | None
    from_at: datetime | None
    until_at: datetime | None
    attempt_id: int | None
    keyed_by: str | None
    counts: str | None
    most: int | None
    period_minutes: int | None
    local_period: str | None
    outcome: str | None
    disposition: str | None
    callbacks: bool | None
    preset: str | None


@dataclass(frozen=True)
class NextCall:
    """When a project may ring a number next. at: None if nobody knows, or never. reason: what it waits for then or now;
    'queued': nothing, only others are first; 'used': its cases are used up; 'do_not_call': for ever; 'other_number':
    its case is called on another of its numbers first, from `at` on."""

    project_id: str
    at: datetime | None
    reason: str
    detail: str | None


@dataclass(frozen=True)
class NumberStory:
    """What there is to tell of a number, over all projects. attempts: the latest first, no more than were asked for."""

    number: str
    asked_at: datetime
    cases: list[NumberCase]
    attempts: list[NumberAttempt]
    rules: list[NumberRule]
    next: list[NextCall]


@dataclass(frozen=True)
class AppliedPreset:
    """A preset of rules and what it was applied to: a project, a client's projects, or (both None) all."""

    preset: str
    project_id: str | None
    client: str | None
    source: str
    dated: date
    sure: str
    applied_at: datetime


@dataclass(frozen=True)
class RuledProject:
    """What of a project decides which rules bind it, and what laws ask of it. abandon_target: per cent; list_is_old: it
    was compared with the do-not-call registry more than scrub_days days ago, or nobody has noted when."""

    project_id: str
    type: str
    client: str | None
    purpose: str
    zone_by: str
    abandon_target: float
    dial_seconds: float
    scrub_days: int | None
    list_is_old: bool


@dataclass(frozen=True)
class RuleCount:
    """So many rows of a table of rules bind cases of a project. preset: None for people's own rows."""

    project_id: str
    kind: str
    preset: str | None
    rows: int


@dataclass(frozen=True)
class Renewed:
    """A table after its rows were made anew from the program's file.

    rows: now in it; own: of these people's own, which stay; unknown_zones: rows without the zones that the file has for
    them, since this server does not know one of these.
    """

    table: str
    rows: int
    own: int
    unknown_zones: int


@dataclass(frozen=True)
class ImportFigures:
    """A list that was imported from a file. done_to: the last line that is settled; options: JSON, how it was read;
    ended_at None: not read to the end yet."""

    id: int
    project_id: str
    file_name: str
    file_hash: str
    options: str
    in_file: str
    in_project: str
    elsewhere: str
    done_to: int
    inserted: int
    refused: int
    skipped: int
    undone: int
    begun_at: datetime
    ended_at: datetime | None
    undone_at: datetime | None


@dataclass(frozen=True)
class RefusedLine:
    """A line of a list that is not inserted, and why; skipped: because it was asked for."""

    line: int
    skipped: bool
    reason: str


class CheckedLines(NamedTuple):
    """What some lines of a list come to: those that are not inserted, in order. as_written: how many of the others have
    a number that no numbering plan explains, so that it stays as it is written."""

    refused: list[RefusedLine]
    as_written: int
