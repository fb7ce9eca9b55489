"""The call log: what happened to each call, in a file that a killed process leaves behind."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator import lab
from simulator.call_log import CallLog
from tests.unit.simulator.world import World


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def world(log: Path) -> Iterator[World]:
    made = World(lab(), note=CallLog(log))
    yield made
    made.close()


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def steps(log: Path, call: str) -> list[str]:
    return [line["what"] for line in lines(log) if line.get("call") == call]


def test_each_step_of_a_call_is_a_line(world: World, log: Path) -> None:
    talked = world.call("200001", DIALER_CASE="7")
    busy = world.call("220001")
    world.run(60)
    assert steps(log, talked) == ["originate", "ringing", "answered", "connected", "ended"]
    assert steps(log, busy)[0] == "originate"
    assert steps(log, busy)[-1] == "ended"
    assert "answered" not in steps(log, busy)
    begun = next(line for line in lines(log) if line.get("call") == talked)
    assert (begun["number"], begun["trunk"], begun["variables"]["DIALER_CASE"]) == ("200001", "carrier", "7")
    instants = [line["at"] for line in lines(log)]
    assert instants == sorted(instants)
    (entry,) = [call for call in world.switch.calls_log if call.channel_id == talked]
    assert [line["at"] for line in lines(log) if line.get("call") == talked and line["what"] == "connected"] == [
        pytest.approx(entry.connected)
    ]


def test_a_message_that_was_heard_and_an_originate_without_a_channel(world: World, log: Path) -> None:
    heard = world.call("200001", context="autoinforming")
    never = world.call("200002", dial="DAHDI/{}", channel_id="none")
    world.run(60)
    assert "played" in steps(log, heard)
    assert steps(log, never) == ["refused"]


def test_what_was_written_is_there_while_the_call_is_still_up(world: World, log: Path) -> None:
    call = world.call("230001")
    world.run(3)
    assert steps(log, call)[0] == "originate"
    assert "ended" not in steps(log, call)
    world.switch.die()
    assert steps(log, call)[-1] == "ended"
    world.switch.boot()
    boots = [line for line in lines(log) if line["what"] == "boot"]
    assert [line["pid"] for line in boots] == [os.getpid()] * 2


def test_a_second_life_adds_to_the_file(log: Path) -> None:
    CallLog(log)("boot", 1.0, pid=1)
    CallLog(log)("boot", 2.0, pid=2)
    assert [line["pid"] for line in lines(log)] == [1, 2]
