#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Run a command beside a private PostgreSQL server, named to it by TEST_DATABASE_URL.
# The server lives in a temporary folder, listens on a Unix socket only, and is gone afterwards.
# usage: scripts/with_postgres.sh COMMAND...
set -euo pipefail

bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$bin/initdb" ] || { echo "PostgreSQL is not installed" >&2; exit 1; }

folder=$(mktemp -d "${TMPDIR:-/tmp}/pg.XXXXXX")
as_user=()
if [ "$(id -u)" -eq 0 ]; then # the server refuses to run as root
  chown postgres: "$folder"
  as_user=(setpriv --reuid=postgres --regid=postgres --init-groups env "HOME=$folder")
fi

stop() {
  "${as_user[@]}" "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap stop EXIT

cd_to=$PWD
cd "$folder"
"${as_user[@]}" "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --no-sync >"$folder/initdb.log" 2>&1 \
  || { cat "$folder/initdb.log" >&2; exit 1; }
# fsync off: a test database may be lost with the machine
"${as_user[@]}" "$bin/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w -s \
  -o "-c listen_addresses='' -c unix_socket_directories='$folder' -c fsync=off -c max_connections=60" start \
  || { cat "$folder/server.log" >&2; exit 1; }
cd "$cd_to"

export TEST_DATABASE_URL="postgresql://postgres@/postgres?host=$folder"
status=0
"$@" || status=$?
exit "$status"
