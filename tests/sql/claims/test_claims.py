"""What a claim makes of claims that are there already."""

from __future__ import annotations

import pytest

from tests.support.caller import Caller
from tests.support.dialects import execute
from tests.support.factories import add_case, add_project, add_trunk

pytestmark = pytest.mark.docker


@pytest.fixture
def claimed(caller: Caller) -> int:
    """A case in hand."""
    add_trunk(caller.db)
    add_project(caller.db)
    caller.start()
    case = add_case(caller.db)
    assert caller.claim() == [case]
    return case


def test_the_claim_of_another_case_that_had_the_id_before_is_dropped(caller: Caller, claimed: int) -> None:
    execute(caller.db, f"DELETE FROM dialer_clients WHERE id = {claimed}")
    add_case(caller.db, id=claimed, case_name="another", created=caller.now)
    behind = add_case(caller.db)
    assert set(caller.claim()) == {claimed, behind}
    assert len(caller.db.query("SELECT * FROM dialer_claims")) == 2
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_a_case_in_hand_is_passed_over_though_somebody_has_cleared_checked(caller: Caller, claimed: int) -> None:
    execute(caller.db, f"UPDATE dialer_clients SET checked = false WHERE id = {claimed}")
    behind = add_case(caller.db)
    assert caller.claim() == [behind]
