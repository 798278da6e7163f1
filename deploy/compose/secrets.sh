#!/bin/sh
# Make the secrets of compose.yaml, each in a file of its own. What is there already stays. The key of the model's API is
# taken from OPENAI_API_KEY, or asked for.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets bots
chmod 0700 secrets
# Readable by the user of the container (10001), which a file of root's with 0600 would not be.
umask 022

once() { # FILE: from standard input, unless it is there
    if [ -s "secrets/$1" ]; then cat >/dev/null; else cat >"secrets/$1"; fi
}
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

random | once vaic_token
random | once ops_token
random | once postgres_password
printf 'postgresql://tieline:%s@postgres/tieline' "$(cat secrets/postgres_password)" | once database_url
if [ ! -s secrets/openai_api_key ]; then
    if [ -z "${OPENAI_API_KEY:-}" ]; then
        printf 'OPENAI_API_KEY: ' >&2
        stty -echo 2>/dev/null || true
        read -r OPENAI_API_KEY
        stty echo 2>/dev/null || true
    fi
    printf '%s' "$OPENAI_API_KEY" | once openai_api_key
fi
echo "VoiceAI Connect's token stands in $(pwd)/secrets/vaic_token" >&2
