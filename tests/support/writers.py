"""A DBA's session, and the ways in which it may write a row.

Statements are bytes, so that they may hold what no text can: half characters, another encoding.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import psycopg
import pymysql

from worker.config import DatabaseSettings

Value = None | bool | int | float | str | bytes | datetime
Row = Mapping[str, Value]

KEYS = {
    "dialer_clients": "id",
    "dialer_params": "project_id",
    "dialer_trunks": "trunk, asterisk",
    "dialer_settings": "name",
    "dialer_retries": "id",
}


class Refused(Exception):  # noqa: N818 - reads as what it is
    """It was not taken; the text is what was said."""

    def __init__(self, said: object, code: object) -> None:
        super().__init__(str(said))
        self.code = code


class Writer:
    """One session; nothing that `tried` writes is committed."""

    ways: ClassVar[dict[str, str]]
    """How a value may be written: the words of the session before it, and of the statement, INSERT for instance. In
    UPDATE's a good row is there before; FILE stands for the server's own way to read a file."""
    quote: ClassVar[str]
    escaped: ClassVar[dict[bytes, bytes]]
    """What a backslash stands before in a file, and what is written for it."""
    literal_escape: ClassVar[bytes] = b""
    booleans: ClassVar[tuple[bytes, bytes]]

    def run(self, statement: bytes) -> list[tuple[Any, ...]]:
        """Execute; the rows. Raises Refused."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the connection up."""
        raise NotImplementedError

    def load(self, table: str, names: str, line: bytes) -> None:
        """Have the server read a file of one line. Raises Refused."""
        raise NotImplementedError

    def tried(self, way: str, table: str, row: Row, column: str, value: Value) -> Any:
        """Write a row that is good but for `value` in `column`; what stands there then. Raises Refused."""
        before, _, words = self.ways[way].rpartition("; ")
        changed = {**row, column: value}
        self.run(b"BEGIN")
        try:
            self.run(f"DELETE FROM {table}".encode())
            if before:
                self.run(before.encode())
            if words == "FILE":
                true, false = self.booleans
                fields = [
                    true if one is True else false if one is False else self._field(one) for one in changed.values()
                ]
                self.load(table, self._names(changed), b"\t".join(fields) + b"\n")
            elif words.startswith("UPDATE"):
                self.run(self._insert("INSERT INTO", table, row))
                self.run(f"{words} {table} SET ".encode() + self._set(column, value))
            elif "ON " in words:
                self.run(self._insert("INSERT INTO", table, row))
                conflict = words.format(key=KEYS[table]).encode()
                self.run(self._insert("INSERT INTO", table, row) + conflict + self._set(column, value))
            else:
                self.run(self._insert(words, table, changed))
            found = self.run(f"SELECT {self._names({column: None})} FROM {table}".encode())
            if not found:
                # IGNORE passes over a row that a constraint of the table refuses.
                raise Refused("nothing was stored", None)
            return found[0][0]
        finally:
            self.run(b"ROLLBACK")
            if before:
                self.reset()

    def reset(self) -> None:
        """Undo the words of the session."""

    def store(self, table: str, row: Row) -> None:
        """Write a row for good. Raises Refused."""
        self._for_good(self._insert("INSERT INTO", table, row))

    def tell(self, statement: str, value: Value) -> bool:
        """Execute a statement, for good, with the value for ':v'; False: it was refused."""
        before, after = statement.encode().split(b":v")
        try:
            self._for_good(before + self._literal(value) + after)
        except Refused:
            return False
        return True

    def _for_good(self, statement: bytes) -> None:
        self.run(b"BEGIN")
        try:
            self.run(statement)
        except Refused:
            self.run(b"ROLLBACK")
            raise
        self.run(b"COMMIT")

    def _names(self, row: Row) -> str:
        return ", ".join(f"{self.quote}{name}{self.quote}" for name in row)

    def _set(self, column: str, value: Value) -> bytes:
        return self._names({column: None}).encode() + b" = " + self._literal(value)

    def _insert(self, words: str, table: str, row: Row) -> bytes:
        values = b", ".join(map(self._literal, row.values()))
        return f"{words} {table} ({self._names(row)}) VALUES (".encode() + values + b")"

    def _literal(self, value: Value) -> bytes:
        if value is None or isinstance(value, bool | int | float):
            return b"NULL" if value is None else str(value).encode()
        written = raw(value)
        for one in self.literal_escape:
            written = written.replace(bytes([one]), b"\\" + bytes([one]))
        return b"'" + written.replace(b"'", b"''") + b"'"

    def _field(self, value: Value) -> bytes:
        if value is None:
            return b"\\N"
        written = raw(value).replace(b"\\", b"\\\\")
        for one, instead in self.escaped.items():
            written = written.replace(one, b"\\" + instead)
        return written


def raw(value: Value) -> bytes:
    """As it is sent; an instant by the clock of UTC."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return str(value).encode()


class PostgresWriter(Writer):
    """By psycopg."""

    ways: ClassVar = {
        "INSERT": "INSERT INTO",
        "COPY": "FILE",
        "UPDATE": "UPDATE",
        "ON CONFLICT": " ON CONFLICT ({key}) DO UPDATE SET ",
    }
    quote = '"'
    escaped: ClassVar = {b"\t": b"t", b"\n": b"n", b"\r": b"r"}
    booleans = (b"t", b"f")

    def __init__(self, settings: DatabaseSettings) -> None:
        url = settings.url().set(drivername="postgresql")
        self._connection = psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)
        self.run(f"SET search_path TO {settings.schema}; SET TimeZone TO 'UTC'".encode())

    def run(self, statement: bytes) -> list[tuple[Any, ...]]:
        try:
            found = self._connection.execute(statement)
            return found.fetchall() if found.description else []
        except (psycopg.Error, ValueError) as error:
            raise Refused(error, getattr(error, "sqlstate", None)) from error

    def load(self, table: str, names: str, line: bytes) -> None:
        try:
            with self._connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN".encode()) as copy:
                copy.write(line)
        except psycopg.Error as error:
            raise Refused(error, error.sqlstate) from error

    def close(self) -> None:
        self._connection.close()


class MariaDbWriter(Writer):
    """By PyMySQL."""

    ways: ClassVar = {
        "INSERT": "INSERT INTO",
        "lenient": "SET sql_mode = ''; INSERT INTO",
        "ANSI": "SET sql_mode = 'ANSI'; INSERT INTO",
        "traditional": "SET sql_mode = 'TRADITIONAL'; INSERT INTO",
        "IGNORE": "INSERT IGNORE INTO",
        "REPLACE": "SET sql_mode = ''; REPLACE INTO",
        "LOAD DATA": "FILE",
        "lenient LOAD DATA": "SET sql_mode = ''; FILE",
        "UPDATE": "UPDATE",
        "UPDATE IGNORE": "UPDATE IGNORE",
        "lenient UPDATE": "SET sql_mode = ''; UPDATE",
        "ON DUPLICATE KEY": "SET sql_mode = ''; ON DUPLICATE KEY UPDATE ",
    }
    quote = "`"
    escaped: ClassVar = {b"\t": b"t", b"\n": b"n", b"\r": b"r", b"\0": b"0"}
    literal_escape = b"\\"
    booleans = (b"1", b"0")

    def __init__(self, settings: DatabaseSettings) -> None:
        self._url = settings.url()
        self._folder = TemporaryDirectory()
        self._connect()

    def _connect(self) -> None:
        self._connection = pymysql.connect(
            host=self._url.host,
            port=self._url.port or 3306,
            user=self._url.username,
            password=self._url.password or "",
            database=self._url.database,
            charset="utf8mb4",
            local_infile=True,
        )
        self.run(b"SET time_zone = '+00:00'")

    def run(self, statement: bytes) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor() as cursor:
                # PyMySQL takes bytes as they are; its types do not know.
                cursor.execute(statement)  # type: ignore[call-overload]
                return list(cursor.fetchall())
        except (pymysql.MySQLError, ValueError) as error:
            raise Refused(error.args[-1], error.args[0]) from error

    def load(self, table: str, names: str, line: bytes) -> None:
        file = Path(self._folder.name) / "list.tsv"
        file.write_bytes(line)
        try:
            self.run(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {table} CHARACTER SET utf8mb4 ({names})".encode())
        except Refused:
            if len(line) > 16_000:
                # PyMySQL goes on sending after the server's refusal, and then takes one answer for another.
                self._connection.close()
                self._connect()
            raise

    def reset(self) -> None:
        self.run(b"SET sql_mode = DEFAULT, max_error_count = DEFAULT")

    def close(self) -> None:
        self._connection.close()
        self._folder.cleanup()


WRITERS: dict[str, type[PostgresWriter | MariaDbWriter]] = {"postgresql": PostgresWriter, "mariadb": MariaDbWriter}
