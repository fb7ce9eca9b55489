#!/bin/sh
# Makes the server's data at the first start, then becomes the server. Arguments go to mariadbd (--sync-binlog=0 ...).
#   MARIADB_PASSWORD   of the administrator `dialer`; needed at the first start. MARIADB_PASSWORD_FILE names a file with it.
#   MARIADB_DATABASE   database made at the first start, default: dialer
#   MARIADB_PORT       default 3306       MARIADB_LISTEN   address, default *
#   MARIADB_ZONES      no: leave the time zone tables empty, as a fresh installation has them
set -eu

data=/var/lib/mysql
first=/tmp/first.sql
if [ ! -d "$data/mysql" ]; then
    MARIADB_PASSWORD=${MARIADB_PASSWORD:-$(cat "${MARIADB_PASSWORD_FILE:-/dev/null}")}
    if [ -z "$MARIADB_PASSWORD" ]; then
        echo "MARIADB_PASSWORD is not set: name the password that the user 'dialer' shall have." >&2
        exit 1
    fi
    case $MARIADB_PASSWORD in *[\'\\]*)
        echo "MARIADB_PASSWORD contains a quote or a backslash; choose one without." >&2
        exit 1
        ;;
    esac
    mariadb-install-db --no-defaults --datadir="$data" --skip-test-db --auth-root-authentication-method=normal >/dev/null
    umask 077
    {
        # The zones of the package tzdata; without them MariaDB knows no Europe/Moscow.
        if [ "${MARIADB_ZONES:-yes}" != no ]; then
            echo 'USE mysql;'
            mariadb-tzinfo-to-sql --skip-write-binlog /usr/share/zoneinfo 2>/dev/null
        fi
        echo "DROP USER IF EXISTS 'root'@'localhost';"
        echo "CREATE USER 'dialer'@'%' IDENTIFIED BY '$MARIADB_PASSWORD';"
        echo "GRANT ALL PRIVILEGES ON *.* TO 'dialer'@'%' WITH GRANT OPTION;"
        echo "CREATE DATABASE \`${MARIADB_DATABASE:-dialer}\` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
    } >"$first"
    # The single-user server loads them before anybody can connect; it ends with its input.
    (echo 'FLUSH PRIVILEGES;' && cat "$first") |
        mariadbd --no-defaults --datadir="$data" --bootstrap --skip-networking --log-warnings=0
    rm -f "$first"
fi
exec mariadbd --no-defaults --datadir="$data" --port="$MARIADB_PORT" --bind-address="$MARIADB_LISTEN" \
    --socket=/tmp/mariadb.sock --pid-file=/tmp/mariadb.pid --skip-name-resolve \
    --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci "$@"
