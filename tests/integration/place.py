"""A worker in a process of its own on one database, simulated Asterisks, and a DBA with a session."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from simulator import Scenario, SimulatedAsterisk
from tests.support.dba import Dba, dba
from tests.support.installation import SCHEMA
from tests.support.waiting import wait_for
from worker.clock import SystemClock


class Place:
    """One worker; a DBA's session for what is looked at, and one for transactions."""

    def __init__(
        self, url: str, directory: Path, people: Scenario, names: Sequence[str] = ("default",), module: str = "dialer"
    ) -> None:
        """names: of the Asterisks, each with such people. module: what `python -m` starts the worker with."""
        self.is_mariadb = url.startswith("mariadb")
        self.asterisks = {name: SimulatedAsterisk(people, SystemClock(), seed=3) for name in names}
        self.reader: Dba = dba(url, SCHEMA)
        self.dba: Dba = dba(url, SCHEMA)
        self._log = directory / "worker.log"
        secret = next(user.secret for user in people.users if user.name == "dialer")
        self._environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("DIALER_")},
            "DIALER_DATABASE_URL": url,
            **({} if self.is_mariadb else {"DIALER_DATABASE_SCHEME": SCHEMA}),
            "DIALER_LOGLEVEL": "2",
        }
        for name, asterisk in self.asterisks.items():
            section = "DIALER_AMI" if name == "default" else f"DIALER_ASTERISK_{name.upper()}"
            self._environ |= {
                f"{section}_IP": "127.0.0.1",
                f"{section}_PORT": str(asterisk.serve()),
                f"{section}_USERNAME": "dialer",
                f"{section}_PASSWORD": secret,
            }
        self._command = [sys.executable, "-m", module, "worker"]
        self._numbers = iter(range(10, 90))

    def load(self, project: str, count: int, **columns: str) -> str:
        """The statement that inserts so many cases; values of columns are SQL."""
        number = f"{next(self._numbers)}000000 + "
        number += "seq" if self.is_mariadb else "n"
        source = f"seq_1_to_{count}" if self.is_mariadb else f"generate_series(1, {count}) n"
        names, values = "".join(f", {name}" for name in columns), "".join(f", {value}" for value in columns.values())
        return (
            f"INSERT INTO dialer_clients (case_name, project_id, phone_number{names})"
            f" SELECT 'Case', '{project}', CAST({number} AS char(8)){values} FROM {source}"
        )

    @contextmanager
    def worker(self) -> Iterator[None]:
        """A running worker; at the end it has stopped by itself."""
        with self._log.open("wb") as log:
            process = subprocess.Popen(self._command, env=self._environ, stdout=log, stderr=subprocess.STDOUT)
        try:
            up = "SELECT 1 FROM dialer_asterisks WHERE state = 'up'"
            wait_for(lambda: len(self.rows(up)) == len(self.asterisks), 30, self.log)
            yield
            process.terminate()
            assert process.wait(20) == 0, self.log()
        finally:
            process.kill()
            process.wait(10)

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return self.reader.sql(statement, *values)

    def value(self, statement: str, *values: Any) -> Any:
        return next(iter(self.rows(statement, *values)[0].values()))

    def attempts(self, project: str) -> int:
        return int(self.value("SELECT count(*) AS n FROM dialer_stat_attempt WHERE project_id = %s", project))

    def wait_for_more(self, project: str, count: int = 5) -> None:
        """Until so many attempts more have begun."""
        goal = self.attempts(project) + count
        wait_for(
            lambda: self.attempts(project) >= goal,
            60,
            lambda: f"project {project} to be dialled: {self.situation()}",
            every=0.1,
        )

    def slow(self) -> list[str]:
        """What dialer_warnings says about claims."""
        return [row["detail"] for row in self.rows("SELECT detail FROM dialer_warnings WHERE kind = 'claims_slow'")]

    @contextmanager
    def transaction(self, *statements: str, isolation: str = "") -> Iterator[None]:
        """What the DBA does, open within the block and committed after it.

        isolation: instead of the server's default.
        """
        if isolation and self.is_mariadb:
            self.dba.sql(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
        self.dba.sql("BEGIN")
        try:
            for statement in statements:
                self.dba.sql(statement)
            yield
        except BaseException:
            self.dba.sql("ROLLBACK")
            raise
        self.dba.sql("COMMIT")

    def gap(self, project: str, since: int = 0) -> float:
        """The longest time in seconds between two attempts of a project, one after the other; those after an id."""
        at = [
            row["begun_at"]
            for row in self.rows(
                "SELECT begun_at FROM dialer_stat_attempt WHERE project_id = %s AND attempt_id > %s"
                " ORDER BY attempt_id",
                project,
                since,
            )
        ]
        return max(float((later - earlier).total_seconds()) for earlier, later in pairwise(at))

    def call(self, routine: str, *values: str) -> None:
        """Call a routine of the dialer's."""
        given = ", ".join(["%s"] * len(values))
        self.rows(f"{'CALL' if self.is_mariadb else 'SELECT'} {routine}({given})", *values)

    def log(self) -> str:
        return self.whole_log()[-4000:]

    def whole_log(self) -> str:
        return self._log.read_text()

    def situation(self) -> str:
        return f"{self.rows('SELECT * FROM dialer_projects')}\n{self.slow()}\n{self.log()}"

    def close(self) -> None:
        for asterisk in self.asterisks.values():
            asterisk.stop()
        self.reader.close()
        self.dba.close()

    def check(self) -> None:
        """Nobody has met an error, no case was lost or dialled twice."""
        assert re.findall(r"^.* (?:ERROR|CRITICAL) .*$|^Traceback", self._log.read_text(), re.MULTILINE) == []
        assert self.rows("SELECT * FROM dialer_invariants") == []
        assert self.rows("SELECT * FROM dialer_claims WHERE attempt_id IS NULL") == []
        ledger = {row["channel_id"] for row in self.rows("SELECT channel_id FROM dialer_stat_attempt")}
        assert ledger == {call.channel_id for one in self.asterisks.values() for call in one.calls_log}
        twice = self.rows(
            "SELECT a.case_id, count(*) AS calls FROM dialer_stat_attempt a JOIN dialer_clients c ON c.id = a.case_id"
            " GROUP BY a.case_id, c.brought_back HAVING count(*) > 1 + c.brought_back"
        )
        assert twice == []
        lost = self.rows(
            "SELECT c.id FROM dialer_clients c WHERE c.checked"
            " AND NOT EXISTS (SELECT 1 FROM dialer_stat_attempt a WHERE a.case_id = c.id AND a.ended_at IS NULL)"
        )
        assert lost == []
