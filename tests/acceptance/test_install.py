"""`pip install .` into an empty environment: the program that it leaves does all that the one of the sources does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.containers import Databases, free_ports
from tests.support.installation import Installation
from tests.support.waiting import wait_for
from worker.db.migration import head

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PACKAGES = {"api", "dialer", "simulator", "sql", "worker"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as one file, built of what is under version control."""
    wheels = tmp_path_factory.mktemp("wheels")
    sources = tmp_path_factory.mktemp("sources") / "dialer"  # a build leaves things beside them
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        (sources / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*pip, wheels, sources], check=True, capture_output=True)
    (built,) = wheels.iterdir()
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`dialer`, as installed where nothing else is; what it stands on comes from the package index."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [str(environment / "bin" / "pip"), "--quiet", "--disable-pip-version-check", "install"]
    locked = ROOT / "requirements" / "base.txt"
    done = subprocess.run([*pip, wheel, "--constraint", locked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return environment / "bin" / "dialer"


def test_nothing_of_the_program_is_left_out_and_nothing_is_put_elsewhere(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        brought = {Path(name) for name in packed.namelist()}
    expected = {path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    expected |= {path.relative_to(ROOT) for path in (ROOT / "sql").rglob("*.sql")}
    expected |= {path.relative_to(ROOT) for path in (ROOT / "api").rglob("*.tpl")}
    expected |= {path.relative_to(ROOT) for path in (ROOT / "dialer").rglob("*.toml")}
    expected |= {
        Path("worker/db/migrations") / path.relative_to(ROOT / "alembic")
        for pattern in ("*.py", "*.mako")
        for path in (ROOT / "alembic").rglob(pattern)
    }
    assert expected - brought == set()
    assert {path.parts[0] for path in brought if not path.parts[0].endswith(".dist-info")} == PACKAGES


@dataclass
class Simulated:
    """The simulated Asterisk as a process."""

    ami_port: int
    host: str = "127.0.0.1"
    username: str = "dialer"
    secret: str = "open sesame"


@contextmanager
def simulated(program: Path, directory: Path) -> Iterator[Simulated]:
    asterisk = Simulated(free_ports(1))
    command = [str(program), "simulate", "--port", str(asterisk.ami_port), "--secret", asterisk.secret, "--speed", "20"]
    said = directory / "simulate.log"
    with said.open("wb") as out, subprocess.Popen(command, cwd=directory, stdout=out, stderr=out) as process:
        try:
            wait_for(lambda: "AMI on" in said.read_text(), 20, lambda: f"the simulated Asterisk: {said.read_text()}")
            yield asterisk
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0


@pytest.fixture(params=["environment", pytest.param("image", marks=pytest.mark.full)])
def how(request: pytest.FixtureRequest, program: Path) -> list[str]:
    """How the installed program is called: as it is, or in the image, where there is Debian's Python alone."""
    if request.param == "environment":
        return [str(program)]
    subprocess.run([ROOT / "scripts" / "build-images.sh", "dialer"], check=True)
    kept = [
        "DATABASE_URL",
        "DATABASE_SCHEME",
        "AMI_IP",
        "AMI_PORT",
        "AMI_USERNAME",
        "AMI_PASSWORD",
        "HTTP_IP",
        "HTTP_PORT",
    ]
    variables = [word for name in kept for word in ("--env", f"DIALER_{name}")]
    return ["docker", "run", "--rm", "--network", "host", *variables, "dialer"]


@pytest.mark.parametrize("server", ["postgres_server", "mariadb_server"])
def test_it_migrates_checks_simulates_and_runs(
    program: Path, how: list[str], tmp_path: Path, request: pytest.FixtureRequest, server: str
) -> None:
    databases: Databases = request.getfixturevalue(server)
    url = databases.create()
    try:
        with (
            simulated(program, tmp_path) as asterisk,
            Installation(url, asterisk, tmp_path, program=how) as dialer,
        ):
            assert f"went from base to {head()}" in dialer.command("migrate").stdout
            assert "there was nothing to do" in dialer.command("migrate").stdout
            dialer.trunk()
            dialer.project("p", type="autoinforming", context="autoinforming", lines=5)
            dialer.cases("p", *(f"7000000{number:04}" for number in range(10)))
            dialer.start("run")
            dialer.wait_until_ready()
            checked = dialer.command("check")
            assert "FAIL" not in checked.stdout, checked.stdout
            dialer.start_project("p")
            dialer.wait_for_attempts(10, "outcome IS NOT NULL", seconds=40)
            dialer.signal("run", signal.SIGTERM)
            assert dialer.wait_for_exit("run") == 0
            assert dialer.sql("SELECT * FROM dialer_invariants") == []
    finally:
        databases.drop(url)


@pytest.mark.parametrize("server", ["postgres_server", "mariadb_server"])
def test_its_demo_dials_on_a_server_of_ones_own(
    program: Path, tmp_path: Path, request: pytest.FixtureRequest, server: str
) -> None:
    admin = request.getfixturevalue(server).admin_url
    url = admin.set(drivername=server.removesuffix("_server"), database=None).render_as_string(hide_password=False)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DIALER_")}
    done = subprocess.run(
        [program, "demo"],
        cwd=tmp_path,
        env=clean | {"DEMO_SECONDS": "5", "DIALER_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip("\n").endswith(" 0 lost")
