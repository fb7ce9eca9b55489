"""The settings: what each source may say, and that every mistake is reported, together, without a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from worker.config import MARIADB, POSTGRESQL, Secret, Settings, load
from worker.errors import SettingsError

DATABASE = {"DIALER_DATABASE_URL": "postgresql://u:hush@db.example/calls"}


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "dialer.toml"
    path.write_text(text)
    return path


def mistakes(path: Path | None, environ: dict[str, str]) -> dict[str, str]:
    """Name of each wrong setting -> the rest of its sentence."""
    with pytest.raises(SettingsError) as caught:
        load(path, environ)
    found = {mistake.name: f"{mistake.fault}. {mistake.remedy}" for mistake in caught.value.mistakes}
    assert all(f"{name}: {told}" in str(caught.value) for name, told in found.items())
    return found


def from_environment(**values: str) -> Settings:
    return load(None, DATABASE | {f"DIALER_{name}": value for name, value in values.items()})


FULL = """
[database]
driver = "pgx"
DB_SERVER = "db.example"
port = 5433
DB_Name = "Asterisk"
Scheme = "nc"
Username = "nc_username"
Password = "111222"
Conn_Max_Lifetime = 5
Max_Open_Conns = 100
Max_Idle_Conns = 10
[ami]
Ip = "192.0.2.1"
Port = "5038"
Timeout = 7
Username = "dialer"
Password = "123qwe"
[asterisk.east]
Ip = "192.0.2.2"
Username = "dialer"
Password = "456rty"
Tls = true
[log]
loglevel = 3
[http]
Ip = "0.0.0.0"
Port = "8081"
[worker]
Name = "blue"
Lease_Seconds = 9
Poll_Seconds = 2.5
"""


def test_a_toml_file_sets_everything(tmp_path: Path) -> None:
    settings = load(toml(tmp_path, FULL), {})
    database = settings.database
    assert (database.driver, database.host, database.port) == (POSTGRESQL, "db.example", 5433)
    assert (database.name, database.schema, database.username) == ("Asterisk", "nc", "nc_username")
    assert database.password.reveal() == "111222"
    default, east = settings.asterisks
    assert (default.name, default.host, default.port, default.timeout_seconds) == (
        "default",
        "192.0.2.1",
        5038,
        7,
    )
    assert not default.tls
    assert (east.name, east.host, east.port, east.tls) == ("east", "192.0.2.2", 5039, True)
    assert east.password.reveal() == "456rty"
    assert settings.loglevel == 3
    assert (settings.http.host, settings.http.port) == ("0.0.0.0", 8081)
    assert (settings.worker.name, settings.worker.lease_seconds, settings.worker.poll_seconds) == (
        "blue",
        9,
        2.5,
    )


def test_the_environment_stands_over_the_file(tmp_path: Path) -> None:
    environ = {
        "DIALER_DATABASE_DB_SERVER": "other.example",
        "DIALER_AMI_PASSWORD": "from the environment",
        "DIALER_HTTP_PORT": "9000",
        "DIALER_LOGLEVEL": "1",
        "DIALER_ASTERISK_EAST_IP": "192.0.2.9",
        "DIALER_ASTERISK_EAST_TLS": "no",
        "DIALER_ASTERISK_WEST_IP": "192.0.2.3",
        "DIALER_ASTERISK_WEST_USERNAME": "dialer",
        "DIALER_ASTERISK_WEST_PASSWORD": "w",
    }
    settings = load(toml(tmp_path, FULL), environ)
    assert settings.database.host == "other.example"
    assert settings.database.name == "Asterisk"
    assert settings.http.port == 9000
    assert settings.loglevel == 1
    assert [(one.name, one.host) for one in settings.asterisks] == [
        ("default", "192.0.2.1"),
        ("east", "192.0.2.9"),
        ("west", "192.0.2.3"),
    ]
    assert settings.asterisks[0].password.reveal() == "from the environment"
    assert settings.asterisks[1].port == 5038


def test_the_environment_alone_is_enough() -> None:
    settings = load(None, DATABASE)
    assert settings.database.url().render_as_string(hide_password=False) == (
        "postgresql+psycopg://u:hush@db.example:5432/calls"
    )
    assert settings.database.schema == "public"
    assert settings.asterisks == ()
    assert settings.loglevel == 2
    assert settings.http.host == "127.0.0.1"
    assert settings.worker.name
    assert settings.worker.lease_seconds == 6


def test_who_calls_nobody_needs_no_password_of_an_asterisk(tmp_path: Path) -> None:
    path = toml(tmp_path, '[ami]\nIp = "pbx"\nUsername = "dialer"\n[asterisk.east]\nIp = "east"\nTls = 7\n')
    assert "[ami] Password" in mistakes(path, DATABASE)
    assert load(path, DATABASE, calling=False).database.host


def test_a_value_may_stand_in_a_file_as_secrets_of_containers_do(tmp_path: Path) -> None:
    secret, address = tmp_path / "ami", tmp_path / "url"
    secret.write_text("p$w'd \\n`x`\n")
    address.write_text("postgresql://u:hush@db.example/calls\n")
    ami = {"DIALER_AMI_IP": "pbx", "DIALER_AMI_USERNAME": "dialer", "DIALER_AMI_PASSWORD_FILE": str(secret)}
    settings = load(None, {"DIALER_DATABASE_URL_FILE": str(address)} | ami)
    assert settings.asterisks[0].password.reveal() == "p$w'd \\n`x`", "as it is, but for the line end"
    assert settings.database.password.reveal() == "hush"
    assert load(None, DATABASE | ami | {"DIALER_AMI_PASSWORD": ""}).asterisks == settings.asterisks
    both = mistakes(None, DATABASE | ami | {"DIALER_AMI_PASSWORD": "hush"})
    assert both == {"DIALER_AMI_PASSWORD_FILE": "stands beside DIALER_AMI_PASSWORD. Give one of them."}
    east = {name.replace("AMI", "ASTERISK_EAST"): value for name, value in ami.items()}
    assert load(None, DATABASE | east).asterisks[0].password.reveal() == "p$w'd \\n`x`"
    assert load(None, DATABASE | {"DIALER_HTTP_PORT_FILE": ""}).http.port == 8080


def test_a_file_with_a_value_that_cannot_be_read_is_said_to_who_needs_it(tmp_path: Path) -> None:
    missing, binary = tmp_path / "none", tmp_path / "binary"
    binary.write_bytes(b"hush\xff")
    ami = {"DIALER_AMI_IP": "pbx", "DIALER_AMI_USERNAME": "dialer", "DIALER_AMI_PASSWORD_FILE": str(missing)}
    found = mistakes(None, DATABASE | ami | {"DIALER_HTTP_PORT_FILE": str(binary)})
    assert set(found) == {"DIALER_AMI_PASSWORD_FILE", "DIALER_HTTP_PORT_FILE"}
    assert f"the file {str(missing)!r} cannot be read (No such file or directory)" in found["DIALER_AMI_PASSWORD_FILE"]
    assert "UTF-8" in found["DIALER_HTTP_PORT_FILE"]
    assert "hush" not in str(found)
    assert load(None, DATABASE | ami, calling=False).database.host == "db.example"
    url = mistakes(None, {"DIALER_DATABASE_URL_FILE": str(missing)})
    assert list(url) == ["DIALER_DATABASE_URL_FILE"], "nothing is missing beside it"
    unknown = mistakes(None, DATABASE | {"DIALER_AMI_PASWORD_FILE": str(binary)})
    assert "Did you mean DIALER_AMI_PASSWORD?" in unknown["DIALER_AMI_PASWORD_FILE"]


@pytest.mark.parametrize("written", ['["hush"]', "{a = 'hush'}", "1.25", "true", "2026-11-29"])
def test_a_password_that_is_no_text_is_refused_without_showing_it(tmp_path: Path, written: str) -> None:
    path = toml(tmp_path, f'[ami]\nIp = "pbx"\nUsername = "dialer"\nPassword = {written}\n')
    found = mistakes(path, DATABASE)
    assert "must be the password as text" in found["[ami] Password in dialer.toml"]
    assert not any(secret in str(found) for secret in ("hush", "1.25", "2026"))


@pytest.mark.parametrize("name", ["DRIVER", "DB_SERVER", "PORT", "MAX_OPEN_CONNS"])
def test_a_url_in_the_wrong_place_is_not_shown(name: str) -> None:
    parts = {"DRIVER": "pgx", "DB_SERVER": "h", "DB_NAME": "d", "USERNAME": "u", name: "postgresql://u:hush@h/d"}
    found = mistakes(None, {f"DIALER_DATABASE_{key}": value for key, value in parts.items()})
    assert found[f"DIALER_DATABASE_{name}"].startswith("a url is not ")
    assert "hush" not in str(found)


def test_what_the_program_fills_in_cannot_be_written() -> None:
    assert "is not a setting" in mistakes(None, DATABASE | {"DIALER_AMI_NAME": "x"})["DIALER_AMI_NAME"]
    assert "is not a setting" in mistakes(None, DATABASE | {"DIALER_DATABASE_QUERY": "x"})["DIALER_DATABASE_QUERY"]


def test_two_workers_get_different_names() -> None:
    assert load(None, DATABASE).worker.name != load(None, DATABASE).worker.name


def test_an_empty_variable_is_as_good_as_none() -> None:
    settings = from_environment(HTTP_PORT="", AMI_IP="", AMI_PASSWORD="", ASTERISK_EAST_IP="", LOGLEVEL="")
    assert settings.http.port == 8080
    assert settings.asterisks == ()


def original(folder: Path, **files: object) -> Path:
    contents = {
        "asterisk": {
            "Ip": "192.0.2.1",
            "Port": "5038",
            "Timeout": 10,
            "Username": "User",
            "Password": "123qwe",
        },
        "dbconfig": {
            "Driver": "pgx",
            "Port": 5432,
            "DB_Server": "192.0.2.7",
            "DB_Name": "Asterisk",
            "Scheme": "nc",
            "Username": "nc_username",
            "Password": 111222,
            "Conn_Max_Lifetime": 5,
            "Max_Open_Conns": 100,
            "Max_Idle_Conns": 10,
        },
        "dialer": {"loglevel": "1"},
        "http": {"Ip": "", "Port": "8080"},
    }
    for name, content in (contents | files).items():
        (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_the_four_files_of_the_original_work_as_they_are(tmp_path: Path) -> None:
    settings = load(original(tmp_path), {})
    assert settings.database.where() == "'Asterisk' at 192.0.2.7:5432"
    assert settings.database.password.reveal() == "111222"
    assert settings.database.pool() == {
        "pool_size": 10,
        "max_overflow": 90,
        "pool_recycle": 300,
        "pool_pre_ping": True,
    }
    (asterisk,) = settings.asterisks
    assert (asterisk.host, asterisk.port, asterisk.timeout_seconds) == ("192.0.2.1", 5038, 10)
    assert settings.loglevel == 1
    assert settings.http.host == "0.0.0.0"  # an empty Ip listened everywhere


def test_mistakes_in_the_four_files_name_the_file(tmp_path: Path) -> None:
    path = original(tmp_path, http={"Ip": "192.0.2.1", "Prot": 80}, dialer="{loglevel", asterisk=[1])
    found = mistakes(path, {})
    assert found["Prot in http.json"] == "is not a setting. Did you mean Port?"
    assert "line 1 column 2" in found[str(tmp_path / "dialer.json")]
    assert "holds a list" in found[str(tmp_path / "asterisk.json")]


def test_a_folder_with_none_of_the_four_files_is_refused(tmp_path: Path) -> None:
    assert "asterisk.json" in mistakes(tmp_path, DATABASE)[str(tmp_path)]


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    path = toml(
        tmp_path,
        """
        [database]
        Driver = "oracle"
        Port = 70000
        DB_Name = ""
        Username = "u"
        Pasword = "hush-1"
        Max_Open_Conns = 3
        Max_Idle_Conns = 4
        Conn_Max_Lifetime = "long"
        [ami]
        Ip = "pbx"
        Port = true
        Password = ["hush-2"]
        Timeout = 0
        [asterisk]
        Ip = "x"
        [asterisk.default]
        Ip = "x"
        [htpt]
        Port = 1
        [worker]
        name = "a"
        NAME = "b"
        """,
    )
    environ = {
        "DIALER_LOGLEVEL": "4",
        "DIALER_DATABSE_URL": "postgresql://u:hush-3@h/d",
        "DIALER_AMI_TLS": "maybe",
    }
    found = mistakes(path, environ)
    expected = {
        "[database] Driver in dialer.toml": "'oracle' is not a database driver",
        "[database] Port in dialer.toml": "70000 is out of range. Give a port from 1 to 65535.",
        "[database] DB_Name in dialer.toml": "is empty. Set it in ",
        "[database] DB_Server": "is missing. Set it in ",
        "[database] Pasword in dialer.toml": "is not a setting. Did you mean Password?",
        "[database] Max_Idle_Conns in dialer.toml": "4 is more than Max_Open_Conns 3",
        "[database] Conn_Max_Lifetime in dialer.toml": "'long' is not minutes",
        "[ami] Port in dialer.toml": "'True' is not a port",
        "[ami] Password in dialer.toml": "must be the password as text, not a list",
        "[ami] Username": "is missing",
        "[ami] Timeout in dialer.toml": "0 is out of range. Give seconds from 1 to 300.",
        "[asterisk] Ip in dialer.toml": "belongs to no Asterisk",
        "[asterisk.default] in dialer.toml": "Write [ami]",
        "[htpt] in dialer.toml": "Did you mean http?",
        "[worker] NAME in dialer.toml": "was given before",
        "DIALER_LOGLEVEL": "4 is out of range",
        "DIALER_DATABSE_URL": "Did you mean DIALER_DATABASE_URL?",
        "DIALER_AMI_TLS": "'maybe' is neither true nor false",
    }
    assert {name for name in expected if expected[name] not in found.get(name, "")} == set()
    assert set(found) == set(expected)
    assert "hush" not in str(found)
    assert "DIALER_DATABASE_DB_SERVER" in found["[database] DB_Server"]


def test_a_file_that_is_no_toml_or_not_there_is_said_with_its_place(tmp_path: Path) -> None:
    path = toml(tmp_path, "[database]\nurl = \n")
    assert "line 2" in mistakes(path, DATABASE)[str(path)]
    missing = tmp_path / "none.toml"
    assert "No such file" in mistakes(missing, DATABASE)[str(missing)]
    assert list(mistakes(missing, {})) == [str(missing)], "what is missing by it is no news"
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"a = '\xff'")
    assert "not UTF-8" in mistakes(binary, DATABASE)[str(binary)]


def test_no_database_at_all_names_the_url() -> None:
    assert "DIALER_DATABASE_URL" in mistakes(None, {})["[database] url"]


def test_url_and_parts_together_are_a_mistake(tmp_path: Path) -> None:
    path = toml(tmp_path, '[database]\nurl = "postgresql://h/d"\nPort = 5432\nUsername = "u"\n')
    told = mistakes(path, {})["[database] url in dialer.toml"]
    assert "[database] Port in dialer.toml, [database] Username in dialer.toml" in told


def test_a_url_in_the_environment_replaces_the_parts_of_the_file(tmp_path: Path) -> None:
    database = load(toml(tmp_path, FULL), {"DIALER_DATABASE_URL": "mysql://u:p@m.example:3307/calls"}).database
    assert database.url().render_as_string(hide_password=False) == "mariadb+pymysql://u:p@m.example:3307/nc"
    assert database.max_open_conns == 100  # not a part of the address


def test_the_password_may_stand_beside_a_url_without_one(tmp_path: Path) -> None:
    path = toml(tmp_path, '[database]\nurl = "postgresql://u@h/d"\n')
    database = load(path, {"DIALER_DATABASE_PASSWORD": "p@ss/word"}).database
    assert database.url().password == "p@ss/word"
    again = toml(tmp_path, '[database]\nurl = "postgresql://u:x@h/d"\n')
    assert "not both" in mistakes(again, {"DIALER_DATABASE_PASSWORD": "y"})["[database] url in dialer.toml"]


@pytest.mark.parametrize(
    ("given", "driver", "port"),
    [
        ("pgx", POSTGRESQL, 5432),
        ("PostgreSQL", POSTGRESQL, 5432),
        ("postgresql+psycopg", POSTGRESQL, 5432),
        ("mysql", MARIADB, 3306),
        ("mariadb", MARIADB, 3306),
        ("mariadb+pymysql", MARIADB, 3306),
    ],
)
def test_driver_names_of_the_original_and_of_sqlalchemy(given: str, driver: str, port: int) -> None:
    for environ in (
        {"DIALER_DATABASE_URL": f"{given}://u@h/d"},
        {
            "DIALER_DATABASE_DRIVER": given,
            "DIALER_DATABASE_DB_SERVER": "h",
            "DIALER_DATABASE_DB_NAME": "d",
            "DIALER_DATABASE_USERNAME": "u",
        },
    ):
        database = load(None, environ).database
        assert (database.driver, database.port) == (driver, port)


def test_on_mariadb_the_scheme_is_the_database() -> None:
    environ = {
        "DIALER_DATABASE_DRIVER": "mysql",
        "DIALER_DATABASE_DB_SERVER": "h",
        "DIALER_DATABASE_USERNAME": "u",
        "DIALER_DATABASE_SCHEME": "nc",
    }
    assert load(None, environ).database.url().database == "nc"
    both = load(None, environ | {"DIALER_DATABASE_DB_NAME": "Asterisk"}).database
    assert (both.url().database, both.schema) == ("nc", "nc")
    assert both.where() == "'nc' at h:3306", "messages name the database that is in use"
    assert load(None, {"DIALER_DATABASE_URL": "mariadb://u@h/calls"}).database.schema == "calls"


def test_several_postgresql_servers_are_possible_in_url_and_parts() -> None:
    url = "postgresql://u:hush@/calls?host=one:5432&host=two:5433&target_session_attrs=read-write"
    database = load(None, {"DIALER_DATABASE_URL": url}).database
    assert database.url().query["host"] == ("one:5432", "two:5433")
    assert database.url().query["target_session_attrs"] == "read-write"
    assert database.where() == "'calls' at one:5432,two:5433"
    parts = load(
        None,
        {
            "DIALER_DATABASE_DRIVER": "pgx",
            "DIALER_DATABASE_DB_SERVER": "one, two",
            "DIALER_DATABASE_DB_NAME": "calls",
            "DIALER_DATABASE_USERNAME": "u",
        },
    ).database
    assert parts.url().query == {"host": ("one:5432", "two:5432"), "target_session_attrs": "read-write"}
    assert parts.url().host is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hush@tail@h/d",
        "postgresql://u:hush/@tail@h/d",
        "hush",
        "postgresql://u:hush@h:port/d",
        "postgresql://u:hush@h",
        "oracle://u:hush@h/d",
        "mysql://u:x@y/z?hush=tail@h/d",
        "postgresql://u:hush@tail/x?y@host/d",
        "mariadb://h/d?user=u&password=x&hush=1",
        "postgresql://u:x@h/d?hush%3D=1",
    ],
)
def test_a_bad_url_is_refused_without_showing_it(url: str) -> None:
    told = mistakes(None, {"DIALER_DATABASE_URL": url})["DIALER_DATABASE_URL"]
    assert "hush" not in told
    assert "tail" not in told


@pytest.mark.parametrize(
    ("url", "option"),
    [
        ("mysql://u:p@h/d?compres=1", "compres"),
        ("mysql://u:p@h/d?charset=utf8mb4&read_timeout=soon", "read_timeout"),
        ("mariadb://u:p@h/d?ssl_ca=/a&ssl_ca=/b", "ssl_ca"),
        ("mariadb://u:p@/d?host=a&host=b", "host"),
        ("postgresql://u:p@h/d?sslmode=require&compres=1", "compres"),
        ("postgresql://u:p@h/d?autocommit=1", "autocommit"),
        ("postgresql://u:p@/d?host=a&port=1&port=2", "port"),
    ],
)
def test_an_option_that_the_driver_cannot_take_is_named(url: str, option: str) -> None:
    told = mistakes(None, {"DIALER_DATABASE_URL": url})["DIALER_DATABASE_URL"]
    assert f"cannot take: {option}." in told


@pytest.mark.parametrize("name", ["DB_NAME", "SCHEME"])
@pytest.mark.parametrize("given", ["postgresql://u:hush@h/d", "u:hush", "h/db?x=hush", "DB=d;Password=hush"])
def test_an_address_for_a_name_is_not_shown(name: str, given: str) -> None:
    parts = {"DRIVER": "pgx", "DB_SERVER": "h", "DB_NAME": "d", "USERNAME": "u", name: given}
    found = mistakes(None, {f"DIALER_DATABASE_{key}": value for key, value in parts.items()})
    assert " is not a name" in found[f"DIALER_DATABASE_{name}"]
    assert "hush" not in str(found)


@pytest.mark.parametrize("server", ["u:hush", "h;Password=hush", "u:hush@h", "[::1]", "h:"])
def test_what_is_no_server_is_not_shown(server: str) -> None:
    parts = {"DRIVER": "pgx", "DB_SERVER": server, "DB_NAME": "d", "USERNAME": "u"}
    found = mistakes(None, {f"DIALER_DATABASE_{key}": value for key, value in parts.items()})
    assert " is not a server" in found["DIALER_DATABASE_DB_SERVER"]
    assert "hush" not in str(found)


@pytest.mark.parametrize("server", ["/var/run/postgresql", "/tmp/a:b", "one, two", "::1", "10.0.0.1", "db_1.example"])
def test_servers_are_hosts_addresses_and_folders_of_sockets(server: str) -> None:
    parts = {"DRIVER": "pgx", "DB_SERVER": server, "DB_NAME": "d", "USERNAME": "u"}
    settings = load(None, {f"DIALER_DATABASE_{key}": value for key, value in parts.items()})
    assert settings.database.host == server


def test_a_password_in_place_of_its_file_is_not_shown() -> None:
    ami = {"DIALER_AMI_IP": "h", "DIALER_AMI_USERNAME": "u", "DIALER_AMI_PASSWORD_FILE": "hush"}
    assert "hush" not in str(mistakes(None, DATABASE | ami))
    assert "hush" not in str(mistakes(None, {"DIALER_DATABASE_URL_FILE": "/postgresql://u:hush@h/d"}))


@pytest.mark.parametrize("server", ["db:5432", "one, two:5433", ":5432", "[::1]:5432"])
def test_a_port_beside_the_server_is_told_where_it_belongs(server: str) -> None:
    parts = {"DRIVER": "pgx", "DB_SERVER": server, "DB_NAME": "d", "USERNAME": "u"}
    found = mistakes(None, {f"DIALER_DATABASE_{key}": value for key, value in parts.items()})
    assert found["DIALER_DATABASE_DB_SERVER"].endswith("and the port as Port.")


def test_an_address_of_ipv6_has_no_port() -> None:
    environ = {"DIALER_AMI_IP": "::1", "DIALER_AMI_USERNAME": "u", "DIALER_AMI_PASSWORD": "p"}
    assert [one.host for one in load(None, DATABASE | environ).asterisks] == ["::1"]


def test_thousands_of_mistakes_are_told_in_a_page() -> None:
    environ = DATABASE | {f"DIALER_X{number}": "x" for number in range(1000)}
    with pytest.raises(SettingsError) as failed:
        load(None, environ)
    assert len(failed.value.mistakes) == 1000
    assert str(failed.value).splitlines()[0] == "1000 settings are wrong:"
    assert str(failed.value).splitlines()[-1] == "  - and 900 more, to be told when these are mended"


def test_a_password_in_a_urls_query_is_a_password_too() -> None:
    database = load(None, {"DIALER_DATABASE_URL": "postgresql://u@h/d?password=hush"}).database
    assert database.password.reveal() == "hush"
    assert "hush" not in str(database.url())
    assert "hush" not in repr(database)


def test_no_server_is_shown_that_holds_a_password() -> None:
    environ = {
        "DIALER_AMI_IP": "tcp://dialer:hush@pbx",
        "DIALER_AMI_USERNAME": "u",
        "DIALER_AMI_PASSWORD": "p",
    }
    assert "hush" not in mistakes(None, DATABASE | environ)["DIALER_AMI_IP"]


def test_control_characters_are_refused_in_every_text() -> None:
    environ = {
        "DIALER_AMI_IP": "h",
        "DIALER_AMI_USERNAME": "u\r\nAction: Command",
        "DIALER_AMI_PASSWORD": "hu\nsh",
    }
    found = mistakes(None, DATABASE | environ)
    assert "control character" in found["DIALER_AMI_USERNAME"]
    assert "control character" in found["DIALER_AMI_PASSWORD"]
    assert "hu" not in found["DIALER_AMI_PASSWORD"].replace("character", "")


def test_tls_needs_a_file_that_exists_and_tls_itself(tmp_path: Path) -> None:
    ami = {"DIALER_AMI_IP": "h", "DIALER_AMI_USERNAME": "u", "DIALER_AMI_PASSWORD": "p"}
    pem = tmp_path / "ca.pem"
    assert (
        "no file"
        in mistakes(None, DATABASE | ami | {"DIALER_AMI_TLS": "1", "DIALER_AMI_TLS_CA": str(pem)})["DIALER_AMI_TLS_CA"]
    )
    pem.touch()
    assert "Tls = true" in mistakes(None, DATABASE | ami | {"DIALER_AMI_TLS_CA": str(pem)})["DIALER_AMI_TLS_CA"]
    settings = load(None, DATABASE | ami | {"DIALER_AMI_TLS": "1", "DIALER_AMI_TLS_CA": str(pem)})
    assert settings.asterisks[0].tls_ca == pem


def test_variables_of_others_are_left_alone() -> None:
    foreign = {
        "DIALER_CONFIG": "/etc/x",
        "DIALER_SERVICE_HOST": "10.0.0.1",
        "DIALER_PORT": "tcp://10.0.0.1:80",
    }
    assert load(None, DATABASE | foreign).http.port == 8080


def test_names_of_the_api_are_a_list_or_a_text_with_commas(tmp_path: Path) -> None:
    assert from_environment().http.names == ()
    assert from_environment(HTTP_NAMES="dialer, dialer.example.com").http.names == ("dialer", "dialer.example.com")
    path = toml(tmp_path, FULL.replace("[http]", '[http]\nNames = ["dialer.example.com"]'))
    assert load(path, {}).http.names == ("dialer.example.com",)


@pytest.mark.parametrize("names", ["http://dialer", "dialer:8080", "a,,b", "*", "a b"])
def test_what_is_no_name_of_the_api_is_refused(names: str) -> None:
    assert "is not a list of host names" in mistakes(None, DATABASE | {"DIALER_HTTP_NAMES": names})["DIALER_HTTP_NAMES"]


def test_pool_limits_mean_what_the_original_meant() -> None:
    unlimited = from_environment(DATABASE_MAX_OPEN_CONNS="0", DATABASE_CONN_MAX_LIFETIME="0").database.pool()
    assert (unlimited["max_overflow"], unlimited["pool_recycle"]) == (-1, -1)
    # To SQLAlchemy a pool_size of 0 is "no limit": the opposite of no idle connections.
    frugal = from_environment(DATABASE_MAX_OPEN_CONNS="3", DATABASE_MAX_IDLE_CONNS="0").database.pool()
    assert (frugal["pool_size"], frugal["max_overflow"]) == (1, 2)


def test_a_secret_shows_itself_to_nobody(tmp_path: Path) -> None:
    settings = load(toml(tmp_path, FULL), {})
    for shown in (
        repr(settings),
        str(settings),
        f"{settings.database.password}",
        str(settings.database.url()),
    ):
        assert not any(secret in shown for secret in ("111222", "123qwe", "456rty"))
    assert Secret("a") == Secret("a") != Secret("b")
    assert not Secret("")


def test_what_a_file_of_a_variable_holds_is_not_shown(tmp_path: Path) -> None:
    """It may be the password's, named in the wrong variable."""
    secret = tmp_path / "secret"
    secret.write_text("hush, it is a secret")
    for name in ("DATABASE_MAX_OPEN_CONNS", "HTTP_PORT", "HTTP_IP", "WORKER_LEASE_SECONDS", "AMI_TLS"):
        found = mistakes(None, DATABASE | {f"DIALER_{name}_FILE": str(secret)})
        assert f"DIALER_{name}_FILE" in found
        assert "hush" not in str(found)


@pytest.mark.parametrize("name", ["settings.toml", "dbconfig.json"])
def test_what_is_nested_too_deeply_is_a_mistake_of_the_file(tmp_path: Path, name: str) -> None:
    deep = "[" * 100_000
    (tmp_path / name).write_text(deep if name.endswith("json") else f"a = {deep}")
    path = tmp_path if name.endswith("json") else tmp_path / name
    assert "nested too deeply" in str(mistakes(path, DATABASE))


def test_a_device_is_no_file(tmp_path: Path) -> None:
    assert "device" in str(mistakes(Path("/dev/zero"), DATABASE))
    assert "device" in str(mistakes(None, DATABASE | {"DIALER_HTTP_IP_FILE": "/dev/zero"}))


def test_what_is_not_utf_8_is_said_so(tmp_path: Path) -> None:
    found = mistakes(None, DATABASE | {"DIALER_WORKER_NAME": "a\udcff"})
    assert "UTF-8" in found["DIALER_WORKER_NAME"]
