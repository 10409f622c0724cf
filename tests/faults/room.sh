# A backend that may take so many megabytes more, for everything that it can be asked with something large in it: each ends with
# an error or with a result, the session goes on, and nobody else notices.
#
#   PLPROXY_ROOM=all     each at each step of 4 MB, in a session of its own (most of an hour); default: each at every fourth step

one -q -f "$HERE/room-partition.sql"
proxy -q -v port="$ONE" -f "$HERE/room.sql"
# Arguments: the process, and the megabytes that it may take from now on, or nothing. A process's limits are its user's to set.
cat >"$PLPROXY_RUN/room-limit" <<'SH'
limit=unlimited
[ -z "$2" ] || limit=$(awk -v more="$2" '/^VmSize/ { printf "%d", $2 * 1024 + more * 1048576 }' "/proc/$1/status")
[ "$(id -u)" != 0 ] || set -- "$1" "$2" setpriv --reuid=65534 --regid=65534 --clear-groups
pid=$1; shift 2
exec "$@" prlimit --pid "$pid" --as="$limit:"
SH

# each room [name...]: the entries in one session, the names and the SQLSTATEs that they end with; then a good call.
each() {
    local room=$1 name line; shift
    {
        cat <<-'SQL'
			set client_min_messages = error;
			set work_mem = '1MB';
			select pg_backend_pid() as pid, sum(s) as sum from same_all(1) s \gset
			\setenv PID :pid
		SQL
        for name; do
            # What stands in the file is one line of SQL.
            line=$(grep "^$name " "$HERE/room.entries")
            printf '%s\n' "\\! sh $PLPROXY_RUN/room-limit \$PID $room" 'begin;' "${line#*: } \\g /dev/null" "\\echo $name :SQLSTATE" 'rollback;'
        done
        printf '%s\n' "\\! sh $PLPROXY_RUN/room-limit \$PID ''" "select 'end', same_on(7), pg_backend_pid() = :pid;"
    } | proxy -v ON_ERROR_STOP=0 -v VERBOSITY=sqlstate 2>&1 | grep -vE '^(psql:<stdin>:[0-9]+: )?ERROR:  [0-9A-Z]{5}$' || true
}
# after room [name...]: what of it is not as it must be.
after() {
    local got; got=$(each "$@")
    grep -vE '^[a-z_]+ [0-9A-Z]{5}$|^end 7 t$' <<<"$got" | head -n 5
    [ "$(tail -n 1 <<<"$got")" = 'end 7 t' ] || echo 'the session has not come to its end'
}

mapfile -t ENTRIES < <(cut -d' ' -f1 "$HERE/room.entries")
started_at=$(proxy -c 'select pg_postmaster_start_time()')
# Where there is memory each ends as it says.
same room.wanted "$(sed 's/:.*//' "$HERE/room.entries")" "$(each '' "${ENTRIES[@]}" | sed '/^end 7 t$/d')"
if [ -n "${PLPROXY_ROOM:-}" ]; then most=200; else most=100; fi
for room in $(seq 4 4 "$most"); do
    step=$((room / 4)) tried=()
    for at in "${!ENTRIES[@]}"; do
        if [ -n "${PLPROXY_ROOM:-}" ] || [ $(((at + step) % 4)) = 0 ]; then tried+=("${ENTRIES[at]}"); fi
    done
    if [ -n "${PLPROXY_ROOM:-}" ]; then
        same "room.$room" '' "$(for name in "${tried[@]}"; do after "$room" "$name"; done)"
    else
        same "room.$room" '' "$(after "$room" "${tried[@]}")"
    fi
done
same room.no_restart "$started_at" "$(proxy -c 'select pg_postmaster_start_time()')"
same room.no_crash '' "$(grep -aE 'terminated by signal|memory allocation of|Failed process was running|terminating any other active' "$(server_dir proxy)/log" | head -n 5)"
