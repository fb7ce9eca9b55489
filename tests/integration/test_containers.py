"""The test servers themselves: they start, take commands, and come back after a kill."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.support.containers import OWNER_LABEL, AsteriskContainer, PostgresDatabases, docker_sdk, remove_leftovers

pytestmark = pytest.mark.docker


def test_postgres_is_the_oldest_version_that_is_promised(postgres_server: PostgresDatabases) -> None:
    with postgres_server.connect() as connection:
        assert connection.info.server_version // 10_000 == 12


def test_a_database_is_a_copy_of_its_template(postgres_server: PostgresDatabases) -> None:
    def prepare(url: str) -> None:
        with postgres_server.connect(url) as connection:
            connection.execute("CREATE TABLE fruit AS SELECT 'apple' AS name")

    postgres_server.template("fruit", prepare)
    one, other = postgres_server.create("fruit"), postgres_server.create("fruit")
    with postgres_server.connect(one) as connection:
        connection.execute("DELETE FROM fruit")
    with postgres_server.connect(other) as connection:
        assert connection.execute("SELECT name FROM fruit").fetchall() == [("apple",)]
        postgres_server.drop(one)
    postgres_server.drop(other)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        postgres_server.connect(other)


def test_asterisk_runs_the_shipped_configuration_without_a_complaint() -> None:
    with AsteriskContainer() as asterisk:
        assert "Asterisk 16.28" in asterisk.command("core show version")
        assert asterisk.channels() == 0
        for context in ("progressive", "predictive", "safe-harbour", "machine", "autoinforming"):
            assert f"Context '{context}'" in asterisk.command(f"dialplan show {context}")
        for application in ("AMD", "WaitForSilence"):
            assert f"Info about application '{application}'" in asterisk.command(f"core show application {application}")
        assert "write perm: call,reporting,originate" in asterisk.command("manager show user dialer")
        noise = [line for line in asterisk.logs().splitlines() if "WARNING" in line or "ERROR" in line]
        assert noise == []


def test_a_killed_asterisk_comes_back_with_its_ports() -> None:
    with AsteriskContainer() as server:
        server.kill()
        server.start_again()
        assert f"{server.host}:{server.ami_port}" in server.command("manager show settings")


def test_containers_of_a_killed_test_run_are_removed_and_no_others(asterisk: AsteriskContainer) -> None:
    client = docker_sdk.from_env()
    # Process 1 did not start at tick 7: as if a test run had had the number of a process that lives now.
    orphan = client.containers.create(asterisk.image_name, labels={OWNER_LABEL: "1-7"})
    assert remove_leftovers() >= 1
    with pytest.raises(docker_sdk.errors.NotFound):
        client.containers.get(orphan.id)
    assert asterisk.channels() == 0


def test_asterisk_speaks_tls_on_demand(tmp_path: Path) -> None:
    pem, key = tmp_path / "ami.pem", tmp_path / "key.pem"
    names = ["-subj", "/CN=ami.test", "-addext", "subjectAltName=IP:127.0.0.1"]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*request, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True)
    pem.write_text(pem.read_text() + key.read_text())
    context = ssl.create_default_context(cafile=str(pem))
    with AsteriskContainer(tls_file=pem) as server:
        plain = socket.create_connection((server.host, server.ami_tls_port), timeout=5)
        with context.wrap_socket(plain, server_hostname=server.host) as secure:
            assert secure.recv(100).startswith(b"Asterisk Call Manager/5.")
