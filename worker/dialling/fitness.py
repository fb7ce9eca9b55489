"""What projects lack on an Asterisk: a trunk, queue, context or extension, or whatever a project's last call has shown.

This is checked before a project is dialled, reported to the database (dialer_fitness) and the log, and checked again
when its time has come or something has changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from worker.ami.errors import AmiRefused
from worker.asterisk.session import Session
from worker.backoff import Outage
from worker.clock import Clock
from worker.db import Database
from worker.db.routines.instants import instant
from worker.db.routines.projects import Projects
from worker.dialling.hopper import ASK_SECONDS, OBSTACLE, Hopper
from worker.errors import DialerError
from worker.model import DEFAULT_EXTEN, Work

log = logging.getLogger(__name__)

TRUST_SECONDS = 30.0
"""How long a queue, context or extension that was found is assumed to be still there."""


class Fitness:
    """Can this Asterisk's projects be dialled here?"""

    def __init__(
        self, session: Session, database: Database, clock: Clock, hopper: Hopper, wall: Callable[[], float]
    ) -> None:
        """`wall`: the database's time, seconds since 1970."""
        self._session = session
        self._projects = Projects(database)
        self._clock = clock
        self._hopper = hopper
        self._wall = wall
        self._found: dict[tuple[str, ...], float] = {}
        """Extensions that were found, and until which instant of monotonic() that is assumed to hold."""
        self._shown: dict[str, str] = {}
        """Why projects cannot be dialled, as their calls have shown; not reported yet."""
        self._changes = 0
        """A count of possible changes in Asterisk …"""
        self._looked: dict[str, int] = {}
        """… and the count at which each project was last checked."""
        self._lacking: dict[str, tuple[str, Outage]] = {}
        """What projects lack, as logged last."""

    def shown(self, project_id: str, why: str) -> None:
        """A call of the project has shown why it cannot be dialled."""
        self._shown[project_id] = why

    def look_again(self) -> None:
        """Asterisk, or a trunk, may have changed: check what failed before its time."""
        self._found.clear()
        self._shown.clear()
        self._changes += 1

    def fit(self, item: Work) -> bool:
        """Can this project be dialled? Reports what stands in the way."""
        hand = self._hopper.hand(item.project_id)
        if hand.busy():
            return True  # it rests
        again = self._looked.get(item.project_id, 0) < self._changes
        obstacle = self._shown.pop(item.project_id, None)
        if obstacle is None:
            if item.unfit and item.unfit_until is not None:
                if item.unfit_until.timestamp() > self._wall() and not again:
                    return False
                self._found.clear()
            obstacle = self._obstacle(item)
        else:
            self._found.clear()
        self._looked[item.project_id] = self._changes
        if (obstacle is not None or item.unfit) and hand.left(self._clock.monotonic(), OBSTACLE) <= 0:
            self._hopper.run(item.project_id, OBSTACLE, lambda: self._report(item, obstacle))
            self._say(item.project_id, obstacle)
        return obstacle is None

    def _say(self, project_id: str, obstacle: str | None) -> None:
        """Log what a project lacks; it is checked again every minute, but logged less often."""
        said, outage = self._lacking.pop(project_id, (obstacle, None))
        if obstacle is None:
            if outage is not None:
                outage.worked(project_id=project_id)
            return
        if outage is None or said != obstacle:
            began, over = "project cannot be dialled", "project can be dialled again"
            outage = Outage(log, "project_unfit", began, over, settled_seconds=0, monotonic=self._clock.monotonic)
        outage.failed(obstacle, project_id=project_id)
        self._lacking[project_id] = obstacle, outage

    def _report(self, item: Work, obstacle: str | None) -> None:
        self._projects.report(
            self._session.owner,
            item.project_id,
            obstacle,
            instant(self._clock),
            timeout_seconds=ASK_SECONDS,
        )

    def _obstacle(self, item: Work) -> str | None:
        if item.room is None:
            return (
                f"trunk {item.trunk!r} has no row in dialer_trunks for Asterisk {self._session.name!r}:"
                " insert one, or change dialer_params.trunk"
            )
        known = self._session.agents.queue_named(item.queue) is not None
        if item.serves_agents and not known and not self._has_queue(item.queue):
            return (
                f"Asterisk {self._session.name!r} has no queue {item.queue!r}: add it to queues.conf, or write"
                " its name into dialer_params.queue, that of a realtime queue exactly as in its table"
                " (`queue show` lists what there is)"
            )
        exten = item.exten or DEFAULT_EXTEN
        if not self._has_extension(item.context, exten):
            return (
                f"Asterisk {self._session.name!r} has no extension {exten!r} in context {item.context!r}: add it"
                " to extensions.conf, or correct dialer_params.exten and context"
            )
        return None

    def _has_queue(self, queue: str) -> bool:
        try:
            items = self._session.client.ask_list([("Action", "QueueStatus"), ("Queue", queue)])
        except DialerError:
            return True  # the link will report it soon enough
        self._session.agents.add_queue(items)
        return self._session.agents.queue_named(queue) is not None

    def _has_extension(self, context: str, exten: str) -> bool:
        key = (context, exten)
        now = self._clock.monotonic()
        if self._found.get(key, -1.0) > now:
            return True
        try:
            items = self._session.client.ask_list(
                [("Action", "ShowDialPlan"), ("Context", context), ("Extension", exten)]
            )
        except AmiRefused as error:
            if "permission" in error.text.lower():
                items = None  # the right `reporting` is missing: Originate will show it
            else:
                return False
        except DialerError:
            return True  # the link will report it soon enough
        if items is not None and not items:
            return False
        self._found[key] = now + TRUST_SECONDS
        return True
