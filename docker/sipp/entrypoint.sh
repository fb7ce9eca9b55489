#!/bin/sh
# Plays the scenario `carrier` or `agents` on port 5060 of this container's address.
set -eu
scenario=/opt/sipp/$1.xml
address=$(hostname -i | cut -d' ' -f1)
# SIPp draws its screens on standard output; calls are logged to standard error.
exec sipp -sf "$scenario" -i "$address" -p 5060 -mp 6000 -nostdin -trace_logs -log_file /dev/stderr >/dev/null
