"""Who is free, by lists and events; an event alone, which may be forged, makes nobody free."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.facts import Time, member, queue_params
from worker.ami.message import Message
from worker.asterisk.agents import UNSURE_MOST, Agents

ONE = ("sales", "PJSIP/agent1")


@pytest.fixture
def time() -> Time:
    return Time(500.0)


@pytest.fixture
def agents(time: Time) -> Agents:
    """Two queues; agent1 is in both, agent2 in sales."""
    known = Agents(time)
    known.replace_all(
        [
            queue_params("sales"),
            member("QueueMember"),
            member("QueueMember", "PJSIP/agent2"),
            queue_params("support"),
            member("QueueMember", queue="support"),
        ]
    )
    return known


def listed(agents: Agents, **facts: object) -> None:
    """What a list says of agent1 in sales."""
    agents.replace_one(*ONE, [member("QueueMember", **facts)])  # type: ignore[arg-type]


def state(agents: Agents, queue: str = "sales", interface: str = "PJSIP/agent1") -> object:
    return next(row["state"] for row in agents.table() if (row["queue"], row["interface"]) == (queue, interface))


# --- states ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, "free"),
        (1, "free"),
        (2, "talking"),
        (3, "talking"),
        (4, "unavailable"),
        (5, "unavailable"),
        (6, "ringing"),
        (7, "ringing"),
        (8, "talking"),
        (9, "unavailable"),
        ("", "unavailable"),
        ("²", "unavailable"),
        ("1" * 5000, "unavailable"),
    ],
)
def test_every_device_state_has_its_word(agents: Agents, status: object, expected: str) -> None:
    listed(agents, status=status)
    assert state(agents) == expected
    assert ("pjsip/agent1" in agents.free("sales")) == (expected == "free")


def test_paused_member_is_not_free(agents: Agents) -> None:
    listed(agents, Paused=1)
    assert state(agents) == "paused"
    assert agents.free("sales") == {"pjsip/agent2"}
    assert agents.free("support") == {"pjsip/agent1"}, "paused in one queue only"


def test_member_in_a_call_of_the_queue_is_talking_whatever_the_device_says(agents: Agents) -> None:
    listed(agents, InCall=1)
    assert state(agents) == "talking"
    assert agents.free("sales") == {"pjsip/agent2"}
    assert agents.free("support") == set()


def test_free_is_asked_by_queue(agents: Agents) -> None:
    assert agents.free("sales") == {"pjsip/agent1", "pjsip/agent2"}
    assert agents.free("support") == {"pjsip/agent1"}
    assert agents.free("hell") == set()
    assert [len(agents.team(queue)) for queue in ("sales", "support", "hell")] == [2, 1, 0]
    assert agents.queues == {"sales", "support"}


def test_person_in_several_queues_is_busy_in_all_as_soon_as_one_says_so(agents: Agents) -> None:
    agents.event(member("QueueMemberStatus", queue="support", status=6))
    assert agents.free("sales") == {"pjsip/agent2"}
    agents.event(member("QueueMemberStatus", queue="sales", status=6))
    agents.replace_one("support", "PJSIP/agent1", [member("QueueMember", queue="support")])
    assert agents.free("support") == set(), "the other queue has not been told yet"
    listed(agents)
    assert agents.free("support") == {"pjsip/agent1"}


# --- wrap-up ---------------------------------------------------------------------------------------------


def test_wrapup_begins_when_the_last_call_changes_and_ends_by_itself(agents: Agents, time: Time) -> None:
    agents.event(member("QueueMemberStatus", status=2))
    listed(agents, LastCall=1_700_000_000, Wrapuptime=10)
    assert state(agents) == "wrapup"
    assert agents.next_free_in() == 10
    time.now += 4
    listed(agents, LastCall=1_700_000_000, Wrapuptime=10)
    assert agents.next_free_in() == 6, "the same call"
    time.now += 5.999
    assert agents.free("sales") == {"pjsip/agent2"}
    time.now += 0.001
    assert agents.free("sales") == {"pjsip/agent1", "pjsip/agent2"}
    assert agents.next_free_in() is None


def test_next_free_is_the_first_of_several(agents: Agents, time: Time) -> None:
    for interface, wrapup in (("PJSIP/agent1", 10), ("PJSIP/agent2", 5)):
        agents.replace_one("sales", interface, [member("QueueMember", interface, LastCall=9, Wrapuptime=wrapup)])
    assert agents.next_free_in() == 5


@pytest.mark.parametrize(
    ("last_call", "left"),
    [(0, None), (990, None), (995, 5.0), (1000, 10.0), (5000, 10.0)],
)
def test_wrapup_of_who_is_seen_first_is_judged_by_the_clock(time: Time, last_call: int, left: float | None) -> None:
    agents = Agents(time, lambda: 1000.0)
    agents.replace_all([queue_params(), member("QueueMember", LastCall=last_call, Wrapuptime=10)])
    assert agents.next_free_in() == left


# --- people and their telephones ---------------------------------------------------------------------------


def with_telephones(time: Time, *members: tuple[str, str, str, int]) -> Agents:
    """Agents of members: queue, interface, StateInterface, status."""
    known = Agents(time)
    items = [queue_params(queue) for queue in sorted({queue for queue, *_ in members})]
    items += [
        member("QueueMember", interface, queue=queue, status=status, StateInterface=telephone)
        for queue, interface, telephone, status in members
    ]
    known.replace_all(items)
    return known


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Local/100@q-a/n", "PJSIP/100"), ("Local/100@q-b/n", "PJSIP/100")),
        (("PJSIP/anna", ""), ("PJSIP/Anna", "")),
        (("PJSIP/anna", "PJSIP/ANNA"), ("Local/7@x", "pjsip/anna")),
    ],
)
def test_members_that_ring_one_telephone_are_one_person(
    time: Time, one: tuple[str, str], other: tuple[str, str]
) -> None:
    known = with_telephones(time, ("a", *one, 1), ("b", *other, 1))
    assert known.free("a") == known.free("b") == known.team("a") == known.team("b")
    assert len(known.free("a")) == 1
    assert len(known.crew(["a", "b"])) == 1
    assert known.person(one[0]) == known.person(other[0])
    known.event(member("QueueMemberStatus", one[0], queue="a", status=2))
    assert known.free("a") == known.free("b") == set(), "whoever talks takes no call of another queue"


def test_two_members_of_one_queue_with_one_telephone_count_once(time: Time) -> None:
    known = with_telephones(time, ("a", "Local/1@x/n", "PJSIP/100", 1), ("a", "Local/2@x/n", "PJSIP/100", 1))
    assert known.free("a") == {"pjsip/100"}
    known.replace_one(
        "a", "Local/1@x/n", [member("QueueMember", "Local/1@x/n", queue="a", status=6, StateInterface="PJSIP/100")]
    )
    assert known.free("a") == set(), "the second one's state is stale"
    known.replace_one("a", "Local/1@x/n", [])
    assert known.free("a") == {"pjsip/100"}


def test_an_event_gives_nobody_another_telephone(time: Time) -> None:
    known = with_telephones(time, ("a", "Local/1@x/n", "PJSIP/100", 2), ("b", "Local/1@y/n", "PJSIP/100", 1))
    assert known.free("b") == set()
    known.event(member("QueueMemberStatus", "Local/1@x/n", queue="a", status=2, StateInterface="PJSIP/other"))
    assert known.free("b") == set()
    known.replace_one(
        "a", "Local/1@x/n", [member("QueueMember", "Local/1@x/n", queue="a", status=2, StateInterface="PJSIP/other")]
    )
    assert known.free("b") == {"pjsip/100"}, "a list does"


# --- names of queues -------------------------------------------------------------------------------------------


def test_a_queue_is_found_as_it_is_written_then_in_any_case(time: Time) -> None:
    known = with_telephones(
        time, ("sales", "PJSIP/1", "", 1), ("Sales", "PJSIP/2", "", 1), ("Support", "PJSIP/3", "", 1)
    )
    assert (known.queue_named("sales"), known.queue_named("Sales")) == ("sales", "Sales"), "two realtime queues"
    assert (known.queue_named("SUPPORT"), known.queue_named("hell")) == ("Support", None)
    assert known.queue_named("SALES") in ("sales", "Sales")
    assert (known.free("sales"), known.free("Sales")) == ({"pjsip/1"}, {"pjsip/2"})
    assert known.free("SUPPORT") == known.team("support") == known.crew(["SUPPORT"]).keys() == {"pjsip/3"}


def test_a_realtime_queue_that_was_asked_for_brings_its_members(agents: Agents) -> None:
    known = agents.version
    agents.add_queue([queue_params("night"), member("QueueMember", "PJSIP/owl", queue="night")])
    assert agents.queue_named("NIGHT") == "night"
    assert agents.free("night") == {"pjsip/owl"}
    assert agents.free("support") == {"pjsip/agent1"}, "nobody else has gone"
    assert agents.version > known


# --- events ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [2, 3, 6, 7, 8])
def test_what_makes_a_member_less_available_is_believed_at_once(agents: Agents, status: int) -> None:
    known = agents.version
    agents.event(member("QueueMemberStatus", status=status))
    assert agents.free("sales") == {"pjsip/agent2"}
    assert agents.unsure == set()
    assert agents.version > known


@pytest.mark.parametrize("facts", [{"Paused": 1}, {"status": 5}])
def test_what_takes_a_member_out_for_long_is_believed_and_asked_about(agents: Agents, facts: dict[str, object]) -> None:
    agents.event(member("QueueMemberPause", **facts))  # type: ignore[arg-type]
    assert agents.free("sales") == {"pjsip/agent2"}
    assert agents.unsure == {ONE}
    listed(agents)
    assert agents.unsure == set()
    assert agents.free("sales") == {"pjsip/agent1", "pjsip/agent2"}


@pytest.mark.parametrize("before", [{"status": 2}, {"status": 6}, {"status": 5}, {"Paused": 1}, {"InCall": 1}])
@pytest.mark.parametrize("told", [{}, {"LastCall": 77, "Wrapuptime": 1}])
def test_event_alone_makes_nobody_free_now_or_later(
    agents: Agents, time: Time, before: dict[str, object], told: dict[str, object]
) -> None:
    listed(agents, **before)
    was = state(agents)
    agents.event(member("QueueMemberStatus", status=1, **told))  # type: ignore[arg-type]
    assert agents.unsure == {ONE}
    assert state(agents) == was
    time.now += 3600
    assert "pjsip/agent1" not in agents.free("sales")
    listed(agents)
    assert "pjsip/agent1" in agents.free("sales")


def test_event_cannot_shorten_a_wrapup(agents: Agents, time: Time) -> None:
    listed(agents, LastCall=5, Wrapuptime=60)
    agents.event(member("QueueMemberStatus", LastCall=6, Wrapuptime=1))
    assert agents.unsure == {ONE}
    time.now += 59
    assert "pjsip/agent1" not in agents.free("sales")


def test_event_alone_sends_nobody_into_a_wrapup(agents: Agents) -> None:
    agents.event(member("QueueMemberStatus", LastCall=6, Wrapuptime=10**9))
    assert agents.unsure == {ONE}
    assert "pjsip/agent1" in agents.free("sales")
    listed(agents, LastCall=0)
    assert "pjsip/agent1" in agents.free("sales")


@pytest.mark.parametrize("name", ["QueueMemberAdded", "QueueMemberRemoved"])
def test_coming_and_going_is_asked_about(agents: Agents, name: str) -> None:
    agents.event(member(name))
    assert agents.unsure == {ONE}
    assert agents.free("sales") == {"pjsip/agent1", "pjsip/agent2"}


def test_member_that_a_list_does_not_have_is_gone(agents: Agents) -> None:
    agents.replace_one(*ONE, [])
    assert agents.free("sales") == {"pjsip/agent2"}
    assert agents.free("support") == {"pjsip/agent1"}
    assert len(agents.team("sales")) == 1
    agents.replace_one(*ONE, [])
    listed(agents)
    assert len(agents.team("sales")) == 2


def test_list_of_one_takes_no_other_items(agents: Agents) -> None:
    agents.replace_one(*ONE, [queue_params(), member("QueueMember", "PJSIP/agent2", status=2)])
    assert agents.free("sales") == {"pjsip/agent2"}
    assert len(agents.team("sales")) == 1


def test_list_of_all_replaces_everything(agents: Agents) -> None:
    agents.event(member("QueueMemberAdded", "PJSIP/agent3"))
    agents.replace_all([queue_params("support"), member("QueueMember", queue="support")])
    assert agents.unsure == set()
    assert agents.queues == {"support"}
    assert agents.free("sales") == set()
    assert agents.free("support") == {"pjsip/agent1"}
    assert len(agents.table()) == 1


@pytest.mark.parametrize("interface", ["", "PJSIP/a\nb", "PJSIP/a\x00b", "x" * 201, "PJSIP/Andr\udce9"])
def test_name_that_no_interface_has_is_not_asked_for(agents: Agents, interface: str) -> None:
    agents.event(member("QueueMemberStatus", interface))
    assert agents.unsure == set()


def test_queue_that_asterisk_does_not_have_is_not_asked_for(agents: Agents) -> None:
    agents.event(member("QueueMemberStatus", queue="hell"))
    assert agents.unsure == set()


def test_invented_members_are_not_asked_for_without_end(agents: Agents) -> None:
    for number in range(UNSURE_MOST + 50):
        agents.event(member("QueueMemberAdded", f"PJSIP/{number}"))
    assert len(agents.unsure) == UNSURE_MOST
    agents.event(member("QueueMemberRemoved"))
    assert ONE in agents.unsure, "a member that is known is asked about all the same"


# --- for readers -----------------------------------------------------------------------------------------


def test_table_tells_since_when(agents: Agents, time: Time) -> None:
    agents.event(member("QueueMemberStatus", status=2))
    time.now += 7
    agents.event(member("QueueMemberStatus", status=2, LastCall=3))
    row = next(row for row in agents.table() if row["interface"] == "PJSIP/agent1" and row["queue"] == "sales")
    assert row == {"queue": "sales", "interface": "PJSIP/agent1", "name": "Agent One", "state": "talking", "since": 7}


def test_table_can_be_stored_whatever_the_names_are(time: Time) -> None:
    agents = Agents(time)
    agents.replace_all(
        [
            Message(
                "Event: QueueMember\r\nQueue: s\r\nName: Andr\udce9\r\nLocation: a\0b".encode(errors="surrogateescape")
            )
        ]
    )
    (row,) = agents.table()
    assert (row["name"], row["interface"]) == ("Andr\ufffd", "a\ufffdb")
    json.dumps(row).encode()


FACTS = st.fixed_dictionaries(
    {
        "status": st.sampled_from([0, 1, 2, 5, 6]),
        "Paused": st.integers(0, 1),
        "InCall": st.integers(0, 1),
        "LastCall": st.integers(0, 3),
        "Wrapuptime": st.integers(0, 30),
        "queue": st.sampled_from(["sales", "support"]),
        "interface": st.sampled_from(["PJSIP/agent1", "PJSIP/agent2"]),
    }
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["event", "wait"]), FACTS), max_size=20))
def test_no_sequence_of_events_makes_anybody_free(acts: list[tuple[str, dict[str, object]]]) -> None:
    """From the last list on, who is not free stays so until a list says otherwise (or a listed wrap-up is over)."""
    time = Time(0.0)
    agents = Agents(time)
    agents.replace_all(
        [
            queue_params("sales"),
            queue_params("support"),
            member("QueueMember", status=2),
            member("QueueMember", queue="support"),
            member("QueueMember", "PJSIP/agent2"),
        ]
    )
    for act, facts in acts:
        before = {queue: agents.free(queue) for queue in ("sales", "support")}
        if act == "wait":
            time.now += 20
        else:
            agents.event(member("QueueMemberStatus", **facts))  # type: ignore[arg-type]
        for queue, free in before.items():
            assert agents.free(queue) <= free
