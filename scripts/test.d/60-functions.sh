# Many proxy functions in one session: each is compiled once, and all together take little memory.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree

FUNCTIONS=10000
LIMIT_KB=40000

run_begin
server_start functions --auth trust
server_psql functions -q -v functions=$FUNCTIONS -v port="$(server_port functions)" <<'SQL'
create extension plproxy;
select format('create server parts foreign data wrapper plproxy options (p0 %L)',
    'host=127.0.0.1 dbname=postgres port=' || :'port') \gexec
create user mapping for public server parts options (user 'postgres');
create function far(a int, b text, out x int, out y text) returns setof record
    language sql as 'select a, b';
create schema near;
select format('create function near.f%s(a int, b text, out x int, out y text) returns setof record
    language plproxy as $$ cluster ''parts''; run on hashtext(b); target public.far; $$', i)
    from generate_series(1, :functions) i \gexec
create function call_functions(first int, last int) returns bigint language plpgsql as $$
declare
    n int;
    total bigint := 0;
begin
    for i in first .. last loop
        execute format('select sum(x) from near.f%s(%s, %L)', i, i, 'text') into n;
        total := total + n;
    end loop;
    return total;
end $$;
SQL
log=$PLPROXY_RUN/functions.log
server_psql functions -qAt -v functions=$FUNCTIONS >"$log" <<'SQL'
select pg_backend_pid() as pid \gset
\setenv PID :pid
select call_functions(1, 10);
\! sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' /proc/$PID/status
select call_functions(1, :functions);
\! sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' /proc/$PID/status
select call_functions(1, :functions);
\! sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' /proc/$PID/status
SQL
{ read -r few; read -r before; read -r all; read -r first; read -r again; read -r second; } <"$log"
sum=$((FUNCTIONS * (FUNCTIONS + 1) / 2))
check "every function gave its own value" [ "$few $all $again" = "55 $sum $sum" ]
check "$FUNCTIONS functions take $((first - before)) kB, less than $LIMIT_KB" [ $((first - before)) -lt $LIMIT_KB ]
check "calling all again takes $((second - first)) kB more, less than 1000" [ $((second - first)) -lt 1000 ]
tally "$passed" "$failed"
[ "$failed" = 0 ]
