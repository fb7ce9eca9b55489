"""Progressive pacing: never more calls in flight than free agents, agents of several queues counted once.

A matching between calls that will need an agent and agents who are free decides: one more call of a project
is granted if every call in flight can still be given an agent of its own. But Asterisk hands out calls as it likes: an
agent shared by two queues may get a call that could have gone to another agent. The call left over is then charged to
the projects that share its agents, until it has one. Pure: observation in, quota out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set


def quotas(
    free: Mapping[str, Set[str]],
    in_flight: Mapping[str, int],
    wanted: Mapping[str, int],
    teams: Mapping[str, Set[str]] | None = None,
) -> dict[str, int]:
    """How many more calls each project may begin.

    free: interfaces of the free agents, by project; in_flight: calls by project that will need one of them;
    wanted: the most that each project can use (lines, cases); teams: all agents by project, free or not, to know which
    projects share them. Projects take turns in the order of `wanted`, so none starves another; the caller decides which
    comes first.
    """
    seating = _Seating(free)
    left_over: Counter[str] = Counter()
    for project, count in in_flight.items():
        for seated in range(count):
            if not seating.seat(project):
                left_over[project] = count - seated
                break
    for project, count in left_over.items():
        for other in _sharing(project, teams or {}):
            while count and seating.seat(other):
                count -= 1  # noqa: PLW2901
    granted = dict.fromkeys(wanted, 0)
    open_projects = [project for project, count in wanted.items() if count > 0]
    while open_projects:
        still_open = []
        for project in open_projects:
            if seating.seat(project):
                granted[project] += 1
                if granted[project] < wanted[project]:
                    still_open.append(project)
        open_projects = still_open
    return granted


def _sharing(project: str, teams: Mapping[str, Set[str]]) -> list[str]:
    """The other projects that share agents with this one, directly or through others."""
    found = [project]
    for one in found:
        found += [other for other in teams if other not in found and not teams[other].isdisjoint(teams.get(one, ()))]
    return found[1:]


_Group = frozenset[str]
"""The projects that an agent can serve; agents who can serve the same ones are interchangeable."""


class _Seating:
    """Calls seated at groups of agents; room is found by moving others along (augmenting paths).

    Agents are told apart only by what they can serve, which keeps hundreds of agents and tens of projects within
    milliseconds.
    """

    def __init__(self, free: Mapping[str, Set[str]]) -> None:
        serves: dict[str, set[str]] = {}
        for project, agents in free.items():
            for agent in agents:
                serves.setdefault(agent, set()).add(project)
        self._spare = Counter(frozenset(projects) for projects in serves.values())
        self._groups: dict[str, list[_Group]] = {}
        for group in self._spare:
            for project in group:
                self._groups.setdefault(project, []).append(group)
        self._roomy = {project: list(groups) for project, groups in self._groups.items()}
        """The groups among them that had an agent to spare when last checked; a group once used up stays used up."""
        self._seated: dict[_Group, Counter[str]] = {group: Counter() for group in self._spare}
        self._full: set[str] = set()
        """Projects for which a search has failed. Seats are never given back, so it would fail again."""

    def seat(self, project: str) -> bool:
        """Seat one more call of a project; False: no agent is left for it."""
        if project in self._full:
            return False
        moved_by: dict[_Group, str] = {}
        came_from: dict[str, _Group] = {}
        frontier = [project]
        for mover in frontier:
            roomy = self._roomy.get(mover, [])
            while roomy and not self._spare[roomy[-1]]:
                roomy.pop()
            if roomy:
                moved_by[roomy[-1]] = mover
                self._spare[roomy[-1]] -= 1
                self._shift(roomy[-1], project, moved_by, came_from)
                return True
            for group in self._groups.get(mover, ()):
                if group in moved_by:
                    continue
                moved_by[group] = mover
                for other, calls in self._seated[group].items():
                    if calls and other != project and other not in came_from:
                        came_from[other] = group
                        frontier.append(other)
        self._full.update(frontier)
        return False

    def _shift(
        self, group: _Group, project: str, moved_by: Mapping[_Group, str], came_from: Mapping[str, _Group]
    ) -> None:
        """Move one call of each project on the path to `group` one group further, until one of `project` sits."""
        while True:
            mover = moved_by[group]
            self._seated[group][mover] += 1
            if mover == project:
                return
            group = came_from[mover]
            self._seated[group][mover] -= 1
