# Settings called plproxy.… where the library is preloaded: what is misspelt in postgresql.conf is told in the log when the server
# starts, what is misspelt for a session at its first call; users' own settings stay.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree

ask() { server_psql proxy -qAt "$@" 2>&1 || true; }

run_begin
server_start proxy --auth trust --set "shared_preload_libraries = 'plproxy'" --set 'plproxy.standard_sqlstate = on' \
    --set "plproxy.shard = '7'" --set 'plproxy.log_min_duration = 10min'
warned=$(grep -c 'unrecognized configuration parameter "plproxy.standard_sqlstate"' "$(server_dir proxy)/log" || true)
same 'postgresql.conf: told once, when the server starts' 1 "$warned"
same 'with what was meant' 1 "$(grep -c 'HINT: .*"plproxy.standard_sqlstates"' "$(server_dir proxy)/log" || true)"
same 'of nothing else' 1 "$(grep -c 'unrecognized configuration parameter' "$(server_dir proxy)/log" || true)"
setup="create extension plproxy; create function here() returns int language plproxy as
    \$\$ connect 'host=127.0.0.1 port=$(server_port proxy) dbname=postgres user=postgres'; select 1; \$\$"
same 'a session has nothing to be told' '' "$(ask -c "$setup")"
same 'its call neither' 1 "$(ask -c 'select here()')"
same 'settings stay' '7|on|10min' "$(ask -c "select current_setting('plproxy.shard'),
    current_setting('plproxy.standard_sqlstate'), current_setting('plproxy.log_min_duration') from here()")"
same 'a setting of the session' 'WARNING:  unrecognized configuration parameter "plproxy.log_min_durations"
HINT:  Perhaps you meant "plproxy.log_min_duration".
1
1
5' "$(ask -c "set plproxy.log_min_durations = 5" -c 'set plproxy.other = 5' -c 'select here()' -c 'select here()' \
    -c 'show plproxy.other')"
ask -c 'alter role postgres set plproxy.max_track_partitions = 5' >/dev/null
same 'a setting of the role' 'WARNING:  unrecognized configuration parameter "plproxy.max_track_partitions"
HINT:  Perhaps you meant "plproxy.max_tracked_partitions".
1' "$(ask -c 'select here()')"
ask -c 'alter role postgres reset all' >/dev/null
parallel="set debug_parallel_query = on"
[ "$PGMAJOR" -ge 16 ] || parallel="set force_parallel_mode = on"
same 'workers of a parallel query tell nothing again' 'WARNING:  unrecognized configuration parameter "plproxy.log_min_durations"
HINT:  Perhaps you meant "plproxy.log_min_duration".
7583' "$(ask -c 'set plproxy.log_min_durations = 5' -c "$parallel" -c 'alter function plproxy_hash(anyelement) parallel safe' \
    -c 'select here()' -c 'select abs(plproxy_hash(7583::int8))' | grep -v '^1$')"
printf '%s passed, %s failed\n' "$passed" "$failed"
tally "$passed" "$failed"
[ "$failed" = 0 ]
