#!/bin/sh
# Runs a command with the secrets of compose.yaml in its environment. A secret whose file is empty is not set.
set -eu

folder=${SECRETS_FOLDER:-/run/secrets}
secret() { cat "$folder/$1" 2>/dev/null || true; }

database=$(secret database_password)
prefect=$(secret prefect_password)
redis=$(secret redis_password)
export COUNTERMAND_LEDGER_URL="postgresql://countermand:${database}@postgres/countermand"
export PREFECT_API_AUTH_STRING="admin:${prefect}"
export PREFECT_SERVER_API_AUTH_STRING="admin:${prefect}"
export PREFECT_API_DATABASE_CONNECTION_URL="postgresql+asyncpg://countermand:${database}@postgres/prefect"
export PREFECT_REDIS_MESSAGING_URL="redis://:${redis}@redis:6379/0"
export PREFECT_SERVER_DOCKET_URL="redis://:${redis}@redis:6379/1"

keys=$(secret webhook_keys)
[ -z "$keys" ] || export COUNTERMAND_GATEWAY__WEBHOOK_KEYS="$keys"
token=$(secret slack_bot_token)
[ -z "$token" ] || export COUNTERMAND_SLACK__BOT_TOKEN="$token"
token=$(secret slack_app_token)
[ -z "$token" ] || export COUNTERMAND_SLACK__APP_TOKEN="$token"

exec "$@"
