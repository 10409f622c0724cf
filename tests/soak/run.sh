#!/usr/bin/env bash
# The soak test: 16 sessions that call without a pause on 16 partitions, on two servers, while servers are killed, stopped and
# restarted, connections cut, partitions repointed and calls cancelled, at random times. Every result is compared with what it
# must be. Ends with a report, and "N passed, N failed".
#
#   PLPROXY_TREE=… MINUTES=30 SEED=1 tests/soak/run.sh       (or: SECONDS_LONG=20)
#   SHARED_CONNECTIONS=3                                     the sessions share so many connections to each partition
#
# The same seed gives the same faults at the same times, and the same calls in each session, as far as the machine does.

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
need_tree
HERE=$ROOT/tests/soak
SECONDS_LONG=${SECONDS_LONG:-$((${MINUTES:-30} * 60))}
SEED=${SEED:-1}

run_begin
trap 'rc=$?; soak_end || true; run_end $rc' EXIT
soak=''
# What was stopped must go on, or it cannot be ended.
soak_end() {
    local name pid
    [ -z "$soak" ] || kill "$soak" 2>/dev/null || true
    for name in left right; do
        [ -e "$(server_dir $name)" ] || continue
        pid=$(server_pid "$name") || continue
        { echo "$pid"; grep -lsE "^PPid:[[:space:]]*$pid\$" /proc/[0-9]*/status | cut -d/ -f3 || true; } \
            | xargs -r kill -CONT 2>/dev/null || true
    done
}

settings=(--auth trust --set 'shared_buffers = 32MB' --set "lc_messages = 'C'")
for name in left right; do server_start "$name" "${settings[@]}" --max-connections 400; done
for ((n = 0; n < 16; n++)); do
    name=$([ "$n" -lt 8 ] && echo left || echo right)
    server_psql "$name" -q -c "create database part$n"
    server_psql "$name" -q -d "part$n" -f "$HERE/partition.sql"
done
preloaded=()
[ "${SHARED_CONNECTIONS:-0}" = 0 ] || preloaded=(--set "shared_preload_libraries = 'plproxy'")
server_start proxy "${settings[@]}" "${preloaded[@]}" --set 'plproxy.standard_sqlstates = on'
server_psql proxy -q -v left="$(server_port left)" -v right="$(server_port right)" -v left_dir="$(server_dir left)" \
    -v right_dir="$(server_dir right)" -f "$HERE/proxy.sql"
server_psql proxy -q -c "alter server soak options (add shared_connections '${SHARED_CONNECTIONS:-0}')"

rc=0
# In the background, so that an interrupt is answered at once. It starts servers, which run in its process group.
"$PLPROXY_SOAK" "$SECONDS_LONG" "$SEED" >"$PLPROXY_RUN/soak.out" 2>&1 &
soak=$!
wait "$soak" || rc=$?
soak=''
cat "$PLPROXY_RUN/soak.out"
tally "$(count_summary passed "$PLPROXY_RUN/soak.out")" "$(count_summary failed "$PLPROXY_RUN/soak.out")"
exit $rc
