#!/usr/bin/env bash
# Runs all tests in three processes side by side, for many of them wait: for calls to ring and to end, for servers to
# answer. First those of the whole dialer; what the others, of its parts on MariaDB and all the rest, say meanwhile is
# shown after them.
#
#   scripts/run-tests.sh [options of pytest that concern all]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

whole=(tests/acceptance tests/contract tests/faults tests/integration)
parts=(tests "${whole[@]/#/--ignore=}")
said=$(mktemp -d)
.venv/bin/pytest "$@" "${parts[@]}" -k mariadb >"$said/1" 2>&1 &
jobs=("$!")
.venv/bin/pytest "$@" "${parts[@]}" -k "not mariadb" >"$said/2" 2>&1 &
jobs+=("$!")
trap 'kill "${jobs[@]}" 2>/dev/null || true; rm -rf "$said"' EXIT

status=0
.venv/bin/pytest "$@" "${whole[@]}" || status=$?
for job in "${jobs[@]}"; do
    wait "$job" || status=$?
done
cat "$said"/*
exit "$status"
