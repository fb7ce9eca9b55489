"""Entry point. gevent must patch the standard library before anything else imports it."""

from gevent import monkey

monkey.patch_all()

import sys

import psycopg.waiting

from dialer import cli


def main() -> int:
    """Run the command line; the exit code is its result."""
    # psycopg decides at import how it waits. Imported before the patch it would wait in C, and one slow query would
    # stop every call, lease and ping of this process.
    if getattr(psycopg.waiting.wait, "__name__", "") == "wait_c":
        raise SystemExit(
            "dialer: psycopg was imported before gevent could patch the process, so a query would block every"
            " call. Start `dialer` or `python -m dialer`, and import dialer.__main__ before anything else."
        )
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
