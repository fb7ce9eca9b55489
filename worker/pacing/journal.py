"""The pacing journal: what was observed and what was decided, written so that the decision can be repeated.

An entry holds the observation, what was learned since the entry before (`Fact`s), and now and then the whole learned
state. Replaying takes the state of the first entry that has one and does from there what the worker did. For this to
work, observations are rounded before the decision, not when they are written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from worker.pacing.learned import Learned
from worker.pacing.observed import Observation, ObservedAgent, ObservedCall, Window
from worker.pacing.predictive import Decision, decide
from worker.pacing.settings import PacingSettings

DIGITS = 2
"""Digits of seconds and of odds, in the decision and in the journal."""


class Fact(NamedTuple):
    """Something that was learned: the name of a method of Learned (without `observe_`) and its arguments."""

    name: str
    arguments: tuple[float, ...]

    def teach(self, learned: Learned) -> None:
        """Report the fact to `learned`."""
        if self.name == "end":
            learned.observe_end(abandoned=bool(self.arguments[0]))
        elif self.name == "begun":
            quota, limit, risk = self.arguments
            learned.observe_begun(int(quota), limit, risk)
        else:
            getattr(learned, f"observe_{self.name}")(*self.arguments)


@dataclass(frozen=True)
class Entry:
    """One decision: what was observed, what was learned, and what was decided."""

    observation: Observation
    settings: PacingSettings
    facts: Sequence[Fact]
    quota: int
    learned: dict[str, Any] | None = None
    """The learned state before the facts, if the entry has it."""


def encode(entry: Entry) -> str:
    """The entry as text for the column `inputs`."""
    seen = entry.observation
    text: dict[str, Any] = {
        "now": seen.now,
        "agents": [list(agent) if agent.left is not None else list(agent[:2]) for agent in seen.agents],
        "calls": [[call.age, call.odds, int(call.under_amd)] for call in seen.calls],
        "waiting": seen.waiting,
        "windows": [list(window) for window in seen.windows],
        "lines": seen.lines,
        "next_odds": list(seen.next_odds),
        "settings": asdict(entry.settings),
        "facts": [[fact.name, *fact.arguments] for fact in entry.facts],
        "quota": entry.quota,
    }
    if entry.learned is not None:
        text["learned"] = entry.learned
    return json.dumps(text, separators=(",", ":"))


def decode(text: str) -> Entry:
    """The entry from encode's text. Raises ValueError for anything else."""
    try:
        row = json.loads(text)
        return Entry(
            Observation(
                now=row["now"],
                agents=[ObservedAgent(*agent) for agent in row["agents"]],
                calls=[ObservedCall(age, odds, bool(amd)) for age, odds, amd in row["calls"]],
                waiting=row["waiting"],
                windows=[Window(*window) for window in row["windows"]],
                lines=row["lines"],
                next_odds=row["next_odds"],
            ),
            PacingSettings(**row["settings"]),
            [Fact(name, tuple(arguments)) for name, *arguments in row["facts"]],
            row["quota"],
            row.get("learned"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an entry of the pacing journal: {text[:80]!r} ({error})") from error


def replay(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Decision]]:
    """Decide again, starting at the first entry with a learned state; raises ValueError if that is unreadable."""
    learned: Learned | None = None
    for entry in entries:
        if entry.learned is not None:
            learned = Learned.from_dict(entry.learned, entry.settings)
        if learned is None:
            continue
        for fact in entry.facts:
            fact.teach(learned)
        learned.observe(entry.observation)
        yield entry, decide(entry.observation, learned, entry.settings)
