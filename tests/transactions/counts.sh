#!/usr/bin/env bash
# How many transactions over several partitions are counted, and how they ended: plproxy_stat_info. Needs PLPROXY_TREE.

source "$(dirname "${BASH_SOURCE[0]}")/../admin/lib.sh"
need_tree

ask() { server_psql proxy -qAt "$@" 2>&1 || true; }
until_seen() { until_is t ask -c "$1" >/dev/null; }
ends() { ask -c 'select one_phase_commits, two_phase_commits, rollbacks, recovered, scope from plproxy_stat_info'; }

run_begin
server_start parts --auth trust --set 'max_prepared_transactions = 10'
server_start proxy --auth trust --set "shared_preload_libraries = 'plproxy'"
for part in 0 1 2 3; do server_psql parts -q -c "create database part$part"; done
server_psql proxy -q -v port="$(server_port parts)" >/dev/null <<'SQL'
create extension plproxy;
select format('create server parts foreign data wrapper plproxy options (%s)', string_agg(
    format('p%s ''host=127.0.0.1 dbname=part%1$s port=%s''', n, :'port'), ', ')) from generate_series(0, 3) n \gexec
create user mapping for public server parts options (user 'postgres');
create function reads(n int) returns int language plproxy as $$ cluster 'parts'; run on n; select n; $$;
create function writes(n int) returns int language plproxy as $$ cluster 'parts'; run on n;
    select pg_current_xact_id()::text::int; $$;
SQL

# ---- transactions over calls, and atomic commands
same "no transaction over calls" '0|0|0|0|all sessions' "$(ends)"
ask -c "alter server parts options (add transaction_mode 'two_phase')" >/dev/null
ask -c 'select reads(0)' -c 'select reads(0)' -c 'begin' -c 'select reads(1)' -c 'select reads(2)' -c 'rollback' >/dev/null
same "one phase, and a rollback" '2|0|1|0|all sessions' "$(ends)"
ask -c 'begin isolation level serializable' -c 'select writes(0)' -c 'commit' >/dev/null
ask -c 'begin' -c 'select writes(0)' -c 'select writes(1)' -c 'commit' >/dev/null
same "two phases" '2|2|1|0|all sessions' "$(ends)"
ask -c "alter server parts options (drop transaction_mode)" >/dev/null
ask -c "select count(*) from plproxy_run_on_all('parts', 'create table if not exists written (n int)', atomic => true)" >/dev/null
same "so has an atomic command" '2|3|1|0|all sessions' "$(ends)"
ask -c "begin" -c "select count(*) from plproxy_run_on_all('parts', 'insert into written values (1)', atomic => true)" -c rollback >/dev/null
same "which is rolled back" '2|3|2|0|all sessions' "$(ends)"
gid=plproxy_$(ask -c "select system_identifier from pg_control_system()")_$(ask -c 'select oid from pg_database where datname = current_database()')
session_open proxy
session "begin; select count(*) from plproxy_run_on_all('parts', 'insert into written values (1)', atomic => true);" >/dev/null
until_seen "select exists (select from pg_stat_activity where state = 'idle in transaction')"
lost=$(ask -c "select pid from pg_stat_activity where state = 'idle in transaction'")
kill -STOP "$lost"
prepared=$(server_psql parts -qAt -c "select count(*) from pg_prepared_xacts where gid like '$gid%'")
same "four are prepared" 4 "$prepared"
kill -9 "$lost"
session_close
until_seen 'select true'
ask -c "select count(*) from plproxy_recover_prepared('parts')" >/dev/null
same "a crash forgets the counts, and the recovery is counted" '0|0|0|4|all sessions' "$(ends)"
server_restart proxy
same "which a restart keeps" '0|0|0|4|all sessions' "$(ends)"

finish
