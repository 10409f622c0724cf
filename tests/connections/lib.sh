# What the families of checks here share: the servers, their surroundings, and the answers of both sides. Sourced by
# run.sh after scripts/tally.sh.
#
# A check asks the same thing twice: through a plproxy function, and through psql of the same tree, which is libpq, as
# the server's user and in the server's environment. Its first word is its name, by which docs/connections.md calls it.

# The names of the checks that have run.
declare -A ran=()

# Stands in every connection string that may fail, and in no answer.
SECRET=hunter2

# What the proxy's server, and psql beside it, find in their environment.
SURROUNDINGS=()

# verdict name wanted ours theirs: theirs is '-' where libpq 15 has no say.
verdict() {
    local bad='' libpq
    ran[${1%% *}]=1
    [ "$3" = "$2" ] || bad='ours differs'
    # libpq puts the server in front of what is wrong with the string as well.
    # Newer ones quote these two keywords.
    libpq=${4/'invalid "ssl_min_protocol_version"'/'invalid ssl_min_protocol_version'}
    libpq=${libpq/'nested "service" specifications'/'nested service specifications'}
    [ "$libpq" = - ] || [ "$libpq" = "$2" ] || [[ $libpq == *"failed: $2" ]] || bad=${bad:-libpq differs}
    case $3 in *"$SECRET"*) bad='the secret is shown' ;; esac
    if [ -z "$bad" ]; then
        passed=$((passed + 1)); printf 'ok      %s\n' "$1"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s: %s\n    wanted: %s\n    ours:   %s\n    libpq:  %s\n' "$1" "$bad" "$2" "$3" "$4"
    fi
}

# What is asked when nothing else is said: which server, which role, which database.
WHERE="select concat_ws(' ', current_setting('cluster_name'), current_user, current_database())"

# ours connstr [query]: the query's answer from that partition, or what went wrong.
ours() {
    server_psql proxy -Atq -v c="$1" -v q="${2:-$WHERE}" <<<"select look(:'c', :'q')" 2>&1 \
        | sed -E 's/^ERROR:  PL\/Proxy function public\.look\(2\): (\[[^]]*\] )?//; s/^WARNING:  /WARNING: /
                  /^CONTEXT:  /d' || true
}

# theirs connstr [query]: the same by libpq.
theirs() {
    as_server env ${SURROUNDINGS[@]+"${SURROUNDINGS[@]}"} "$(tree_bin "$PLPROXY_TREE")/psql" -w -X -Atq "$1" \
        -c "${2:-$WHERE}" 2>&1 | sed -E 's/^psql: error: //' || true
}

# both name wanted connstr [query]: we and libpq say the same.
both() { verdict "$1" "$2" "$(ours "${@:3}")" "$(theirs "${@:3}")"; }
# only name wanted connstr [query]: libpq 15 does not know it, or says it in other words.
only() { verdict "$1" "$2" "$(ours "${@:3}")" -; }
# from_19 name wanted connstr [query]: so do we and libpq 19, where the tree's is.
from_19() { if [ "$PGMAJOR" -ge 19 ]; then both "$@"; else only "$@"; fi; }
# check name wanted got
check() { verdict "$1" "$2" "$3" -; }

# surround NAME=VALUE...: from now on the proxy's server runs in this environment, and psql too.
surround() {
    SURROUNDINGS=("HOME=$HOME_DIR" "$@")
    server_environment proxy "${SURROUNDINGS[@]}"
    server_restart proxy
}

# put path mode: a file of the servers' user, from stdin.
put() {
    as_server rm -f "$1"
    as_server tee "$1" >/dev/null
    as_server chmod "$2" "$1"
}

# took name least wanted connstr: the answer, by both, and that it took that many seconds. A busy machine may take longer;
# an attempt without end is ended by the server's statement_timeout, and by the step's limit.
took() {
    local side start got ms
    for side in ours theirs; do
        start=$(date +%s%N)
        got=$($side "$4")
        ms=$((($(date +%s%N) - start) / 1000000))
        [ "$ms" -ge "$2"000 ] || got+=" (after $ms ms)"
        check "$1 ($side)" "$3" "$got"
    done
}

# refused port: how a host that nobody is at is told of.
refused() {
    printf 'connection to server at "%s", port %s failed: Connection refused\n\t%s' "${2:-127.0.0.1}" "$1" \
        'Is the server running on that host and accepting TCP/IP connections?'
}
# no_socket path
no_socket() {
    printf 'connection to server on socket "%s" failed: No such file or directory\n\t%s' "$1" \
        'Is the server running locally and accepting connections on that socket?'
}
# said port words: what the server at that port answers.
said() { printf 'connection to server at "127.0.0.1", port %s failed: %s' "$1" "$2"; }

# has_ipv6: whether the machine has ::1.
has_ipv6() { grep -qsE '^0{31}1 ' /proc/net/if_inet6; }

start_servers() {
    local settings=(--auth trust --set 'shared_buffers = 16MB' --set "lc_messages = 'C'" --tree "$PLPROXY_TREE")
    local methods=() kind method listen=127.0.0.1
    # 19 warns of each log-in with one; passwords.md5_warning is about that.
    [ "$PGMAJOR" -lt 19 ] || settings+=(--set 'md5_password_warnings = off')
    for kind in scram:scram-sha-256 md5:md5 plain:password; do
        method=${kind#*:} kind=${kind%%:*}
        methods+=(--hba "host all +c_$kind 127.0.0.1/32 $method" --hba "local all +c_$kind $method")
    done
    HOME_DIR=$PLPROXY_RUN/home
    as_server true && mkdir "$HOME_DIR" && chmod 755 "$HOME_DIR"
    [ "$(id -u)" != 0 ] || chown $NOBODY:$NOBODY "$HOME_DIR"
    SURROUNDINGS=("HOME=$HOME_DIR")

    if has_ipv6; then listen+=',::1'; fi
    server_start main "${settings[@]}" "${methods[@]}" --set "listen_addresses = '$listen'" --hba 'host all all ::1/128 trust'
    MAIN=$(server_port main)
    server_psql main -q -d template1 <<-'SQL'
	create function look(q text) returns text language plpgsql as
	    'declare answer text; begin execute q into answer; return answer; end';
	create role c_scram;
	create role c_md5;
	create role c_plain;
	create role c_user login;
	create database c_user owner c_user;
	create database other owner c_user;
	create database "spaced out" owner c_user;
	create role c_secret login password 'hunter2' in role c_scram;
	create database c_secret owner c_secret;
	SQL
    server_psql main -q <<<'create function look(q text) returns text language plpgsql as
        $$ declare answer text; begin execute q into answer; return answer; end $$'
    server_start standby "${settings[@]}" "${methods[@]}" \
        --from "pg_basebackup -h 127.0.0.1 -p $MAIN -U postgres -D \"\$PGDATA_NEW\" -R -c fast"
    STANDBY=$(server_port standby)
    server_start readonly "${settings[@]}" "${methods[@]}" --from "pg_basebackup -h 127.0.0.1 -p $MAIN -U postgres \
        -D \"\$PGDATA_NEW\" -c fast" --set 'default_transaction_read_only = on' \
        --set "listen_addresses = '127.0.0.1,127.0.0.2'"
    READONLY=$(server_port readonly)
    server_start proxy "${settings[@]}" --set 'statement_timeout = 60s' --env "HOME=$HOME_DIR"
    server_psql proxy -q <<<'create extension plproxy; create function look(connstr text, q text) returns text
        language plproxy as $$ connect connstr; select look(q); $$'
    DEAD=$(free_port)
    AT="host=127.0.0.1 port=$MAIN user=c_user"
}
