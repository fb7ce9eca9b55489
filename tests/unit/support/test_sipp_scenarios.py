"""The scenarios that SIPp plays: SIPp itself finds a jump into nowhere only when a call gets there."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.support.sipp_scenarios import (
    AGENT,
    LOG_LINE,
    SPEAKERS,
    SUBSCRIBERS,
    Answer,
    Behaviour,
    Behaviours,
    Refuse,
    Ring,
    recording,
    recording_name,
    scenario,
)

TABLES: list[tuple[Behaviours, Behaviour]] = [
    (SUBSCRIBERS, Refuse(404)),
    (SPEAKERS, Refuse(404)),
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


def test_a_recording_is_voice_and_silence_in_turn() -> None:
    heard = recording((100, 50, 30), tail_ms=20)
    assert len(heard) == 8 * 200  # G.711: 8 bytes a millisecond
    silent = bytes([0xD5])
    parts = (heard[:800], heard[800:1200], heard[1200:1440], heard[1440:])
    assert [set(part) == set(silent) for part in parts] == [False, True, False, True]
    assert all(silent not in part for part in (parts[0], parts[2]))


def test_a_speaker_has_a_port_and_a_recording_of_his_own() -> None:
    text = scenario("any", {"40": Answer(says=(500, 100))}, Answer())
    assert f'rtp_stream="{recording_name((500, 100))},1,8"' in text
    assert text.count("m=audio [rtpstream_audio_port]") == 1
    assert text.count("rtp_stream=") == 1
    assert recording_name((500, 100)) != recording_name((500, 101))


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
