"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], seconds: float, what: str | Callable[[], str], *, every: float = 0.02) -> T:
    """The first true value of `condition()`; asked every `every` seconds, TimeoutError after `seconds`.

    `what` completes the sentence "waited … s for …"; a function is asked only on failure.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain for {what() if callable(what) else what}")
        time.sleep(every)
