"""The README and the pages of docs/: what they have a reader type does what they say, on both databases."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pymysql
import pytest

from simulator.scenario import load as load_scenario
from tests.docs.extract import DIALECTS, PAGES, ROOT, SQL, TOML, section, typed
from tests.docs.world import FIRST_CALL, NOT_RUN, World
from tests.support.containers import MariaDbContainer, PostgresContainer
from tests.support.dialects import SERVERS
from tests.support.waiting import wait_for
from worker.config import load

UPGRADE_BACKUP = ROOT / "docs" / "upgrade-backup.md"
RESTORING = section(UPGRADE_BACKUP, "On a new server")
"""Typed before a server of its own, in a test of its own."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.docker
@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", [page for page in PAGES if page != FIRST_CALL and typed(page)], ids=name_of)
def test_what_a_page_has_its_reader_type_works(world: World, page: Path) -> None:
    world.install()
    world.write_files(page)
    for what in typed(page):
        if what not in RESTORING:
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
            # What the page says of the first look.
            seen = world.sql(what.text)
            assert [(row["case_name"], row["outcome"]) for row in seen] == [
                ("Ann", "ANSWERED"),
                ("Bob", "BUSY"),
                ("Cem", "ANSWERED"),
            ]
            assert all(row["talk_seconds"] > 0 for row in seen if row["outcome"] == "ANSWERED")
            (took,) = world.sql(
                "SELECT max(ended_at) - min(begun_at) < INTERVAL '10' SECOND AS soon FROM nc.dialer_attempts"
                if world.dialect == "postgresql"
                else "SELECT timestampdiff(SECOND, min(begun_at), max(ended_at)) < 10 AS soon FROM nc.dialer_attempts"
            )
            assert took["soon"]
            assert world.sql("SELECT * FROM nc.dialer_why") == []
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
    for what in section(UPGRADE_BACKUP, "Cases from one table to another"):
        world.type(what)
        if what.text.startswith("DELETE"):
            assert world.sql("SELECT id FROM nc.dialer_clients") == []
    assert world.sql(f"{everything} ORDER BY id") == before


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_a_backup_is_restored_on_a_new_server(world: World) -> None:
    world.install()
    world.sql("INSERT INTO nc.dialer_params (project_id, context) VALUES ('spring', 'progressive')")
    world.sql(
        "INSERT INTO nc.dialer_clients (case_name, project_id, phone_number) VALUES ('Ann', 'spring', '79990000001')"
    )
    world.run("dialer run")
    wait_for(world.ready, 20, world.said)
    world.run("curl 'http://127.0.0.1:8080/?action=start&projectid=spring'")
    world.stop()
    cases = world.sql("SELECT * FROM nc.dialer_clients")
    (dump,) = (
        what
        for what in section(UPGRADE_BACKUP, "Backup and restore")
        if what.dialect == world.dialect and "dump -" in what.text
    )
    world.type(dump)
    kind: type[PostgresContainer] | type[MariaDbContainer]
    kind = PostgresContainer if world.dialect == "postgresql" else MariaDbContainer
    if world.dialect == "mariadb":
        world.run(dump.text.replace("--routines ", "").replace("nc.sql", "bare.sql"))
    with kind(SERVERS[world.dialect].version) as server:
        world.move(server.databases())
        world.run("dialer simulate")  # for the check at the end
        for what in RESTORING:
            if what.text == "mariadb nc < nc.sql" and world.dialect == "mariadb":
                with pytest.raises(AssertionError, match=r"ERROR 1305 .*FUNCTION \S+dialer_\w+ does not exist"):
                    world.run("mariadb nc < bare.sql")
                world.run("dialer migrate")
                assert world.sql("SELECT * FROM nc.dialer_clients") == cases
                world.sql("DROP DATABASE nc")
                world.sql("CREATE DATABASE nc CHARACTER SET utf8mb4")
            if what.text.startswith("dialer takeover"):
                with pytest.raises(AssertionError, match="not known to dialer_servers"):
                    world.run("dialer check")
                with pytest.raises(
                    AssertionError, match=r"(?s)ended with 1: .*\ndialer: .*not known to dialer_servers"
                ):
                    world.run("timeout 30 dialer  run")  # two blanks: not in the background
            world.type(what)
        assert world.sql("SELECT * FROM nc.dialer_clients") == cases
        assert world.sql("SELECT wanted FROM nc.dialer_projects") == [{"wanted": "stop"}]
        world.run("dialer run")
        wait_for(world.ready, 20, world.said)
        world.stop()


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


@pytest.mark.docker
def test_who_loads_lists_may_ask_why_and_who_reads_may_read_all(world: World) -> None:
    world.install()
    for what in section(ROOT / "docs" / "database.md", "Rights"):
        world.type(what)
    world.run("dialer run")
    wait_for(world.ready, 20, world.said)
    # One line for ten cases: whether the trunk has room is asked, too.
    world.sql("UPDATE nc.dialer_trunks SET max_lines = 1")
    world.sql("INSERT INTO nc.dialer_params (project_id, type, context) VALUES ('p', 'autoinforming', 'autoinforming')")
    for last in range(10):
        world.sql_as(
            "nc_lists",
            "INSERT INTO nc.dialer_clients (case_name, project_id, phone_number, utc, allowed_start, allowed_stop)"
            f" VALUES ('Ann', 'p', '7999000000{last}', 'Europe/Moscow', '09:00', '09:00')",
        )
    world.run("curl 'http://127.0.0.1:8080/?action=start&projectid=p'")

    def reasons(user: str) -> set[str]:
        return {row["reason"] for row in world.sql_as(user, "SELECT * FROM nc.dialer_why")}

    wait_for(lambda: "no_line" in reasons("nc_lists"), 20, lambda: f"no_line: {reasons('nc_lists')}")
    assert "no_line" in reasons("nc_reader")
    schema = world.schema
    tables = world.sql(f"SELECT table_name AS name FROM information_schema.tables WHERE table_schema = '{schema}'")
    assert len(tables) > 30
    for one in tables:
        world.sql_as("nc_reader", f"SELECT * FROM nc.{one['name']} LIMIT 1")
    for what in section(ROOT / "README.md", "Use it"):
        if what.dialect in (None, world.dialect) and re.match("SELECT|CALL", what.text):
            world.sql_as("nc_reader", what.text)
    for user in ("nc_lists", "nc_reader"):
        for refused in ("DELETE FROM nc.dialer_clients", "UPDATE nc.dialer_params SET priority = 1"):
            with pytest.raises((psycopg.DatabaseError, pymysql.err.MySQLError), match="denied"):
                world.sql_as(user, refused)
    world.stop()


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
