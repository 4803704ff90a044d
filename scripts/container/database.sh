#!/bin/sh
# PostgreSQL in a container: creates the cluster on the first start, then serves it.
#
#   POSTGRES_USER, POSTGRES_DB    owner and name of the database
#   POSTGRES_PASSWORD_FILE        file with the owner's password
#   PGDATA                        folder of the cluster, in a volume
#
# These are the variables of the official postgres image. Connections over the network need the password.
set -eu

fail() {
    printf 'database: %s\n' "$*" >&2
    exit 1
}

[ ! -e "$(dirname "$PGDATA")/18/docker" ] ||
    fail "this volume contains the database of the image postgres:18, which this PostgreSQL cannot serve. Use that image" \
        "(docker-compose.postgres.yml), or dump the database there and load it here: docs/operate/upgrade.md."
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # Delete the incomplete cluster of an interrupted first start.
    new="$PGDATA.new"
    rm -rf "$new"
    initdb --pgdata="$new" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-host=scram-sha-256 \
        --auth-local=trust --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C >/dev/null
    echo "host all all all scram-sha-256" >>"$new/pg_hba.conf"
    printf 'CREATE DATABASE "%s";\n' "$POSTGRES_DB" |
        postgres --single -D "$new" -c log_min_messages=fatal postgres >/dev/null
    mv "$new" "$PGDATA"
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql \
    -c timezone=UTC -c log_timezone=UTC "$@"
