#!/usr/bin/env bash
# Docker Compose with the project's file, whichever Compose this machine has; Debian's is installed if there is none.
#
#   scripts/compose.sh up          scripts/compose.sh logs -f dialer         scripts/compose.sh down --volumes
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

file="$ROOT/docker/compose.yaml"
if have docker && docker compose version >/dev/null 2>&1; then
    exec docker compose --file "$file" --project-name dialer "$@"
fi
apt_install docker-compose docker-compose
exec docker-compose --file "$file" --project-name dialer "$@"
