"""Two questions for those who watch the process: is it alive, and can it do its work?"""

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
    """`GET /healthz`: this process answers. It does not look at the database: restarting us would not mend that."""
    return {"status": "ok"}


def ready(upkeep: Upkeep) -> dict[str, Any] | bottle.HTTPResponse:
    """`GET /readyz`: the database is there, at head, and a live worker owns an Asterisk; otherwise 503 and why.

    `troubles` concern single projects, trunks and cases. The others are served, so the dialer is still ready.
    """
    troubles: list[str] = []
    try:
        reasons, troubles = upkeep.readiness()
    except DialerError as error:
        reasons = [str(error)]
    except Exception as error:
        # Watchers are promised one of two answers, whatever is wrong with the database or this program.
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
