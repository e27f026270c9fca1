#!/bin/sh
# Makes the secrets of compose.yaml that are missing, each in a file of its own. What is there stays as it is.
set -eu
[ "$(id -u)" = 0 ] || { echo "run it as root: the files are given to the containers' user" >&2; exit 1; }
cd "${1:-$(dirname "$0")}"
umask 077
mkdir -p secrets

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

for name in database_password prefect_password redis_password; do
  [ -s "secrets/$name" ] || random >"secrets/$name"
done
[ -s secrets/webhook_keys ] || printf '["%s"]' "$(random)" >secrets/webhook_keys
for name in slack_bot_token slack_app_token; do
  [ -e "secrets/$name" ] || : >"secrets/$name"
done
# The containers' user, who must be able to read them.
chown 10001 secrets/*
echo "secrets/ is complete; put your Slack tokens into slack_bot_token and slack_app_token"
