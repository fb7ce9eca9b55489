"""Where a number is: region and zones by the longest prefix, written into each case, and by them its hours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from tests.support.caller import Caller
from tests.support.dialects import execute, query_at
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database

JUNE = datetime(2026, 6, 1, 13, 30, tzinfo=UTC)
"""9:30 in New York, 8:30 in Chicago, 16:30 in Moscow."""


def place(caller: Caller, number: str, **columns: str | None) -> tuple[str | None, str | None]:
    row = caller.case(add_case(caller.db, phone_number=number, **columns))
    return row["number_region"], row["zones"]


@pytest.fixture
def placed(caller: Caller) -> Caller:
    add_project(caller.db)
    caller.screen()
    return caller


@pytest.mark.parametrize(
    ("number", "region", "zones"),
    [
        ("+12025550143", "US-DC", "America/New_York"),
        ("+493012345678", "DE", "Europe/Berlin"),
        ("+79161234567", "RU", None),
        ("+18005550143", None, None),
        ("2025550143", None, None),
        ("+0", None, None),
    ],
)
def test_a_case_knows_where_its_number_is(placed: Caller, number: str, region: str | None, zones: str | None) -> None:
    found = place(placed, number, number_region="XX", zones="Asia/Tokyo")
    if number.startswith("+1800"):
        assert found[1] is None, "a toll-free number is nowhere"
    else:
        assert found == (region, zones)


def test_an_area_code_in_two_zones_has_to_be_open_in_both(placed: Caller) -> None:
    caller = placed
    caller.now = JUNE
    case = add_case(caller.db, phone_number="+18505550143", utc=None, allowed_start="09:00", allowed_stop="18:00")
    row = caller.case(case)
    assert set(row["zones"].split("&")) == {"America/New_York", "America/Chicago"}
    why = caller.why(case)
    assert (why["own_reason"], why["own_until_at"]) == ("window_closed", JUNE.replace(hour=14, minute=0))


def test_the_order_of_zones(placed: Caller) -> None:
    """The case's own, the project's or the number's by zone_by, then the number's, then the server's."""
    caller = placed

    def hour(case: int) -> str:
        execute(caller.db, "UPDATE dialer_clients SET allowed_start = '03:00', allowed_stop = '03:01'")
        asked = "SELECT own_detail FROM dialer_gate WHERE case_id = :id"
        return str(query_at(caller.db, caller.dialect, caller.now, asked, id=case)[0]["own_detail"]).rpartition(" in ")[
            2
        ]

    own = add_case(caller.db, phone_number="+493012345678", utc="+5")
    case = add_case(caller.db, phone_number="+493012345678", utc=None)
    nowhere = add_case(caller.db, phone_number="4930", utc=None)
    assert [hour(one) for one in (own, case, nowhere)] == ["+5", "Europe/Berlin", "UTC"]
    execute(caller.db, "UPDATE dialer_params SET zone = 'Europe/Moscow'")
    assert [hour(one) for one in (own, case, nowhere)] == ["+5", "Europe/Moscow", "Europe/Moscow"]
    execute(caller.db, "UPDATE dialer_params SET zone_by = 'number'")
    assert [hour(one) for one in (own, case, nowhere)] == ["+5", "Europe/Berlin", "Europe/Moscow"]


def test_a_case_that_somebody_holds_is_moved_when_he_lets_go(placed: Caller, other: Database) -> None:
    caller = placed
    case = add_case(caller.db, phone_number="+493012345678")
    with other.transaction() as open_one:
        open_one.execute(text("UPDATE dialer_clients SET case_name = 'edited' WHERE id = :id"), {"id": case})
        execute(caller.db, "INSERT INTO dialer_prefixes (prefix, country, zones) VALUES ('49301', 'DE', 'Asia/Tokyo')")
        caller.screen()
        assert caller.case(case)["zones"] == "Europe/Berlin"
        assert caller.db.value("dialer_screen", 500, caller.now) == 0, "nobody is to ask at once again"
    caller.db.value("dialer_screen", 500, caller.now)
    assert caller.case(case)["zones"] == "Asia/Tokyo"
    assert caller.db.query("SELECT * FROM dialer_rule_changes") == []
    execute(caller.db, "DELETE FROM dialer_prefixes WHERE prefix = '49301' AND source = 'own'")


def test_places_are_renewed_as_a_whole_or_not_at_all(placed: Caller, other: Database) -> None:
    """An open INSERT holds the range of its number on MariaDB, and nobody waits for it."""
    caller = placed
    vienna = add_case(caller.db, phone_number="+43191234567")
    try:
        with other.transaction() as open_one:
            insert = "INSERT INTO dialer_clients (case_name, project_id, phone_number) VALUES ('a DBA', 'p', :number)"
            open_one.execute(text(insert), {"number": "+441234567890"})
            execute(
                caller.db, "INSERT INTO dialer_prefixes (prefix, country, zones) VALUES ('4312', 'AT', 'Asia/Tokyo')"
            )
            execute(caller.db, "UPDATE dialer_prefixes SET zones = 'Africa/Cairo', source = 'own' WHERE prefix = '44'")
            caller.screen()
            assert caller.case(vienna)["zones"] == "Europe/Vienna"
            assert place(caller, "+43191234568") == ("AT", "Europe/Vienna")
        caller.screen()
        assert place(caller, "+43121234567") == ("AT", "Asia/Tokyo")
        assert place(caller, "+441234567891") == ("GB", "Africa/Cairo")
        assert place(caller, "+43191234569") == ("AT", "Europe/Vienna")
    finally:
        execute(caller.db, "DELETE FROM dialer_prefixes WHERE prefix = '4312'")
        back = "UPDATE dialer_prefixes SET zones = 'Europe/London', source = 'phonenumbers' WHERE prefix = '44'"
        execute(caller.db, back)
        caller.screen()


def test_a_case_that_was_written_while_its_prefix_changed_is_not_rung_by_the_old_clock(placed: Caller) -> None:
    """Its transaction was open when the others were placed anew, and no screening comes by before the call."""
    caller = placed
    add_trunk(caller.db)
    caller.start()
    caller.now = JUNE.replace(hour=15, minute=30)  # 22:30 in Krasnoyarsk
    case = add_case(caller.db, phone_number="+79131234567", utc=None, allowed_start="08:00", allowed_stop="21:00")
    assert caller.claim() == [case]
    execute(caller.db, "INSERT INTO dialer_prefixes (prefix, country, zones) VALUES ('7913', 'RU', 'Asia/Krasnoyarsk')")
    try:
        caller.db.call("dialer_numbering_refresh")
        assert caller.refusals([case]) == ["number_in_call"]
        assert caller.case(case)["zones"] == "Asia/Krasnoyarsk"
        assert caller.claim() == []
        assert caller.why(case)["own_reason"] == "window_closed"
    finally:
        execute(caller.db, "DELETE FROM dialer_prefixes WHERE prefix = '7913'")
        caller.screen()


def test_a_dba_s_own_prefix_moves_its_numbers_soon(placed: Caller) -> None:
    caller = placed
    case = add_case(caller.db, phone_number="+79161234567")
    insert = "INSERT INTO dialer_prefixes (prefix, country, zones) VALUES ('7916', 'RU', 'Europe/Moscow')"
    execute(caller.db, insert)
    try:
        caller.screen()
        assert caller.case(case)["zones"] == "Europe/Moscow"
        assert place(caller, "+79167654321") == ("RU", "Europe/Moscow")
    finally:
        execute(caller.db, "DELETE FROM dialer_prefixes WHERE source = 'own'")
    caller.screen()
    assert caller.case(case)["zones"] is None


def test_what_people_write_about_an_address_stays(placed: Caller) -> None:
    caller = placed
    case = add_case(caller.db, phone_number="+12025550143", region="US-FL")
    execute(caller.db, "UPDATE dialer_clients SET zones = 'Asia/Tokyo', number_region = 'JP'")
    row = caller.case(case)
    assert (row["region"], row["number_region"], row["zones"]) == ("US-FL", "US-DC", "America/New_York")
