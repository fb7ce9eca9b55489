#!/usr/bin/env bash
# Runs all tests in two processes side by side, for many of them wait: for calls to ring and to end, for servers to come
# back. First those of the whole dialer and of the pages; what the others, of its parts, say meanwhile is shown after them.
#
#   scripts/run-tests.sh [options of pytest that concern both]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

whole=(tests/acceptance tests/contract tests/docs tests/faults tests/integration)
said=$(mktemp)
.venv/bin/pytest "$@" tests "${whole[@]/#/--ignore=}" >"$said" 2>&1 &
parts=$!
trap 'kill "$parts" 2>/dev/null || true; rm -f "$said"' EXIT

status=0
.venv/bin/pytest "$@" "${whole[@]}" || status=$?
wait "$parts" || status=$?
cat "$said"
exit "$status"
