"""Framing and reading of AMI messages, on bytes recorded from Asterisk 16.28 and on invented ones."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.ami.message import Framer, FramingError, Message

DATA = Path(__file__).parents[2] / "data" / "ami"
CAPTURES = sorted(path.name for path in DATA.glob("*.txt"))
BANNER = b"Asterisk Call Manager/5.0.4\r\n"


def capture(name: str) -> bytes:
    return (DATA / name).read_bytes()


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def frame(data: bytes, size: int | None = None, **options: object) -> tuple[Framer, list[Message]]:
    framer = Framer(**options)  # type: ignore[arg-type]
    messages = []
    for chunk in chunks(data, size or len(data)):
        messages += framer.feed(chunk)
    return framer, messages


def blocks(data: bytes) -> list[bytes]:
    """The obvious reading, to compare with."""
    return [block.removeprefix(b"\r\n") for block in data.partition(b"\r\n")[2].split(b"\r\n\r\n")[:-1]]


def plain(messages: list[Message]) -> list[tuple[str, bool, list[tuple[str, str]]]]:
    return [(message.name, message.is_reply, message.fields()) for message in messages]


@pytest.mark.parametrize("name", CAPTURES)
def test_every_chunking_of_a_capture_gives_the_same_messages(name: str) -> None:
    data = capture(name)
    whole, expected = frame(data)
    assert expected
    assert whole.banner == "Asterisk Call Manager/5.0.4"
    assert len(expected) + whole.tampered == len([block for block in blocks(data) if block])
    for size in (1, 7, 1447):
        framer, messages = frame(data, size)
        assert [message.raw for message in messages] == [message.raw for message in expected]
        assert plain(messages) == plain(expected)
        assert framer.tampered == whole.tampered
        assert framer.banner == whole.banner


def test_every_field_read_by_name_is_the_field_in_the_bytes() -> None:
    _, messages = frame(capture("mixed-200-calls.txt"))
    for message in messages:
        for key, value in message.fields():
            assert message.get(key) == value, message.raw
            assert Message(message.raw).get(key) == value, message.raw


def test_capture_holds_the_outcomes_its_channel_ids_announce() -> None:
    _, messages = frame(capture("mixed-200-calls.txt"), 1447, wanted=frozenset({"OriginateResponse", "Hangup"}))
    responses = [message for message in messages if message.name == "OriginateResponse"]
    ours = [message for message in messages if message.get("Uniqueid").startswith("cap-") and message.name == "Hangup"]
    assert len(responses) == 200
    assert all(
        message.get("ActionID") == "orig-" + message.get("Uniqueid") for message in responses if message.get("Uniqueid")
    )
    busy = {message.get("Cause") for message in ours if message.get("Uniqueid").endswith("-busy")}
    assert busy == {"17"}


def test_first_line_tells_event_from_reply() -> None:
    event = Message(b"Event: OriginateResponse\r\nActionID: a\r\nResponse: Failure\r\nReason: 0")
    reply = Message(b"Response: Success\r\nActionID: a\r\nEvent: Hangup")
    neither = Message(b"Foo: bar\r\nEvent: Hangup")
    assert (event.name, event.is_reply, event.get("Response")) == ("OriginateResponse", False, "Failure")
    assert (reply.name, reply.is_reply, reply.get("Response")) == ("", True, "Success")
    assert (neither.name, neither.is_reply) == ("", False)


def test_get_wants_the_exact_key_at_the_start_of_a_line() -> None:
    message = Message(
        b"Event: X\r\nDestUniqueid: 1\r\nAppData: Uniqueid: 2\r\nuniqueid: 3\r\nEmpty: \r\nBare:\r\nLast: z "
    )
    assert message.get("Uniqueid") == ""
    assert message.get("Uniqueid", "none") == "none"
    assert message.get("Dest") == ""
    assert message.get("AppData") == "Uniqueid: 2"
    assert message.get("Empty", "none") == ""
    assert message.get("Bare", "none") == ""
    assert message.get("Last") == "z "
    assert message.get("Event") == "X"


def test_only_one_blank_after_the_colon_is_taken_off() -> None:
    _, messages = frame(b"Event: X\r\nOutput:    Members: \r\n\r\n" * 2)
    assert [message.get("Output") for message in messages] == ["   Members: "] * 2


def test_latin1_name_survives_reading() -> None:
    _, messages = frame(capture("edge-chanvar-latin1-shutdown.txt"))
    names = {message.get("CallerIDName") for message in messages} - {"", "<unknown>"}
    assert [name.encode("utf-8", "surrogateescape") for name in names] == [b"Andr\xe9"]


@pytest.mark.parametrize("trick", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\n", "\r"])
def test_only_crlf_ends_a_line(trick: str) -> None:
    data = f"Event: Newchannel\r\nCallerIDNum: 1{trick}Uniqueid: forged\r\nUniqueid: true\r\n\r\n".encode()
    for size in (1, len(data)):
        framer, messages = frame(data * 2, size)
        assert framer.tampered == 0
        assert [message.get("Uniqueid") for message in messages] == ["true", "true"]


def test_extra_blank_lines_are_skipped() -> None:
    data = BANNER + b"Response: Success\r\n\r\n\r\nEvent: A\r\nX: 1\r\n\r\n\r\n\r\nEvent: B\r\n\r\n\nEvent: C\r\n\r\n"
    for size in (1, 2, 3, len(data)):
        _, messages = frame(data, size)
        assert [message.name for message in messages] == ["", "A", "B", "C"]


def test_banner_may_come_in_pieces_or_glued_to_a_reply() -> None:
    rest = b"Response: Success\r\nActionID: 1\r\n\r\n"
    framer = Framer()
    assert framer.feed(BANNER[:10]) == []
    assert framer.banner is None
    assert framer.feed(BANNER[10:-1]) == []
    assert framer.banner is None
    messages = framer.feed(BANNER[-1:] + rest)
    assert [message.raw for message in messages] == [rest[:-4]]
    messages = Framer().feed(BANNER + rest)
    assert [message.get("ActionID") for message in messages] == ["1"]


# Tampering: what SIP callers did to a real Asterisk


def test_events_with_a_forged_second_uniqueid_are_dropped_and_counted() -> None:
    data = capture("injected-repeat.txt")
    framer, messages = frame(data)
    twice = [block for block in blocks(data) if block.count(b"\r\nUniqueid: ") > 1]
    assert len(twice) >= 5
    assert framer.tampered >= len(twice)
    assert not [message for message in messages if message.raw.count(b"\r\nUniqueid: ") > 1]


def test_forged_event_with_a_single_uniqueid_is_a_mere_event_of_an_unknown_call() -> None:
    # Nothing in it is wrong in itself; random ids of calls are what makes it harmless.
    _, messages = frame(b"Event: Hangup\r\nUniqueid: cap-forged\r\nCause: 17\r\n\r\n")
    assert [(message.name, message.get("Uniqueid")) for message in messages] == [("Hangup", "cap-forged")]


@pytest.mark.parametrize("name", ["injected.txt", "injected-repeat.txt"])
def test_learned_layouts_let_no_tampered_event_through(name: str) -> None:
    """After a day of honest events the fast path is in use; forgeries must fall out of it."""
    honest = capture("mixed-200-calls.txt")
    forged = capture(name).partition(b"\r\n")[2]
    alone, kept_alone = frame(BANNER + forged)
    framer = Framer()
    framer.feed(honest)
    assert framer.tampered == 0
    kept = framer.feed(forged)
    assert framer.tampered == alone.tampered > 0
    assert [message.raw for message in kept] == [message.raw for message in kept_alone]
    for message in kept:
        assert not message.tampered()


@pytest.mark.parametrize(
    "raw",
    [
        b"Event: Hangup\r\nUniqueid: a\r\nUniqueid: b",
        b"Event: Hangup\r\nno colon here\r\nUniqueid: b",
        b"Event: Hangup\r\n: no key",
        b"Event: Hangup\r\nEvent: Newchannel",
        b"Event: Hangup\r\n\nUniqueid: x",
        b"Response: Success\r\nActionID: a\r\nActionID: b",
    ],
)
def test_tampered_message_is_recognised(raw: bytes) -> None:
    assert Message(raw).tampered()
    framer, messages = frame(raw + b"\r\n\r\n")
    assert (framer.tampered, messages) == (1, [])


@pytest.mark.parametrize(
    "raw",
    [
        b"Event: Newchannel\r\nChanVariable: A=1\r\nChanVariable: B=2",
        b"Event: DialEnd\r\nDestChanVariable: A=1\r\nDestChanVariable: B=2",
        b"Event: OriginateResponse\r\nChanVariable(PJSIP/a-1): A=1\r\nChanVariable(PJSIP/a-1): B=",
        b"Event: Status\r\nVariable: A=1\r\nVariable: B=2",
        b"Event: TestEvent\r\nState: A\r\nState: B",
        b"Response: Success\r\nOutput: one\r\nOutput: two",
    ],
)
def test_keys_that_asterisk_repeats_are_no_tampering(raw: bytes) -> None:
    assert not Message(raw).tampered()
    framer, messages = frame((raw + b"\r\n\r\n") * 2)
    assert (framer.tampered, len(messages)) == (0, 2)


def test_genuine_traffic_is_never_taken_for_tampered() -> None:
    for name in ("mixed-200-calls.txt", "edge-forms.txt", "edge-chanvar-latin1-shutdown.txt"):
        framer, messages = frame(capture(name))
        assert framer.tampered == 0
        assert not any(Message(message.raw).tampered() for message in messages)


# Selection


def test_unwanted_events_are_skipped_and_counted_and_replies_are_not() -> None:
    data = capture("mixed-200-calls.txt")
    names = Counter(re.findall(rb"(?:\r\n|\A)\r\nEvent: (\w+)", data))
    everything = len([block for block in blocks(data) if block])
    framer, messages = frame(data, 1447, wanted=frozenset({"Hangup", "AgentConnect"}))
    assert Counter(message.name for message in messages if message.name) == {
        "Hangup": names[b"Hangup"],
        "AgentConnect": names[b"AgentConnect"],
    }
    assert framer.skipped == everything - len(messages)
    assert any(message.is_reply for message in messages)


def test_expected_bytes_let_unwanted_list_items_pass() -> None:
    item = b"Event: QueueMember\r\nActionID: d-1\r\nName: a\r\n\r\n"
    framer = Framer(wanted=frozenset({"Hangup"}))
    assert framer.feed(BANNER + item) == []
    framer.expect = b"\r\nActionID: "
    assert [message.get("Name") for message in framer.feed(item * 2)] == ["a", "a"]
    framer.expect = None
    assert framer.feed(item) == []
    assert framer.skipped == 2


def test_event_of_one_line_is_not_mistaken_for_its_neighbour() -> None:
    framer = Framer(wanted=frozenset({"Hangups"}))
    messages = framer.feed(
        BANNER + b"Event: Hangup\r\nA: 1\r\n\r\nEvent: Hangups\r\n\r\nEvent: Hangups\r\nA: 1\r\n\r\n"
    )
    assert [message.raw for message in messages] == [b"Event: Hangups", b"Event: Hangups\r\nA: 1"]
    assert framer.skipped == 1


# Hostile peers


def test_oversized_message_is_refused_in_any_chunking() -> None:
    huge = b"Event: X\r\nA: " + b"x" * 2000 + b"\r\n\r\n"
    for size in (1, 100, len(huge)):
        with pytest.raises(FramingError, match="more than 1000"):
            frame(BANNER + huge, size, max_message=1000)


def test_endless_banner_is_refused() -> None:
    framer = Framer(max_message=1000)
    with pytest.raises(FramingError):
        framer.feed(b"x" * 1001)


def test_oversized_buffer_is_refused() -> None:
    with pytest.raises(FramingError, match="more than 5000"):
        Framer(max_buffer=5000).feed(b"Event: X\r\n\r\n" * 1000)


def test_large_message_fed_byte_by_byte_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        data = BANNER + b"Event: X\r\nA: " + b"x" * size + b"\r\n\r\n"
        framer = Framer(max_message=10_000_000)
        begin = time.process_time()
        for chunk in chunks(data, 1):
            framer.feed(chunk)
        return time.process_time() - begin

    # Eight times the bytes: about 8 if linear, 64 if quadratic.
    assert seconds(400_000) < 24 * max(seconds(50_000), 0.001)


def test_invented_layouts_do_not_accumulate() -> None:
    framer = Framer()
    framer.feed(BANNER)
    for number in range(2000):
        framer.feed(f"Event: E{number % 500}\r\nX{number}: 1\r\nUniqueid: {number}\r\n\r\n".encode())
    assert sum(map(len, framer._kinds.values())) <= 256
    assert [message.get("Uniqueid") for message in framer.feed(b"Event: E1\r\nNew: 1\r\nUniqueid: u\r\n\r\n")] == ["u"]


# Properties

KEYS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=60)
PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=8, unique_by=lambda pair: pair[0])


@given(st.lists(st.tuples(KEYS, PAIRS), max_size=6), st.data())
def test_any_messages_in_any_split_are_read_back(
    events: list[tuple[str, list[tuple[str, str]]]], data: st.DataObject
) -> None:
    expected = [[("Event", name), *[(key, value) for key, value in pairs if key != "Event"]] for name, pairs in events]
    stream = BANNER + b"".join(
        b"".join(f"{key}: {value}\r\n".encode() for key, value in pairs) + b"\r\n" for pairs in expected
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    framer = Framer()
    messages = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        messages += framer.feed(stream[begin:end])
    assert [message.fields() for message in messages] == expected
    for message, pairs in zip(messages, expected, strict=True):
        assert [message.get(key) for key, _ in pairs] == [value for _, value in pairs]


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_read_the_same_in_any_chunking(junk: bytes, size: int) -> None:
    data = BANNER + junk.replace(b"a", b"\r\n").replace(b"b", b"\r\n\r\nEvent: H\r\nU: ") + b"\r\n\r\n"
    whole, expected = frame(data)
    pieces, messages = frame(data, size)
    assert [message.raw for message in messages] == [message.raw for message in expected]
    assert pieces.tampered == whole.tampered


def test_the_tail_of_a_message_cut_in_two_by_a_caller_is_dropped_and_counted() -> None:
    framer = Framer()
    framer.expect = b"\r\nActionID: "
    entry = (
        b"Event: QueueEntry\r\nQueue: sales\r\nCallerIDNum: 1\r\n\r\n"  # the caller's own empty line
        b"x: y\r\nCallerIDName: z\r\nActionID: list-1\r\n\r\n"
    )
    messages = framer.feed(b"Asterisk Call Manager/5.0.4\r\n" + entry)
    assert [message.name for message in messages] == ["QueueEntry"]
    assert framer.tampered == 1
