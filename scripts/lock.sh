#!/usr/bin/env bash
# Renews the lock files out of pyproject.toml: exact versions, for every platform, without download addresses.
# What is locked already stays as it is, as far as it can; UPGRADE=1 takes the newest of everything.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
uv=$(PATH="$ROOT/.venv/bin:$PATH" command -v uv) || fail "uv is missing. Install it: .venv/bin/pip install uv"

lock() {
    local name=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links ${UPGRADE:+--upgrade} "$@" \
        pyproject.toml requirements/build.in --output-file "requirements/$name.txt"
}

lock base
lock demo --extra demo
lock test --extra demo --extra test
lock bench --extra demo --extra bench
