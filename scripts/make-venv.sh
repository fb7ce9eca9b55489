#!/usr/bin/env bash
# Puts the packages of a lock file and this project into .venv, and makes .venv first where it is missing.
#
#   scripts/make-venv.sh requirements/test.txt
#
# Needs Python 3.11 or newer and nothing else; PYTHON=/path/to/python names one.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
lock=${1:?name the lock file, e.g. requirements/test.txt}

suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3 python3.12 python3.13 python3.14 python; do
        if [ -n "$candidate" ] && suits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# Two makes at once must not fill the same .venv together.
if have flock; then
    exec 9>"$CACHE/make-venv.lock"
    flock 9
fi

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python) || fail "no Python 3.11 or newer was found on the PATH." \
        "Install one (on Debian 12: apt-get install python3 python3-venv), or name it: PYTHON=/path/to/python make venv"
    # Debian keeps what `venv` needs in a package of its own.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        if ! is_root || ! have apt-get; then
            fail "$python has no venv and ensurepip." \
                "Install them (on Debian: sudo apt-get install python3-venv) and run this again."
        fi
        say "apt-get install python3-venv"
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends python3-venv >"$CACHE/apt-python3-venv.log" 2>&1 ||
            fail "apt-get install python3-venv failed:" "$(tail -n 5 "$CACHE/apt-python3-venv.log")"
    fi
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi

say "installing $lock"
pip=(.venv/bin/python -m pip --disable-pip-version-check --quiet --quiet) # errors only
"${pip[@]}" install --requirement "$lock"
# The project itself, as it lies here; the lock has its build tool, so nothing else is fetched.
"${pip[@]}" install --no-deps --no-build-isolation --editable .
