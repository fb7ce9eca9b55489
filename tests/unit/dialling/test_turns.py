"""One turn: what is asked, claimed, begun and sent, and what is given back."""

from __future__ import annotations

from typing import Any

import pytest
from gevent.event import Event
from sqlalchemy.exc import DataError

from tests.support.facts import member
from tests.support.fake_database import open_attempt
from tests.support.turns_lab import POLL, Lab, refused
from worker.ami.errors import AmiLinkLost
from worker.asterisk.notices import LookAgain, Obstacle
from worker.dialling.fitness import TRUST_SECONDS
from worker.dialling.hopper import ERRANDS_MOST
from worker.dialling.turns import SOON_SECONDS
from worker.errors import DatabaseUnavailable, StatementTimedOut
from worker.model import Outcome


@pytest.fixture
def lab() -> Lab:
    return Lab()


# --- how many --------------------------------------------------------------------------------------------


def test_one_call_for_each_free_agent_and_no_more(lab: Lab) -> None:
    lab.staff(3)
    lab.database.project("p", cases=10)
    assert lab.turn() == POLL
    assert lab.cases() == [100, 101, 102]
    lab.turn()
    assert len(lab.cases()) == 3, "they are in flight"
    lab.end_calls()
    lab.turn()
    assert lab.cases() == [100, 101, 102, 103, 104, 105]


def test_projects_that_share_agents_share_their_calls(lab: Lab) -> None:
    lab.staff(4)
    lab.database.project("p", cases=10)
    lab.database.project("q", cases=10)
    lab.turn()
    assert sorted(lab.cases()) == [100, 101, 200, 201]


def test_grant_that_a_project_has_no_cases_for_goes_to_the_others(lab: Lab) -> None:
    lab.staff(2)
    lab.database.project("a", cases=0)
    lab.database.project("b", cases=1)
    lab.database.project("c", cases=9)
    lab.turn()
    assert sorted(lab.cases()) == [200, 300]
    lab.end_calls()
    lab.turn()
    assert lab.cases()[2:] == [301, 302]


def test_one_agent_serves_all_projects_in_turn(lab: Lab) -> None:
    lab.staff(1)
    for name in ("a", "b", "c"):
        lab.database.project(name, cases=9)
    for _ in range(6):
        lab.turn()
        lab.end_calls()
        lab.pass_time(1)
    assert [begun.project_id for begun in lab.session.sent] == ["a", "b", "c", "a", "b", "c"]


def test_calls_of_a_stopped_project_still_take_agents(lab: Lab) -> None:
    lab.staff(2)
    lab.database.project("p", cases=1)
    lab.database.project("q", cases=0)
    lab.turn()
    del lab.database.projects["p"]
    lab.database.waiting["q"] = [200, 201]
    lab.turn()
    assert lab.cases() == [100, 200]


@pytest.mark.parametrize("room", [0, 1, 4])
def test_lines_that_are_left_bound_a_turn(lab: Lab, room: int) -> None:
    lab.database.project("p", cases=50, type="autoinforming", context="autoinforming", room=room)
    lab.turn()
    assert len(lab.cases()) == room


def test_informing_needs_no_agents(lab: Lab) -> None:
    lab.database.project("p", cases=3, type="autoinforming", context="autoinforming")
    lab.turn()
    assert len(lab.cases()) == 3


# --- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["no_line", "pacing"])
def test_what_has_no_room_now_stays_in_hand_until_it_has(lab: Lab, reason: str) -> None:
    lab.staff(2)
    lab.database.project("p", cases=2)
    lab.database.refuse = {100: (reason, lab.at(0.5)), 101: (reason, lab.at(0.5))}
    assert lab.turn() == pytest.approx(0.5, abs=0.01)
    assert lab.turn() == pytest.approx(0.5, abs=0.01)
    assert lab.database.calls.count("dialer_attempt_begin") == 1, "not before its time"
    lab.database.refuse = {}
    lab.pass_time(0.5)
    lab.turn()
    assert lab.cases() == [100, 101]
    assert lab.database.calls.count("dialer_claim") == 1


@pytest.mark.parametrize("told", [True, False])
def test_a_trunk_that_was_slowed_down_and_is_not_any_more_is_used_at_once(lab: Lab, told: bool) -> None:
    """calls_per_second was 0.001 for a moment."""
    lab.staff(1)
    lab.database.project("p", cases=1)
    lab.database.refuse = {100: ("pacing", lab.at(1000))}
    lab.turn()
    lab.database.refuse = {}
    if told:
        lab.changed("")
    else:
        lab.pass_time(POLL)
    lab.turn()
    assert lab.cases() == [100]


@pytest.mark.parametrize("reason", ["not_owner", "project_stopped", "project_failing", "no_trunk", "trunk_failing"])
def test_what_holds_for_the_whole_project_gives_all_of_it_back(lab: Lab, reason: str) -> None:
    lab.staff(3)
    lab.database.project("p", cases=3)
    lab.database.refuse = {100: (reason, None)}
    lab.database.refuse[101] = lab.database.refuse[102] = ("no_line", None)
    lab.turn()
    assert lab.cases() == []
    assert lab.database.released[-1] == "p"
    assert lab.database.claimed == {}


def test_case_that_may_not_be_dialled_makes_room_for_another_at_once(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=2)
    lab.database.refuse = {100: ("number_in_call", None)}
    assert lab.turn() == SOON_SECONDS
    lab.turn()
    assert lab.cases() == [101]


def test_failing_trunk_is_left_alone_until_its_time(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=2, trunk_failing=True, trunk_retry_at=lab.at(3))
    assert lab.turn() == pytest.approx(3)
    assert "dialer_claim" not in lab.database.calls
    lab.pass_time(3)
    lab.turn()
    assert len(lab.cases()) == 1


# --- when nothing is to be done --------------------------------------------------------------------------


def test_next_turn_is_when_the_next_case_falls_due(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=0, state="idle", until_at=lab.at(1.5))
    assert lab.turn() == pytest.approx(1.5)


def test_next_turn_is_when_a_wrapup_ends(lab: Lab) -> None:
    lab.staff(1)
    lab.session.agents.replace_one(
        "sales", "PJSIP/agent0", [member("QueueMember", "PJSIP/agent0", LastCall=5, Wrapuptime=2)]
    )
    lab.database.project("p", cases=1)
    assert lab.turn() == pytest.approx(2)
    lab.pass_time(2)
    lab.turn()
    assert lab.cases() == [100]


def test_case_inserted_just_before_the_project_went_idle_is_found(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=0, state="running")
    lab.turn()
    assert lab.database.calls.count("dialer_claim") == 2
    lab.database.projects["p"]["state"] = "idle"
    lab.turn()
    assert lab.database.calls.count("dialer_claim") == 3


@pytest.mark.parametrize(("ready", "may_dial"), [(False, True), (True, False)])
def test_nothing_is_claimed_without_asterisk_or_lease(lab: Lab, ready: bool, may_dial: bool) -> None:
    lab.staff(1)
    lab.database.project("p", cases=1)
    lab.session.ready, lab.may_dial = ready, may_dial
    assert lab.turn() == POLL
    assert lab.database.calls == []


def test_lease_that_passes_between_permission_and_originate_sends_nothing(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=1)
    answers = iter([True, False])
    lab.turns._may_dial = lambda: next(answers)
    lab.turn()
    assert lab.session.sent == []
    assert [begun.case_id for begun in lab.session.given_up] == [100]


# --- claims that take long -------------------------------------------------------------------------------


def test_claim_that_takes_long_holds_up_no_other_project(lab: Lab) -> None:
    for name in ("a", "b"):
        lab.database.project(name, cases=2, type="autoinforming", context="autoinforming", room=2)
    lab.database.hold["a"] = Event()
    assert lab.turn() == SOON_SECONDS
    assert lab.cases() == [200, 201]
    assert not lab.session.notices.arrived.is_set()
    claims = lab.database.calls.count("dialer_claim")
    lab.turn()
    assert lab.database.calls.count("dialer_claim") <= claims + 2, "of b alone: that of a is under way"
    lab.database.hold.pop("a").set()
    assert lab.session.notices.arrived.wait(5), "its answer wakes another turn"
    lab.turn()
    assert lab.cases() == [200, 201, 100, 101]


def test_agents_granted_to_a_project_whose_claim_takes_long_are_for_the_others(lab: Lab) -> None:
    lab.staff(2)
    for name in ("a", "b"):
        lab.database.project(name, cases=9)
    hold = lab.database.hold["a"] = Event()
    lab.turn()
    lab.turn()
    assert lab.cases() == [200, 201]
    hold.set()


def test_claims_that_are_given_up_come_at_growing_intervals_and_are_reported(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=1)
    lab.database.slow_claims = {"p"}
    waits = []
    for _ in range(7):
        waits.append(lab.turn())
        lab.pass_time(waits[-1])
        while (left := lab.turns._hopper.rests("p")) is not None:
            lab.pass_time(left)
    assert lab.database.calls.count("dialer_claim") == 7
    assert lab.clock.monotonic() == pytest.approx(1 + 2 + 4 + 8 + 16 + 30 + 30)
    assert lab.troubles() == {("project", "p", "claim"): "it gets no cases: given up after 2 s: it took too long"}
    assert lab.database.released.count("p") == 7, "its commit may have been in time"
    lab.database.slow_claims = set()
    lab.turn()
    assert lab.cases() == [100]
    lab.end_calls()
    lab.database.waiting["p"] = [101]
    lab.turn()
    assert lab.cases() == [100, 101], "that one has succeeded; nothing is left of the delay"
    assert lab.troubles() == {}


def test_change_of_its_cases_ends_the_wait_of_a_project_soon(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=1)
    lab.database.slow_claims = {"p"}
    for _ in range(5):
        lab.turn()
        lab.pass_time(16)
    lab.turn()
    lab.database.slow_claims = set()
    lab.changed("other")
    lab.pass_time(1)
    lab.turn()
    assert lab.cases() == []
    lab.changed("p")
    assert lab.turn() == pytest.approx(1)
    lab.pass_time(1)
    lab.turn()
    assert lab.cases() == [100]


def test_due_case_that_cannot_be_had_is_asked_for_less_and_less_often(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=0, state="idle", until_at=lab.at(0))
    for _ in range(100):
        lab.turn()
        lab.pass_time(0.1)
    assert lab.database.calls.count("dialer_claim") < 20, "ten seconds"
    lab.database.waiting["p"] = [100]
    lab.changed("p")
    lab.turn()
    assert lab.cases() == [100]


def test_what_a_claim_brought_that_took_long_is_dialled_before_the_next_one(lab: Lab) -> None:
    lab.staff(3)
    lab.database.project("p", cases=1)
    for cases in ([], [100], [100]):
        hold = lab.database.hold["p"] = Event()
        lab.turn()
        assert lab.cases() == cases, "whether or not the next claim takes long, too"
        hold.set()
        assert lab.session.notices.arrived.wait(0.5) or cases


def test_a_claim_that_took_long_and_found_nothing_is_not_repeated_at_once(lab: Lab) -> None:
    lab.staff(3)
    lab.database.project("p", cases=0, state="idle", until_at=lab.at(3))
    hold = lab.database.hold["p"] = Event()
    lab.turn()
    hold.set()
    assert lab.session.notices.arrived.wait(5)
    claims = lab.database.calls.count("dialer_claim")
    lab.database.hold["p"] = Event()
    assert lab.turn() == pytest.approx(3), "when the next case is due"
    assert lab.database.calls.count("dialer_claim") == claims
    lab.database.hold.pop("p").set()


def test_a_case_inserted_during_a_claim_that_took_long_is_found(lab: Lab) -> None:
    lab.staff(3)
    lab.database.project("p", cases=1)
    hold = lab.database.hold["p"] = Event()
    lab.turn()
    lab.changed("p")
    hold.set()
    assert lab.session.notices.arrived.wait(5)
    lab.database.hold.pop("p")
    assert lab.turn() == SOON_SECONDS
    lab.database.waiting["p"] = [101]
    lab.turn()
    assert lab.cases() == [100, 101]


def test_error_of_a_claim_that_took_long_is_told_by_the_next_turn(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=1)
    hold = lab.database.hold["p"] = Event()
    lab.turn()
    lab.database.claim_is_lost = True
    hold.set()
    assert lab.session.notices.arrived.wait(5)
    with pytest.raises(DatabaseUnavailable):
        lab.turn()


# --- what one project runs into is its own -------------------------------------------------------------------

BAD_ROW = DataError("SELECT …", {}, Exception("Incorrect time value: '' for column v_opens"))


def informing(lab: Lab, *names: str, cases: int = 9, room: int = 2) -> None:
    for name in names:
        lab.database.project(name, cases, type="autoinforming", context="autoinforming", room=room)


@pytest.mark.parametrize("error", [BAD_ROW, StatementTimedOut("of this test", 2, "locked"), KeyError("odd")])
@pytest.mark.parametrize("step", ["claim", "begin", "obstacle", "fit", "dial"])
def test_an_error_in_one_project_stops_no_other(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, step: str, error: Exception
) -> None:
    informing(lab, "a", "b")
    if step == "claim":
        lab.database.claim_errors["a"] = error
    elif step == "begin":
        lab.database.errors = dict.fromkeys(range(100, 109), error)
    elif step == "obstacle":
        lab.database.projects["a"]["context"] = "nowhere"
        lab.database.report_error = error
    else:
        owner, part = {"fit": (lab.turns._fitness, "_obstacle"), "dial": (lab.turns, "_begin")}[step]
        real = getattr(owner, part)

        def choke(item: Any, *arguments: Any) -> Any:
            if item.project_id == "a":
                raise error
            return real(item, *arguments)

        monkeypatch.setattr(owner, part, choke)
    for _ in range(50):
        lab.turn()
        lab.end_calls()
        lab.pass_time(0.1)
    assert [case for case in lab.cases() if case >= 200] == list(range(200, 209))
    assert [case for case in lab.cases() if case < 200] == []
    assert ("project", "a", step) in lab.troubles()
    assert not any(subject == "b" for _, subject, _ in lab.troubles())


def test_what_failed_comes_again_at_growing_intervals_and_is_over_when_it_works(lab: Lab) -> None:
    informing(lab, "a", cases=1, room=1)
    lab.database.claim_errors["a"] = BAD_ROW
    tried = []
    for _ in range(400):
        before = lab.database.calls.count("dialer_claim")
        lab.turn()
        if lab.database.calls.count("dialer_claim") > before:
            tried.append(round(lab.clock.monotonic()))
        lab.pass_time(0.25)
    assert tried == [0, 1, 3, 7, 15, 31, 61, 91]
    assert list(lab.troubles().values()) == ["it gets no cases: Incorrect time value: '' for column v_opens"]
    lab.database.claim_errors.clear()
    lab.changed("a")
    lab.pass_time(1)
    lab.turn()
    assert lab.cases() == [100], "somebody has changed it: it is tried at once"
    assert lab.troubles() == {}


@pytest.mark.parametrize("room", [1, 3])
def test_a_case_that_cannot_be_begun_lets_the_others_go_first(lab: Lab, room: int) -> None:
    informing(lab, "a", cases=6, room=room)
    lab.database.errors[101] = BAD_ROW
    for _ in range(100):
        lab.turn()
        lab.end_calls()
        lab.pass_time(0.1)
    assert sorted(lab.cases()) == [100, 102, 103, 104, 105]
    told = lab.troubles()[("project", "a", "case")]
    assert told.startswith("not all its cases can be begun: case 101: Incorrect time value")
    lab.database.errors.clear()
    lab.changed("a")
    lab.pass_time(1)
    lab.turn()
    assert 101 in lab.cases()
    assert lab.troubles() == {}


def test_a_case_that_could_not_be_begun_is_tried_again_while_others_go_on(lab: Lab) -> None:
    """As after an open edit of the trunk: what was in hand then is not to wait for the end of the list."""
    informing(lab, "a", cases=900, room=2)
    lab.database.errors[101] = BAD_ROW
    asked = []
    for second in range(100):
        if second == 80:
            lab.database.errors.clear()
        lab.turn()
        asked += [second for cases in lab.database.asked if 101 in cases]
        lab.database.asked.clear()
        lab.end_calls()
        lab.pass_time(1)
        if second > 5:
            told = set(lab.troubles())
            assert told == (set() if 101 in lab.cases() else {("project", "a", "case")}), "the case is not the project"
    assert 101 in lab.cases()
    assert len(lab.cases()) > 120, "the others are dialled meanwhile"
    assert len(asked) < 12, asked


def test_of_several_cases_that_cannot_be_begun_each_is_tried_again(lab: Lab) -> None:
    informing(lab, "a", cases=2, room=2)
    lab.database.errors = {100: BAD_ROW, 101: BAD_ROW}
    for _ in range(40):
        lab.turn()
        lab.pass_time(0.5)
    del lab.database.errors[101]
    for _ in range(4):
        lab.changed("a")
        lab.pass_time(1)
        lab.turn()
    assert lab.cases() == [101]


def test_a_begin_that_takes_long_holds_up_no_other_project(lab: Lab) -> None:
    informing(lab, "a", "b")
    held = lab.database.hold_begin["a"] = Event()
    lab.turn()
    assert lab.cases() == [200, 201]
    lab.turn()
    assert [cases for cases in lab.database.asked if cases[0] < 200] == [[100, 101]], "one at a time"
    begun = lab.cases()
    held.set()
    assert lab.session.notices.arrived.wait(5), "its answer wakes another turn"
    assert lab.cases() == [*begun, 100, 101], "it is sent as soon as it is permitted"


def test_agents_of_calls_that_are_being_begun_are_nobody_elses(lab: Lab) -> None:
    lab.staff(2)
    for name in ("a", "b"):
        lab.database.project(name, cases=9)
    held = lab.database.hold_begin["a"] = Event()
    for _ in range(5):
        lab.turn()
        lab.pass_time(0.3)
    begun = len(lab.cases())
    held.set()
    assert lab.session.notices.arrived.wait(5)
    assert len(lab.cases()) == 2, f"two agents, and {begun} calls before the answer was there"


def test_what_was_begun_although_it_was_given_up_is_cancelled_and_never_sent(lab: Lab) -> None:
    """The time ran out just after the commit."""
    informing(lab, "a", cases=2, room=2)
    lab.database.late_commits = {"a"}
    lab.turn()
    assert lab.cases() == []
    lab.session.ledger.flush()
    assert lab.database.outcomes() == {1100: Outcome.CANCELLED, 1101: Outcome.CANCELLED}
    lab.database.late_commits = set()
    lab.database.waiting["a"] = [102]
    lab.pass_time(1)
    lab.turn()
    assert lab.cases() == [102], "what was cancelled is not in hand any more"


def test_a_claim_whose_cases_cannot_be_given_back_is_not_repeated_before_they_are(lab: Lab) -> None:
    informing(lab, "a", cases=3)
    lab.database.slow_claims = {"a"}
    lab.database.release_error = StatementTimedOut("of this test", 2, "locked")
    lab.turn()
    lab.database.slow_claims = set()
    for _ in range(3):
        lab.pass_time(0.3)
        lab.turn()
    assert lab.cases() == []
    lab.database.release_error = None
    lab.pass_time(5)
    lab.turn()
    assert lab.cases() == [100, 101]


def test_what_cannot_be_sent_is_the_projects_trouble_and_tried_one_by_one(lab: Lab) -> None:
    informing(lab, "a", "b", room=3)
    lab.database.projects["a"]["caller_id"] = "9" * 1100
    lab.session.unsafe = {"9" * 1100}
    lab.turn()
    failed = [call.case_id for call in lab.session.over if call.project_id == "a"]
    assert failed == [100, 101, 102]
    assert lab.cases() == [200, 201, 202]
    assert lab.troubles()[("project", "a", "originate")].startswith("its calls cannot be sent: ")
    lab.end_calls()
    lab.turn()
    assert not any(case < 200 for case in lab.cases())
    lab.pass_time(1)
    lab.turn()
    assert lab.database.asked[-1] == [103] or lab.database.asked[-2] == [103], "one, to see whether it is mended"
    lab.database.projects["a"]["caller_id"] = None
    lab.changed("a")
    lab.pass_time(1)
    lab.turn()
    assert 104 in lab.cases()
    assert lab.troubles() == {}


def test_many_projects_behind_a_lock_hold_few_connections(lab: Lab) -> None:
    informing(lab, *(f"p{number}" for number in range(12)))
    held = Event()
    lab.database.hold = {f"p{number}": held for number in range(12)}
    lab.turn()
    assert lab.database.calls.count("dialer_claim") == ERRANDS_MOST
    held.set()


# --- what a project is when nothing may begin ----------------------------------------------------------------


def test_a_project_that_may_begin_nothing_is_asked_for_its_state_now_and_then(lab: Lab) -> None:
    lab.staff(0)
    lab.database.project("p", cases=3)
    for _ in range(30):
        lab.turn()
        lab.pass_time(0.5)
    assert lab.database.settled == ["p"] * 3, "each five seconds"
    lab.database.projects["p"] |= {"state": "idle", "until_at": lab.at(60)}
    lab.pass_time(5)
    lab.turn()
    lab.database.settled.clear()
    for _ in range(30):
        lab.turn()
        lab.pass_time(0.5)
    assert lab.database.settled == []
    lab.changed("p")
    lab.turn()
    assert lab.database.settled == ["p"], "a case has come"
    lab.database.projects["p"]["until_at"] = lab.at(0)
    lab.pass_time(5)
    lab.turn()
    assert lab.database.settled == ["p"] * 2, "its hour has come"


# --- claims that nobody remembers ------------------------------------------------------------------------


def test_first_turn_gives_back_what_an_earlier_life_has_left(lab: Lab) -> None:
    lab.turn()
    assert lab.database.released == [None]
    lab.turn()
    assert lab.database.released == [None], "once"


def test_attempt_whose_permission_was_lost_on_the_way_is_cancelled_and_never_sent(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=2)
    lab.database.answer_is_lost = True
    with pytest.raises(DatabaseUnavailable):
        lab.turn()
    assert lab.cases() == []
    lab.database.answer_is_lost = False
    lab.database.refuse = {101: ("no_line", None)}
    lab.turn()
    assert lab.database.outcomes() == {1100: Outcome.CANCELLED}
    assert lab.database.released == [None, None]


def test_attempts_that_are_known_or_another_owners_are_left_alone(lab: Lab) -> None:
    lab.staff(2)
    lab.database.project("p", cases=2)
    lab.turn()
    living, ended = lab.session.sent
    tracker = lab.session.tracker
    tracker.unsent(next(call for call in tracker.calls() if call.case_id == ended.case_id), "over")
    lab.database.open = [
        open_attempt(living.attempt_id, living.channel_id, epoch=9),
        open_attempt(ended.attempt_id, ended.channel_id, epoch=9),
        open_attempt(5, "c5", epoch=8),
    ]
    lab.turns._doubtful = True
    lab.turn()
    assert [report["attempt_id"] for report in lab.database.ended] == [ended.attempt_id], "its end is told once"
    assert [call.attempt_id for call in tracker.calls()] == [living.attempt_id]


def test_hand_of_a_stopped_project_is_given_back(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=1)
    lab.database.refuse = {100: ("no_line", lab.at(60))}
    lab.turn()
    del lab.database.projects["p"]
    lab.turn()
    assert lab.database.released == [None, "p"]
    lab.turn()
    assert lab.database.released == [None, "p"]


# --- what a project needs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"queue": "hell"}, ["'hell'", "queues.conf", "dialer_params.queue", "realtime queue exactly as in its table"]),
        ({"context": "nowhere"}, ["'nowhere'", "'s'", "extensions.conf"]),
        ({"trunk": "gone", "room": None}, ["'gone'", "dialer_trunks"]),
    ],
)
def test_project_that_cannot_be_dialled_is_told_why(lab: Lab, changes: dict[str, Any], names: list[str]) -> None:
    lab.staff(1)
    lab.database.project("p", cases=1, **changes)
    lab.turn()
    ((project, reason),) = lab.database.reports
    assert project == "p"
    assert all(name in (reason or "") for name in names)
    assert lab.cases() == []


def test_one_project_that_cannot_be_dialled_holds_up_no_other(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("a", cases=1, context="nowhere")
    lab.database.project("b", cases=1)
    lab.turn()
    assert lab.cases() == [200]


def test_failing_project_is_looked_at_when_its_time_has_come(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=1, unfit=True, unfit_until=lab.at(10))
    lab.turn()
    assert lab.session.client.asked == []
    lab.pass_time(10)
    lab.turn()
    assert lab.database.reports == [("p", None)]
    assert lab.cases() == [100]


def test_what_a_project_lacks_is_one_warning(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """It is looked at again all the time."""
    caplog.set_level("INFO", "worker")
    lab.staff(1)
    lab.database.project("p", cases=1, context="nowhere")
    for _ in range(50):
        lab.turn()
        lab.pass_time(1)
    lab.database.projects["p"]["context"] = "elsewhere"
    lab.turn()
    told = [record for record in caplog.records if record.__dict__.get("action") == "project_unfit"]
    assert [record.levelname for record in told] == ["WARNING", "WARNING"]
    assert ["nowhere" in record.__dict__["why"] for record in told] == [True, False]
    lab.database.projects["p"] |= {"context": "progressive", "unfit": True}
    lab.turn()
    assert caplog.messages[-2:] == ["project can be dialled again", "dialling"]


def test_refusals_of_asterisk_and_wrong_queues_make_the_project_failing(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p", cases=1)
    lab.session.notices.put(Obstacle("p", "Asterisk refused its call: no"))
    lab.turn()
    assert lab.database.reports == [("p", "Asterisk refused its call: no")]
    lab.session.astray("p", "its call joined queue 'x'")
    lab.turn()
    assert lab.database.reports[1:] == [("p", "its call joined queue 'x'")]
    assert lab.cases() == []


def test_dialplan_is_asked_now_and_then_not_each_turn(lab: Lab) -> None:
    lab.staff(1)
    lab.database.project("p")
    for _ in range(3):
        lab.turn()
    assert lab.session.client.asked == ["ShowDialPlan"]
    lab.pass_time(TRUST_SECONDS)
    lab.turn()
    assert len(lab.session.client.asked) == 2


@pytest.mark.parametrize("error", [AmiLinkLost("gone"), refused("Permission denied")])
def test_question_that_cannot_be_asked_condemns_no_project(lab: Lab, error: Exception) -> None:
    lab.staff(1)
    lab.database.project("p", cases=1)
    lab.session.client.error = error
    lab.turn()
    assert lab.database.reports == []
    assert lab.cases() == [100]


def test_queue_that_came_after_the_last_list_is_found(lab: Lab) -> None:
    lab.session.client.queues = {"sales"}
    lab.database.project("p")
    lab.turn()
    lab.turn()
    assert lab.database.reports == []
    assert lab.session.client.asked.count("QueueStatus") == 1


def test_what_stood_in_the_way_before_asterisk_changed_is_forgotten(lab: Lab) -> None:
    """Its project was stopped meanwhile, so nobody has looked at it."""
    lab.staff(1)
    lab.database.project("p", cases=1)
    row = lab.database.projects.pop("p")
    lab.session.notices.put(Obstacle("p", "Asterisk refused its call: no"))
    lab.turn()
    lab.session.notices.put(LookAgain())
    lab.turn()
    lab.database.projects["p"] = row
    lab.turn()
    assert lab.database.reports == []
    assert lab.cases() == [100]


def test_of_several_obstacles_the_latest_is_told(lab: Lab) -> None:
    lab.database.project("p", cases=1)
    for why in ("first", "second", "first"):
        lab.session.notices.put(Obstacle("p", why))
    lab.turn()
    assert lab.database.reports == [("p", "first")]
