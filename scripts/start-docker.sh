#!/usr/bin/env bash
# Makes sure that a Docker daemon answers. As root it installs Debian's docker.io and starts dockerd where none
# runs (a container or a minimal machine without systemd); it never touches a daemon that answers.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

LOG="$CACHE/dockerd.log"
PATIENCE_SECONDS=60

# Starts dockerd with the given options in a session of its own, so that it outlives this script and its terminal.
# Succeeds when the daemon answers; stops it and fails when it exits or does not answer in time.
try_dockerd() {
    printf '\n== dockerd %s\n' "$*" >>"$LOG"
    setsid nohup dockerd "$@" </dev/null >>"$LOG" 2>&1 9>&- &
    local pid=$! waited=0
    while [ "$waited" -lt "$PATIENCE_SECONDS" ]; do
        docker_answers && return 0
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 1
        waited=$((waited + 1))
    done
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    return 1
}

docker_answers && exit 0

# Two test runs at once must not start two daemons. The lock is ours alone: dockerd closes it (9>&-).
exec 9>"${TMPDIR:-/tmp}/dialer-start-docker.lock"
flock 9
docker_answers && exit 0

if ! is_root; then
    have docker && fail "Docker is installed, but its daemon does not answer to $(id -un): $(docker ps 2>&1 | tail -n 1)" \
        "Start it (sudo systemctl start docker), or join its group (sudo usermod -aG docker $(id -un)), or run this as root."
    fail "Docker is missing, and installing it needs root." \
        "Install it (on Debian: sudo apt-get install docker.io) and run this again, or run this as root."
fi

apt_install dockerd docker.io
apt_install docker docker.io
docker_answers && exit 0 # the package started it

if [ -d /run/systemd/system ]; then
    systemctl start docker || true
    docker_answers && exit 0
fi

# Without systemd. The first try lets dockerd choose; the others are for machines whose root is an overlay itself
# (vfs: slow, works anywhere) or whose kernel gives no iptables (our containers use the host's network anyway).
NO_BRIDGE=(--iptables=false --ip6tables=false --bridge=none)
say "starting dockerd, log in ${LOG#"$ROOT"/}"
try_dockerd && exit 0
say "dockerd refused, trying the vfs storage driver"
try_dockerd --storage-driver=vfs && exit 0
say "dockerd refused, trying without iptables and bridge"
try_dockerd "${NO_BRIDGE[@]}" && exit 0
try_dockerd --storage-driver=vfs "${NO_BRIDGE[@]}" && exit 0
fail "dockerd does not start on this machine. The end of its log ($LOG):" "$(tail -n 15 "$LOG")"
