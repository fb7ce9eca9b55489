"""The scenarios that SIPp plays: SIPp itself finds a jump into nowhere only when a call gets there."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.acceptance.sipp_scenarios import (
    AGENT,
    LOG_LINE,
    SUBSCRIBERS,
    Answer,
    Behaviour,
    Behaviours,
    Refuse,
    Ring,
    scenario,
)

TABLES: list[tuple[Behaviours, Behaviour]] = [
    (SUBSCRIBERS, Refuse(404)),
    ({}, AGENT),
    ({"agent4@": Ring(), "agent5@": Refuse(486)}, AGENT),
    ({}, Ring(silent=True)),
    ({}, Answer(ring_ms=(0,))),
    ({}, Answer(early_media=True, hang_up_after_ms=5)),
]


@pytest.mark.parametrize(("behaviours", "otherwise"), TABLES)
def test_every_jump_has_its_label_and_every_label_is_there_once(behaviours: Behaviours, otherwise: Behaviour) -> None:
    tree = ET.fromstring(scenario("any", behaviours, otherwise))
    labels = [element.attrib["id"] for element in tree.iter("label")]
    jumps = {
        element.attrib[name] for element in tree.iter() for name in ("next", "ontimeout") if name in element.attrib
    }
    assert len(labels) == len(set(labels))
    assert jumps <= set(labels)


@pytest.mark.parametrize(("behaviours", "otherwise"), TABLES)
def test_every_number_has_a_behaviour_that_says_how_the_call_ended(
    behaviours: Behaviours, otherwise: Behaviour
) -> None:
    tree = ET.fromstring(scenario("any", behaviours, otherwise))
    branches = [element.attrib["next"] for element in tree.iter("nop") if element.get("test", "").startswith("is")]
    assert branches == [f"behaviour{index}" for index in range(len(behaviours) + 1)]
    ends = [log for log in tree.iter("log") if log.attrib["message"].startswith("sipp-end")]
    assert len(ends) >= 1


def test_a_log_line_is_read_back() -> None:
    line = "2026-01-02\t03:04:05.6\t1767323045.6: sipp-invite 7f@127.0.0.1 1767323045.000000 600000.000000 2001"
    found = LOG_LINE.search(line)
    assert found is not None
    assert found.groupdict() == {
        "what": "invite",
        "call_id": "7f@127.0.0.1",
        "seconds": "1767323045.000000",
        "micros": "600000.000000",
        "detail": "2001",
    }
