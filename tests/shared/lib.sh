# What the steps for shared connections have in common: the servers `proxy` and `parts` are there. Sourced.

ask() { server_psql proxy -qAt "$@" 2>&1 || true; }
as() { ask -d postgres -U "$@"; }
of_parts() { server_psql parts -qAt "$@" 2>&1 || true; }
line() { tr '\n' ' ' | sed 's/ $//'; }
# until_seen COMMAND...: whether it says `t` within a minute.
until_seen() {
    local i
    for ((i = 0; i < 600; i++)); do
        [ "$("$@")" != t ] || return 0
        sleep 0.1
    done
    return 1
}
# The server processes of a partition, by database, at the most.
MOST="select coalesce(max(n), 0) from (select count(*) n from pg_stat_activity where usename = 'shared' and backend_type = 'client backend' group by datname, application_name) a"
states() { ask -c "select string_agg(state || ' ' || n, ', ' order by state) from (select state, count(*) n from plproxy_shared_connections group by 1) s"; }
# The keeper's process, as /proc has it: ps need not be there.
keeper() {
    local process server
    server=$(server_pid proxy)
    for process in /proc/[0-9]*; do
        if grep -qx "PPid:[[:space:]]*$server" "$process/status" 2>/dev/null && grep -qa 'plproxy keeper' "$process/cmdline" 2>/dev/null
        then echo "${process#/proc/}"; fi
    done
}
# The wait for one connection, in a session of its own: its log is $log, its process $waiter.
begin() { server_psql proxy -qAt "${@:2}" >"$PLPROXY_RUN/$1.log" 2>&1 & begun=$!; }
said() { cat "$PLPROXY_RUN/$1.log"; }
ends() { wait "$1" 2>/dev/null || true; }
