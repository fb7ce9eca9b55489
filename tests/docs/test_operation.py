"""Running it: what /readyz answers, what is seen at night, and the unit for systemd."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from dialer.cli import _parser
from tests.docs.extract import ROOT, names, table
from tests.docs.world import World
from tests.support.waiting import wait_for
from worker.service import DRAIN_SECONDS

PAGE = ROOT / "docs" / "operation.md"


def readyz(world: World) -> tuple[int, dict[str, Any]]:
    """Status and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{world.http}/readyz", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def ends(world: World, command: str, **environ: str) -> tuple[int | None, str]:
    """A command's exit code, None when it still runs after 6 s, and what it has said."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=world.directory,
        env=world.environ | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    code: int | None
    try:
        said, _ = process.communicate(timeout=6)
        code = process.returncode
    except subprocess.TimeoutExpired:
        process.terminate()
        said, _ = process.communicate(timeout=15)
        code = None
        assert process.returncode == 0, said
    return code, said


@contextmanager
def a_project_without_cases(world: World) -> Iterator[None]:
    """Somebody's transaction keeps a project from a case that waits."""
    world.sql("INSERT INTO nc.dialer_params (project_id, queue, context) VALUES ('spring', 'sales', 'progressive')")
    world.run("curl 'http://127.0.0.1:8080/?action=start&projectid=spring'")
    with closing(world.session()) as editor:
        editor.sql("BEGIN")
        editor.sql("SELECT * FROM dialer_projects FOR UPDATE")
        world.sql("INSERT INTO nc.dialer_clients (case_name, project_id, phone_number) VALUES ('Ann', 'spring', '1')")
        wait_for(lambda: readyz(world)[1]["troubles"], 20, lambda: f"a trouble: {readyz(world)}")
        yield


@pytest.mark.docker
def test_readyz_answers_as_the_page_shows(world: World) -> None:
    with_trouble, not_ready = (
        json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    )
    world.install()
    world.run("dialer run")
    wait_for(world.ready, 20, world.said)
    with a_project_without_cases(world):
        status, body = readyz(world)
    own_words = r"(given up after 2 s: ).*"  # the server's
    if world.dialect == "mariadb":
        for one in (body, with_trouble):
            one["troubles"] = [re.sub(own_words, r"\1", text) for text in one["troubles"]]
    assert (status, body) == (200, with_trouble)
    world.end("simulate")
    # A reconnection in between says it in other words.
    expected = json.loads(json.dumps(not_ready).replace("5038", str(world.ami)))
    wait_for(lambda: readyz(world)[0] == 503, 20, lambda: f"503: {readyz(world)}")
    _, body = readyz(world)
    body["troubles"] = []
    assert body == expected
    world.stop()


@pytest.mark.docker
@pytest.mark.timeout(240)
def test_what_is_seen_at_night_is_what_the_page_says(world: World) -> None:
    codes: list[int | None] = []
    seen: list[str] = []

    def run(command: str, **environ: str) -> None:
        code, said = ends(world, command, **environ)
        codes.append(code)
        seen.append(said)

    world.install()
    run("dialer worker", DIALER_DATABASE_PORT="1")
    run("dialer worker", DIALER_DATABASE_PASSWORD="wrong")
    run("dialer worker", DIALER_LOGLEVEL="9")
    run("dialer worker", DIALER_AMI_PASSWORD="wrong")
    run("dialer worker", DIALER_AMI_PORT="1")
    assert codes == [None, 1, 2, None, None]
    world.run("dialer api")
    seen.append(str(readyz(world)))  # no worker
    world.run("dialer run")
    wait_for(world.ready, 20, world.said)
    with a_project_without_cases(world):
        seen.append(str(readyz(world)) + str(world.sql("SELECT kind FROM nc.dialer_warnings")))
    # Nobody has called yet: the trunk has no row there.
    world.sql("DELETE FROM nc.dialer_trunk_states")
    world.sql(
        "INSERT INTO nc.dialer_trunk_states (trunk, asterisk, dial_template, state, reason)"
        " SELECT trunk, asterisk, dial_template, 'failing', 'x' FROM nc.dialer_trunks"
    )
    seen.append(str(world.sql("SELECT * FROM nc.dialer_project_states")))
    world.end("simulate")
    wait_for(lambda: readyz(world)[0] == 503, 20, lambda: f"503: {readyz(world)}")
    seen.append(str(readyz(world)))
    world.end("work")
    world.sql("UPDATE nc.dialer_servers SET identity = 'another'")
    run("dialer worker")
    world.run("dialer takeover")
    world.sql("DROP TABLE nc.dialer_version")
    run("dialer worker")
    assert codes[5:] == [1, 1]
    for row in table(PAGE, "you see", "do"):
        for phrase in names(row["you see"]):
            if phrase == "dialer_warnings" or phrase.startswith("dialer_invariants"):  # must never be
                continue
            wanted = ".*".join(map(re.escape, phrase.split("…")))
            assert any(re.search(wanted.replace(r"\ ", r"\s"), said) for said in seen), f"{phrase!r} in {seen[-2:]}"


def test_the_unit_starts_the_dialer_and_stays_down_after_wrong_settings() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "docs" / "dialer.service")
    service = unit["Service"]
    program, *arguments = service["ExecStart"].split()
    assert program.endswith("/dialer")
    assert _parser().parse_args(arguments).config == "/etc/dialer/dialer.toml"
    assert float(service["TimeoutStopSec"]) > 5 > DRAIN_SECONDS
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "2")
    assert [row["exit code"] for row in table(PAGE, "exit code", "means", "then")] == ["0", "1", "2"]
    assert f"every {service['RestartSec']} s" in PAGE.read_text()
