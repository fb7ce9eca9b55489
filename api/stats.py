"""The numbers of a project, as the statistics views have them."""

from __future__ import annotations

from typing import Any

from api.plugin import Db


def statistics(project_id: str, db: Db) -> Any:
    """`GET /projects/ID/stats`: totals, outcomes and hours of one project."""
    db.project(project_id)  # a project without a call has no numbers, an unknown one is an error
    return db.statistics(project_id)
