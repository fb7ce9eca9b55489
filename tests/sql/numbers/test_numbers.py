"""One telephone, one number: whatever way it is written, by the numbering plan of its project's country."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import PhoneNumberType

from tests.support.caller import Caller
from tests.support.dialects import execute
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database
from worker.db.database import Row

RUSSIAN = "+79161234567"
FORMS = ["+79161234567", "79161234567", "89161234567", "81079161234567", "0079161234567", "9161234567"]

AMBIGUOUS = {"AD", "NU", "SM", "TK", "WS"}
"""Where a national number may read like another one's beginning with the country's code; none has a trunk prefix."""


def numbers(db: Database) -> list[str]:
    return [row["number"] for row in db.query("SELECT number FROM dialer_clients ORDER BY id")]


def set_country(caller: Caller, country: str, project: str | None = None) -> None:
    if project is None:
        execute(caller.db, "UPDATE dialer_settings SET value = :country WHERE name = 'country'", country=country)
    else:
        execute(
            caller.db,
            "UPDATE dialer_params SET country = :country WHERE project_id = :project",
            country=country,
            project=project,
        )
    caller.screen()


def written(country: str, national: str, code: int | None) -> list[str]:
    """A number in every way that people of a country write it."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    assert metadata is not None
    trunk = metadata.national_prefix or ""
    abroad = next(
        (
            prefix.replace("~", "")
            for prefix in (metadata.preferred_international_prefix, metadata.international_prefix)
            if prefix and prefix.replace("~", "").isdigit()
        ),
        "00",
    )
    return [
        f"+{code}{national}",
        f"{abroad}{code}{national}",
        f"00{code}{national}",
        f"{trunk}{national}",
        f"{code}{national}",
    ]


def examples() -> list[tuple[str, str, str]]:
    """(country, as written, E.164) of the library's examples of landlines and mobiles of each country."""
    found = []
    for country in sorted(phonenumbers.SUPPORTED_REGIONS - AMBIGUOUS):
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
            example = phonenumbers.example_number_for_type(country, kind)
            if example is None:
                continue
            national = phonenumbers.national_significant_number(example)
            exact = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            found += [(country, form, exact) for form in written(country, national, example.country_code)]
    return found


def test_the_library_s_examples_are_one_number_in_every_form(caller: Caller) -> None:
    wrong = []
    for country, form, exact in examples():
        found = caller.db.value("dialer_number", form, country)
        if found != exact:
            wrong.append((country, form, found, exact))
    assert wrong == []


@pytest.mark.parametrize("form", ["200", "*21#", "+7", "abc", "1234567890123456", "891612345", "0"])
def test_what_no_plan_explains_stays_as_it_is_written(caller: Caller, form: str) -> None:
    assert caller.db.value("dialer_number", form, "RU") == form
    assert caller.db.value("dialer_number", form, None) == form
    assert caller.db.value("dialer_number", "89161234567", "XX") == "89161234567", "a country that is not known"


def test_a_project_s_country_reads_its_numbers(caller: Caller) -> None:
    add_project(caller.db, "here", country="RU")
    add_project(caller.db, "there")
    caller.screen()
    for form in FORMS:
        add_case(caller.db, project_id="here", phone_number=form)
    assert numbers(caller.db) == [RUSSIAN] * len(FORMS)
    other = add_case(caller.db, project_id="there", phone_number="89161234567")
    assert caller.case(other)["number"] == "89161234567", "no country: as written"
    assert caller.case(other)["phone_number"] == "89161234567"


def test_a_changed_country_changes_the_numbers_soon(caller: Caller) -> None:
    add_project(caller.db)
    case = add_case(caller.db, phone_number="89161234567")
    set_country(caller, "RU")
    assert caller.case(case)["number"] == RUSSIAN
    set_country(caller, "DE", "p")
    assert caller.case(case)["number"] != RUSSIAN
    execute(caller.db, "UPDATE dialer_params SET country = NULL")
    caller.screen()
    assert caller.case(case)["number"] == RUSSIAN, "the installation's"
    set_country(caller, "")
    assert caller.case(case)["number"] == "89161234567"


def test_nobody_can_write_another_number(caller: Caller) -> None:
    set_country(caller, "RU")
    case = add_case(caller.db, phone_number="89161234567", number="+1")
    assert caller.case(case)["number"] == RUSSIAN
    execute(caller.db, "UPDATE dialer_clients SET number = '+2'")
    assert caller.case(case)["number"] == RUSSIAN
    execute(caller.db, "UPDATE dialer_clients SET phone_number = '84951234567'")
    assert caller.case(case)["number"] == "+74951234567"


def test_three_projects_cannot_call_one_telephone_at_once(caller: Caller) -> None:
    """Three forms in three projects rang it three times at once."""
    add_trunk(caller.db)
    set_country(caller, "RU")
    cases = {}
    for project, form in zip("abc", FORMS, strict=False):
        add_project(caller.db, project)
        caller.start(project)
        cases[project] = add_case(caller.db, project_id=project, phone_number=form)
        assert caller.claim(10, project) == [cases[project]]
    refusals = [caller.refusals([case], project)[0] for project, case in cases.items()]
    assert refusals == [None, "number_in_call", "number_in_call"]
    live: list[Row] = caller.db.query("SELECT number FROM dialer_live")
    assert [row["number"] for row in live] == [RUSSIAN]
    attempt = caller.db.query("SELECT phone_number, number FROM dialer_calls")[0]
    assert (attempt["phone_number"], attempt["number"]) == (FORMS[0], RUSSIAN), "dialled as written"
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_a_number_that_is_read_anew_is_not_dialled_under_the_old_one(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    case = add_case(caller.db, phone_number="89161234567")
    assert caller.claim() == [case]
    execute(caller.db, "UPDATE dialer_settings SET value = 'RU' WHERE name = 'country'")
    assert caller.refusals([case]) == ["number_in_call"]
    caller.screen()
    assert caller.case(case)["number"] == RUSSIAN
    assert caller.claim() == [case]
    assert caller.refusals([case]) == [None]
