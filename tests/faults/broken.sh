# Broken servers: each can do no more than fail the call. One session meets them all, and lives on with its memory.

# How each call ends: what goes on for ever is ended by the caller's timeout, anything else by itself, and in time.
ENDLESS='auth_loop auth_md5_loop settings_loop startup_notices error_endless notices rows notifications notifications_late
    errors_late dribble absurd_length absurd_value startup_absurd'
ODD='startup_garbage startup_closed auth_unknown garbage zeros truncated truncated_row more_values fewer_values more_columns
    no_columns absurd_count negative_length short_length negative_value unknown_message row_first ready_only
    error_after_rows error_bare bad_text'
matches() { [[ $1 =~ $2 ]]; }
broken() {
    local name
    echo 'select count(*) from same_all(1);'
    for name in $ODD $ENDLESS; do
        case " $ENDLESS " in *[[:space:]]"$name"[[:space:]]*) echo 'set statement_timeout = 1000;' ;; esac
        echo "select '$name', outcome, ms <= 30000 from timed(\$\$select count(*) from look('$(at "$BROKEN" "$name")
            password=x', 'select 1')\$\$);"
        # A call to a sound partition, in the same session.
        echo 'reset statement_timeout;'
        echo "select 'sound', same_on(7);"
    done
    echo "\\! grep VmHWM /proc/\$(cat $PLPROXY_RUN/broken.pid)/status"
}
QUIET_ERRORS="set client_min_messages = error; set work_mem = 1024;"
{
    echo "$QUIET_ERRORS"
    echo "\\o $PLPROXY_RUN/broken.pid"
    echo 'select pg_backend_pid();'
    echo '\o'
    broken
} | proxy >"$PLPROXY_RUN/broken.out" 2>&1 || true
for name in $ODD; do
    got=$(sed -n "s/^$name //p" "$PLPROXY_RUN/broken.out")
    check "broken.$name ($got)" matches "$got" '^(08|22|42|XX|28|53|54|0A|P0)... t$'
done
for name in $ENDLESS; do
    got=$(sed -n "s/^$name //p" "$PLPROXY_RUN/broken.out")
    check "broken.$name ($got)" matches "$got" '^(57014|08...|22012|54...|53...) t$'
done
# shellcheck disable=SC2086 # counts words
same broken.sound_calls "$(echo $ODD $ENDLESS | wc -w)" "$(grep -c '^sound 7$' "$PLPROXY_RUN/broken.out")"
peak=$(awk '/VmHWM/ { print $2 }' "$PLPROXY_RUN/broken.out")
check "broken.memory (peak of the backend: $((${peak:-9999999} / 1024)) MB)" [ "${peak:-9999999}" -lt 64000 ]

# A server that cannot start another process has only this to say, in the form of an old protocol.
server_start forkless --auth trust --set 'shared_buffers = 16MB' --set "lc_messages = 'C'"
as_server prlimit --nproc=1:1 --pid "$(server_pid forkless)"
same broken.forkless "connection to server at \"127.0.0.1\", port $(server_port forkless) failed: \
could not fork new process for connection: Resource temporarily unavailable" \
    "$(proxy -c "select look('$(at "$(server_port forkless)")', 'select 1')" 2>&1 | sed -n 's/^ERROR: .*\] //p')"

server_stop forkless
