"""What the dialling of an Asterisk hears from outside: that a look is worth while, and what the last call showed.

A notice only says where to look; the facts come from the database and from Asterisk. So a lost notice costs only the
time until the next poll, and the same notice twice counts once.
"""

from __future__ import annotations

from dataclasses import dataclass

from gevent.event import Event


@dataclass(frozen=True)
class Look:
    """Something has changed that calls depend on: agents, lines, the link."""


@dataclass(frozen=True)
class LookAgain:
    """Asterisk's dialplan and queues, or the trunks, may have changed: what failed may work now."""


@dataclass(frozen=True)
class CasesChanged:
    """A project or its cases have changed; '': any project."""

    project_id: str


@dataclass(frozen=True)
class Obstacle:
    """Why a project cannot be dialled here, as its last call showed: a sentence with the remedy."""

    project_id: str
    why: str


Notice = Look | LookAgain | CasesChanged | Obstacle


class Notices:
    """Notices that have not been read, in the order in which they first came."""

    def __init__(self) -> None:
        self.arrived = Event()
        """Is there an unread notice?"""
        self._unread: dict[Notice, None] = {}

    def put(self, notice: Notice) -> None:
        """Add a notice; never waits."""
        self._unread.pop(notice, None)  # of several obstacles the latest counts
        self._unread[notice] = None
        self.arrived.set()

    def take(self) -> list[Notice]:
        """Take all unread notices."""
        self.arrived.clear()
        unread = list(self._unread)
        self._unread.clear()
        return unread
