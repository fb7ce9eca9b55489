"""The API beside more connections that nobody uses than a process may usually open files."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import PostgresDatabases, free_ports
from tests.support.dba import dba
from tests.support.installation import SCHEMA, installed
from tests.support.waiting import wait_for

pytestmark = pytest.mark.docker


@pytest.fixture
def database(postgres_server: PostgresDatabases) -> Iterator[str]:
    url = installed(postgres_server)
    yield url
    postgres_server.drop(url)


@pytest.fixture
def _many_files() -> Iterator[None]:
    """This process holds the other ends of the connections."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, min(most, 4096)), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))


def get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


def answers(port: int) -> bool:
    try:
        get(port, "/healthz")
    except OSError:
        return False
    return True


@pytest.mark.usefixtures("_many_files")
def test_idle_connections_cannot_keep_anybody_from_stopping_a_project(database: str, tmp_path: Path) -> None:
    operator = dba(database, SCHEMA)
    operator.sql("INSERT INTO dialer_params (project_id, type) VALUES ('sales', 'autoinforming')")
    port = free_ports(1)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DIALER_")} | {
        "DIALER_DATABASE_URL": database,
        "DIALER_DATABASE_SCHEME": SCHEMA,
        "DIALER_HTTP_PORT": str(port),
    }
    with ExitStack() as held, (tmp_path / "api.log").open("wb") as log:
        command = ["bash", "-c", 'ulimit -n 1024 && exec "$0" -m dialer api', sys.executable]
        api = held.enter_context(subprocess.Popen(command, env=environ, stdout=log, stderr=log))
        held.callback(api.kill)
        wait_for(lambda: answers(port), 20, "the API to listen")
        assert get(port, "/?action=start&projectid=sales")["wanted"] == "start"
        for _ in range(1100):
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        began = time.monotonic()
        assert get(port, "/?action=stop&projectid=sales")["wanted"] == "stop"
        assert time.monotonic() - began < 5
        api.terminate()
        assert api.wait(10) == 0
    assert "Traceback" not in (tmp_path / "api.log").read_text()
    operator.close()
