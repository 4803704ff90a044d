#!/bin/sh
# Creates the secrets that docker-compose.yml mounts, and the service's properties file. Existing files are kept.
#
#   KIOK_COMPOSE_DIR    the folder for them     default .kiok/compose
set -eu
cd "$(dirname "$0")/.."

folder="${KIOK_COMPOSE_DIR:-.kiok/compose}"
umask 077
mkdir -p "$folder"
chmod 0700 "$folder"
# The files are mounted into containers with their mode and read there by another user. The folder's mode protects them.
secret() {
    [ -s "$folder/$1" ] || {
        printf '%s' "$2" >"$folder/$1"
        echo "compose-secrets: made $folder/$1"
    }
    chmod 0444 "$folder/$1"
}
random() { head -c 48 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'; }

secret master.key "$(random)"
secret django.key "$(random)"
secret metrics.token "$(random)"
secret database.password "$(random)"
secret database.url "postgresql://kiok:$(cat "$folder/database.password")@db:5432/kiok"

# Not a secret, but in the same folder: write access to it decides what the service trusts.
properties="$folder/kiok.properties"
[ -e "$properties" ] || {
    cat >"$properties" <<'END'
# The properties of the service: docs/reference/properties.md. After a change, apply them with
# `docker compose up --wait --force-recreate web worker`.

# The host name that browsers use, and the proxy in front of the service that terminates https (docs/operate/install.md, Behind a
# proxy).
kiok.web.allowed.hosts = localhost, 127.0.0.1
kiok.web.trusted.origins =
kiok.web.tls = true

# The database of this stack is reached without TLS, on an internal network that only its clients share. For a database
# elsewhere, remove this line and add sslmode=verify-full to database.url.
kiok.allow.insecure = database.tls
END
    chmod 0644 "$properties"
    echo "compose-secrets: made $properties"
}
