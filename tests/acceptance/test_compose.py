"""The sample of docker/compose.yaml: one command, and the cases are dialled."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import free_ports
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.full, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
CASES = 44
"""Of each project, in docker/sample/sample.sql; 20 of them answer."""


@pytest.fixture
def api() -> Iterator[str]:
    """The address of the API of a call centre that is starting."""
    port = free_ports(1)
    environment = {**os.environ, "API_PORT": str(port)}

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    run("scripts/build-images.sh")
    try:
        run("scripts/compose.sh", "up", "-d")
        yield f"http://127.0.0.1:{port}"
    finally:
        run("scripts/compose.sh", "down", "--volumes")


def test_compose_dials_the_sample_cases(api: str) -> None:
    def projects() -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"{api}/projects", timeout=5) as answer:
                return {each["project_id"]: each for each in json.load(answer)["projects"]}
        except (urllib.error.URLError, ConnectionError):
            return {}

    def all_dialled() -> bool:
        now = projects()
        return len(now) == 2 and all(each["cases"] == CASES and each["calls_up"] == 0 for each in now.values())

    wait_for(all_dialled, 180, lambda: f"{CASES} cases of two projects to be dialled: {projects()}", every=0.5)
    assert {name: each["answered"] for name, each in projects().items()} == {"sales": 20, "reminder": 20}
