#!/usr/bin/env bash
# Runs all tests in two processes side by side: those of routines and modules use the processors, those of calls mostly
# wait for them to ring and to end. What the first ones say is shown when the others are through.
#
#   scripts/run-tests.sh [options of pytest that concern both]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

said=$(mktemp)
.venv/bin/pytest "$@" tests/sql tests/unit >"$said" 2>&1 &
routines=$!
trap 'kill "$routines" 2>/dev/null || true; rm -f "$said"' EXIT

status=0
.venv/bin/pytest "$@" tests --ignore=tests/sql --ignore=tests/unit || status=$?
wait "$routines" || status=$?
cat "$said"
exit "$status"
