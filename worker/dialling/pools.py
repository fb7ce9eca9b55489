"""Pools: the projects that share agents.

Their calls compete for the same agents, so one decision is made for all of them and its quota is split by priority. A
pool without a predictive project needs no decision: matching calls and agents is enough. The same goes for projects
that share only some of their agents: prediction needs agents who can take any of the calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from worker.dialling.records import Row
from worker.model import Work
from worker.pacing.pilot import Pilot
from worker.pacing.settings import PacingSettings


@dataclass(eq=False)
class Pool:
    """Projects that share agents, at least one of them predictive, and their pilot."""

    pilot: Pilot
    projects: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    """Their names in Asterisk."""
    rows: list[Row] = field(default_factory=list)
    """The journal's rows for the last decision, until it is known how much of its quota was granted."""


def sharing(teams: Mapping[str, Set[str]], predictive: Set[str]) -> list[frozenset[str]]:
    """The projects of each pool. teams: agents by project; predictive: the predictive projects."""
    left = dict(teams)
    found = []
    while left:
        project, team = left.popitem()
        others = {other for other in left if not left[other].isdisjoint(team)}
        alike = all(left[other] == team for other in others)
        for other in others:
            team = team | left.pop(other)
        members = frozenset(others | {project})
        further = any(not those.isdisjoint(team) for those in left.values())
        if alike and not further and not members.isdisjoint(predictive):
            found.append(members)
    return found


def settings_of(items: Sequence[Work]) -> PacingSettings:
    """Settings for predictive projects that share agents: where they differ, the more careful value."""
    ratios = [item.dial_ratio for item in items]
    return PacingSettings(
        abandon_target=min(item.abandon_target for item in items) / 100,
        abandon_seconds=min(item.abandon_seconds for item in items),
        ring_timeout=max(item.dial_seconds for item in items),
        most_calls_per_agent=min(item.calls_per_agent for item in items),
        least_agents=max(item.predictive_agents for item in items),
        ratio=None if None in ratios else min(ratio for ratio in ratios if ratio is not None),
        amd=any(item.amd for item in items),
    )


def split(left: int, items: Sequence[Work], room: Mapping[str, int], matched: Mapping[str, int]) -> dict[str, int]:
    """Split a pool's quota among its projects by priority; equals get one call each in turn.

    room: lines left, by project; matched: the most calls that a project that is not predictive may begin.
    """
    shares = dict.fromkeys((item.project_id for item in items), 0)
    for priority in sorted({item.priority for item in items}, reverse=True):
        hungry = [item for item in items if item.priority == priority]
        while left > 0 and hungry:
            still = []
            for item in hungry:
                most = room[item.project_id]
                if item.type != "predictive":
                    most = min(most, matched.get(item.project_id, 0))
                if left > 0 and shares[item.project_id] < most:
                    shares[item.project_id] += 1
                    left -= 1
                    still.append(item)
            hungry = still
    return shares
