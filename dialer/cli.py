"""The command line: reads the settings, calls the function that does the work, prints errors as sentences.

Exit codes: 0 done, 1 it could not be done (why is on stderr), 2 the settings or the command are wrong.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from worker import log
from worker.errors import DialerError, Mistake, SettingsError

if TYPE_CHECKING:
    from gevent.event import Event

    from worker import config

INTERRUPTED = 130  # what shells expect from a process ended by Ctrl-C


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if arguments.call is _simulate:
        arguments.arguments = rest  # it has a parser of its own
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        code: int = arguments.call(arguments)
    except SettingsError as error:
        print(f"dialer: {error}", file=sys.stderr)
        return 2
    except DialerError as error:
        print(f"dialer: {error}", file=sys.stderr)
        _trace()
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`dialer check | head`): there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SQLAlchemyError as error:
        # A right is missing, or the schema has gone: the server's own words help most.
        from worker.db.database import reason  # noqa: PLC0415

        told = f"the database refused what was asked of it ({reason(error)}). Run `dialer check`."
        print(f"dialer: {told}", file=sys.stderr)
        _trace()
        return 1
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        print(f"dialer: this is a mistake in the program ({told}). Loglevel 3 shows where.", file=sys.stderr)
        _trace()
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dialer",
        description="Outbound dialer for Asterisk. The database decides, the worker carries out.",
        epilog="Settings: a TOML file or a folder of JSON files, and DIALER_... variables over them.",
    )
    parser.add_argument("--version", action="version", version=f"dialer {version('dialer')}")
    _add_config(parser, default=None)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, call, told in (
        ("run", _run, "the worker and the API in one process"),
        ("worker", _worker, "the worker alone: claims cases, places calls"),
        ("api", _api, "the API alone: starts and stops projects, shows numbers"),
        ("check", _check, "test database, Asterisk, queues and dialplan; say what to do"),
    ):
        _add(commands, name, told).set_defaults(call=call)
    migrate = _add(commands, "migrate", "bring the database to this program's schema")
    migrate.set_defaults(call=_migrate)
    migrate.add_argument("revision", nargs="?", default="head", help="up to this revision (default: head)")
    migrate.add_argument("--down", metavar="REVISION", help="back down to this revision; 'base' removes all")
    migrate.add_argument(
        "--delete-everything", action="store_true", help="with --down base: cases, attempts and live workers or not"
    )
    takeover = _add(commands, "takeover", "let this database server take the place of the one that was dialled from")
    takeover.set_defaults(call=_takeover)
    takeover.add_argument("--stop", action="store_true", help="stop all projects first")
    why = _add(commands, "why", "the story of a number: its cases, attempts, rules, and when it may be rung next")
    why.set_defaults(call=_why)
    why.add_argument("number", help="however it is written; without + it is read by country in dialer_settings")
    why.add_argument("--country", metavar="XX", help="read it by this country's numbering plan")
    why.add_argument("--attempts", type=int, default=100, metavar="N", help="the latest N attempts (default: 100)")
    why.add_argument("--json", action="store_true", help="for programs")
    _add_import(commands)
    _add_export(commands)
    _add_archive(commands)
    _add_pacing(commands)
    _add_rules(commands)
    demo = _add(commands, "demo", "a whole call centre on this machine, with nothing installed")
    demo.set_defaults(call=_demo)
    demo.add_argument("--seconds", type=float, help="end by itself after so long (else DEMO_SECONDS, else Ctrl-C)")
    simulate = _add(commands, "simulate", "play an Asterisk with subscribers, trunk and agents", add_help=False)
    simulate.set_defaults(call=_simulate)
    return parser


def _add_import(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    imports = _add(commands, "import", "make cases out of a list: a CSV file or a workbook")
    imports.set_defaults(call=_import)
    imports.add_argument("file", nargs="?", type=Path, help="the list; lines that are refused go into FILE.refused.csv")
    imports.add_argument("--project", help="project_id of the cases")
    imports.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="COLUMN=TARGET",
        help="what a column is: phone_number, phone_number_2, case_name, utc, …, fields, or - to leave it out",
    )
    imports.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="TARGET=VALUE",
        help="what a column of the cases is where the list says nothing, like priority=2",
    )
    imports.add_argument(
        "--duplicates",
        action="append",
        default=[],
        metavar="POLICY",
        help="numbers that are there already: keep, skip or refuse, or WHERE=POLICY with WHERE file, project or"
        " elsewhere (default: file=refuse,project=refuse,elsewhere=keep)",
    )
    imports.add_argument("--dry-run", action="store_true", help="tell what would come of each line, and write nothing")
    imports.add_argument("--encoding", default="", help="of a CSV file (default: found out, and shown)")
    imports.add_argument("--separator", default="", help="of a CSV file (default: found out, and shown)")
    imports.add_argument("--sheet", default="", help="of a workbook (default: the first one)")
    imports.add_argument("--zone", default="", help="of instants without an offset (default: the project's zone)")
    imports.add_argument(
        "--no-header", action="store_true", help="the first line has no names: 'column 1', 'column 2', …"
    )
    imports.add_argument("--again", action="store_true", help="although this file was imported into the project before")
    what = imports.add_mutually_exclusive_group()
    what.add_argument("--resume", action="store_true", help="go on with the import of this file that stopped")
    what.add_argument("--undo", type=int, metavar="ID", help="delete the cases of an import that were never dialled")
    what.add_argument("--list", action="store_true", help="show the imports there were")


def _add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    exports = _add(commands, "export", "write cases, attempts or results into a CSV file or a workbook")
    exports.set_defaults(call=_export)
    exports.add_argument(
        "what", choices=["cases", "attempts", "results"], help="results: the last outcome of each case"
    )
    exports.add_argument("--project", help="of this project alone")
    exports.add_argument(
        "--since", default="", help="inserted, begun or ended since: 7d, 24h, 2026-11-24, 2026-11-24 09:00"
    )
    exports.add_argument("-o", "--output", type=Path, help="FILE.csv or FILE.xlsx (default: CSV on standard output)")
    exports.add_argument("--separator", default=",", help="between the cells of a CSV file (default: comma)")
    exports.add_argument("--bom", action="store_true", help="mark a CSV file as UTF-8, which Excel needs")
    exports.add_argument("--zone", default="Z", help="by whose clock instants are read and written (default: UTC)")


def _add_archive(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    archive = _add(
        commands, "archive", "move old attempts from the ledger into a CSV file; what rules still need stays"
    )
    archive.set_defaults(call=_archive)
    archive.add_argument(
        "--before",
        required=True,
        metavar="WHEN",
        help="those that ended before: 90d, 2026-08-01, 2026-08-01 09:00+03:00 (without an offset by UTC); a day ago at"
        " least",
    )
    archive.add_argument(
        "--to",
        type=Path,
        default=Path("archived-attempts.csv"),
        metavar="FILE.csv",
        help="to its end, if it is there (default: archived-attempts.csv here). What interrupted a run does not matter:"
        " the next one goes on, if it is told the same file",
    )
    archive.add_argument("--dry-run", action="store_true", help="tell how many would go, how many stay, and why")


def _add_pacing(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    pacing = commands.add_parser("pacing", help="look into the decisions of predictive mode")
    pacings = pacing.add_subparsers(title="commands", required=True, metavar="COMMAND")
    replay = _add(pacings, "replay", "decide again what the pacing journal has recorded, and compare")
    replay.set_defaults(call=_pacing_replay)
    replay.add_argument("project", help="project_id; of projects that share agents the first by name")
    replay.add_argument("--hours", type=float, default=1.0, help="how far back (default: 1)")
    day = _add(pacings, "day", "simulate a day of predictive dialling, and print what it would bring", configured=False)
    day.set_defaults(call=_pacing_day)
    day.add_argument("--agents", type=int, default=10, help="who are there all day (default: 10)")
    day.add_argument(
        "--answer-rate", type=float, default=0.3, help="share of the calls that is answered (default: 0.3)"
    )
    day.add_argument("--hours", type=float, default=4.0, help="how long (default: 4)")
    day.add_argument("--talk", type=float, default=120.0, help="seconds of a conversation, on average (default: 120)")
    day.add_argument("--wrap-up", type=int, default=20, help="the queue's wrapuptime in seconds (default: 20)")
    day.add_argument("--target", type=float, default=3.0, help="abandon target in per cent (default: 3)")
    day.add_argument("--seed", type=int, default=1, help="another number: another day (default: 1)")


def _add_rules(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    rules = commands.add_parser("rules", help="presets of law: show them, write their rows, look whether they are kept")
    some = rules.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add(some, "list", "the presets, and what they are applied to in this database").set_defaults(call=_rules_list)
    show = _add(some, "show", "what a preset says: its source, the rows it writes, what it leaves", configured=False)
    show.set_defaults(call=_rules_show)
    apply = _add(some, "apply", "write the rows of a preset, in place of those that it wrote before")
    apply.set_defaults(call=_rules_apply)
    remove = _add(some, "remove", "take back the rows that a preset wrote")
    remove.set_defaults(call=_rules_remove)
    for one in (show, apply, remove):
        one.add_argument("preset", help="its name, like us-fl")
    for one in (apply, remove):
        scope = one.add_mutually_exclusive_group()
        scope.add_argument("--project", help="for this project alone (default: for all)")
        scope.add_argument("--client", help="for the projects of this client alone (dialer_params.client)")
    check = _add(some, "check", "which rules bind each project, and what of its presets is not kept or not enforced")
    check.set_defaults(call=_rules_check)
    check.add_argument("--project", help="this project alone (default: all)")
    data = _add(
        some, "data", "renew numbering plans, prefixes and public holidays from this program; your own rows stay"
    )
    data.set_defaults(call=_rules_data)


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    told: str,
    *,
    add_help: bool = True,
    configured: bool = True,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.", add_help=add_help)
    if add_help and configured:
        _add_config(command, default=argparse.SUPPRESS)  # else its absence here would undo the one before
    return command


def _add_config(parser: argparse.ArgumentParser, default: str | None) -> None:
    told = "TOML file, or folder with asterisk.json, dbconfig.json, dialer.json, http.json (else DIALER_CONFIG)"
    parser.add_argument("--config", metavar="PATH", default=default, help=told)


def _settings(arguments: argparse.Namespace, *, calling: bool = True) -> config.Settings:
    from worker import config  # noqa: PLC0415

    path = arguments.config or os.environ.get("DIALER_CONFIG") or None
    settings = config.load(Path(path) if path else None, os.environ, calling=calling)
    log.setup(settings.loglevel, sys.stderr)
    _log_lost_greenlets()
    return settings


def _with_asterisk(settings: config.Settings) -> config.Settings:
    if not settings.asterisks:
        remedy = "Set its Ip, Username and Password, or DIALER_AMI_IP, _USERNAME and _PASSWORD."
        raise SettingsError([Mistake("[ami]", "is missing, so there is no Asterisk to call through", remedy)])
    return settings


# Each command imports only what it needs, after reading the settings, so mistakes and help appear at once.


def _worker(arguments: argparse.Namespace) -> int:
    settings = _with_asterisk(_settings(arguments))
    from worker.service import run_worker  # noqa: PLC0415

    return run_worker(settings)


def _api(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    from api.server import serve  # noqa: PLC0415

    return serve(settings, _stop_on_signals())


def _run(arguments: argparse.Namespace) -> int:
    """Run both. The API lives as long as the worker and ends with it."""
    settings = _with_asterisk(_settings(arguments))
    from api.server import Server  # noqa: PLC0415
    from worker.service import run_worker  # noqa: PLC0415

    api = Server(settings)
    api.start()  # first, so that an address in use shows before any call is placed
    try:
        return run_worker(settings)
    finally:
        api.stop()


def _check(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    from dialer.check import run  # noqa: PLC0415

    return run(settings)


def _migrate(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False)
    from dialer.migrate import migrate, require_unused  # noqa: PLC0415

    if arguments.down is not None and not (arguments.down == "base" and arguments.delete_everything):
        require_unused(settings.database, arguments.down)
    print(migrate(settings.database, arguments.down or arguments.revision, down=arguments.down is not None))
    return 0


def _takeover(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False)
    from dialer.takeover import takeover  # noqa: PLC0415

    for told in takeover(settings.database, stop=arguments.stop):
        print(told)
    return 0


def _why(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False)
    from dialer.why import run  # noqa: PLC0415

    return run(
        settings.database, arguments.number, arguments.attempts, country=arguments.country, as_json=arguments.json
    )


def _import(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False).database
    from dialer import imports  # noqa: PLC0415

    if arguments.list:
        return imports.show(settings, arguments.project)
    if arguments.undo is not None:
        return imports.undo(settings, arguments.undo)
    if arguments.file is None or not arguments.project:
        raise imports.ListNotImported("Say which list, and which project: dialer import FILE --project ID.")
    return imports.run(
        settings,
        imports.Wanted(
            path=arguments.file,
            project=arguments.project,
            maps=imports.pairs(arguments.map, "--map"),
            constants=imports.pairs(arguments.set, "--set"),
            duplicates=imports.policies(arguments.duplicates),
            encoding=arguments.encoding,
            separator=arguments.separator,
            sheet=arguments.sheet,
            zone=arguments.zone,
            header=not arguments.no_header,
            dry_run=arguments.dry_run,
            resume=arguments.resume,
            again=arguments.again,
        ),
    )


def _export(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False).database
    from dialer import exports  # noqa: PLC0415

    return exports.run(
        settings,
        exports.Wanted(
            what=arguments.what,
            project=arguments.project,
            since=arguments.since,
            output=arguments.output,
            separator=arguments.separator,
            bom=arguments.bom,
            zone=arguments.zone,
        ),
    )


def _archive(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False).database
    from dialer import archives  # noqa: PLC0415

    return archives.run(settings, archives.Wanted(arguments.before, arguments.to, arguments.dry_run))


def _pacing_replay(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False)
    from dialer.pacing import replay_journal  # noqa: PLC0415

    return replay_journal(settings.database, arguments.project, arguments.hours)


def _pacing_day(arguments: argparse.Namespace) -> int:
    from dialer.pacing import Wished, simulate_day  # noqa: PLC0415

    return simulate_day(
        Wished(
            agents=arguments.agents,
            answer_rate=arguments.answer_rate,
            hours=arguments.hours,
            talk_seconds=arguments.talk,
            wrap_up_seconds=arguments.wrap_up,
            target=arguments.target,
            seed=arguments.seed,
        )
    )


def _rules_list(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False)
    from dialer.rules import list_presets  # noqa: PLC0415

    return _print(list_presets(settings.database))


def _rules_show(arguments: argparse.Namespace) -> int:
    from dialer.rules import show  # noqa: PLC0415

    return _print(show(arguments.preset))


def _rules_apply(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False)
    from dialer.rules import apply  # noqa: PLC0415
    from worker.db.routines.rules import Scope  # noqa: PLC0415

    return _print(apply(settings.database, arguments.preset, Scope(arguments.project, arguments.client)))


def _rules_remove(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False)
    from dialer.rules import remove  # noqa: PLC0415
    from worker.db.routines.rules import Scope  # noqa: PLC0415

    return _print(remove(settings.database, arguments.preset, Scope(arguments.project, arguments.client)))


def _rules_check(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False)
    from dialer.check import print_findings  # noqa: PLC0415
    from dialer.rules import check  # noqa: PLC0415

    print_findings(check(settings.database, arguments.project, date.today()))
    return 0


def _rules_data(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments, calling=False)
    from dialer.rules import renew  # noqa: PLC0415

    return _print(renew(settings.database))


def _print(sentences: Iterable[str]) -> int:
    for sentence in sentences:
        print(sentence)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from dialer.demo import run  # noqa: PLC0415

    return run(os.environ, arguments.seconds)


def _simulate(arguments: argparse.Namespace) -> int:
    from simulator.cli import run  # noqa: PLC0415

    log.setup(2, sys.stderr)
    return run(arguments.arguments)


def _stop_on_signals() -> Event:
    import gevent  # noqa: PLC0415
    from gevent.event import Event  # noqa: PLC0415

    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stop.set)
    return stop


def _log_lost_greenlets() -> None:
    """Turn an uncaught error into a line of the log like all others; gevent would print a traceback."""
    import gevent  # noqa: PLC0415

    def lost(context: object, _kind: object, error: object, _trace: object) -> None:
        found = error if isinstance(error, BaseException) else None
        facts = {"action": "greenlet_failed", "what": str(context)}
        logging.getLogger(__name__).error("something ended by an error", extra=facts, exc_info=found)

    gevent.get_hub().print_exception = lost  # type: ignore[method-assign,assignment]


def _trace() -> None:
    """The place of the error, for those who asked for it."""
    if log.traced() or os.environ.get("DIALER_LOGLEVEL") == "3":
        traceback.print_exc()
