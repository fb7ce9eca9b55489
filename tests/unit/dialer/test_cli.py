"""The command line as a process: exit codes, sentences, no traceback that nobody asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def dialer(
    *arguments: str, program: tuple[str, ...] = ("-m", "dialer"), cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run `dialer` with only these DIALER_ variables set."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DIALER_")}
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env=clean | environ,
    )


NOWHERE = "postgresql://u:hush@127.0.0.1:1/calls"


def test_version_and_help_are_told_from_any_directory(tmp_path: Path) -> None:
    done = dialer("--version", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("dialer ")
    told = dialer("--help").stdout
    assert "--agents" in dialer("simulate", "--help").stdout
    assert all(name in told for name in ("run", "worker", "api", "migrate", "check", "demo", "simulate"))


def test_help_does_not_wait_for_what_it_does_not_need() -> None:
    command = "import sys, dialer.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert not {"pydantic", "alembic"} & set(done.stdout.split())


@pytest.mark.parametrize("arguments", [(), ("restart",), ("worker", "--colour")])
def test_a_wrong_command_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    done = dialer(*arguments)
    assert done.returncode == 2
    assert "usage: dialer" in done.stderr


@pytest.mark.parametrize("command", ["run", "worker", "api", "check", "migrate"])
def test_wrong_settings_are_exit_code_2_and_sentences(command: str) -> None:
    done = dialer(command, DIALER_HTTP_PORT="70000", DIALER_AMI_IP="pbx", DIALER_AMI_PASSWORD="hush")
    assert done.returncode == 2
    assert f"{2 if command == 'migrate' else 3} settings are wrong:" in done.stderr  # it calls nobody
    assert "DIALER_HTTP_PORT: 70000 is out of range. Give a port from 1 to 65535." in done.stderr
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stderr


@pytest.mark.parametrize("before", [True, False])
def test_the_config_may_stand_before_or_after_the_command(tmp_path: Path, before: bool) -> None:
    path = tmp_path / "dialer.toml"
    path.write_text("[http]\nPort = 0\n")
    option = ("--config", str(path))
    done = dialer(*option, "api") if before else dialer("api", *option)
    assert "[http] Port in dialer.toml: 0 is out of range" in done.stderr
    by_variable = dialer("api", DIALER_CONFIG=str(path))
    assert by_variable.stderr == done.stderr


@pytest.mark.parametrize("command", ["run", "worker"])
def test_a_worker_needs_an_asterisk(command: str) -> None:
    done = dialer(command, DIALER_DATABASE_URL=NOWHERE)
    assert done.returncode == 2
    assert "DIALER_AMI_IP" in done.stderr


def test_a_database_that_is_not_there_is_a_sentence() -> None:
    done = dialer("migrate", DIALER_DATABASE_URL=NOWHERE, DIALER_AMI_IP="pbx")
    assert done.returncode == 1
    assert "The database 'calls' at 127.0.0.1:1 cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stderr
    assert "Traceback" in dialer("migrate", DIALER_DATABASE_URL=NOWHERE, DIALER_LOGLEVEL="3").stderr


def test_a_forgotten_patch_is_said_loudly() -> None:
    late = "import psycopg, sys; sys.argv[1:] = ['--version']; import dialer.__main__ as m; m.main()"
    done = dialer(program=("-c", late))
    assert done.returncode == 1
    assert "psycopg was imported before gevent" in done.stderr


@pytest.mark.parametrize("loglevel", [2, 3])
def test_what_nobody_caught_is_a_line_of_the_log(loglevel: int) -> None:
    lost = (
        "import sys, gevent, dialer.__main__; from dialer import cli; from worker import log;"
        f"log.setup({loglevel}, sys.stderr); cli._log_lost_greenlets(); gevent.spawn(lambda: 1 / 0).join()"
    )
    said = dialer(program=("-c", lost)).stderr
    assert "action=greenlet_failed" in said
    assert 'error="ZeroDivisionError: division by zero"' in said
    assert ("Traceback" in said) == (loglevel == 3)
    assert len(said.splitlines()) == 1 or loglevel == 3
