# Sourced by the scripts beside it: where the tree is, how to speak, how to fail.
# shellcheck shell=bash
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE="$ROOT/.cache"
mkdir -p "$CACHE"
export DEBIAN_FRONTEND=noninteractive

say() { printf 'prepare: %s\n' "$*" >&2; }

# Ends the script with a sentence: what is wrong, and after it what to do.
fail() {
    printf 'prepare: %s\n' "$@" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

is_root() { [ "$(id -u)" -eq 0 ]; }

docker_answers() { have docker && docker info >/dev/null 2>&1; }

APT_LISTS_FRESH=no
# Renews apt's lists, once in a run.
apt_update() {
    [ "$APT_LISTS_FRESH" = no ] || return 0
    say "apt-get update"
    apt-get update -qq
    APT_LISTS_FRESH=yes
}

# apt_install COMMAND PACKAGE: installs PACKAGE unless COMMAND is there already.
apt_install() {
    local command=$1 package=$2
    have "$command" && return
    is_root || fail "the command '$command' is missing." \
        "Install it (on Debian: sudo apt-get install $package) and run this again, or run this as root."
    have apt-get || fail "the command '$command' is missing, and this machine has no apt-get." \
        "Install it by hand (Debian calls the package $package) and run this again."
    apt_update
    say "apt-get install $package"
    apt-get install -y -qq --no-install-recommends "$package" >"$CACHE/apt-$package.log" 2>&1 ||
        fail "apt-get install $package failed:" "$(tail -n 5 "$CACHE/apt-$package.log")"
    hash -r
    have "$command" || fail "$package is installed and still there is no command '$command' on the PATH ($PATH)."
}
