#!/usr/bin/env bash
# The checks with an exit code of docs/operations.md, as they stand there: for a cluster in which all is well, for partitions that are
# down, for a function that a partition lacks, and for a proxy that is down. Needs PLPROXY_TREE; prints "ok" or "FAILED" lines.

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
need_tree
run_begin

# block N: the N-th command of the section, with what is shown of it.
block() {
    sed -n '/^## In cron and CI/,/^## Where/p' "$ROOT/docs/operations.md" \
        | awk -v wanted="$1" '/^```console/ { n++; on = n == wanted; next } /^```/ { on = 0 } on'
}
command_of() { block "$1" | sed -n 's/^\$ //p'; }
# With the port of the document's server in place of ours.
shown() { block "$1" | sed 1d; }
run() { # N: what it prints, and its exit code.
    local rc=0
    PGHOST=127.0.0.1 PGUSER=postgres PGPORT=$port PGPASSFILE=$PLPROXY_RUN/pgpass PATH=$(tree_bin "$PLPROXY_TREE"):$PATH \
        sh -c "$(command_of "$1")" >"$PLPROXY_RUN/said" 2>&1 || rc=$?
    sed "s/port $(server_port two) /port 26150 /" "$PLPROXY_RUN/said"
    echo "exit code $rc"
}

for server in proxy one two; do server_start $server --tree "$PLPROXY_TREE"; done
port=$(server_port proxy)
for server in one two; do
    for database in users0 users1; do
        server_psql $server -q -c "create database $database"
        server_psql $server -q -d $database <<'SQL'
create table users (id int8, email text);
create function get_users(ids int8[]) returns setof int8 language sql as 'select unnest(ids)';
SQL
    done
done
server_psql proxy -q -c 'create database app'
server_psql proxy -q -d app <<SQL
create extension plproxy;
create server users foreign data wrapper plproxy options (
    p0 '$(server_connstr one users0)', p1 '$(server_connstr two users0)',
    p2 '$(server_connstr one users1)', p3 '$(server_connstr two users1)');
create user mapping for current_user server users;
create function get_users(ids int8[]) returns setof int8 language plproxy as 'cluster ''users''; split ids; run on 0;';
create function anything(query text) returns setof record language plproxy as 'cluster ''users''; run on 0; execute query;';
SQL

same 'partitions: all is well' 'exit code 0' "$(run 1)"
same 'functions: all is well' 'exit code 0' "$(run 2)"
same 'that includes what cannot be known' f,t "$(server_psql proxy -Atq -d app -c \
    "select concat_ws(',', bool_or(not ok), bool_or(ok is null)) from plproxy_check_functions('users')")"

server_psql one -q -d users1 -c 'drop function get_users'
same 'partitions: a function lacks, which is not their affair' 'exit code 0' "$(run 1)"
same 'functions: one lacks' "$(shown 2)"$'\nexit code 1' "$(run 2)"
server_psql proxy -q -d app -v ON_ERROR_STOP=0 -c 'set check_function_bodies = off' \
    -c "create function broken() returns int language plproxy as 'cluster ''users''; run on any; no such thing'"
check 'functions: one that cannot be compiled' grep -q '^broken(): .*syntax error$' <<<"$(run 2)"
server_psql proxy -q -d app -c 'drop function broken'

server_stop two
same 'partitions: two are down' "$(shown 1)"$'\nexit code 1' "$(run 1)"
same 'functions: two are down' 'exit code 1' "$(run 2 | tail -n 1)"
server_stop proxy
same 'partitions: the proxy is down' 'exit code 2' "$(run 1 | tail -n 1)"
same 'functions: the proxy is down' 'exit code 2' "$(run 2 | tail -n 1)"
