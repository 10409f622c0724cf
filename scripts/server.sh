#!/usr/bin/env bash
# Throwaway PostgreSQL servers: made in a temporary directory, on free ports, gone when the run ends.
#
# As a library (sourced): run_begin; server_start NAME [options]; server_psql NAME …; everything is stopped and removed
# when the script ends, however it ends. As a command, for other languages and for people:
#   scripts/server.sh new                  makes a run directory and prints it; give it on as PLPROXY_RUN
#   scripts/server.sh start NAME [options] starts a server in it; prints its connection string
#   scripts/server.sh psql NAME [args]     psql as the superuser (`--` not needed)
#   scripts/server.sh tool NAME PROGRAM [args]   any client program, such as pg_dump
#   scripts/server.sh connstr NAME [db]    libpq connection string, with the superuser's password
#   scripts/server.sh port|dir|pid NAME
#   scripts/server.sh stop|kill|restart|promote NAME      (kill: as `kill -9` of the postmaster)
#   scripts/server.sh stop_all             stops all servers of the run and removes its directory
#
# Options of start:
#   --tree PATH           PostgreSQL tree (default: $PLPROXY_TREE, else this checkout's work tree)
#   --max-connections N   (default 100)
#   --set 'name = value'  a line for postgresql.conf; may be repeated
#   --hba 'line'          a line for pg_hba.conf, before ours; may be repeated
#   --auth METHOD         pg_hba method, socket and loopback (default scram-sha-256)
#   --encoding ENC        (default UTF8), --locale LOC (default C.UTF-8)
#   --env NAME=VALUE      in the environment of the server; may be repeated
#   --from COMMAND        instead of initdb: a command that fills the data directory "$PGDATA_NEW", e.g. pg_basebackup
#
# A server runs as nobody when root calls, as PostgreSQL refuses to run as root; else as the caller. It listens on
# 127.0.0.1 and on a socket in its own directory. Superuser: postgres, with a password made for the run, which only
# the run's password file (mode 600, exported as PGPASSFILE) holds.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

NOBODY=65534

# as_server command...: as the user that servers run as, with an environment of its own. RUST_BACKTRACE is left out
# on purpose: with it the first error of each session takes 60 ms.
as_server() {
    local clean=(env -i "PATH=$PATH" "HOME=$PLPROXY_RUN" "LC_ALL=C.UTF-8"
        ${LD_LIBRARY_PATH:+"LD_LIBRARY_PATH=$LD_LIBRARY_PATH"})
    # From the run directory: the caller's own may be closed to nobody, which makes programs complain.
    if [ "$(id -u)" = 0 ]; then
        (cd "$PLPROXY_RUN" && exec setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups "${clean[@]}" "$@")
    else
        (cd "$PLPROXY_RUN" && exec "${clean[@]}" "$@")
    fi
}

# ---- the run

# run_begin: a run directory, and its end with the script's.
run_begin() {
    run_new
    trap 'run_end $?' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

run_new() {
    # Not $TMPDIR: it may be closed to nobody, or too long for a socket's path (107 bytes).
    use_ground_libs
    PLPROXY_RUN=$(mktemp -d /tmp/plproxy-run.XXXXXX)
    export PLPROXY_RUN PGPASSFILE=$PLPROXY_RUN/pgpass
    chmod 755 "$PLPROXY_RUN"
    (umask 077; : >"$PGPASSFILE"; new_password >"$PLPROXY_RUN/password")
}

new_password() { head -c 30 /dev/urandom | base64 | tr -d '+/=\n'; }

run_end() {
    local rc=$1
    trap '' INT TERM HUP
    trap - EXIT
    [ -n "${PLPROXY_KEEP:-}" ] || stop_all
    exit "$rc"
}

# ---- one server

server_dir() { printf '%s/%s' "$PLPROXY_RUN" "$1"; }
server_port() { cat "$(server_dir "$1")/port"; }
server_tree() { cat "$(server_dir "$1")/tree"; }
server_pid() { head -n 1 "$(server_dir "$1")/data/postmaster.pid" 2>/dev/null; }

# server_running NAME: looks at the process itself; a killed server leaves its pid file behind.
server_running() { local pid; pid=$(server_pid "$1") && [ -n "$pid" ] && [ -d "/proc/$pid" ] && ! zombie "$pid"; }
zombie() { grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

server_connstr() {
    printf 'host=127.0.0.1 port=%s user=postgres password=%s dbname=%s' \
        "$(server_port "$1")" "$(cat "$PLPROXY_RUN/password")" "${2:-postgres}"
}

# server_tool NAME program args...: a PostgreSQL client program of the server's tree, connected by the environment.
server_tool() {
    local name=$1 program=$2 port tree; shift 2
    # A server that was started in a subshell may be the first to be run from a new ground.
    use_ground_libs
    port=$(server_port "$name"); tree=$(server_tree "$name")
    PGHOST=127.0.0.1 PGPORT=$port PGUSER=postgres PGPASSFILE=$PLPROXY_RUN/pgpass \
        "$(tree_bin "$tree")/$program" "$@"
}

server_psql() { local name=$1; shift; server_tool "$name" psql -X -v ON_ERROR_STOP=1 "$@"; }

# One session that stays: session_open server [psql options], session "SQL" for the answer's only line, session_close.
session_open() {
    local name=$1; shift
    coproc SESSION { server_psql "$name" -Atq "$@" 2>&1; }
    # The shell forgets it when the session has ended.
    session_pid=$SESSION_PID
}
session() { printf '%s\n' "$1" >&"${SESSION[1]}"; IFS= read -r -t 60 reply <&"${SESSION[0]}"; printf '%s' "$reply"; }
session_close() { printf '%s\n' '\q' >&"${SESSION[1]}"; wait "$session_pid" 2>/dev/null || true; }

# A port that no socket of this machine has, by the kernel's tables: nobody is disturbed by a trial connection.
# Another process may take it before we do; server_start then takes another.
free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 10000))
        grep -qhE "^ *[0-9]+: [0-9A-F]+:$(printf '%04X' "$port") " /proc/net/tcp /proc/net/tcp6 2>/dev/null \
            || { echo "$port"; return; }
    done
}

server_start() {
    local name=$1 tree=${PLPROXY_TREE:-} max=100 auth=scram-sha-256 encoding=UTF8 locale=C.UTF-8 from='' dir data
    local -a conf=() hba=() environment=()
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            --tree) tree=$2 ;;
            --max-connections) max=$2 ;;
            --set) conf+=("$2") ;;
            --hba) hba+=("$2") ;;
            --auth) auth=$2 ;;
            --encoding) encoding=$2 ;;
            --locale) locale=$2 ;;
            --env) environment+=("$2") ;;
            --from) from=$2 ;;
            *) die "server_start: unknown option $1" ;;
        esac
        shift 2
    done
    [ -n "$tree" ] || tree=$("$SCRIPTS/tree.sh" work)
    use_ground_libs

    dir=$(server_dir "$name"); data=$dir/data
    [ ! -e "$dir" ] || die "a server called $name is there already"
    mkdir "$dir"
    echo "$tree" >"$dir/tree"
    server_environment "$name" ${environment[@]+"${environment[@]}"}
    [ "$(id -u)" != 0 ] || chown $NOBODY:$NOBODY "$dir"
    chmod 755 "$dir"
    make_data || { tail -n 20 "$dir/made.log" >&2; die "could not make the data directory of server $name"; }
    # Written through the servers' user, who owns the directory.
    {
        printf '%s\n' "listen_addresses = '127.0.0.1'" "unix_socket_directories = '$dir'" "max_connections = $max" \
            'fsync = off' 'full_page_writes = off' "password_encryption = 'scram-sha-256'" \
            'log_line_prefix = '"'%m [%p] %u@%d '" "cluster_name = '$name'"
        [ ${#conf[@]} = 0 ] || printf '%s\n' "${conf[@]}"
    } | as_server tee -a "$data/postgresql.conf" >/dev/null
    {
        [ ${#hba[@]} = 0 ] || printf '%s\n' "${hba[@]}"
        printf '%s\n' "local all all $auth" "host all all 127.0.0.1/32 $auth" \
            "local replication all $auth" "host replication all 127.0.0.1/32 $auth"
    } | as_server tee "$data/pg_hba.conf" >/dev/null
    server_launch "$name" any
}

# server_environment NAME [NAME=VALUE...]: what the server finds in its environment from its next start on.
server_environment() {
    local dir; dir=$(server_dir "$1"); shift
    : >"$dir/environment"
    [ $# = 0 ] || printf '%s\0' "$@" >"$dir/environment"
}

make_data() {
    if [ -n "$from" ]; then
        as_server env "PGDATA_NEW=$data" "PGPASSWORD=$(cat "$PLPROXY_RUN/password")" "PATH=$(tree_bin "$tree"):$PATH" \
            bash -c "$from" >"$dir/made.log" 2>&1
    else
        # The password reaches initdb in a file of its user's, gone at once: never in a process list.
        as_server bash -c 'umask 077; cat >"$1"; shift; "$@"' - "$dir/pw" \
            "$(tree_bin "$tree")/initdb" -D "$data" -U postgres -A scram-sha-256 --pwfile="$dir/pw" \
            -E "$encoding" --locale="$locale" -N <"$PLPROXY_RUN/password" >"$dir/made.log" 2>&1 || return
        rm "$dir/pw"
    fi
}

# server_launch NAME same|any: starts what is there, on the port that it had, or on any free one.
server_launch() {
    local name=$1 which=$2 dir port tree try
    local -a environment
    dir=$(server_dir "$name"); tree=$(server_tree "$name")
    use_ground_libs
    mapfile -d '' -t environment <"$dir/environment"
    # A killed server may stay a zombie where nobody collects them (containers): PostgreSQL takes that for a live one.
    server_running "$name" || rm -f "$dir/data/postmaster.pid" "$dir"/.s.PGSQL.*
    for ((try = 1; try <= 60; try++)); do
        if [ "$which" = same ]; then port=$(server_port "$name"); else port=$(free_port); fi
        if as_server env ${environment[@]+"${environment[@]}"} "$(tree_bin "$tree")/pg_ctl" start -D "$dir/data" \
            -l "$dir/log" -w -t 60 -s -o "-p $port" >/dev/null 2>&1 </dev/null; then
            if [ "$which" = any ]; then
                echo "$port" >"$dir/port"
                # For the socket, whose "host" is its directory, as well as for TCP.
                printf '%s:%s:*:postgres:%s\n' 127.0.0.1 "$port" "$(cat "$PLPROXY_RUN/password")" \
                    "$dir" "$port" "$(cat "$PLPROXY_RUN/password")" >>"$PLPROXY_RUN/pgpass"
            fi
            return
        fi
        # The port was taken meanwhile, or the processes of a killed server are still going away.
        tail -n 300 "$dir/log" 2>/dev/null | grep -qE 'Address already in use|shared memory block .* still in use' || break
        [ "$which" = any ] || sleep 0.3
    done
    tail -n 20 "$dir/log" >&2
    die "server $name did not start (try $try, port $port)"
}

# server_promote NAME: a standby becomes a primary.
server_promote() {
    as_server "$(tree_bin "$(server_tree "$1")")/pg_ctl" promote -D "$(server_dir "$1")/data" -w -t 60 -s
}

server_restart() { server_stop "$1"; server_launch "$1" same; }

# server_stop NAME [smart|fast|immediate]
server_stop() {
    local name=$1 mode=${2:-fast} dir
    dir=$(server_dir "$name")
    server_running "$name" || return 0
    as_server "$(tree_bin "$(server_tree "$name")")/pg_ctl" stop -D "$dir/data" -m "$mode" -w -t 60 -s >/dev/null 2>&1 \
        || as_server "$(tree_bin "$(server_tree "$name")")/pg_ctl" stop -D "$dir/data" -m immediate -w -t 10 -s \
            >/dev/null 2>&1 \
        || server_kill "$name"
}

# server_kill NAME: as if the machine had lost it. Its backends notice on their own.
server_kill() {
    local pid; pid=$(server_pid "$1") || return 0
    ! server_running "$1" || kill -9 "$pid"
    while server_running "$1"; do sleep 0.05; done
}

stop_all() {
    local dir
    [ -n "${PLPROXY_RUN:-}" ] && [ -d "$PLPROXY_RUN" ] || return 0
    for dir in "$PLPROXY_RUN"/*/; do
        # Programs in front of servers (scripts/pooler.sh, scripts/prometheus.sh) first, or they would look for their servers.
        [ ! -f "$dir/program.pid" ] || program_end "$dir"
    done
    for dir in "$PLPROXY_RUN"/*/; do
        [ -f "$dir/tree" ] || continue
        server_stop "$(basename "$dir")" || true
    done
    rm -rf "$PLPROXY_RUN"
}

# program_listens directory port: waits until the program of that directory, whose process its pidfile names, listens, and prints
# the process; fails when it has ended instead.
program_listens() {
    local dir=$1 port pid='' seen limit=$((SECONDS + 60))
    port=$(printf '%04X' "$2")
    while [ $SECONDS -lt $limit ]; do
        seen=$(cat "$dir/pidfile" 2>/dev/null || true)
        pid=${seen:-$pid}
        if [ -n "$pid" ]; then
            [ -d "/proc/$pid" ] && ! zombie "$pid" || return 1
            if grep -qE "^ *[0-9]+: 0100007F:$port 00000000:0000 0A " /proc/net/tcp; then
                echo "$pid"
                return
            fi
        fi
        sleep 0.02
    done
    return 1
}

# program_end directory: ends the program of that directory at once, if its process is still the one that we started.
program_end() {
    local pid; pid=$(cat "$1/program.pid")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$(cat "$1/comm")" ] && ! zombie "$pid"; then
        kill -9 "$pid" 2>/dev/null || true
        while [ -d "/proc/$pid" ] && ! zombie "$pid"; do sleep 0.02; done
    fi
    rm -f "$1/program.pid"
}

# ---- as a command

server_command() {
    local command=${1:-}; shift || true
    case $command in
        new) run_new; echo "$PLPROXY_RUN"; return ;;
        start|stop|stop_all|kill|restart|promote|port|dir|pid|connstr|psql|tool) ;;
        *) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
    esac
    [ -f "${PLPROXY_RUN:-}/password" ] || die "PLPROXY_RUN does not name a run directory (scripts/server.sh new makes one)"
    export PGPASSFILE=$PLPROXY_RUN/pgpass
    use_ground_libs
    [ $# -gt 0 ] || [ "$command" = stop_all ] || die "which server? scripts/server.sh $command NAME"
    case $command in
        start) server_start "$@"; server_connstr "$1"; echo ;;
        stop_all) stop_all ;;
        psql) server_psql "$@" ;;
        tool) server_tool "$@" ;;
        connstr) server_connstr "$@"; echo ;;
        port) server_port "$1" ;;
        dir|pid) "server_$command" "$1"; echo ;;
        stop|kill|restart|promote) "server_$command" "$@" ;;
    esac
}

[ "${BASH_SOURCE[0]}" != "$0" ] || server_command "$@"
