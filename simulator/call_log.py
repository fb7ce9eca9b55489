"""A file that outlives its simulated Asterisk: what happened to each call, one line of JSON per step.

Each line is one write to the system, so it survives a SIGKILL. Lines:

    {"what": "boot", "at": 1754037000.25, "pid": 4711}                  the process has started, or Asterisk again
    {"what": "originate", "at": …, "call": channel id, "number": …, "trunk": …, "variables": {"DIALER_CASE": …}}
    {"what": "ringing" | "answered" | "connected" | "played" | "ended" | "refused", "at": …, "call": channel id, …}
    {"what": "amd", "at": …, "call": channel id, "verdict": AMD()'s, "machine": what it was in truth}
    {"what": "pressed", "at": …, "call": channel id, "key": …}     in a message that offers keys
    {"what": "let_go", "at": …, "call": channel id}    by the queue, to the safe-harbour message or to the end

`at` is seconds since 1970 by the simulated Asterisk's clock. refused: the Originate gave no channel. A call
without `ended` before the next `boot` died with its Asterisk.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class LoggedCall:
    """One call in the carrier's own log. Instants are seconds since 1970, None: it did not happen."""

    number: str
    channel_id: str
    begun: float
    behaviour: str
    trunk: str
    ringing: float | None = None
    answered: float | None = None
    agent: str | None = None
    connected: float | None = None
    played: bool = False
    keys: str = ""  # pressed in a message that offers keys
    machine: bool = False  # what really answered, whatever AMD() says
    verdict: str = ""  # AMD()'s
    judged: float | None = None
    let_go: float | None = None  # by the queue, whose patience was over
    ended: float | None = None
    cause: int | None = None
    ended_by: str = ""  # subscriber, agent, dialer, switch, timeout, carrier


class CallLog:
    """Appends to `path`; to be handed to a Switch as its `note`."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def __call__(self, what: str, at: float, **facts: object) -> None:
        line = json.dumps({"what": what, "at": round(at, 6), **facts}, ensure_ascii=True)
        os.write(self._file, line.encode() + b"\n")
