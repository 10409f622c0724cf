#!/usr/bin/env bash
# Copies of the proxy's server: a base backup that is started beside it, a standby that is promoted, a dump restored elsewhere. What
# the one has under way the other leaves alone, until it is told that the first is gone. Needs PLPROXY_TREE.

source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"

# What the server calls itself that has prepared something.
id_of_prepared() { ask a part "select split_part(gid, '_', 4) from pg_prepared_xacts limit 1"; }
# copy NAME: a base backup of the proxy, as it is now, started beside it
copy() {
    standby_start "$1" proxy "${settings[@]}"
    server_stop "$1"
    rm "$(server_dir "$1")/data/standby.signal"
    server_launch "$1" same
}
end_worker() {
    kill -9 "$worker"
    gone "$worker"
    alive "$1"
    end_session
}

# ---- a base backup

at prepared
original=$(id_of_prepared)
copy beside
same 'a copy leaves alone what the original is at' "0|of server $original;1|of server $original" "$(recover beside)"
same 'it is still prepared' '0|1 0|1' "$(state)"
say_to_session 'commit;'
end_session
same 'and is committed' '1|0 1|0' "$(state)"
same 'without a warning' 0 "$(grep -c WARNING "$PLPROXY_RUN/session.log" || true)"
same 'nor has the original anything to tell' '' "$(recover)"
clear

at prepared beside
copied=$(id_of_prepared)
same 'the copy calls itself something else' yes "$([ "$copied" != "$original" ] && [ "${#copied}" = 16 ] && echo yes)"
same 'the original leaves alone what the copy is at' "0|of server $copied;1|of server $copied" "$(recover)"
end_worker beside
same 'also when that is lost' "0|of server $copied;1|of server $copied" "$(recover)"
same 'which is for the copy to end' '0|rolled back;1|rolled back' "$(recover beside)"

# Decided by the original, and inherited by a copy: that is for the original, too.
at commit
lose killed commit
end_session
same 'decided, and not finished' '1|0 0|1' "$(state)"
copy later
same 'a copy that has the decision' "0|decided on server $original;1|of server $original" "$(recover later)"
same 'the original finishes it' '1|committed' "$(recover)"
same 'all is there' '1|0 1|0' "$(state)"
same 'the copy tells what it has of it' "0|decided on server $original;1|decided on server $original" "$(recover later)"
same 'and forgets it when the original is gone' '' "$(recover later "$original")"
same 'for ever' '' "$(recover later)"
clear
server_stop later

# ---- the original is gone, and the copy, or a standby that is promoted, takes its place

standby_start standby proxy "${settings[@]}"
standbys_stream proxy 1
at commit
lose killed commit
end_session
begin_session
say_to_session "$WORK;"
until_is '1|1 0|2' state >/dev/null
caught_up() { [ "$(ask standby postgres 'select pg_last_wal_replay_lsn()')" = "$(ask proxy postgres 'select pg_current_wal_flush_lsn()')" ]; }
until_true 30 caught_up
same 'a standby recovers nothing' \
    'ERROR:  PL/Proxy function public.plproxy_recover_prepared(1): prepared transactions cannot be recovered on a standby server' \
    "$(recover standby)"
server_promote standby
same 'a promoted standby leaves alone what the original is at' \
    "0|decided on server $original;0|of server $original;1|of server $original;1|of server $original" "$(recover standby)"
same 'nothing is changed' '1|1 0|2' "$(state)"
kill -9 "$worker" "$(server_pid proxy)"
gone "$worker"
while server_running proxy; do sleep 0.05; done
end_session
same 'also when that is gone' \
    "0|decided on server $original;0|of server $original;1|of server $original;1|of server $original" "$(recover standby)"
same 'it is told so' '0|rolled back;1|committed;1|rolled back' "$(recover standby "$original")"
same 'what was decided is everywhere, and nothing else' '1|0 1|0' "$(state)"
same 'nothing is left' '' "$(recover standby)"
for name in a b; do ask "$name" part 'truncate t' >/dev/null; done
same 'it does not take itself for lost' \
    'ERROR:  PL/Proxy function public.plproxy_recover_prepared(2): this is the server itself that is to be lost' \
    "$(at prepared standby; recover standby "$(id_of_prepared)"; say_to_session 'rollback;'; end_session)"
server_launch proxy same
clear

# ---- a dump

at prepared
same 'a session that has decided' 1 "$(ask proxy postgres "select count(*) from pg_stat_activity where pid = $worker")"
say_to_session 'commit;'
end_session
same 'the original has decisions' 2 "$(ask proxy postgres 'select count(*) from plproxy_internal.prepared_transactions')"
server_tool proxy pg_dump -d postgres >"$PLPROXY_RUN/dump.sql"
server_start restored "${settings[@]}"
server_psql restored -q -f "$PLPROXY_RUN/dump.sql" >/dev/null
clear
same 'a restored dump has none' 0 "$(ask restored postgres 'select count(*) from plproxy_internal.prepared_transactions')"
at prepared
same 'and sees nothing of the original' '' "$(recover restored)"
say_to_session 'commit;'
end_session
same 'which commits' '1|0 1|0' "$(state)"
clear

# ---- a data directory that was moved

at prepared
here=$(id_of_prepared)
end_worker proxy
server_stop proxy
as_server mv "$(server_dir proxy)/data" "$(server_dir proxy)/moved"
as_server cp -a "$(server_dir proxy)/moved" "$(server_dir proxy)/data"
server_launch proxy same
same 'it does not know itself again' "0|of server $here;1|of server $here" "$(recover)"
same 'until it is told' '0|rolled back;1|rolled back' "$(recover proxy "$here")"
# The same directory at the same place is the same server, however often it crashes.
at prepared
here=$(id_of_prepared)
lose machine prepared
end_session
same 'after a crash it does' '0|rolled back;1|rolled back' "$(recover)"

# ---- a data directory that was put back in place: the same server, with the numbers of transactions to be given again

server_stop proxy
as_server cp -a "$(server_dir proxy)/data" "$(server_dir proxy)/kept"
server_launch proxy same
at prepared
transaction=$(ask a part "select split_part(gid, '_', 5) from pg_prepared_xacts")
kill -9 "$worker" "$(server_pid proxy)"
gone "$worker"
while server_running proxy; do sleep 0.05; done
end_session
# PG_VERSION stays the file that it is.
as_server find "$(server_dir proxy)/data" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec rm -rf {} +
as_server cp -a "$(server_dir proxy)/kept/." "$(server_dir proxy)/data"
server_launch proxy same
alive proxy
given() { ask proxy postgres 'select pg_current_xact_id()'; }
for try in $(seq 100); do [ "$(given)" -lt "$transaction" ] || break; done
same 'put back: the number was given again' committed "$(ask proxy postgres "select pg_xact_status('$transaction')")"
same 'put back: that is not what was decided' '0|decision missing;1|decision missing' "$(recover)"
same 'put back: all is as it was' '0|1 0|1' "$(state)"
for name in a b; do
    ask $name part "select format('rollback prepared %L', gid) from pg_prepared_xacts \\gexec" >/dev/null
done

# ---- partitions that are copies, or lie

# One that lists another's transaction as its own, and says that it has committed it: its answer is for itself.
at commit
b_gid=$(ask b part 'select gid from pg_prepared_xacts')
lose killed commit
end_session
ask a part "begin; create table lie (); prepare transaction '$b_gid'" >/dev/null
server_stop b
same 'a partition that lies' '0|committed' "$(recover | sed 's/;1|connection.*//')"
server_launch b same
same 'takes nothing from another' '1|committed' "$(recover)"
same 'all is there' '1|0 1|0' "$(state)"
ask a part 'drop table lie' >/dev/null
clear
at commit
b_gid=$(ask b part 'select gid from pg_prepared_xacts')
lose killed commit
end_session
ask a part "begin; create table lie (); prepare transaction '$b_gid'" >/dev/null
same 'both list it' '0|committed;1|committed' "$(recover)"
same 'both end it' '1|0 1|0' "$(state)"
same 'and it is forgotten' 0 "$(ask proxy postgres 'select count(*) from plproxy_internal.prepared_transactions')"
ask a part 'drop table lie' >/dev/null
clear

# Two that differ by hostaddr only.
server_stop b
echo "$(server_port a)" >"$(server_dir b)/port"
printf '%s\n' "listen_addresses = '127.0.0.2'" | as_server tee -a "$(server_dir b)/data/postgresql.conf" >/dev/null
printf '%s\n' 'host all all 127.0.0.0/8 trust' | as_server tee -a "$(server_dir b)/data/pg_hba.conf" >/dev/null
server_launch b same || true
b_psql() { PGHOST=127.0.0.2 PGPORT=$(server_port b) PGUSER=postgres "$(tree_bin "$PLPROXY_TREE")/psql" -X "$@"; }
ask() { { if [ "$1" = b ]; then b_psql -Atq -d "$2" <<<"$3"; else server_psql "$1" -Atq -d "$2" <<<"$3"; fi 2>&1 || true; } \
    | sed -E 's/port([ =])[0-9]+/port\1N/g' | paste -sd ';' -; }
ask proxy postgres "alter server parts options (set p0 'host=db hostaddr=127.0.0.1 dbname=part port=$(server_port a)',
    set p1 'host=db hostaddr=127.0.0.2 dbname=part port=$(server_port b)')" >/dev/null
at commit
lose killed commit
end_session
same 'hostaddr: decided, and not finished' '1|0 0|1' "$(state)"
same 'hostaddr: the recovery' '1|committed' "$(recover)"
same 'hostaddr: all is there' '1|0 1|0' "$(state)"

finish
