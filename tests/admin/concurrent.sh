#!/usr/bin/env bash
# Atomic commands at the same time: those of one proxy wait for each other here and not across partitions; those of two proxies for
# lock_timeout at the most. Needs PLPROXY_TREE.
#
#   SECONDS_EACH=60 tests/admin/concurrent.sh      how long each pair goes on; default 8

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SECONDS_EACH=${SECONDS_EACH:-8}
# PostgreSQL says from 19 on what was waited for.
without_wait() { sed -E 's/;CONTEXT:  (Remote context: )?waiting for [^;]*//'; }
run_begin
settings=(--auth trust --set 'shared_buffers = 16MB')
for name in a b; do
    server_start "$name" "${settings[@]}" --set 'max_prepared_transactions = 20'
    server_psql "$name" -q -c 'create database part' -c '\c part' -c 'create table t (n int)'
done
server_start proxy "${settings[@]}"
server_psql proxy -q -c 'create database other'
for database in postgres other; do
    server_psql proxy -q -d "$database" -v a="$(server_port a)" -v b="$(server_port b)" <<'SQL'
create extension plproxy;
select format('create server parts foreign data wrapper plproxy options (p0 %L, p1 %L)',
    'host=127.0.0.1 dbname=part port=' || :'a', 'host=127.0.0.1 dbname=part port=' || :'b') \gexec
create user mapping for public server parts options (user 'postgres');
SQL
done
on_proxy() { ask proxy postgres "$1"; }

# How long a lock is waited for on the partitions.
limit="select distinct result from plproxy_run_on_all('parts', 'show lock_timeout', atomic => true)"
same 'lock_timeout: by default' 10s "$(on_proxy "$limit")"
same 'lock_timeout: of the cluster' 1234ms "$(on_proxy "alter server parts options (add lock_timeout '1234'); $limit")"
same 'lock_timeout: none' 0 "$(on_proxy "alter server parts options (set lock_timeout '0'); $limit")"
same 'lock_timeout: of the command itself' 7s "$(on_proxy "select distinct result from plproxy_run_on_all('parts',
    'set lock_timeout = ''7s''; show lock_timeout', atomic => true)")"
same 'lock_timeout: not for commands that are not atomic' 0 \
    "$(on_proxy "select distinct result from plproxy_run_on_all('parts', 'show lock_timeout')")"
on_proxy "alter server parts options (set lock_timeout '500')" >/dev/null
server_psql b -q -d part -c "set application_name = block; begin; lock table t; select pg_sleep(600)" >/dev/null 2>&1 &
until_is 1 ask b part "select count(*) from pg_locks where relation = 't'::regclass and granted" >/dev/null
same 'lock_timeout: it ends the wait, and says so' \
    'ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: canceling statement due to lock timeout;HINT:  A lock on a partition is waited for 500 ms; option "lock_timeout" of the cluster sets that.' \
    "$(on_proxy "set statement_timeout = '120s'; select from plproxy_run_on_all('parts', 'truncate t', atomic => true)" | without_wait)"
ask b postgres "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'block'" >/dev/null

# In one proxy the second waits for the first, as any statement waits for a lock.
session_open proxy
session "begin; select count(*) from plproxy_run_on_all('parts', 'truncate t', atomic => true);" >/dev/null
same 'the second waits: lock_timeout of the session' 'ERROR:  canceling statement due to lock timeout' \
    "$(on_proxy "set lock_timeout = '200ms'; select from plproxy_run_on_all('parts', 'select 1', atomic => true)" | without_wait)"
server_psql proxy -q -c "set application_name = second" \
    -c "select from plproxy_run_on_all('parts', 'insert into t values (1)', atomic => true)" >"$PLPROXY_RUN/second" 2>&1 &
second=$!
same 'the second waits: it shows' 'Lock|advisory' "$(until_is 'Lock|advisory' on_proxy \
    "select wait_event_type, wait_event from pg_stat_activity where application_name = 'second'")"
same 'other commands do not wait' '0|t|0;1|t|0' "$(on_proxy "select * from plproxy_run_on_all('parts', 'select 0')")"
session 'commit; select 1;' >/dev/null
session_close
wait $second
same 'then it is its turn' '0|t|1;1|t|1' "$(on_proxy "select * from plproxy_run_on_all('parts', 'select count(*) from t')")"
on_proxy "select from plproxy_run_on_all('parts', 'truncate t', atomic => true)" >/dev/null

# loop database: a session that goes on for a while; how many of its commands were done, and how the others ended.
loop() {
    server_psql proxy -Atq -d "$1" <<SQL 2>&1
set client_min_messages = error;
set statement_timeout = '300s';
create temp table outcomes (code text);
do \$\$
declare
    until timestamptz := clock_timestamp() + '$SECONDS_EACH s';
    code text;
begin
    while clock_timestamp() < until loop
        code := 'done';
        begin
            perform from plproxy_run_on_all('parts', 'lock table t in access exclusive mode; insert into t values (1)', atomic => true);
        exception when others then
            code := sqlstate;
        end;
        commit;
        insert into outcomes values (code);
    end loop;
end \$\$;
select code, count(*) from outcomes group by 1 order by 1;
SQL
}
# pair database database: both at once
pair() {
    loop "$1" >"$PLPROXY_RUN/one" & one=$!
    loop "$2" >"$PLPROXY_RUN/two" & two=$!
    wait "$one" "$two"
    sed 's/^/    /' "$PLPROXY_RUN/one" "$PLPROXY_RUN/two"
    done_by_all=$(cat "$PLPROXY_RUN/one" "$PLPROXY_RUN/two" | sed -n 's/^done|//p' | awk "{ n += \$1 } END { print n + 0 }")
}
rows() { on_proxy "select distinct result from plproxy_run_on_all('parts', 'select count(*) from t')"; }

pair postgres postgres
same 'two sessions: every command was done' '' "$(grep -v '^done|' "$PLPROXY_RUN/one" "$PLPROXY_RUN/two" || true)"
same 'two sessions: on both partitions' "$done_by_all" "$(rows)"
check 'two sessions: both had their turns' [ "$(grep -c '^done|' "$PLPROXY_RUN/one")$(grep -c '^done|' "$PLPROXY_RUN/two")" = 11 ]
on_proxy "select from plproxy_run_on_all('parts', 'truncate t', atomic => true)" >/dev/null

# Two databases know nothing of each other, as two servers would not.
for database in postgres other; do
    ask proxy "$database" "alter server parts options (drop lock_timeout)" >/dev/null
    ask proxy "$database" "alter server parts options (add lock_timeout '300')" >/dev/null
done
pair postgres other
same 'two proxies: what was not done gave up waiting' '' "$(grep -vE '^(done|55P03)\|' "$PLPROXY_RUN/one" "$PLPROXY_RUN/two" || true)"
check "two proxies: some were done ($done_by_all)" [ "$done_by_all" -gt 0 ]
same 'two proxies: on both partitions' "$done_by_all" "$(rows)"
same 'nothing is left' '0;0' "$(for name in a b; do ask $name part 'select count(*) from pg_prepared_xacts'; done | paste -sd ';' -)"

finish
