"""The story of a telephone's number, over all projects."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime

from worker.db.routines.base import Routines, columns, made, numbers, sentence
from worker.db.routines.instants import DatabaseClock
from worker.errors import NoNumber, UnknownCountry
from worker.figures import NextCall, NumberAttempt, NumberCase, NumberRule, NumberStory

ATTEMPTS_MOST = 100
CASES_MOST = 100
"""The most cases of a number that are told: each is asked for by itself."""


class Numbers(Routines):
    """Telephones, by their numbers in one form (dialer_number)."""

    def form(self, written: str, country: str | None = None) -> str:
        """A number, however it is written, in the form that the dialer compares: E.164, if the numbering plan of the
        country explains it. country: two letters; None: the installation's. Raises NoNumber, UnknownCountry."""
        known = "SELECT 1 FROM dialer_countries WHERE country = :country"
        if country is not None and not self._database.query(known, country=country):
            raise UnknownCountry(country)
        bare = re.sub(r"[\s()./\N{NO-BREAK SPACE}\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}-]+", "", written)
        if not re.fullmatch(r"[+*#0-9]*[0-9][+*#0-9]*", bare, re.ASCII):
            raise NoNumber(sentence(written) or "")
        return str(self._database.query(_FORM, number=bare, country=country)[0]["number"])

    def story(self, number: str, attempts: int = ATTEMPTS_MOST) -> NumberStory:
        """What is known of a number (see `form`): at most CASES_MOST cases, so many attempts, the latest first."""
        cases = [
            case
            for row in self._database.query(_CASES, number=number, most=CASES_MOST)
            for case in self._case(row["case_id"], row["place"])
        ]
        asked_at = DatabaseClock(self._database).now()
        rules = [
            NumberRule(**{**row, "callbacks": None if row["callbacks"] is None else bool(row["callbacks"])})
            for row in self._database.call("dialer_number_rules", number)
        ]
        return NumberStory(
            number=number,
            asked_at=asked_at,
            cases=cases,
            attempts=made(NumberAttempt, self._database.query(_ATTEMPTS, number=number, most=attempts)),
            rules=rules,
            next=_next(number, cases, _for_ever(rules, asked_at)),
        )

    def _case(self, case_id: int, place: int) -> list[NumberCase]:
        """One lookup by id; a case that is deleted meanwhile is none."""
        return [NumberCase(**{**numbers(row), "place": place}) for row in self._database.query(_CASE, case=case_id)]


def _for_ever(rules: list[NumberRule], now: datetime) -> dict[str | None, NumberRule]:
    """By project, an entry of dialer_dnc that speaks against the number, and does not end by itself."""
    return {
        rule.project_id: rule
        for rule in rules
        if rule.kind == "do_not_call" and rule.until_at is None and (rule.from_at is None or rule.from_at <= now)
    }


def _next(number: str, cases: list[NumberCase], for_ever: dict[str | None, NumberRule]) -> list[NextCall]:
    of_project: dict[str, list[NextCall]] = defaultdict(list)
    for case in cases:
        call = NextCall(case.project_id, _earliest(case), case.reason, case.detail)
        if rule := for_ever.get(case.project_id):
            call = NextCall(case.project_id, None, "do_not_call", f"dialer_dnc {rule.rule_id}")
        elif case.dialled != number and case.reason not in {"used", "in_call"}:
            call = NextCall(case.project_id, call.at, "other_number", f"case {case.case_id} on {case.dialled}")
        of_project[case.project_id].append(call)
    return [min(found, key=_order) for _, found in sorted(of_project.items())]


def _earliest(case: NumberCase) -> datetime | None:
    """When this case may be called; a reason of its project that ends later than its own comes on top."""
    if case.reason == "in_call":
        return None
    if case.next_at is None or case.reason == case.own_reason or case.until_at is None:
        return case.next_at
    return max(case.next_at, case.until_at)


def _order(call: NextCall) -> tuple[bool, bool, float]:
    return call.reason in {"used", "do_not_call"}, call.at is None, call.at.timestamp() if call.at else 0.0


_FORM = """
    SELECT dialer_number(:number,
        coalesce(:country, dialer_country(''), nullif(dialer_setting('country'), ''))) AS number
"""
_CASES = """
    SELECT k.case_id, min(k.place) AS place
    FROM (
        SELECT c.id AS case_id, c.number_place AS place FROM dialer_clients c WHERE c.number = :number
        UNION ALL
        SELECT f.case_id, f.place
        FROM dialer_case_numbers f
        JOIN dialer_clients n ON n.id = f.case_id AND n.inserted_at = f.case_inserted_at
        WHERE f.number = :number AND (f.place > 1 OR f.phone_number = n.phone_number)
    ) k
    GROUP BY k.case_id
    ORDER BY k.case_id
    LIMIT :most
"""
# By its id alone, so that dialer_why is asked for one case.
_CASE = """
    SELECT c.id AS case_id, c.project_id, c.case_name, c.phone_number, c.number AS dialled,
        coalesce(w.reason, 'used') AS reason, w.until_at, w.detail, w.own_reason, w.own_until_at, w.next_at
    FROM dialer_clients c
    LEFT JOIN (SELECT * FROM dialer_why y WHERE y.case_id = :case) w ON w.case_id = c.id
    WHERE c.id = :case
"""
_OF_ATTEMPT = """
    a.id AS attempt_id, a.case_id, a.project_id, a.phone_number, a.begun_at, a.ended_at, a.state, a.outcome, a.agent,
    a.caller_id, a.disposition, a.talk_seconds
"""
_ATTEMPTS = f"""
    SELECT {columns(NumberAttempt)}
    FROM (
        (SELECT {_OF_ATTEMPT} FROM dialer_calls a WHERE a.number = :number ORDER BY a.begun_at DESC LIMIT :most)
        UNION ALL
        (SELECT {_OF_ATTEMPT} FROM dialer_attempts a WHERE a.number = :number ORDER BY a.begun_at DESC LIMIT :most)
    ) t
    ORDER BY begun_at DESC, attempt_id DESC
    LIMIT :most
"""  # noqa: S608
