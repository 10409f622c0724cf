# Throwaway exporters of servers' numbers and a Prometheus that collects them; they end with the run. Sourced.
#
#   exporter_start NAME SERVER QUERIES   prometheus-postgres-exporter for that server's database postgres, as the role monitor
#                                        with the password MONITOR_PASSWORD, with the queries of that file
#   prometheus_start NAME DIRECTORY      Prometheus with DIRECTORY/prometheus.yml
#   exporter_metrics NAME                all that it exports
#   alert_state ALERT                    firing, pending or inactive, as Prometheus says; fails when it does not answer
#
# They listen on 127.0.0.1 and run as the user that servers run as.

source "$(dirname "${BASH_SOURCE[0]}")/server.sh"

# program_start NAME command...: on a free port, which stands for PORT in its arguments.
program_start() {
    local name=$1 dir port try pid
    shift
    dir=$(server_dir "$name")
    for ((try = 1; try <= 10; try++)); do
        port=$(free_port)
        rm -f "$dir/pidfile"
        # shellcheck disable=SC2016 # expanded by the shell that becomes the program
        (trap - EXIT; as_server bash -c 'echo $$ >"$0"; exec "$@"' "$dir/pidfile" "${@//PORT/$port}" \
            >>"$PLPROXY_RUN/$name.log" 2>&1 9>&- </dev/null) &
        disown $!
        if pid=$(program_listens "$dir" "$port"); then
            echo "$pid" >"$dir/program.pid"
            cat "/proc/$pid/comm" >"$dir/comm"
            echo "$port" >"$dir/port"
            return
        fi
    done
    tail -n 20 "$PLPROXY_RUN/$name.log" >&2
    die "$name did not start (try $try)"
}

# program_directory NAME: of its user.
program_directory() {
    local dir; dir=$(server_dir "$1")
    mkdir "$dir"
    [ "$(id -u)" != 0 ] || chown $NOBODY:$NOBODY "$dir"
    printf '%s' "$dir"
}

exporter_start() {
    local name=$1 server=$2 queries=$3 dir
    dir=$(program_directory "$name")
    # As Debian has it in /etc/default, but for the password: in a file of its user's, in no environment and no arguments.
    printf '%s' "$MONITOR_PASSWORD" | as_server bash -c 'umask 077; cat >"$1"' - "$dir/password"
    as_server cp "$queries" "$dir/queries.yaml"
    # The exporter's own numbers are those of the PostgreSQL that it knows; Debian's knows none after 15.
    program_start "$name" env "DATA_SOURCE_URI=127.0.0.1:$(server_port "$server")/postgres?sslmode=disable" \
        DATA_SOURCE_USER=monitor "DATA_SOURCE_PASS_FILE=$dir/password" \
        "$PROMETHEUS/usr/bin/prometheus-postgres-exporter" --web.listen-address=127.0.0.1:PORT \
        --extend.query-path="$dir/queries.yaml" --disable-default-metrics --disable-settings-metrics \
        --no-collector.database --no-collector.bgwriter
}

prometheus_start() {
    local name=$1 dir
    dir=$(program_directory "$name")
    as_server cp -r "$2/." "$dir/"
    program_start "$name" "$PROMETHEUS/usr/bin/prometheus" --web.listen-address=127.0.0.1:PORT \
        --web.local-assets="$PROMETHEUS/usr/share/prometheus/web/" --config.file="$dir/prometheus.yml" \
        --storage.tsdb.path="$dir/data" --log.level=warn
}

# http_get PORT PATH: the body of the answer.
http_get() {
    local connection
    { exec {connection}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&"$connection"
    sed $'1,/^\r$/d' <&"$connection"
    exec {connection}>&-
}

exporter_metrics() { http_get "$(server_port "$1")" /metrics; }

alert_state() {
    local answer
    answer=$(http_get "$(server_port prometheus)" /api/v1/alerts) && [[ $answer == *'"status":"success"'* ]] || return 1
    # Of several alerts of that name the one that has come farthest.
    answer=$(sed 's/{"labels"/\n&/g' <<<"$answer" | grep -F "\"alertname\":\"$1\"" || true)
    case $answer in
        *'"state":"firing"'*) echo firing ;;
        *'"state":"pending"'*) echo pending ;;
        *) echo inactive ;;
    esac
}
