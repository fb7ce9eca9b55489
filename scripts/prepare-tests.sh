#!/usr/bin/env bash
# Sets up what the tests need beside the virtual environment: Docker, SIPp, PgBouncer, both databases' programs for dumps,
# curl, and the images of the servers.
#
#   scripts/prepare-tests.sh        for `make test`: PostgreSQL 12, MariaDB 10.5, Asterisk 16
#   scripts/prepare-tests.sh full   for `make test-full`: current PostgreSQL and MariaDB, too
#
# Installs and starts what is missing on a Debian machine where it is root; elsewhere it says what to do.
# May be run at any time, and again: what is there already is left alone.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

images=(postgres12 mariadb10.5 asterisk16)
case ${1:-} in
"") ;;
full) images+=(postgres18 mariadb10.11 mariadb11.8) ;;
*) fail "prepare-tests.sh knows nothing called '$1'." "Say 'full' for what \`make test-full\` needs, or nothing." ;;
esac

apt_install sipp sip-tester
apt_install pgbouncer pgbouncer
apt_install mariadb-dump mariadb-client
apt_install pg_dump postgresql-client
apt_install curl curl
"$ROOT/scripts/start-docker.sh"
"$ROOT/scripts/build-images.sh" "${images[@]}"
