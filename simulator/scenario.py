"""What the simulated world is like: subscribers, agents, queues, trunks, dialplan. Data, checked when made.

Every spread of values is a quantile function: one uniform number in, one value out. So a call's fate is a function of a
few uniform numbers, which in turn are a function of (seed, number, attempt); see `people`.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError
from pydantic_core.core_schema import no_info_plain_validator_function

from worker.errors import DialerError

_NORMAL = NormalDist()
_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,80}")


class ScenarioError(DialerError):
    """A scenario that cannot be played; the message names the value and what it should be."""


@dataclass(frozen=True)
class Spread:
    """How a duration (seconds) varies: fixed, uniform between two values, lognormal or exponential.

    `first` and `second` are, in this order: the value, - | low, high | median, sigma | mean, -.
    """

    kind: str
    first: float
    second: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("fixed", "uniform", "lognormal", "exponential"):
            raise ScenarioError(
                f"A spread of kind {self.kind!r} is unknown: use fixed, uniform, lognormal or exponential."
            )
        if not (0 <= self.first < math.inf and 0 <= self.second < math.inf):
            raise ScenarioError(
                f"A {self.kind} spread of {self.first} and {self.second} must be finite and not negative."
            )
        if self.kind == "uniform" and self.second < self.first:
            raise ScenarioError(f"A uniform spread from {self.first} to {self.second} ends before it begins.")

    def at(self, u: float) -> float:
        """Seconds at quantile `u` (0..1)."""
        if self.kind == "fixed":
            return self.first
        if self.kind == "uniform":
            return self.first + (self.second - self.first) * u
        u = min(max(u, 1e-9), 1 - 1e-9)
        if self.kind == "exponential":
            return -self.first * math.log1p(-u)
        return self.first * math.exp(self.second * _NORMAL.inv_cdf(u))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_plain_validator_function(_spread)  # a file says {uniform = [1, 3]}


def fixed(seconds: float) -> Spread:
    """Always `seconds`."""
    return Spread("fixed", seconds)


def uniform(low: float, high: float) -> Spread:
    """Anything between `low` and `high` seconds, with equal probability."""
    return Spread("uniform", low, high)


def lognormal(median: float, sigma: float) -> Spread:
    """Half of them under `median` seconds; `sigma` is the deviation of the logarithm."""
    return Spread("lognormal", median, sigma)


@dataclass(frozen=True)
class Mix:
    """The shares of calls that are answered, busy or fail, from a second of the day (UTC) on.

    The rest is not answered.
    """

    answer: float = 0.45
    busy: float = 0.08
    failure: float = 0.07
    from_second: float = 0.0

    def __post_init__(self) -> None:
        for name in ("answer", "busy", "failure"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise ScenarioError(f"The share {name} = {share} must be between 0 and 1.")
        total = self.answer + self.busy + self.failure
        if total > 1 + 1e-9:
            raise ScenarioError(
                f"The shares answer {self.answer}, busy {self.busy} and failure {self.failure} add up to "
                f"{total:g}; at most 1 is possible (what is left is not answered)."
            )
        if not 0 <= self.from_second < 86_400:
            raise ScenarioError(f"from_second = {self.from_second} must be a second of the day, 0 to 86399.")


# The SIP answers that the carrier may give, with the Q.850 cause that chan_pjsip 16 makes of each
# (measured, but for those above 410 which are in chan_pjsip's hangup_sip2cause).
CAUSE_OF_SIP: Mapping[int, int] = {
    403: 21, 404: 1, 408: 18, 410: 22, 480: 19, 484: 28, 486: 17, 488: 58,
    500: 38, 502: 27, 503: 34, 600: 17, 603: 21, 604: 1,
}  # fmt: skip

#: First two digits of a number -> what its subscriber always does; the lab carrier's table.
LAB_PREFIXES: Mapping[str, str] = {
    "20": "answer", "21": "answer_and_leave", "22": "486", "23": "no_answer", "24": "603", "25": "404",
    "26": "503", "27": "late_media", "28": "480", "29": "silent", "30": "answer_at_once", "31": "500",
    "32": "484", "33": "403", "34": "488", "35": "410", "36": "answer_at_once_and_leave",
    "40": "says_hello", "41": "machine", "42": "says_nothing", "43": "says_hello_and_leaves",
    "60": "presses_9", "61": "presses_1", "62": "presses_2", "63": "presses_#*9", "64": "waits_and_presses_9",
    "65": "presses_555555555",
}  # fmt: skip

PRESSES = re.compile(r"(waits_and_)?presses_(?P<keys>[0-9*#]+)")
"""Further names: presses_12 answers at once, stays, and presses 1 and then 2, 0.4 s before each; waits_and_presses_9
lets 3 s pass before each."""

NAMED_BEHAVIOURS = frozenset(
    {
        "answer",  # rings 0.3 to 1.5 s, stays
        "answer_and_leave",  # the same, and hangs up 3 s later
        "answer_at_once",  # no ringing
        "answer_at_once_and_leave",  # hangs up 0.3 s later
        "late_media",  # 183, answers after 2 s
        "no_answer",  # rings for ever
        "silent",  # nothing but 100 Trying
        # These four answer at once and are heard; all others give AMD() nothing to listen to.
        "says_hello",
        "says_hello_and_leaves",  # 2 s after the answer
        "says_nothing",  # only silence
        "machine",
    }
)


@dataclass(frozen=True)
class Subscribers:
    """The people who are called: a number with a known prefix does what the prefix says, others do as drawn."""

    prefixes: Mapping[str, Annotated[str, BeforeValidator(str)]] = field(default_factory=dict)
    mixes: tuple[Mix, ...] = (Mix(),)
    failures: Mapping[int, float] = field(default_factory=lambda: {404: 4.0, 480: 2.0, 503: 2.0, 603: 1.0, 403: 1.0})
    signalling: Spread = field(default_factory=lambda: uniform(0.002, 0.010))  # INVITE to the first response
    ring: Spread = field(default_factory=lambda: lognormal(7.0, 0.5))  # ringing to the answer
    late_media: float = 0.1  # share of calls whose ringing is 183 with media, not 180
    talk: Spread = field(default_factory=lambda: lognormal(60.0, 0.8))
    hangs_up_first: float = 0.5  # share of conversations that the subscriber ends
    patience: Spread = field(default_factory=lambda: lognormal(25.0, 0.9))  # in the queue, from the answer
    hears_out: float = 0.8  # share who listen to the end of a message
    # Shares of the people who hear a message that offers a key for it, and press that key somewhere in it.
    opts_out: float = 0.0
    asks_agent: float = 0.0
    # Answering machines: they wait in the queue for ever, and agents hang up on them.
    machines: float = 0.0  # share of the answered calls
    machine_talk: Spread = field(default_factory=lambda: uniform(3.0, 8.0))  # until the agent has noticed
    # AMD() in the dialplan: seconds from the answer to a verdict, and how often it is wrong.
    amd_human: Spread = field(default_factory=lambda: lognormal(1.3, 0.25))
    amd_machine: Spread = field(default_factory=lambda: lognormal(1.9, 0.2))
    amd_limit: float = 4.0  # total_analysis_time of amd.conf: NOTSURE then
    taken_for_machines: float = 0.04  # share of the people
    taken_for_people: float = 0.08  # share of the machines
    not_sure: float = 0.02  # share of both
    bears_silence: Spread = field(default_factory=lambda: lognormal(8.0, 0.5))  # then a person hangs up on AMD()
    drifting: bool = False  # the shares move steadily from each mix to the next, instead of jumping

    def __post_init__(self) -> None:
        for prefix, name in self.prefixes.items():
            if not re.fullmatch(r"[0-9+*#]+", prefix):
                raise ScenarioError(f"The number prefix {prefix!r} may hold 0-9, +, * and # only.")
            refusal = name.isdigit() and int(name) in CAUSE_OF_SIP
            if name not in NAMED_BEHAVIOURS and not refusal and not PRESSES.fullmatch(name):
                names = sorted({*NAMED_BEHAVIOURS, "presses_9"})
                known = ", ".join(names + [str(code) for code in sorted(CAUSE_OF_SIP)])
                raise ScenarioError(f"The behaviour {name!r} of prefix {prefix} is unknown: use one of {known}.")
        if not self.mixes or self.mixes[0].from_second != 0:
            raise ScenarioError("The first mix must begin at second 0 of the day.")
        starts = [mix.from_second for mix in self.mixes]
        if starts != sorted(set(starts)):
            raise ScenarioError(f"The mixes begin at {starts}: their from_second must rise.")
        self._check_shares()
        for code, weight in self.failures.items():
            if code not in CAUSE_OF_SIP:
                raise ScenarioError(f"The SIP answer {code} is unknown: use one of {sorted(CAUSE_OF_SIP)}.")
            if not 0 <= weight < math.inf:
                raise ScenarioError(f"The weight {weight} of SIP answer {code} must be finite and not negative.")
        if not 0 < self.amd_limit < math.inf:
            raise ScenarioError(f"amd_limit = {self.amd_limit} must be a number of seconds above 0.")
        if not sum(self.failures.values()) > 0:
            raise ScenarioError("failures must give at least one SIP answer a weight above 0.")

    def _check_shares(self) -> None:
        shares = ("machines", "taken_for_machines", "taken_for_people", "not_sure")
        for name in ("late_media", "hangs_up_first", "hears_out", "opts_out", "asks_agent", *shares):
            if not 0 <= getattr(self, name) <= 1:
                raise ScenarioError(f"The share {name} = {getattr(self, name)} must be between 0 and 1.")
        if self.opts_out + self.asks_agent > 1:
            raise ScenarioError(
                f"The shares opts_out {self.opts_out} and asks_agent {self.asks_agent} must add up to 1 at most."
            )

    def mix_at(self, instant: float) -> Mix:
        """The mix that holds at `instant` (seconds since 1970)."""
        second = instant % 86_400
        if self.drifting:
            for before, after in pairwise(self.mixes):
                if before.from_second <= second < after.from_second:
                    return _between(before, after, second)
        return [mix for mix in self.mixes if mix.from_second <= second][-1]


def _between(before: Mix, after: Mix, second: float) -> Mix:
    part = (second - before.from_second) / (after.from_second - before.from_second)

    def share(start: float, end: float) -> float:
        return start + (end - start) * part

    return Mix(
        answer=share(before.answer, after.answer),
        busy=share(before.busy, after.busy),
        failure=share(before.failure, after.failure),
        from_second=second,
    )


@dataclass(frozen=True)
class Agent:
    """One member of queues: a telephone and the person before it."""

    interface: str
    name: str = ""
    answers: float = 1.0  # share of the calls offered that are picked up; 0: never
    busy: bool = False  # the telephone refuses with 486
    present: bool = True  # False: the telephone is not registered (status 5)
    paused: bool = False
    pick_up: Spread = field(default_factory=lambda: lognormal(3.0, 0.5))
    # Paused this long after a call (QueueMemberPause), besides the queue's own wrapuptime.
    wrap_up: Spread = field(default_factory=lambda: fixed(0.0))
    # Breaks (QueueMemberPause) of `break_length`, this long after each other; 0: none. They begin without notice, even
    # in the middle of a conversation: the agent gets no call after it.
    break_after: Spread = field(default_factory=lambda: fixed(0.0))
    break_length: Spread = field(default_factory=lambda: fixed(0.0))
    # With subscribers who never end a call themselves.
    talk: Spread = field(default_factory=lambda: fixed(4.0))

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z]+/[A-Za-z0-9_.@/\-]+", self.interface):
            raise ScenarioError(f"The agent's interface {self.interface!r} should look like PJSIP/agent1.")
        if not 0 <= self.answers <= 1:
            raise ScenarioError(f"The share answers = {self.answers} of {self.interface} must be between 0 and 1.")

    @property
    def member_name(self) -> str:
        """What events call `MemberName`."""
        return self.name or self.interface


@dataclass(frozen=True)
class Queue:
    """A queue as in the shipped queues.conf: rrmemory, ringinuse no, joinempty yes, shared_lastcall yes."""

    name: str
    members: tuple[str, ...] = ()
    timeout: float = 15.0  # an agent's telephone rings that long
    retry: float = 1.0  # pause before the caller is offered again
    wrapuptime: int = 0
    max_wait: float = 60.0  # last argument of Queue() in the dialplan; 0: no end

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ScenarioError(f"The queue name {self.name!r} may hold letters, digits, '_', '.' and '-' only.")
        if self.timeout <= 0 or self.retry < 0 or self.wrapuptime < 0 or self.max_wait < 0:
            raise ScenarioError(f"The times of queue {self.name} must not be negative, its timeout above 0.")


@dataclass(frozen=True)
class Trunk:
    """An endpoint towards the carrier: how many channels it allows, and whether its carrier is alive."""

    name: str
    max_channels: int = 0  # 0: no limit; over it the carrier answers 503
    context: str = "from-carrier"
    refuses: int = 0  # a SIP answer given to every call (a dead carrier: 404); 0: none

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ScenarioError(f"The trunk name {self.name!r} may hold letters, digits, '_', '.' and '-' only.")
        if self.max_channels < 0:
            raise ScenarioError(f"max_channels = {self.max_channels} of trunk {self.name} must not be negative.")
        if self.refuses and self.refuses not in CAUSE_OF_SIP:
            raise ScenarioError(f"refuses = {self.refuses} of trunk {self.name} must be one of {sorted(CAUSE_OF_SIP)}.")


#: Where the context `predictive` sends callers whom no agent took, and machines; and contexts with a message all whose
#: subscribers may press keys.
SAFE_HARBOUR, MACHINE, KEYS = "safe-harbour", "machine", "message-keys"


@dataclass(frozen=True)
class Context:
    """A dialplan context that takes answered calls, as in the shipped extensions.conf.

    `does`: queue (Queue(${DIALER_QUEUE})), message (Playback, UserEvent(DialerPlayed), Hangup), hangup, or
    hold (until somebody hangs up). predictive: AMD() if asked for, a machine goes to the context `machine`; then
    the queue for the patience asked for, and after it the context `safe-harbour`. machine: hang up, or leave the
    message if asked to (`message`: with the wait for the end of the machine's greeting). keys: a message for those who
    may press keys in it. Every other extension goes on to `s`.
    """

    name: str
    does: str
    extensions: tuple[str, ...] = ("s", "_X.")
    message: Spread = field(default_factory=lambda: fixed(10.0))

    def __post_init__(self) -> None:
        known = ("queue", "predictive", "message", "keys", "machine", "hangup", "hold")
        if self.does not in known:
            raise ScenarioError(f"Context {self.name} does {self.does!r}: it should be one of {', '.join(known)}.")


def contexts(message: Spread, safe_harbour: Spread, machine: Spread) -> tuple[Context, ...]:
    """Those of the shipped extensions.conf, with the lengths of their messages."""
    return (
        Context("progressive", "queue"),
        Context("autoinforming", "message", message=message),
        Context("predictive", "predictive", ("h", "s", "_X.")),
        Context(SAFE_HARBOUR, "message", ("s",), safe_harbour),
        Context(MACHINE, "machine", ("s",), machine),
        Context(KEYS, "keys", ("i", "s", "t", "_[0-9*#]")),
    )


@dataclass(frozen=True)
class User:
    """An AMI user of manager.conf, with the class names it may read and write ('all': every class)."""

    name: str = "dialer"
    secret: str = field(default="dialersecret", repr=False)
    read: frozenset[str] = frozenset({"system", "call", "agent", "user"})
    write: frozenset[str] = frozenset({"originate", "call", "reporting"})


@dataclass(frozen=True)
class Scenario:
    """A whole simulated Asterisk with everything around it."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # of the classes in it, too

    subscribers: Subscribers = field(default_factory=Subscribers)
    agents: tuple[Agent, ...] = ()
    queues: tuple[Queue, ...] = ()
    trunks: tuple[Trunk, ...] = (Trunk("carrier"),)
    contexts: tuple[Context, ...] = contexts(fixed(10.0), fixed(6.0), fixed(20.0))
    users: tuple[User, ...] = (User(),)
    local_contexts: tuple[str, ...] = ("outbound",)  # where Local/<number>@<context> reaches subscribers
    down_seconds: float = 2.0  # how long a restart takes

    def __post_init__(self) -> None:
        for what, names in (
            ("agent", [agent.interface for agent in self.agents]),
            ("queue", [queue.name for queue in self.queues]),
            ("trunk", [trunk.name for trunk in self.trunks]),
            ("context", [context.name for context in self.contexts]),
            ("AMI user", [user.name for user in self.users]),
        ):
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ScenarioError(f"The {what} {sorted(twice)[0]!r} is there twice; give each its own name.")
        interfaces = {agent.interface for agent in self.agents}
        for queue in self.queues:
            for member in queue.members:
                if member not in interfaces:
                    raise ScenarioError(
                        f"Queue {queue.name} has the member {member!r}, but no agent has that interface."
                    )


def call_centre(
    *,
    agents: int = 10,
    queues: tuple[str, ...] = ("sales",),
    answer_rate: float | Sequence[tuple[float, float]] = 0.45,
    drifting: bool = False,
    machines: float = 0.0,
    ring: Spread | None = None,
    talk: Spread | None = None,
    pick_up: Spread | None = None,
    wrap_up: Spread | None = None,
    breaks: tuple[Spread, Spread] | None = None,
    secret: str = User.secret,
    wrapuptime: int = 5,
    max_channels: int = 0,
    speed: float = 1.0,
) -> Scenario:
    """A plausible call centre: `agents` agents, each in all of the queues.

    `answer_rate` is one share, or (second of the day, share) for each change: jumps, or a slow drift if `drifting`.
    `machines`: share of the answered calls that machines take. `wrap_up`: a pause after each call, beside the
    queue's `wrapuptime`. `breaks`: how long an agent works between two breaks, and how long a break takes.
    `speed` divides every human duration (ring, talk, patience, pick-up, message), for demonstrations; but not those
    passed to this function.
    """
    if agents < 0:
        raise ScenarioError(f"agents = {agents} must not be negative.")
    if not speed > 0:
        raise ScenarioError(f"speed = {speed} must be above 0.")
    talk = talk or lognormal(60.0 / speed, 0.8)
    break_after, break_length = breaks or (fixed(0.0), fixed(0.0))
    people = tuple(
        Agent(
            f"PJSIP/agent{n}",
            f"Agent {n}",
            pick_up=pick_up or lognormal(3.0 / speed, 0.5),
            wrap_up=wrap_up or fixed(0.0),
            break_after=break_after,
            break_length=break_length,
            talk=talk,
        )
        for n in range(1, agents + 1)
    )
    members = tuple(agent.interface for agent in people)
    rates = [(0.0, answer_rate)] if isinstance(answer_rate, (int, float)) else answer_rate
    return Scenario(
        subscribers=Subscribers(
            mixes=tuple(_mix(second, rate) for second, rate in rates),
            drifting=drifting,
            ring=ring or lognormal(7.0 / speed, 0.5),
            talk=talk,
            patience=lognormal(25.0 / speed, 0.9),
            machines=machines,
        ),
        agents=people,
        queues=tuple(Queue(name, members, wrapuptime=round(wrapuptime / speed)) for name in queues),
        trunks=(Trunk("carrier", max_channels=max_channels),),
        contexts=contexts(fixed(20.0 / speed), fixed(8.0 / speed), fixed(30.0 / speed)),
        users=(User(secret=secret),),
    )


def _mix(second: float, answer_rate: float) -> Mix:
    rest = 1 - answer_rate
    return Mix(answer=answer_rate, busy=min(0.08, rest / 4), failure=min(0.07, rest / 4), from_second=second)


def lab() -> Scenario:
    """The laboratory: every prefix of `LAB_PREFIXES`, three quick agents, one who never answers, one busy."""
    quick = uniform(0.3, 1.5)
    agents = (
        Agent("PJSIP/agent1", "Agent One", pick_up=quick),
        Agent("PJSIP/agent2", "Agent Two", pick_up=quick),
        Agent("PJSIP/agent3", "Иванов: Пётр", pick_up=quick),
        Agent("PJSIP/agent4", "Agent Four", answers=0.0),
        Agent("PJSIP/agent5", "Agent Five", busy=True),
    )
    return Scenario(
        subscribers=Subscribers(prefixes=LAB_PREFIXES, ring=quick),
        agents=agents,
        queues=(
            Queue("sales", tuple(agent.interface for agent in agents), timeout=5.0),
            Queue("empty"),
        ),
        contexts=(
            *contexts(fixed(0.4), fixed(0.4), fixed(2.0)),
            Context("drop", "hangup"),
            Context("hold", "hold"),
        ),
    )


def load(path: Path) -> Scenario:
    """A scenario from a TOML file whose tables and keys are the classes and fields of this module.

    A spread is a number (fixed) or an inline table such as {uniform = [1, 3]} or {lognormal = [60, 0.8]}.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"The scenario file {path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"The scenario file {path} is not valid TOML: {error}.") from error
    return from_mapping(document)


def from_mapping(document: Mapping[str, Any]) -> Scenario:
    """The same from a mapping (what `tomllib` gives). Raises ScenarioError with every mistake."""
    try:
        return TypeAdapter(Scenario).validate_python(document)
    except ValidationError as error:
        raise ScenarioError("\n".join(_sentence(one) for one in error.errors(include_url=False))) from None


_TABLES = {
    "subscribers": Subscribers, "mixes": Mix, "agents": Agent, "queues": Queue, "trunks": Trunk, "contexts": Context,
    "users": User,
}  # fmt: skip

_WORDS = {"string": "a str", "int": "an int"}


def _sentence(error: ErrorDetails) -> str:
    """What pydantic found, in the words of people who write scenarios."""
    *path, name = [one for one in error["loc"] if one != "[key]"]
    table = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in path)[1:]
    where = f"{table}[{name}]" if isinstance(name, int) else f"{table}.{name}".lstrip(".")
    value = error["input"]
    match error["type"]:
        case "unexpected_keyword_argument":
            kind = _TABLES[next(one for one in reversed(path) if isinstance(one, str))] if path else Scenario
            return f"{where} is not known: use {', '.join(one.name for one in fields(kind))}."
        case "missing":
            return f"{table} is not complete: it needs {name}."
        case "dataclass_type":
            return f"{where} is {value!r}; it should be a table of names and values."
        case "tuple_type" | "frozen_set_type" if name in _TABLES:
            return f"{where} must be a list of tables: write [[{where}]] above each."
        case "tuple_type" | "frozen_set_type":
            return f"{where} = {value!r} is not a list."
        case "spread":
            return f"{where} = {value!r} {error['msg']}"
        case kind:
            wanted = kind.partition("_")[0]
            return f"{where} = {value!r} is not {_WORDS.get(wanted, f'a {wanted}')}."


def _spread(value: object) -> Spread:
    """A spread from what a file says, or one that is a spread already."""
    if isinstance(value, Spread):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return fixed(float(value))
    if isinstance(value, Mapping) and len(value) == 1:
        ((kind, numbers),) = value.items()
        numbers = numbers if isinstance(numbers, list) else [numbers]
        if 1 <= len(numbers) <= 2 and all(isinstance(n, (int, float)) for n in numbers):
            return Spread(kind, *map(float, numbers))
    raise PydanticCustomError(
        "spread", "is not a spread: write seconds, {uniform = [1, 3]} or {lognormal = [60, 0.8]}."
    )
