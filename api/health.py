"""Two questions of whoever watches the process: does it live, and can it do its work?"""

from __future__ import annotations

import logging
from typing import Any

import bottle

from api.answers import Json
from api.refusals import RETRY_AFTER_SECONDS, told
from worker.db.routines.upkeep import Upkeep
from worker.errors import DialerError

log = logging.getLogger(__name__)


def alive() -> dict[str, str]:
    """`GET /healthz`: this process answers. No look at the database: a restart of ours does not mend it."""
    return {"status": "ok"}


def ready(upkeep: Upkeep) -> dict[str, Any] | bottle.HTTPResponse:
    """`GET /readyz`: the database is there, at head, and a live worker owns an Asterisk; else 503 and why.

    `troubles` are those of single projects, trunks and cases: the others are served, so they make nothing unready.
    """
    troubles: list[str] = []
    try:
        reasons, troubles = upkeep.readiness()
    except DialerError as error:
        reasons = [str(error)]
    except Exception as error:
        # Whoever watches is promised one of two answers, whatever the database or this program has got wrong.
        log.warning("The readiness cannot be told", extra={"action": "http_unready"}, exc_info=True)
        reasons = [told(error)]
    if not reasons:
        return {"status": "ready", "reasons": [], "troubles": troubles}
    body = {
        "status": "not ready",
        "error": "The dialer cannot dial now.",
        "reasons": reasons,
        "troubles": troubles,
        "remedy": "Run `dialer check` for what to do.",
    }
    answer = Json().answer(body, 503)
    answer.set_header("Retry-After", str(RETRY_AFTER_SECONDS))
    return answer
