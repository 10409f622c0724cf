#!/usr/bin/env bash
# Throwaway PgBouncers in front of the servers of a run (scripts/server.sh); they end with the run. As a library (sourced)
# or as a command, within a run directory:
#   scripts/pooler.sh start NAME SERVER [options]   in front of that server, all its databases; prints nothing
#   scripts/pooler.sh restart NAME [shutdown]       killed, or shut down, and started again on the same port
#   scripts/pooler.sh kill NAME | port NAME
#   scripts/pooler.sh admin NAME COMMAND            a command of its administration console, such as SHOW POOLS
#
# Options of start:
#   --program debian|newer   Debian 12's (1.18), or one that knows max_prepared_statements (default)
#   --include FILE           settings from a file, which ours come after
#   --set 'name = value'     a line of the section [pgbouncer]; may be repeated
#   --users FILE             the auth_file (default: the superuser with its password)
#
# It listens on 127.0.0.1, asks for passwords by SCRAM and runs as the user that servers run as.

source "$(dirname "${BASH_SOURCE[0]}")/server.sh"

pooler_port() { cat "$(server_dir "$1")/port"; }
pooler_log() { printf '%s/log' "$(server_dir "$1")"; }

# pooler_connstr NAME DATABASE: the password comes from a user mapping or from the password file.
pooler_connstr() { printf 'host=127.0.0.1 port=%s dbname=%s' "$(pooler_port "$1")" "$2"; }

pooler_start() {
    local name=$1 server=$2 program=newer include='' users='' dir poolers
    local -a settings=()
    shift 2
    while [ $# -gt 0 ]; do
        case $1 in
            --program) program=$2 ;;
            --include) include=$2 ;;
            --set) settings+=("$2") ;;
            --users) users=$2 ;;
            *) die "pooler_start: unknown option $1" ;;
        esac
        shift 2
    done
    poolers=$("$SCRIPTS/tree.sh" pgbouncer)
    dir=$(server_dir "$name")
    [ ! -e "$dir" ] || die "something called $name is there already"
    mkdir "$dir"
    [ "$(id -u)" != 0 ] || chown $NOBODY:$NOBODY "$dir"
    echo "$poolers/$program/pgbouncer" >"$dir/program"
    server_tree "$server" >"$dir/psql_tree"
    # The files hold a password, so they belong to the pooler's user alone.
    if [ -n "$users" ]; then cat "$users"; else
        printf '"postgres" "%s"\n' "$(cat "$PLPROXY_RUN/password")"
    fi | as_server bash -c 'umask 077; cat >"$1"' - "$dir/users"
    {
        printf '%s\n' '[databases]' "* = host=127.0.0.1 port=$(server_port "$server")" '[pgbouncer]'
        [ -z "$include" ] || cat "$include"
        printf '%s\n' 'listen_addr = 127.0.0.1' 'unix_socket_dir =' 'auth_type = scram-sha-256' \
            "auth_file = $dir/users" 'admin_users = postgres' "logfile = $dir/log" "pidfile = $dir/pidfile"
        [ ${#settings[@]} = 0 ] || printf '%s\n' "${settings[@]}"
    } | as_server tee "$dir/base.ini" >/dev/null
    pooler_launch "$name" any
}

# pooler_launch NAME same|any: on the port that it had, or on any free one.
pooler_launch() {
    local name=$1 which=$2 dir port try pid
    dir=$(server_dir "$name")
    use_ground_libs
    for try in 1 2 3 4 5 6 7 8 9 10; do
        if [ "$which" = same ]; then port=$(pooler_port "$name"); else port=$(free_port); fi
        { cat "$dir/base.ini"; echo "listen_port = $port"; } | as_server tee "$dir/pgbouncer.ini" >/dev/null
        rm -f "$dir/pidfile"
        as_server "$(cat "$dir/program")" -q -d "$dir/pgbouncer.ini" >>"$dir/started" 2>&1 9>&- </dev/null || break
        if pid=$(program_listens "$dir" "$port"); then
            echo "$pid" >"$dir/program.pid"
            cat "/proc/$pid/comm" >"$dir/comm"
            if [ "$which" = any ]; then
                echo "$port" >"$dir/port"
                printf '127.0.0.1:%s:*:postgres:%s\n' "$port" "$(cat "$PLPROXY_RUN/password")" >>"$PLPROXY_RUN/pgpass"
            fi
            return
        fi
    done
    tail -n 20 "$dir/started" "$dir/log" >&2 2>/dev/null || true
    die "pooler $name did not start (try $try)"
}

pooler_kill() { [ ! -f "$(server_dir "$1")/program.pid" ] || program_end "$(server_dir "$1")"; }

# pooler_restart NAME [kill|shutdown]: after `kill -9`, or after it has said goodbye to its clients.
pooler_restart() {
    if [ "${2:-kill}" = shutdown ]; then pooler_admin "$1" shutdown >/dev/null 2>&1 || true; fi
    pooler_kill "$1"
    pooler_launch "$1" same
}

# pooler_admin NAME COMMAND: the answer without headings, columns apart by a vertical bar.
pooler_admin() {
    PGHOST=127.0.0.1 PGPORT=$(pooler_port "$1") PGUSER=postgres PGDATABASE=pgbouncer PGPASSFILE=$PLPROXY_RUN/pgpass \
        "$(tree_bin "$(cat "$(server_dir "$1")/psql_tree")")/psql" -XAtq -c "$2"
}

pooler_command() {
    local command=${1:-}; shift || true
    case $command in
        start|restart|kill|port|admin) ;;
        *) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
    esac
    [ -f "${PLPROXY_RUN:-}/password" ] || die "PLPROXY_RUN does not name a run directory (scripts/server.sh new makes one)"
    [ $# -gt 0 ] || die "which pooler? scripts/pooler.sh $command NAME"
    export PGPASSFILE=$PLPROXY_RUN/pgpass
    use_ground_libs
    "pooler_$command" "$@"
}

[ "${BASH_SOURCE[0]}" != "$0" ] || pooler_command "$@"
