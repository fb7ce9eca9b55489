"""What happened on the link, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Counts over all connections of a client since it was made; for status pages and tests."""

    reconnects: int = 0  # links after the first one
    overflows: int = 0  # connections dropped because the inbox was full
    tampered: int = 0  # messages dropped because Asterisk cannot have written them
    skipped: int = 0  # events that nobody wanted
    events: int = 0  # events put into the inbox
    timeouts: int = 0  # actions without an answer in time
    strays: int = 0  # replies and list items that belong to no action under way
    stale: int = 0  # actions that were not sent because they had waited for too long
