"""Two questions of whoever watches the process: does it live, and can it do its work?"""

from __future__ import annotations

from typing import Any

from api.plugin import RETRY_AFTER_SECONDS, Db, answer
from worker.errors import DialerError


def alive() -> Any:
    """`GET /healthz`: this process answers. No look at the database: a restart of ours does not mend it."""
    return {"status": "ok"}


def ready(db: Db) -> Any:
    """`GET /readyz`: the database is there, at head, and a live worker owns an Asterisk; else 503 and why."""
    try:
        reasons = db.unready()
    except DialerError as error:
        reasons = [str(error)]
    if not reasons:
        return {"status": "ready", "reasons": []}
    body = {"status": "not ready", "error": "The dialer cannot dial now.", "reasons": reasons}
    body["remedy"] = "Run `dialer check` for what to do."
    return answer(body, 503, Retry_After=str(RETRY_AFTER_SECONDS))
