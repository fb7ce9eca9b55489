"""Actions as bytes, and everything that must not become bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.ami.actions import UnsafeAction, encode, escape, originate
from worker.ami.message import Framer
from worker.errors import DialerError


def make(**changes: object) -> list[tuple[str, str]]:
    arguments: dict[str, object] = {
        "channel": "PJSIP/79990000001@carrier",
        "context": "progressive",
        "exten": "s",
        "timeout_ms": 30000,
        "channel_id": "c-1",
        "action_id": "a-1",
        "caller_id": "Sales <74950000>",
        "account": "dialer",
        "variables": {"__DIALER_CASE": "17"},
    }
    return originate(**{**arguments, **changes})  # type: ignore[arg-type]


def test_action_is_lines_and_an_empty_line() -> None:
    assert encode([("Action", "Ping"), ("ActionID", "x")]) == b"Action: Ping\r\nActionID: x\r\n\r\n"


@pytest.mark.parametrize("poison", ["\r", "\n", "\0", "x\r\n\r\nAction: Command\r\nCommand: core stop now"])
@pytest.mark.parametrize("key", ["Variable", "Secret", "CallerID"])
def test_line_breaks_and_nul_are_refused_without_telling_the_value(poison: str, key: str) -> None:
    with pytest.raises(UnsafeAction, match=key) as caught:
        encode([("Action", "Originate"), (key, f"hush{poison}hush")])
    assert "hush" not in str(caught.value)
    assert isinstance(caught.value, DialerError)


@pytest.mark.parametrize("key", ["", "A:b", "A\r\nB", "A b", "Ключ", "A\n"])
def test_bad_header_names_are_refused(key: str) -> None:
    with pytest.raises(UnsafeAction):
        encode([("Action", "Ping"), (key, "1")])


def test_lines_and_actions_have_the_size_asterisk_reads() -> None:
    longest = "x" * (1022 - len("Data: "))
    assert len(encode([("Data", longest)])) == 1022 + 4
    with pytest.raises(UnsafeAction, match="Data has 1023 bytes"):
        encode([("Data", longest + "x")])
    with pytest.raises(UnsafeAction, match="bytes"):
        encode([("Data", "ж" * 600)])
    assert encode([("A", "1")] * 128)
    with pytest.raises(UnsafeAction, match="129 lines"):
        encode([("A", "1")] * 129)
    with pytest.raises(UnsafeAction):
        encode([])


def test_originate_is_async_with_priority_and_the_id_first() -> None:
    fields = make()
    assert fields[:2] == [("Action", "Originate"), ("ActionID", "a-1")]
    assert dict(fields) == {
        "Action": "Originate",
        "ActionID": "a-1",
        "Channel": "PJSIP/79990000001@carrier",
        "Context": "progressive",
        "Exten": "s",
        "Priority": "1",
        "Timeout": "30000",
        "Async": "true",
        "ChannelId": "c-1",
        "CallerID": "Sales <74950000>",
        "Account": "dialer",
        "Variable": "__DIALER_CASE=17",
    }


def test_originate_has_one_header_per_variable_and_escapes_what_separates() -> None:
    fields = make(variables={"__A": 'Smith, "Bob" \\ (x', "B": "", "C": "${SECRET}"})
    assert [value for key, value in fields if key == "Variable"] == [
        '__A=Smith\\, \\"Bob\\" \\\\ (x',
        "B=",
        "C=${SECRET}",
    ]


@pytest.mark.parametrize("name", ["FILE(/etc/passwd)", "A=B", "1A", "", "A,B", "A B", "A\n", "Ж", "SHELL(id)"])
def test_variable_names_that_could_call_a_function_are_refused(name: str) -> None:
    with pytest.raises(UnsafeAction, match="variable name"):
        make(variables={name: "1"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channel": "nothing"}, "no slash"),
        ({"channel": "PJSIP/" + "1" * 250}, "256 bytes"),
        ({"context": ""}, "Context"),
        ({"exten": ""}, "Exten"),
        ({"timeout_ms": 0}, "Timeout"),
        ({"action_id": ""}, "ActionID"),
        ({"channel_id": ""}, "ChannelId"),
        ({"channel_id": "x" * 150}, "ChannelId"),
    ],
)
def test_originate_that_asterisk_would_misread_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UnsafeAction, match=message):
        make(**changes)


def test_longest_channel_is_accepted() -> None:
    assert make(channel="PJSIP/" + "1" * 249)


def unescape(value: str) -> list[str]:
    """What Asterisk makes of a Variable header (app.c, __ast_app_separate_args): its parts, unquoted."""
    parts, part, depth, quoted = [], "", 0, False
    characters = iter(value)
    for character in characters:
        if character == "\\":
            part += next(characters, "")
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted and not depth:
            parts.append(part)
            part = ""
        else:
            depth += (character in "([") - (character in ")]" and depth > 0)
            part += character
    return [*parts, part]


@given(st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=80))
def test_asterisk_reads_an_escaped_value_as_it_was(value: str) -> None:
    assert unescape(escape(value)) == [value]


FIELDS = st.lists(
    st.tuples(
        st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,20}", fullmatch=True),
        st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=200),
    ),
    min_size=1,
    max_size=10,
    unique_by=lambda pair: pair[0],
)


@given(FIELDS)
def test_what_is_encoded_is_read_back(fields: list[tuple[str, str]]) -> None:
    sent = [("Response", "Success"), *fields]  # a framer takes events and replies
    (message,) = Framer().feed(b"Asterisk Call Manager/5.0.4\r\n" + encode(sent))
    assert message.fields() == sent


def test_half_characters_are_refused_and_raw_bytes_pass() -> None:
    with pytest.raises(UnsafeAction, match="value of Data is not valid text"):
        encode([("Data", "\ud800")])
    assert encode([("Data", b"Andr\xe9".decode("utf-8", "surrogateescape"))]) == b"Data: Andr\xe9\r\n\r\n"
