#!/bin/sh
# Makes the cluster at the first start, then becomes the server. Arguments go to postgres (-c fsync=off ...).
#   POSTGRES_PASSWORD   of the superuser `dialer`; needed at the first start. POSTGRES_PASSWORD_FILE names a file with it.
#   POSTGRES_DB         database made at the first start, default: dialer
#   POSTGRES_PORT       default 5432       POSTGRES_LISTEN   addresses, default *
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-$(cat "${POSTGRES_PASSWORD_FILE:-/dev/null}")}
    if [ -z "$POSTGRES_PASSWORD" ]; then
        echo "POSTGRES_PASSWORD is not set: name the password that the user 'dialer' shall have." >&2
        exit 1
    fi
    secret=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" >"$secret"
    # C.UTF-8: sorts alike on every machine; scram: no password crosses the wire.
    initdb --username=dialer --pwfile="$secret" --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256
    rm -f "$secret"
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    # PostgreSQL 12 comes without psql here; the single-user server needs none.
    echo "CREATE DATABASE \"${POSTGRES_DB:-dialer}\"" | postgres --single -j postgres >/dev/null
fi
exec postgres -p "$POSTGRES_PORT" -c listen_addresses="$POSTGRES_LISTEN" -c unix_socket_directories=/tmp "$@"
