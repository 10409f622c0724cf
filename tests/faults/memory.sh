# A backend that may take no more memory: what fails is the call, and neither the session nor the server.

matches() { [[ $1 =~ $2 ]]; }

# Arguments: the process, and the megabytes that it may take from now on. A process's limits are its user's to set.
cat >"$PLPROXY_RUN/limit" <<'SH'
source "$3"/server.sh
now=$(awk '/^VmSize/ { print $2 * 1024 }' "/proc/$1/status")
as_server prlimit --pid "$1" --as=$((now + $2 * 1048576)):
SH
one -q <<'SQL'
create function sizes(len int, texts text[]) returns setof text language sql as $$ select repeat('x', len) from generate_series(1, 3) $$;
create function lengths(a int[], t text[]) returns setof int language sql as $$ select cardinality(a) $$;
SQL
PARAMS=$(printf 't%s text, ' {1..90})
proxy -q <<SQL
create function sizes_all(len int, texts text[]) returns setof text language plproxy as \$\$ cluster 'parts'; run on all; target sizes; \$\$;
create function lengths_split(a int[], t text[]) returns setof int language plproxy as
    \$\$ cluster 'parts'; split a; run on a; target lengths; \$\$;
create function lengths_both(a int[], t text[]) returns setof int language plproxy as
    \$\$ cluster 'parts'; split a, t; run on hashtext(t); target lengths; \$\$;
create function params(${PARAMS%, }) returns int language plproxy as
    \$\$ cluster 'parts'; run on 0; select $(printf 'length(t%s)+' {1..90})0; \$\$;
SQL
# Each with what it may come to: some need no more than there is.
declare -A HUNGRY=(
    [messages]="select count(length(s)) from sizes_all(9000000, '{}') s"
    [small_messages]="select count(length(s)) from sizes_all(900000, '{}') s"
    [rows]="select count(*) from many(20000)"
    [split]="select count(*) from lengths_split(array(select generate_series(1, 2000000)), '{}')"
    [split_texts]="select count(*) from lengths_both(array(select generate_series(1, 300000)), array(select n::text from generate_series(1, 300000) n))"
    [params]="select params($(printf 'repeat(v, %s),' {250001..250090} | sed 's/,$//')) from (select 'x'::text) v(v)"
    [params_large]="select params($(printf 'repeat(v, %s),' {2000001..2000090} | sed 's/,$//')) from (select 'x'::text) v(v)"
    [array_whole]="select count(*) from sizes_all(1, array(select repeat('x', 1000) from generate_series(1, 40000)))"
)
for megabytes in 12 40; do
    for what in "${!HUNGRY[@]}"; do
        LIMIT="bash $PLPROXY_RUN/limit" proxy >"$PLPROXY_RUN/memory.out" 2>&1 <<-SQL || true
		set client_min_messages = error;
		set work_mem = '1MB';
		select pg_backend_pid() as pid, sum(s) as sum from same_all(1) s \gset
		\setenv PID :pid
		\! \$LIMIT \$PID $megabytes $SCRIPTS
		select outcome from timed(\$hungry\$${HUNGRY[$what]}\$hungry\$);
		select same_on(7), pg_backend_pid() = :pid;
		SQL
        got=$(xargs <"$PLPROXY_RUN/memory.out")
        check "memory.${what}_$megabytes ($got)" matches "$got" '^(00000|53200|XX000|08P01|08006) 7 t$'
    done
done

# An error so large that there is no memory for a copy of it, raised in the middle of a call: the call ends as with any other, and
# with it what other partitions do for it.
proxy -q <<'SQL'
create function hurts(value text) returns bool language plpgsql as $$
declare
    much text := repeat('x', current_setting('faults.size')::int);
begin
    raise exception using message = much, detail = much, hint = much;
end $$;
create domain hurting as text check (hurts(value));
create function hurt_all() returns setof hurting language plproxy as $$
    cluster 'three'; run on all; select 'v'::text from pg_sleep(case current_setting('application_name') when 'part0' then 0 else 60 end);
$$;
SQL
{
    # Not by `timed`: where PL/pgSQL itself has no memory for the error, PostgreSQL is left in a subtransaction.
    printf '\\set %s\n' 'ON_ERROR_STOP 0' 'VERBOSITY sqlstate'
    echo "set client_min_messages = error; select pg_backend_pid() as pid, sum(s) as sum from same_all(1) s \\gset"
    echo "set faults.size = 1000; select count(*) from hurt_all();"
    echo "\\setenv PID :pid"
    echo "\\! bash $PLPROXY_RUN/limit \$PID 40 $SCRIPTS"
    for ((size = 2500000; size <= 6500000; size += 125000)); do
        echo "set faults.size = $size; select count(*) from hurt_all();"
    done
    echo "select same_on(7), pg_backend_pid() = :pid, count(*) from plproxy_get_connections() where cluster = 'three';"
} >"$PLPROXY_RUN/large_error.sql"
proxy -f "$PLPROXY_RUN/large_error.sql" 2>&1 | sed 's/^psql:.*ERROR:  *//' >"$PLPROXY_RUN/memory.out" || true
got=$(xargs <"$PLPROXY_RUN/memory.out")
check "memory.large_error ($(sort "$PLPROXY_RUN/memory.out" | uniq -c | xargs))" \
    matches "$got" '^P0001 (P0001 )+((P0001|53200) )*(53200 )+7 t [0-3]$'
none_left() { said 0 one -c "select count(*) from pg_stat_activity where query like '%pg_sleep(case%' and state = 'active' and pid <> pg_backend_pid()"; }
check memory.large_error_leaves_nothing_running until_true 20 none_left
same memory.no_crash '' "$(grep -aE 'terminated by signal|memory allocation of' "$(server_dir proxy)/log" | head -n 5)"
