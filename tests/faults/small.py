"""Database servers whose disk is small and can be filled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.containers import MariaDbContainer, PostgresContainer, Server

_MEGABYTES = 400


class _Small(Server):
    """Its data lie on a disk of their own, which is gone with the server."""

    _data: str

    def _shrink(self) -> None:
        # Docker gives the disk the folder's rights, but not its owner: the only system user that the images make.
        self.with_tmpfs_mount(self._data, f"size={_MEGABYTES}m,mode=0700,uid=999")

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Within the block there is no room left."""
        ballast = f"{self._data}/ballast"
        self.exec(["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"])
        try:
            yield
        finally:
            self.exec(["rm", ballast])


class SmallPostgres(PostgresContainer, _Small):
    """PostgreSQL on a small disk."""

    _data = "/var/lib/postgresql/data"

    def __init__(self) -> None:
        super().__init__(durable=True)
        self._shrink()

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Within the block there is no room left but in the log, which is made 16 MB at a time; without room for
        the next one PostgreSQL would have to stop."""
        with self.databases().connect() as connection:
            connection.execute("SELECT pg_switch_wal()")
            connection.execute("CHECKPOINT")
        with super().full_disk():
            yield


class SmallMariaDb(MariaDbContainer, _Small):
    """MariaDB on a small disk."""

    _data = "/var/lib/mysql"

    def __init__(self) -> None:
        super().__init__(durable=True, zones=False, options={"innodb-log-file-size": "16M"})
        self._shrink()
