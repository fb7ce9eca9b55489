"""What fails is tried again at growing intervals, and logged at growing intervals, too."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from math import inf

SAY_AGAIN_SECONDS = 60.0
SAY_AGAIN_MOST_SECONDS = 3600.0
"""Seconds until an outage that lasts is logged again: at first, and at most; each wait is twice the one before."""


class Backoff:
    """When to try something again that fails: after `first` seconds, then twice as long each time, up to `most`. The
    caller says what time it is."""

    __slots__ = ("_first", "_most", "failures", "until")

    def __init__(self, first: float = 1.0, most: float = 30.0) -> None:
        self._first = first
        self._most = most
        self.failures = 0
        """Failures in a row."""
        self.until = -inf
        """The instant of the next try."""

    @property
    def delay(self) -> float:
        """Seconds from the next failure to the try after it."""
        delay: float = min(self._first * 2.0 ** min(self.failures, 30), self._most)
        return delay

    def failed(self, now: float) -> float:
        """Note a failure; seconds until the next try."""
        delay = self.delay
        self.failures += 1
        self.until = now + delay
        return delay

    def over(self) -> bool:
        """Note a success; True: it had failed before."""
        failed = self.failures > 0
        self.failures = 0
        self.until = -inf
        return failed

    def left(self, now: float) -> float:
        """Seconds until the next try, 0 if it may be tried now."""
        return max(0.0, self.until - now)

    def sooner(self, until: float) -> None:
        """What was in the way may be gone: try again at that instant at the latest."""
        self.until = min(self.until, until)


class Outage:
    """Logs that something is away, or keeps failing: once, again at growing intervals, and when it is over.

    An outage is over when it works again, some time after the last failure: after a restart of the database each
    connection fails once, and that is one outage. Goes by the machine's time, like the log.
    """

    def __init__(
        self,
        log: logging.Logger,
        action: str,
        began: str,
        over: str,
        *,
        settled_seconds: float = 1.0,
        level: int = logging.WARNING,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`began` and `over`: the texts to log, beside `action` and the facts."""
        self._log = log
        self._action = action
        self._began = began
        self._over = over
        self._settled = settled_seconds
        self._level = level
        self._monotonic = monotonic
        self._since: float | None = None
        self._failed = 0.0
        self._times = 0
        self._asked = False
        """Has the log said that somebody must act?"""
        self._say = Backoff(SAY_AGAIN_SECONDS, SAY_AGAIN_MOST_SECONDS)

    @property
    def lasts(self) -> bool:
        """Has it failed, and not worked since?"""
        return self._since is not None

    def failed(
        self, why: str, error: BaseException | None = None, *, for_somebody: bool = False, **facts: object
    ) -> None:
        """It is away, or has failed. `error`: an unforeseen one, whose traceback is wanted. `for_somebody`: it will not
        be over until somebody acts; this is logged at once, once per outage, whatever was logged before."""
        now = self._failed = self._monotonic()
        self._times += 1
        if self._since is None:
            self._since = now
        elif self._say.left(now) > 0 and not (for_somebody and not self._asked):
            return
        self._asked = self._asked or for_somebody
        lasting = {"seconds": round(now - self._since), "times": self._times} if self._times > 1 else {}
        self._say.failed(now)
        self._log.log(
            self._level,
            self._began,
            extra={"action": self._action, **facts, "why": why, **lasting},
            exc_info=error,
        )

    def worked(self, **facts: object) -> None:
        """It works."""
        if self._since is None or (now := self._monotonic()) - self._failed < self._settled:
            return
        told = {"action": f"{self._action}_over", **facts, "seconds": round(now - self._since), "times": self._times}
        self._since, self._times, self._asked = None, 0, False
        self._say.over()
        self._log.info(self._over, extra=told)
