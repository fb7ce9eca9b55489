"""Attempts: the permission to dial, how far a call has got, how it ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from worker.db.routines.base import Routines, stored_json
from worker.model import AmdVerdict, Begun, OpenAttempt, Ownership, Refusal, Step, Work

Report = dict[str, Any]
"""A report on an attempt: {"attempt_id", "steps": {step: seconds ago}, …}, see dialer_attempt_advance."""
OptOut = dict[str, Any]
"""{"attempt_id", "key", "ago"}, see dialer_opt_out."""


class Attempts(Routines):
    """Calls, from the permission to their end."""

    def begin(
        self,
        owner: Ownership,
        item: Work,
        requests: Sequence[tuple[int, str, str]],
        now: datetime | None,
        *,
        guaranteed: Collection[int] = (),
        timeout_seconds: float | None = None,
    ) -> tuple[list[Begun], list[Refusal]]:
        """Ask for the permission to dial: `requests` are (case_id, channel_id, action_id) of one project, in dial
        order.

        guaranteed: the cases with an agent guaranteed, as there are fewer calls in flight than free agents. For other
        cases a number that was abandoned lately is refused (number_abandoned), its claim given back, and the case put
        off.
        """
        text = stored_json(
            [
                {"case_id": case, "channel_id": channel, "action_id": action, "guaranteed": case in guaranteed}
                for case, channel, action in requests
            ]
        )
        begun: list[Begun] = []
        refused: list[Refusal] = []
        for row in self._database.call(
            "dialer_attempt_begin",
            owner.worker_id,
            owner.asterisk,
            owner.epoch,
            item.project_id,
            text,
            now,
            timeout_seconds=timeout_seconds,
        ):
            if row["attempt_id"] is None:
                refused.append(Refusal(row["case_id"], row["refusal"], row["retry_at"]))
                continue
            values = {name: value for name, value in row.items() if name not in ("refusal", "retry_at")}
            values["dial_seconds"] = float(values["dial_seconds"])
            values["abandon_seconds"] = float(values["abandon_seconds"])
            values["amd"] = bool(values["amd"])
            begun.append(Begun(project_id=item.project_id, type=item.type, trunk=item.trunk, **values))
        return begun, refused

    def advance(
        self,
        owner: Ownership,
        reports: Sequence[Report],
        now: datetime | None,
        *,
        timeout_seconds: float | None = None,
    ) -> bool:
        """Write how far calls have got; False: the Asterisk is no longer ours."""
        return self._tell("dialer_attempt_advance", owner, reports, now, timeout_seconds)

    def finish(
        self,
        owner: Ownership,
        reports: Sequence[Report],
        now: datetime | None,
        *,
        timeout_seconds: float | None = None,
    ) -> bool:
        """Write how calls have ended; each end counts once. False: the Asterisk is no longer ours."""
        return self._tell("dialer_attempt_finish", owner, reports, now, timeout_seconds)

    def opt_out(self, opt_outs: Sequence[OptOut], now: datetime | None, *, timeout_seconds: float | None = None) -> int:
        """Write that subscribers asked not to be called again, whoever owns the Asterisk; how many of them are new."""
        return int(self._database.value("dialer_opt_out", stored_json(opt_outs), now, timeout_seconds=timeout_seconds))

    def _tell(
        self,
        routine: str,
        owner: Ownership,
        reports: Sequence[Report],
        now: datetime | None,
        timeout_seconds: float | None,
    ) -> bool:
        return bool(
            self._database.value(
                routine,
                owner.worker_id,
                owner.asterisk,
                owner.epoch,
                stored_json(reports),
                now,
                timeout_seconds=timeout_seconds,
            )
        )

    def open_on(
        self, asterisk: str, now: datetime | None, *, timeout_seconds: float | None = None
    ) -> list[OpenAttempt]:
        """The attempts without an end on an Asterisk."""
        return [
            OpenAttempt(
                attempt_id=row["attempt_id"],
                case_id=row["case_id"],
                project_id=row["project_id"],
                phone_number=row["phone_number"],
                type=row["type"],
                queue=row["queue"],
                trunk=row["trunk"],
                channel_id=row["channel_id"],
                action_id=row["action_id"],
                epoch=row["epoch"],
                dial_seconds=float(row["dial_seconds"]),
                abandon_seconds=float(row["abandon_seconds"]),
                agent=row["agent"],
                begun_ago=float(row["begun_ago"]),
                steps_ago={step: float(row[f"{step}_ago"]) for step in Step if row[f"{step}_ago"] is not None},
                amd_verdict=AmdVerdict(row["amd_verdict"]) if row["amd_verdict"] else None,
                keys_pressed=row["keys_pressed"] or "",
                signed_off=bool(row["signed_off"]),
            )
            for row in self._database.call("dialer_open_attempts", asterisk, now, timeout_seconds=timeout_seconds)
        ]

    def count_open(self) -> int:
        """How many attempts have no end yet, on all Asterisks."""
        return int(self._database.query("SELECT count(*) AS n FROM dialer_calls")[0]["n"])

    def count_ended(self) -> int:
        """How many attempts the ledger holds; reads every row."""
        return int(self._database.query("SELECT count(*) AS n FROM dialer_attempts")[0]["n"])

    def channel_ids(self) -> set[str]:
        """The channels of all attempts, ended or not; reads the whole ledger."""
        return {row["channel_id"] for row in self._database.query("SELECT channel_id FROM dialer_stat_attempt")}
