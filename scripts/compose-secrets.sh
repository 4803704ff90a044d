#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, and the service's properties file; what is there stays as it is.
#
#   KIOK_COMPOSE_DIR    the folder they are in     default .kiok/compose
set -eu
cd "$(dirname "$0")/.."

folder="${KIOK_COMPOSE_DIR:-.kiok/compose}"
umask 077
mkdir -p "$folder"
chmod 0700 "$folder"
# The files are mounted into containers with their mode and read there by another user; the folder keeps others out.
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

# No secret, but beside them: whoever writes it decides what the service trusts.
properties="$folder/kiok.properties"
[ -e "$properties" ] || {
    cat >"$properties" <<'END'
# The properties of the service: README.md, Configuration. `docker compose up --wait --force-recreate web worker` has
# them read anew.

# The name under which browsers reach the service, and the proxy before it that ends https (docs/operators.md, Behind a proxy).
kiok.web.allowed.hosts = localhost, 127.0.0.1
kiok.web.trusted.origins =
kiok.web.tls = true

# The database of this stack is reached without TLS, on a network that nobody else is on and that leads nowhere. With one
# elsewhere take this away, and write sslmode=verify-full into database.url.
kiok.allow.insecure = database.tls
END
    chmod 0644 "$properties"
    echo "compose-secrets: made $properties"
}
