"""Progressive pacing: never more calls in flight than free agents, agents of several queues counted once.

A matching between calls that will need an agent and agents who are free decides: one more call of a project
is granted if every call in flight can still be given an agent of its own. Pure: observation in, quota out.
"""

from __future__ import annotations

from collections.abc import Mapping, Set


def quotas(free: Mapping[str, Set[str]], in_flight: Mapping[str, int], wanted: Mapping[str, int]) -> dict[str, int]:
    """How many more calls each project may begin.

    free: interfaces of the free agents, by project; in_flight: calls by project that will need one of them;
    wanted: the most that each project can use (lines, cases). Projects take turns, so none starves another.
    """
    matching = _Matching()
    for project, count in in_flight.items():
        for _ in range(count):
            matching.seat(free.get(project, frozenset()))
    granted = dict.fromkeys(wanted, 0)
    open_projects = [project for project, count in wanted.items() if count > 0]
    while open_projects:
        still_open = []
        for project in open_projects:
            if matching.seat(free.get(project, frozenset())):
                granted[project] += 1
                if granted[project] < wanted[project]:
                    still_open.append(project)
        open_projects = still_open
    return granted


class _Matching:
    """Calls seated at agents; a seat is found by moving others along (augmenting paths)."""

    def __init__(self) -> None:
        self._call_at: dict[str, int] = {}
        self._agent_of: dict[int, str] = {}
        self._choices: list[Set[str]] = []

    def seat(self, agents: Set[str]) -> bool:
        """Seat one more call that any of `agents` can take; False when no agent is left for it."""
        call = len(self._choices)
        self._choices.append(agents)
        reached_by: dict[str, int] = {}
        frontier = [call]
        for mover in frontier:
            for agent in self._choices[mover]:
                if agent in reached_by:
                    continue
                reached_by[agent] = mover
                if agent not in self._call_at:
                    self._shift(agent, call, reached_by)
                    return True
                frontier.append(self._call_at[agent])
        return False

    def _shift(self, agent: str, call: int, reached_by: dict[str, int]) -> None:
        """Move each call on the path to `agent` one seat further, until `call` sits."""
        while True:
            mover = reached_by[agent]
            left = self._agent_of.get(mover, "")
            self._call_at[agent], self._agent_of[mover] = mover, agent
            if mover == call:
                return
            agent = left
