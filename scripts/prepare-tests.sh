#!/usr/bin/env bash
# Sets up what the tests need beside the virtual environment: Docker, SIPp and the images of PostgreSQL 12,
# MariaDB 10.5 and Asterisk 16. Installs and starts what is missing on a Debian machine where it is root; elsewhere it says what to do.
# May be run at any time, and again: what is there already is left alone.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

apt_install sipp sip-tester
"$ROOT/scripts/start-docker.sh"
"$ROOT/scripts/build-images.sh" postgres12 mariadb10.5 asterisk16
