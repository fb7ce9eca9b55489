#!/usr/bin/env bash
# Runs all tests in four processes side by side, for many of them wait: for calls to ring and to end, for servers to come
# back. Those of the whole dialer have the right of way; what the others say meanwhile is shown after them.
#
#   scripts/run-tests.sh [options of pytest that concern all]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

acceptance=(tests/acceptance)
together=(tests/contract tests/docs tests/faults tests/integration)
installation=(tests/sql/schema tests/unit)
named=("${acceptance[@]}" "${together[@]}" "${installation[@]}")

said=$(mktemp -d)
running=()
trap 'kill "${running[@]}" 2>/dev/null || true; rm -rf "$said"' EXIT
.venv/bin/pytest "$@" "${together[@]}" >"$said/together" 2>&1 &
running+=($!)
nice .venv/bin/pytest "$@" "${installation[@]}" >"$said/installation" 2>&1 &
running+=($!)
nice .venv/bin/pytest "$@" tests "${named[@]/#/--ignore=}" >"$said/parts" 2>&1 &
running+=($!)

status=0
.venv/bin/pytest "$@" "${acceptance[@]}" || status=$?
for process in "${running[@]}"; do
    wait "$process" || status=$?
done
cat "$said"/*
exit "$status"
