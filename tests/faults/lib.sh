# What the families of fault tests share. Sourced by run.sh after scripts/tally.sh and scripts/replicas.sh.
#
# Times are taken inside of the servers, which all have this machine's clock. The limits are those of an idle machine. What
# takes longer is measured against how busy this one is at that moment, and has three attempts.

PARTITIONS=32

# busy: how many times longer than on an idle machine a piece of work takes now, in hundredths; 100 at the least.
busy() {
    local TIMEFORMAT='%3R %3U %3S' real user system i
    read -r real user system < <({ time for ((i = 0; i < 40000; i++)); do :; done; } 2>&1 | tr -d .)
    real=$((10#$real * 100 / (10#$user + 10#$system + 1)))
    echo $((real > 100 ? real : 100))
}

# in_time ms limit: whether it is within the limit, or would be if the machine were idle.
in_time() { [ "$1" -le "$2" ] || [ "$1" -le $(($2 * $(busy) / 100)) ]; }

# within name limit outcome command...: the command prints the outcome and the milliseconds it took; '-' is any outcome.
within() {
    local name=$1 limit=$2 wanted=$3 try outcome ms rest=''; shift 3
    for try in 1 2 3; do
        read -r outcome ms rest < <("$@" 2>&1 | xargs) || true
        if [[ ${ms:-} =~ ^[0-9]+$ && -z $rest && ($wanted == - || $outcome == "$wanted") ]] && in_time "$ms" "$limit"; then
            passed=$((passed + 1)); printf 'ok      %s (%s, %s ms of %s)\n' "$name" "$outcome" "$ms" "$limit"
            return
        fi
        printf 'again   %s: %s\n' "$name" "${outcome:-} ${ms:-} $rest"
    done
    failed=$((failed + 1))
    printf 'FAILED  %s\n    wanted: %s within %s ms\n    got:    %s\n' "$name" "$wanted" "$limit" "${outcome:-} ${ms:-} $rest"
}

proxy() { server_psql proxy -AtqF ' ' "$@"; }
one() { server_psql one -AtqF ' ' "$@"; }

# family_of pid: it and its children, for servers that are hit as a whole.
family_of() {
    echo "$1"
    # Some process is always gone before it is looked at.
    { grep -lsE "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status || true; } | cut -d/ -f3
}

# hit server signal: all of a server's processes. STRUCK is when.
hit() {
    local pids; pids=$(family_of "$(server_pid "$1")")
    STRUCK=$(date +%s%3N)
    # shellcheck disable=SC2086 # a list; one that is gone already does not matter
    kill "-$2" $pids 2>/dev/null || true
}

# stuck application: a session of that name is within a statement and has been for a moment.
stuck() {
    said 1 proxy -c "select count(*) from pg_stat_activity where application_name = '$1' and state = 'active'
        and clock_timestamp() - query_start > '150 ms'"
}

HANGS=0
# hang sql: a session of the application name $APP that runs this in the background; its output is in $OUT. Waits until it
# is at it. HUNG is the client itself.
hang() {
    HANGS=$((HANGS + 1)) APP=hang_$BASHPID.$HANGS OUT=$PLPROXY_RUN/out.$BASHPID.$HANGS
    PGAPPNAME=$APP PGHOST=127.0.0.1 PGPORT=$PROXY PGUSER=postgres "$(tree_bin "$PLPROXY_TREE")/psql" -X -Atq -c "$1" \
        >"$OUT" 2>&1 </dev/null &
    HUNG=$!
    until_true 60 stuck "$APP"
}

# at port [dbname]: a connection string.
at() { printf 'host=127.0.0.1 port=%s user=postgres dbname=%s sslmode=disable' "$1" "${2:-postgres}"; }

start_servers() {
    local settings=(--auth trust --set 'shared_buffers = 16MB' --set "lc_messages = 'C'" --max-connections 200)
    # A server that checks itself takes its time.
    local patience=60s; [ -z "${PLPROXY_CHECKED:-}" ] || patience=600s
    server_start one "${settings[@]}" --set 'max_prepared_transactions = 10'
    one -f "$HERE/partition.sql"
    server_start proxy "${settings[@]}" --set "statement_timeout = $patience" \
        --set 'plproxy.standard_sqlstates = on' --set 'temp_file_limit = 1GB'
    ONE=$(server_port one) PROXY=$(server_port proxy)
    proxy -v port="$ONE" -v partitions=$PARTITIONS -f "$HERE/proxy.sql"
    mkfifo "$PLPROXY_RUN/hold"
    exec {HOLD}<>"$PLPROXY_RUN/hold"
    misbehave broken
    read -r BROKEN FULL <<<"$PORTS"
}

PROGRAMS=()
# misbehave arguments...: starts the program of this directory; PORTS is where it listens.
misbehave() {
    local out=$PLPROXY_RUN/ports.${#PROGRAMS[@]}
    # Its standard input is ours to hold: it ends with us at the latest.
    "$PLPROXY_FAULTS" "$@" <"$PLPROXY_RUN/hold" >"$out" {HOLD}>&- &
    PROGRAMS+=($!)
    until_true 60 test -s "$out"
    PORTS=$(cat "$out")
}

# What was stopped must go on, or it cannot be ended.
faults_end() {
    local name pid
    for name in one two left right proxy; do
        [ ! -e "$(server_dir "$name")" ] || hit "$name" CONT
    done
    for pid in ${PROGRAMS[@]+"${PROGRAMS[@]}"}; do kill "$pid" 2>/dev/null || true; done
}
