#!/bin/sh
# PostgreSQL in a container: makes the cluster on the first start, then serves it.
#
#   POSTGRES_USER, POSTGRES_DB    who owns the one database, and its name
#   POSTGRES_PASSWORD_FILE        the file with the owner's password
#   PGDATA                        the cluster's folder, in a volume
#
# As the postgres image of the registry has them. Whoever comes over the network needs the password.
set -eu

fail() {
    printf 'database: %s\n' "$*" >&2
    exit 1
}

[ ! -e "$(dirname "$PGDATA")/18/docker" ] ||
    fail "this volume holds the database of the image postgres:18, which this PostgreSQL cannot serve. Serve it with" \
        "that image (docker-compose.postgres.yml), or dump it there and load it here: docs/operators.md, Upgrading."
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # Half a cluster, of a first start that was cut off, is thrown away.
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
