"""Bytes to actions, and what Originate makes of its headers."""

from __future__ import annotations

import pytest

from simulator.switch.actions import Action, Parser, _caller, _split, _variables

TWO = b"Action: Ping\r\nActionID: 1\r\n\r\naction:ping\nActionID: 2\n\n"


@pytest.mark.parametrize("size", [1, 7, 1_447])
def test_actions_are_found_whatever_the_portions(size: int) -> None:
    parser = Parser()
    actions = [a for start in range(0, len(TWO), size) for a in parser.feed(TWO[start : start + size])]
    assert [(a.get("action").lower(), a.get("actionid"), a.fault) for a in actions] == [
        ("ping", "1", ""),
        ("ping", "2", ""),
    ]


def test_the_longest_line_is_1022_bytes() -> None:
    for length, fault in ((1_022, ""), (1_023, "Failed to parse message: line too long")):
        line = b"Variable: " + b"x" * (length - 10)
        (action,) = Parser().feed(b"Action: Ping\r\n" + line + b"\r\n\r\n")
        assert action.fault == fault


def test_the_first_of_repeated_keys_counts_and_all_variables_are_kept() -> None:
    (action,) = Parser().feed(b"Action: A\r\nActionID: 1\r\nActionID: 2\r\nVariable: a=1\r\nVariable: b=2\r\n\r\n")
    assert action.get("actionid") == "1"
    assert action.all("variable") == ["a=1", "b=2"]


def test_a_nul_ends_a_line() -> None:
    (action,) = Parser().feed(b"Action: Ping\0Evil\r\n\r\n")
    assert action.get("action") == "Ping"


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ("a=1,b=2", ["a=1", "b=2"]),
        (r"a=1\,2", ["a=1,2"]),
        ("a=(1,2),b=3", ["a=(1,2)", "b=3"]),
        ('a="1,2",b=3', ["a=1,2", "b=3"]),
        (r"a=\"x\\", [r'a="x' + "\\"]),
    ],
)
def test_variables_are_split_as_asterisk_splits_them(header: str, parts: list[str]) -> None:
    assert _split(header) == parts


def test_underscores_say_who_inherits_and_are_no_part_of_the_name() -> None:
    headers = ["__DIALER_QUEUE=sales", "_X= y ", "Z=", "nothing"]
    assert dict(_variables(headers)) == {"DIALER_QUEUE": "sales", "X": "y", "Z": ""}


@pytest.mark.parametrize(
    ("text", "number", "person"),
    [
        ("Dialer <74950000>", "74950000", "Dialer"),
        ('"Акме, Ltd" <+7 (495) 00-00>', "+74950000", "Акме, Ltd"),
        ("74950000", "74950000", "<unknown>"),
        ("Dialer", "<unknown>", "Dialer"),
        ("", "<unknown>", "<unknown>"),
    ],
)
def test_caller_ids(text: str, number: str, person: str) -> None:
    assert _caller(text) == (number, person)


def test_an_action_without_id_echoes_none() -> None:
    assert Action([("action", "Ping")]).id_line == ""
