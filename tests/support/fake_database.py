"""A database that takes the reports of a session and remembers them; no server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import gevent

from worker.db import Database
from worker.errors import DatabaseUnavailable
from worker.model import Step


class FakeDatabase:
    """Answers the routines that session and ledger call. `down`: it does not answer; `slow`: each call takes a turn
    of the other greenlets."""

    def __init__(self) -> None:
        self.down = False
        self.slow = False
        self.ours = True
        """Does the worker own the Asterisk?"""
        self.open: list[dict[str, Any]] = []
        """Rows of dialer_open_attempts."""
        self.ended: list[dict[str, Any]] = []
        """Reports told to dialer_attempt_finish, in order."""
        self.advanced: list[dict[str, Any]] = []
        self.opt_outs: list[dict[str, Any]] = []
        """What dialer_opt_out was told, in order."""
        self.agents: list[dict[str, Any]] = []
        """What dialer_agents_write was told last."""
        self.told: list[tuple[str, str | None]] = []
        """State and reason of the Asterisk, one after the other."""
        self.troubles: list[tuple[Any, ...]] = []
        """Kind, subject, step and detail of what was told to dialer_trouble_report."""
        self.calls: list[str] = []
        self.before: dict[str, Callable[[list[Any]], None]] = {}
        """By routine: called with its arguments first."""

    def as_database(self) -> Database:
        return cast("Database", self)

    def call(self, routine: str, *arguments: Any, timeout_seconds: float | None = None) -> list[dict[str, Any]]:
        self.calls.append(routine)
        if self.slow:
            gevent.sleep(0)
        if self.down:
            raise DatabaseUnavailable("of this test", "it is down")
        hook = self.before.get(routine)
        if hook is not None:
            hook(list(arguments))
        if routine == "dialer_open_attempts":
            return self.open
        if routine == "dialer_attempt_finish":
            if self.ours:
                self.ended += json.loads(arguments[3])
            return [{routine: self.ours}]
        if routine == "dialer_opt_out":
            self.opt_outs += json.loads(arguments[0])
            return [{routine: len(json.loads(arguments[0]))}]
        if routine == "dialer_attempt_advance":
            if self.ours:
                self.advanced += json.loads(arguments[3])
            return [{routine: self.ours}]
        if routine == "dialer_agents_write":
            self.agents = json.loads(arguments[3])
            return []
        if routine == "dialer_trouble_report":
            self.troubles.append(tuple(arguments[3:7]))
            return []
        if routine == "dialer_asterisk_report":
            self.told.append((arguments[3], arguments[4]))
            return []
        raise AssertionError(f"{routine} was not expected")

    def value(self, routine: str, *arguments: Any, timeout_seconds: float | None = None) -> Any:
        rows = self.call(routine, *arguments, timeout_seconds=timeout_seconds)
        return next(iter(rows[0].values())) if rows else None

    def outcomes(self) -> dict[int, str]:
        """The first outcome that was told of each attempt."""
        told: dict[int, str] = {}
        for report in self.ended:
            told.setdefault(report["attempt_id"], report["outcome"])
        return told


def open_attempt(attempt_id: int = 1, channel_id: str = "c1", **changes: Any) -> dict[str, Any]:
    """A row of dialer_open_attempts."""
    row: dict[str, Any] = {
        "attempt_id": attempt_id,
        "case_id": 7,
        "project_id": "p",
        "phone_number": "79990000001",
        "type": "progressive",
        "queue": "sales",
        "trunk": "default",
        "channel_id": channel_id,
        "action_id": f"a-{channel_id}",
        "epoch": 1,
        "dial_seconds": 30,
        "abandon_seconds": 2,
        "agent": None,
        "amd_verdict": None,
        "keys_pressed": None,
        "signed_off": False,
        "begun_ago": 10.0,
        **{f"{step}_ago": None for step in Step},
    }
    return {**row, **changes}
