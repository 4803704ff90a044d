#!/bin/sh
# Makes the secrets docker-compose.yml mounts, in .kiok/compose; those that are there stay as they are.
set -eu
cd "$(dirname "$0")/.."

folder=.kiok/compose
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
random() { head -c 36 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'; }

secret master.key "$(random)"
secret django.key "$(random)"
secret metrics.token "$(random)"
secret database.password "$(random)"
secret database.url "postgresql://kiok:$(cat "$folder/database.password")@db:5432/kiok"
