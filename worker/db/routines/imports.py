"""Lists from files: what was imported, and the next lines of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from sqlalchemy import Connection, column, insert, table, text
from sqlalchemy.exc import DBAPIError

from worker.db.database import Database, Row, reason
from worker.db.routines.base import Routines, columns, made
from worker.errors import DatabaseUnavailable, DialerError, UnknownProject
from worker.figures import CheckedLines, ImportFigures, RefusedLine
from worker.model import ListLine, Policies

_MOST_ALONE = 50
"""So many lines in a row that are refused one by one: it is not the lines that are wrong."""


class ImportMovedOn(DialerError):  # noqa: N818 - what it says is plain enough
    """An import was taken further, or back, by somebody else."""

    def __init__(self, import_id: int) -> None:
        super().__init__(
            f"Somebody else has gone on with import {import_id} meanwhile, or has undone it: nothing was written twice."
            " `dialer import --list` shows how far it is."
        )


@dataclass(frozen=True)
class Task:
    """What is the same for all lines of an import. targets: the columns of a case that the lines have values for."""

    project_id: str
    targets: Sequence[str]
    policies: Policies
    import_id: int | None = None


@dataclass(frozen=True)
class Staged:
    """Lines that the database has looked at one by one, in a transaction that `Imports.put` goes on with."""

    unread: list[RefusedLine]
    connection: Connection
    transaction: ExitStack

    def drop(self) -> None:
        """Give the transaction up: nothing was written."""
        with suppress(DBAPIError, DatabaseUnavailable):
            self.connection.rollback()
            self.transaction.close()


class Imports(Routines):
    """Imports of lists."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._stages = database.settings.max_open_conns != 1

    def zone(self, project_id: str) -> str:
        """The zone of a project's cases that have none of their own. Raises UnknownProject."""
        rows = self._database.query("SELECT zone FROM dialer_rules WHERE project_id = :project", project=project_id)
        if not rows:
            raise UnknownProject(project_id)
        return str(rows[0]["zone"])

    def countries(self, project_id: str) -> tuple[str | None, str | None]:
        """By which country's numbering plan a project's numbers are read, and by which they are to be once a worker has
        taken up what was written last; two letters, None: by none."""
        wanted = "coalesce(p.country, nullif(dialer_setting('country'), ''))"
        (row,) = self._database.query(
            f"SELECT dialer_country(p.project_id) AS now, {wanted} AS soon"  # noqa: S608
            " FROM dialer_params p WHERE p.project_id = :project",
            project=project_id,
        )
        return row["now"], row["soon"]

    def zero_codes(self) -> frozenset[str]:
        """The country codes of plans in which a 0 before a number is dialled inside the country alone."""
        rows = self._database.query("SELECT DISTINCT code FROM dialer_countries WHERE trunk_prefix = '0'")
        return frozenset(str(row["code"]) for row in rows)

    def all(self) -> list[ImportFigures]:
        """All imports, the latest first."""
        return made(ImportFigures, self._database.query(f"{_ALL} ORDER BY id DESC"))

    def of_file(self, digest: str, project_id: str) -> list[ImportFigures]:
        """Imports of a file into a project that were not undone; the latest first."""
        rows = self._database.query(
            f"{_ALL} WHERE file_hash = :digest AND project_id = :project AND undone_at IS NULL ORDER BY id DESC",
            digest=digest,
            project=project_id,
        )
        return made(ImportFigures, rows)

    def get(self, import_id: int) -> ImportFigures | None:
        """One import."""
        return next(iter(made(ImportFigures, self._database.query(f"{_ALL} WHERE id = :id", id=import_id))), None)

    def begin(self, project_id: str, file_name: str, digest: str, options: str, policies: Policies) -> ImportFigures:
        """Note that an import begins."""
        values = {
            "project_id": project_id,
            "file_name": file_name,
            "file_hash": digest,
            "options": options,
            **policies._asdict(),
        }
        light = table("dialer_imports", *map(column, values))
        self._database.run(lambda connection: connection.execute(insert(light).values(values)))
        return self.of_file(digest, project_id)[0]

    def check(self, task: Task, lines: Sequence[ListLine]) -> CheckedLines:
        """What would come of some lines; nothing is written. Of numbers that come again in
        the file this knows as long as it is asked on one connection."""

        def work(connection: Connection) -> CheckedLines:
            return self._settle(connection, task, self._stage(connection, task, lines), dry=True)

        return self._database.run(work)

    def stage(self, task: Task, lines: Sequence[ListLine]) -> Staged | None:
        """Let the database look at the next lines while those before them are inserted; for `put`. None: it cannot, as
        yet, or may not, since it allows one connection."""
        if not self._stages:
            return None
        try:
            with ExitStack() as transaction:
                connection = transaction.enter_context(self._database.transaction())
                unread = self._stage(connection, task, lines)
                return Staged(unread, connection, transaction.pop_all())
        except DatabaseUnavailable:
            # A second connection is not to be had.
            self._stages = False
        except DBAPIError:
            pass
        return None

    def put(
        self,
        task: Task,
        lines: Sequence[ListLine],
        after: int,
        note: Callable[[list[RefusedLine]], None],
        *,
        last: bool,
        staged: Staged | None = None,
    ) -> Iterator[tuple[Sequence[ListLine], CheckedLines]]:
        """Insert the next lines of a list as cases. after: the last line before them; last: the list ends with them;
        staged: what `stage` has made of them, if it was asked.

        Yields, after each transaction, its lines and what came of them. `note` is told of those that are refused or
        skipped before the commit, perhaps several times. There is one transaction, unless the database refuses it, for
        example by a constraint of a DBA's: then its parts are tried, down to the single line, which is refused with
        the server's own words. Raises ImportMovedOn.
        """
        done = self._put_staged(staged, task, lines, after, note, last=last) if staged else None
        if done is not None:
            yield lines, done
            return
        alone = 0
        parts = [lines]
        while parts:
            part = parts.pop()
            try:
                found = self._put(task, part, after, note, last=last and not parts)
                alone = 0
            except DBAPIError as error:
                if len(part) > 1:
                    half = len(part) // 2
                    parts += [part[half:], part[:half]]
                    continue
                alone += 1
                if not part or alone > _MOST_ALONE:
                    raise
                part = [part[0]._replace(fault=reason(error))]
                found = self._put(task, part, after, note, last=last and not parts)
            yield part, found
            after = part[-1].line if part else after

    def written(self, line: ListLine) -> ListLine:
        """The line, written as the database loads it: whoever reads a list does it ahead, while the server works."""
        if line.fault:
            return line
        row = self._database.dialect.row
        written = line._replace(written=row((line.line, *line.values)))
        if not line.further:
            return written
        return written._replace(further_written=[row((line.line, *one)) for one in enumerate(line.further, 2)])

    def undo(self, import_id: int, after: int, count: int) -> tuple[int | None, int, int]:
        """Delete those of the next `count` cases of an import that were never dialled, by id from after `after`.

        Where to go on, None: there are no more; how many were deleted; how many of them stay.
        """
        row = self._database.call("dialer_import_undo", import_id, after, count)[0]
        return row["looked_to"], int(row["deleted"]), int(row["left_over"])

    def _put_staged(
        self,
        staged: Staged,
        task: Task,
        lines: Sequence[ListLine],
        after: int,
        note: Callable[[list[RefusedLine]], None],
        *,
        last: bool,
    ) -> CheckedLines | None:
        """What came of the lines; None: nothing was written, and they are to be put in the ordinary way."""
        found = None
        try:
            with staged.transaction:
                found = self._insert(staged.connection, task, staged.unread, lines, after=after, note=note, last=last)
        except DBAPIError:
            return None
        except DatabaseUnavailable:
            # Its connection is gone, perhaps because it had to wait for too long; perhaps after the commit.
            here = self.get(task.import_id or 0)
            return found if lines and here is not None and here.done_to == lines[-1].line else None
        return found

    def _put(
        self,
        task: Task,
        lines: Sequence[ListLine],
        after: int,
        note: Callable[[list[RefusedLine]], None],
        *,
        last: bool,
    ) -> CheckedLines:
        def work(connection: Connection) -> CheckedLines:
            unread = self._stage(connection, task, lines)
            return self._insert(connection, task, unread, lines, after=after, note=note, last=last)

        return self._database.run(work)

    def _stage(self, connection: Connection, task: Task, lines: Sequence[ListLine]) -> list[RefusedLine]:
        """Load the lines and look at them one by one; those that could not even be read."""
        self._call(connection, "dialer_import_stage")
        read = [line if line.written else self.written(line) for line in lines if line.fault is None]
        if read:
            load = self._database.dialect.load
            load(connection, "dialer_import_lines", ("line", *task.targets), [line.written for line in read])
            if further := [one for line in read for one in line.further_written]:
                load(connection, "dialer_import_further", ("line", "place", "phone_number"), further)
            self._call(connection, "dialer_import_check", task.project_id)
        return [RefusedLine(line.line, False, line.fault) for line in lines if line.fault is not None]

    def _settle(self, connection: Connection, task: Task, unread: list[RefusedLine], *, dry: bool) -> CheckedLines:
        asked = (task.import_id, task.project_id, *task.policies, dry)
        found = [
            RefusedLine(int(row["line"]), bool(row["skipped"]), str(row["reason"]))
            for row in self._call(connection, "dialer_import_settle", *asked)
        ]
        as_written = connection.execute(text(_AS_WRITTEN)).scalar_one()
        return CheckedLines(sorted(unread + found, key=lambda one: one.line), int(as_written))

    def _insert(
        self,
        connection: Connection,
        task: Task,
        unread: list[RefusedLine],
        lines: Sequence[ListLine],
        *,
        after: int,
        note: Callable[[list[RefusedLine]], None],
        last: bool,
    ) -> CheckedLines:
        found = self._settle(connection, task, unread, dry=False)
        note(found.refused)
        to = lines[-1].line if lines else after
        put = self._call(connection, "dialer_import_put", task.import_id, after, to, len(unread), last)
        if next(iter(put[0].values())) is None:
            raise ImportMovedOn(task.import_id or 0)
        return found

    def _call(self, connection: Connection, routine: str, *arguments: object) -> list[Row]:
        names = [f"p{place}" for place in range(len(arguments))]
        asked = text(self._database.dialect.call(routine, names))
        result = connection.execute(asked, dict(zip(names, arguments, strict=True)))
        return [dict(row) for row in result.mappings()] if result.returns_rows else []


_AS_WRITTEN = (
    "SELECT count(*) FROM dialer_import_numbers n JOIN dialer_import_lines l ON l.line = n.line"
    " WHERE n.number NOT LIKE '+%' AND l.reason IS NULL"
)
_ALL = f"SELECT {columns(ImportFigures)} FROM dialer_imports"  # noqa: S608 - names of ours
