"""Entry point. gevent must patch the standard library before anything else imports it."""

from gevent import monkey

monkey.patch_all()

import sys

import psycopg.waiting

from dialer import cli


def main() -> int:
    """Run the command line; the exit code is its result."""
    # psycopg chooses at import how it waits. If it came before the patch it waits in C, and one slow query
    # stops every call, every lease and every ping of this process.
    if getattr(psycopg.waiting.wait, "__name__", "") == "wait_c":
        raise SystemExit(
            "dialer: psycopg was imported before gevent could patch the process, so a query would block every"
            " call. Start `dialer` or `python -m dialer`, and import dialer.__main__ before anything else."
        )
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
