"""The README and the pages of docs/: what they have a reader type does what they say, on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pymysql
import pytest

from tests.containers import MariaDbDatabases, PostgresDatabases
from tests.docs.extract import DIALECTS, PAGES, ROOT, SQL, TOML, section, typed
from tests.docs.world import FIRST_CALL, NOT_RUN, World
from tests.sql.dialects import SERVERS
from tests.waiting import wait_for
from worker.config import load
from worker.simulator.scenario import load as load_scenario


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(params=sorted(DIALECTS))
def world(
    request: pytest.FixtureRequest,
    database_server: Callable[[str, str], PostgresDatabases | MariaDbDatabases],
    tmp_path: Path,
) -> Iterator[World]:
    server = database_server(request.param, SERVERS[request.param].version)
    with World(server, request.param, tmp_path) as made:
        yield made


@pytest.mark.docker
@pytest.mark.parametrize("page", [page for page in PAGES if page != FIRST_CALL and typed(page)], ids=name_of)
def test_what_a_page_has_its_reader_type_works(world: World, page: Path) -> None:
    world.install()
    world.write_files(page)
    for what in typed(page):
        world.type(what)
    world.stop()


@pytest.mark.docker
def test_a_newcomer_gets_from_nothing_to_a_first_call(world: World) -> None:
    world.write_files(FIRST_CALL)
    inserted = False
    for what in typed(FIRST_CALL):
        if inserted and what.text.startswith("SELECT case_name"):
            wait_for(
                lambda: len(world.sql("SELECT id FROM nc.dialer_attempts")) == 3,
                30,
                lambda: f"three calls: {world.sql('SELECT * FROM nc.dialer_why')} {world.said()}",
            )
        world.type(what)
        inserted = inserted or what.text.startswith("INSERT INTO nc.dialer_clients")
    assert inserted
    assert world.sql("SELECT phone_number FROM nc.dialer_stat ORDER BY id") == [
        {"phone_number": f"7999000000{last}"} for last in "123"
    ]
    world.stop()


@pytest.mark.docker
def test_cases_come_back_from_the_archive_as_they_were(world: World) -> None:
    world.install()
    world.sql(
        "INSERT INTO nc.dialer_clients (case_name, project_id, phone_number, created, call_back, call_back_period)"
        " VALUES ('Ann', 'p', '79990000001', '2026-02-03 04:05:06', true, '30,120'),"
        " ('Bob', 'p', '79990000002', '2026-02-03 04:05:06', false, NULL)"
    )
    world.sql("UPDATE nc.dialer_clients SET deferred_time = '2027-02-03 04:05:06' WHERE case_name = 'Bob'")
    world.sql("UPDATE nc.dialer_clients SET used = true, brought_back = 2, redials_done = 1")
    everything = (
        "SELECT *, inserted_at, deferred_kind, redials_done, failures, brought_back, tried_at FROM nc.dialer_clients"
    )
    before = world.sql(f"{everything} ORDER BY id")
    assert [row["brought_back"] for row in before] == [2, 2]
    for what in section(ROOT / "docs" / "upgrade-backup.md", "Cases from one table to another"):
        world.type(what)
        if what.text.startswith("DELETE"):
            assert world.sql("SELECT id FROM nc.dialer_clients") == []
    assert world.sql(f"{everything} ORDER BY id") == before


@pytest.mark.docker
def test_the_rights_of_who_inserts_cases_are_enough(world: World) -> None:
    world.install()
    for what in section(ROOT / "docs" / "database.md", "Rights"):
        world.type(what)
    insert = "INSERT INTO nc.dialer_clients (case_name, project_id, phone_number) VALUES ('Ann', 'p', '{}')"
    world.sql_as("nc_lists", insert.format("79990000001"))
    assert [row["phone_number"] for row in world.sql_as("nc_lists", "SELECT * FROM nc.dialer_clients")] == [
        "79990000001"
    ]
    with pytest.raises((psycopg.DatabaseError, pymysql.err.MySQLError), match="phone_number is '7999 000'"):
        world.sql_as("nc_lists", insert.format("7999 000"))
    with pytest.raises((psycopg.DatabaseError, pymysql.err.MySQLError), match="denied"):
        world.sql_as("nc_lists", "UPDATE nc.dialer_clients SET used = true")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_a_page_shows_can_be_read(page: Path, tmp_path: Path) -> None:
    for number, what in enumerate(one for one in typed(page) if one.kind == TOML):
        path = tmp_path / f"{number}.toml"
        if "[[agents]]" in what.text:
            path.write_text(what.text)
            load_scenario(path)
            continue
        parts = [] if "[database]" in what.text else ['[database]\nurl = "postgresql://nc@db.example.com/asterisk"\n']
        path.write_text("\n".join([*parts, what.text]))
        secrets = {"DIALER_DATABASE_PASSWORD": "secret", "DIALER_AMI_PASSWORD": "secret"}
        load(path, secrets if "[ami]" in what.text else {"DIALER_DATABASE_PASSWORD": "secret"})


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", text):
        path, _, part = target.partition("#")
        found = page.parent / path if path else page
        assert found.exists(), f"{name_of(page)} links {target}"
        if part:
            titles = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}
            assert part in anchors, f"{name_of(page)} links {target}"


def test_no_command_hides_in_an_indented_block() -> None:
    for page in PAGES:
        text = re.sub(r"^( *)```.*?^\1```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        hidden = re.search(r"\n\n {4,}[^ \n].*", text)
        assert hidden is None, f"{name_of(page)}: fence {hidden[0].strip()!r} with its language"


def test_what_is_not_run_is_said_somewhere() -> None:
    said = {what.text for page in PAGES for what in typed(page)}
    assert NOT_RUN.keys() <= said


def test_both_databases_are_told_of() -> None:
    for page in PAGES:
        named = {what.dialect for what in typed(page) if what.kind == SQL and what.dialect}
        assert named in (set(), DIALECTS, {"mariadb"}), f"{name_of(page)} leaves one out"
