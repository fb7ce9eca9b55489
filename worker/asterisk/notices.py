"""What the dialling of an Asterisk is told from outside: that it is worth a look, and what came of the last one.

A notice only says where to look; what is true is asked of the database, and of Asterisk. So one that is lost costs the
time until the next poll, and the same one twice counts once.
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
    """Why a project cannot be dialled here, as its last call has shown: a sentence with the remedy."""

    project_id: str
    why: str


Notice = Look | LookAgain | CasesChanged | Obstacle


class Notices:
    """Those that have not been read, in the order of their first coming."""

    def __init__(self) -> None:
        self.arrived = Event()
        """Is there one?"""
        self._unread: dict[Notice, None] = {}

    def put(self, notice: Notice) -> None:
        """Tell it; never waits."""
        self._unread[notice] = None
        self.arrived.set()

    def take(self) -> list[Notice]:
        """All that are unread; they are read now."""
        self.arrived.clear()
        unread = list(self._unread)
        self._unread.clear()
        return unread
