"""Writes the state of agents for readers of the database; no decision depends on it."""

from __future__ import annotations

import math

from worker.asterisk.agents import Agents
from worker.backoff import Backoff
from worker.clock import Clock
from worker.db import Database
from worker.db.database import reason
from worker.db.routines.instants import instant
from worker.db.routines.owners import Owners
from worker.errors import DatabaseUnavailable
from worker.model import Ownership
from worker.troubles import Troubles


class AgentsTable:
    """The part of dialer_agents for one Asterisk's queue members."""

    def __init__(self, agents: Agents, database: Database, clock: Clock, owner: Ownership, troubles: Troubles) -> None:
        self._agents = agents
        self._owners = Owners(database)
        self._clock = clock
        self._owner = owner
        self._troubles = troubles
        self._written = agents.version
        self._rested = math.inf
        """When the next wrap-up ends; no event tells us."""
        self._held = Backoff()

    def write(self) -> float | None:
        """Write what has changed; seconds until there will be something to write even if nothing happens, or None.
        Raises DatabaseUnavailable."""
        now = self._clock.monotonic()
        if (self._agents.version != self._written or now >= self._rested) and self._held.left(now) <= 0:
            self._write()
        resting = self._agents.next_free_in()
        self._rested = math.inf if resting is None else self._clock.monotonic() + resting
        return resting

    def _write(self) -> None:
        version = self._agents.version
        try:
            self._owners.write_agents(self._owner, self._agents.table(), instant(self._clock))
        except DatabaseUnavailable:
            raise
        except Exception as error:
            # Until then readers see the old state.
            self._held.failed(self._clock.monotonic())
            self._tell(f"what its agents do cannot be written: {reason(error)}")
        else:
            self._written = version
            if self._held.over():
                self._tell(None)

    def _tell(self, trouble: str | None) -> None:
        self._troubles.note("asterisk", self._owner.asterisk, "agents", trouble)
