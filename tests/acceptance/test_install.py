"""`pip install .`: the program that it leaves, without the sources beside it, makes and knows the schema."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.support.containers import Databases

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that an installed dialer lives in."""
    wheels = tmp_path_factory.mktemp("wheels")
    sources = tmp_path_factory.mktemp("sources") / "dialer"  # a build leaves things beside them
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        (sources / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*pip, wheels, sources], check=True, capture_output=True)
    (wheel,) = wheels.iterdir()
    target = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(target)
    return target


def test_nothing_of_the_program_is_left_out(installed: Path) -> None:
    expected = {path.relative_to(ROOT) for part in ("api", "dialer", "worker") for path in (ROOT / part).rglob("*.py")}
    expected |= {path.relative_to(ROOT) for path in (ROOT / "sql").rglob("*.sql")}
    expected |= {path.relative_to(ROOT) for path in (ROOT / "api").rglob("*.tpl")}
    expected |= {
        Path("worker/db/migrations") / path.relative_to(ROOT / "alembic")
        for pattern in ("*.py", "*.mako")
        for path in (ROOT / "alembic").rglob(pattern)
    }
    assert {path for path in expected if not (installed / path).is_file()} == set()


@pytest.mark.parametrize("server", ["postgres_server", "mariadb_server"])
def test_it_makes_the_schema_and_finds_it_at_head(
    installed: Path, tmp_path: Path, request: pytest.FixtureRequest, server: str
) -> None:
    databases: Databases = request.getfixturevalue(server)
    url = databases.create()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DIALER_")}
    scheme = {"DIALER_DATABASE_SCHEME": "installed"} if make_url(url).drivername.startswith("postgres") else {}

    def dialer(command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "dialer", command],
            cwd=tmp_path,
            env=clean | scheme | {"PYTHONPATH": str(installed), "DIALER_DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout + done.stderr

    try:
        assert "went from base to 0001" in dialer("migrate")
        assert "there was nothing to do" in dialer("migrate")
    finally:
        databases.drop(url)
