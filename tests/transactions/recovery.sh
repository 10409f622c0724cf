#!/usr/bin/env bash
# The recovery that takes place by itself: plproxy.recovery_databases. What it ends, what it leaves alone, and whom it must not be in
# the way of. Needs PLPROXY_TREE.

source "$(dirname "${BASH_SOURCE[0]}")/../admin/stages.sh"

# In the background nothing may be waited for longer than two intervals, but for what a slow machine takes.
INTERVAL=2
configure() {
    printf '%s\n' "shared_preload_libraries = 'plproxy'" "plproxy.recovery_databases = 'postgres, \"Nobody''s\", \"Bare\"'" \
        "plproxy.recovery_interval = '${INTERVAL}s'" | as_server tee -a "$(server_dir "$1")/data/postgresql.conf" >/dev/null
}
logged() { grep -c "$1" "$(server_dir "${2:-proxy}")/log" || true; }
# said_times COUNT TEXT: the log has it at least so often
said_times() { if [ "$(logged "$2" "${3:-proxy}")" -ge "$1" ]; then echo yes; fi; }
round() {
    local before; before=$(logged 'database "bare": the extension is not installed there')
    until_is yes said_times $((before + 2)) 'database "bare": the extension is not installed there' >/dev/null
}

# ---- without the library preloaded

printf '%s\n' "plproxy.recovery_databases = 'postgres'" | as_server tee -a "$(server_dir proxy)/data/postgresql.conf" >/dev/null
ask proxy postgres 'select pg_reload_conf()' >/dev/null
hint='HINT:  Add plproxy to shared_preload_libraries and restart the server.'
same 'not preloaded: a word about it' "WARNING:  parameter \"plproxy.recovery_databases\" has no effect;$hint" \
    "$(until_is "WARNING:  parameter \"plproxy.recovery_databases\" has no effect;$hint" ask proxy postgres "load 'plproxy'")"

# ---- at work

configure proxy
ask proxy postgres 'create database "bare"' >/dev/null
sed_conf() { as_server sed -i "$1" "$(server_dir proxy)/data/postgresql.conf"; }
sed_conf 's/"Bare"/BARE/'
at prepared
lose killed prepared
end_session
same 'a session is lost: both are left prepared' '0|1 0|1' "$(state)"
server_restart proxy
alive proxy
same 'at the start it ends what is there' '0|0 0|0' "$(until_is '0|0 0|0' state)"
same 'and says so' yes "$(until_is yes said_times 2 'LOG:  PL/Proxy recovery: database "postgres": cluster "parts": partition [01]: "plproxy_[0-9a-f_]*": rolled back')"
same 'a database that is not there: a line of the log' yes "$(until_is yes said_times 2 "LOG:  PL/Proxy recovery: database \"Nobody's\" does not exist")"
same 'one without the extension: the same' yes "$(until_is yes said_times 2 'LOG:  PL/Proxy recovery: database "bare": the extension is not installed there')"
for loss in killed machine; do
    at prepared
    lose "$loss" prepared
    end_session
    same "$loss, prepared: rolled back" '0|0 0|0' "$(until_is '0|0 0|0' state)"
    at commit
    lose "$loss" commit
    end_session
    same "$loss, decided: committed" '1|0 1|0' "$(until_is '1|0 1|0' state)"
    for name in a b; do ask "$name" part 'truncate t' >/dev/null; done
done
same 'no decision is left' 0 "$(until_is 0 ask proxy postgres 'select count(*) from plproxy_internal.prepared_transactions')"

# ---- what is under way is left alone, by the server itself and by its copies

at prepared
round
same 'what a session is at is left alone' '0|1 0|1' "$(state)"
standby_start beside proxy "${settings[@]}"
before=$(logged 'the extension is not installed there' beside)
same 'no process of a standby' '' "$(ask beside postgres "select pid from pg_stat_activity where backend_type like 'plproxy%'")"
server_promote beside
same 'after its promotion it is at work' yes "$(until_is yes said_times $((before + 2)) 'the extension is not installed there' beside)"
same 'and leaves alone what the original is at' '0|1 0|1' "$(state)"
kill -9 "$worker"; gone "$worker"; alive proxy
end_session
same 'which the original ends' '0|0 0|0' "$(until_is '0|0 0|0' state)"
server_stop beside

# ---- errors

server_stop b
same 'a partition that is down: a line of the log' yes \
    "$(until_is yes said_times 2 'LOG:  PL/Proxy recovery: database "postgres": cluster "parts": partition 1: ')"
server_launch b same
ask proxy postgres 'drop user mapping for public server parts' >/dev/null
same 'no user mapping: the same' yes \
    "$(until_is yes said_times 2 'LOG:  PL/Proxy recovery: database "postgres": cluster "parts": .*user mapping not found')"
ask proxy postgres "create user mapping for public server parts options (user 'postgres')" >/dev/null
ask proxy postgres "alter database postgres set default_transaction_isolation = serializable; alter database postgres set default_transaction_read_only = on" >/dev/null
at_prepared_anyhow() {
    begin_session
    say_to_session "set transaction isolation level read committed read write; $WORK;"
    until_is '0|1 0|1' state >/dev/null
}
at_prepared_anyhow
ask proxy postgres "set default_transaction_read_only = off; create role plain; alter database postgres set role = plain;
    alter database postgres set exit_on_error = on; alter database postgres set session_replication_role = replica" >/dev/null
kill -9 "$worker"; gone "$worker"; alive proxy
end_session
same 'settings of the database are not for it' '0|0 0|0' "$(until_is '0|0 0|0' state)"
ask proxy postgres 'set role none; set default_transaction_read_only = off; alter database postgres reset all' >/dev/null
# Rows that count for nothing cost nothing.
ask proxy postgres "grant usage on schema plproxy_internal to plain; grant all on all tables in schema plproxy_internal to plain;
    set role plain; insert into plproxy_internal.prepared_transactions
    select 'forged' || n, 'forged' || n, 1, 'a', 'b', '1', now() from generate_series(1, 500) n" >/dev/null
round
same 'forged decisions name no cluster' '500 0' \
    "$(ask proxy postgres 'select count(*) from plproxy_internal.prepared_transactions') $(logged forged)"
ask proxy postgres "delete from plproxy_internal.prepared_transactions; drop owned by plain; drop role plain" >/dev/null

# It looks for no function by a name, which another might have by then.
ask proxy postgres 'alter function plproxy_recover_prepared(text) rename to elsewhere' >/dev/null
ask proxy postgres "create function plproxy_recover_prepared(text, out partition int, out gid text, out action text) returns setof record
    language plpgsql as \$\$ begin raise exception 'not to be called'; end \$\$" >/dev/null
at prepared
lose killed prepared
end_session
same 'whatever its function is called' '0|0 0|0' "$(until_is '0|0 0|0' state)"
same 'and nobody else is called' 0 "$(logged 'not to be called')"
ask proxy postgres 'drop function plproxy_recover_prepared(text)' >/dev/null
ask proxy postgres 'alter function elsewhere(text) rename to plproxy_recover_prepared' >/dev/null

# ---- whom it must not be in the way of

launcher() { ask proxy postgres "select pid from pg_stat_activity where backend_type = 'plproxy recovery launcher'"; }
was=$(until_is_some launcher)
ask proxy postgres "select pg_terminate_backend($was)" >/dev/null
is_another() { local now; now=$(launcher); [ -z "$now" ] || [ "$now" = "$was" ] || echo yes; }
same 'terminated: it is started again' yes "$(until_is yes is_another)"
# A partition that has let it in, and does not answer: the round gives up, and the next one tries again.
block 'set allow_system_table_mods = on; alter view pg_catalog.pg_prepared_xacts alter gid drop default'
same 'no answer: it gives up in time, and says so' yes \
    "$(until_is yes said_times 2 'cluster "parts": gave up after 10 s, as a partition did not answer')"
unblock
# A round that waits for a partition which does not answer.
listener=$(server_pid b)
kill -STOP "$listener"
in_round() { ask proxy postgres "select pid from pg_stat_activity where backend_type = 'plproxy recovery worker' and datname = 'postgres' and wait_event_type = 'Extension'"; }
same 'a round that waits' yes "$([ -n "$(until_is_some in_round)" ] && echo yes)"
same 'gives way when it is asked' t "$(ask proxy postgres "select bool_and(pg_terminate_backend(pid, 60000)) from pg_stat_activity where backend_type = 'plproxy recovery worker'")"
same 'and another round waits' yes "$([ -n "$(until_is_some in_round)" ] && echo yes)"
started=$SECONDS
server_stop proxy fast
kill -CONT "$listener"
same 'a fast shutdown does not wait for it' yes "$([ $((SECONDS - started)) -lt 30 ] && echo yes)"
server_launch proxy same
alive proxy
same 'a database is dropped' '' "$(ask proxy postgres 'drop database bare with (force)')"
same 'and missed, in words' yes "$(until_is yes said_times 1 'database "bare" does not exist')"

# ---- settings

same 'the list needs a restart' 'ERROR:  parameter "plproxy.recovery_databases" cannot be changed without restarting the server' \
    "$(ask proxy postgres "set plproxy.recovery_databases = 'a'")"
sed_conf "s/plproxy.recovery_interval = .*/plproxy.recovery_interval = '1h'/"
ask proxy postgres 'select pg_reload_conf()' >/dev/null
same 'the interval does not' 1h "$(until_is 1h ask proxy postgres 'show plproxy.recovery_interval')"
sed_conf "s/plproxy.recovery_databases = .*/plproxy.recovery_databases = 'a,,b'/"
server_restart proxy
alive proxy
same 'no list: a word about it' yes "$(until_is yes said_times 1 'invalid list syntax in parameter "plproxy.recovery_databases"')"
same 'and no launcher' '' "$(launcher)"

# ---- what is ended by somebody else meanwhile

at prepared
lose killed prepared
end_session
first=$(ask b part 'select gid from pg_prepared_xacts')
second=${first%_*_*}_9_${first##*_}
ask b part "begin; insert into t values (2); prepare transaction '$second'" >/dev/null
same 'two are prepared' "$first,$second" "$(ask b part "select string_agg(gid, ',' order by gid) from pg_prepared_xacts")"
# The end of the first waits for a standby.
ask b postgres "alter system set synchronous_standby_names = 'nobody'" >/dev/null
ask b postgres 'select pg_reload_conf()' >/dev/null
until_is nobody ask b postgres 'show synchronous_standby_names' >/dev/null
recover >"$PLPROXY_RUN/recovered" 2>&1 & recovering=$!
same 'the recovery ends the first' yes "$([ -n "$(until_is_some process b "wait_event = 'SyncRep'")" ] && echo yes)"
ask b part "set synchronous_commit = local; rollback prepared '$second'" >/dev/null
ask b postgres 'alter system reset synchronous_standby_names' >/dev/null
ask b postgres 'select pg_reload_conf()' >/dev/null
wait "$recovering"
same 'what is ended meanwhile is no error' '0|rolled back;1|rolled back' "$(cat "$PLPROXY_RUN/recovered")"
same 'and nothing is left' '0|0 0|0' "$(state)"
finish
