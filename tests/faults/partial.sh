# Some partitions are there and others are not: RUN ON ANY finds one that is, RUN ON ALL SKIP FAILED does without the others.

server_start two --auth trust --set 'shared_buffers = 16MB' --set "lc_messages = 'C'" --max-connections 50
server_psql two -q -f "$HERE/partition.sql"
MODE=$PLPROXY_RUN/partial.mode
echo pass >"$MODE"
misbehave relay "$ONE" "$MODE"
proxy -q -v one="$ONE" -v two="$(server_port two)" -v relay="$PORTS" <<'SQL'
\set one 'host=127.0.0.1 sslmode=disable dbname=postgres application_name=partial1 port=' :one
\set two 'host=127.0.0.1 sslmode=disable dbname=postgres application_name=partial2 port=' :two
\set via 'host=127.0.0.1 sslmode=disable dbname=postgres application_name=partial3 port=' :relay
\set via_too :via ' connect_timeout=9999'
create server either foreign data wrapper plproxy options (p0 :'one', p1 :'two');
create server half foreign data wrapper plproxy options (connect_timeout '1', p0 :'one', p1 :'via');
create server timed foreign data wrapper plproxy options (query_timeout '1', p0 :'one', p1 :'via');
create server lost foreign data wrapper plproxy options (query_timeout '1', p0 :'via', p1 :'via_too');
create server endless foreign data wrapper plproxy options (p0 :'via', p1 :'via_too');
select format('create user mapping for public server %s options (user ''postgres'')', srvname)
    from pg_foreign_server where srvname in ('either', 'half', 'timed', 'lost', 'endless') \gexec
create function either_any() returns int language plproxy as $$ cluster 'either'; run on any; select 1; $$;
create function either_nap(seconds float8) returns setof int language plproxy as $$ cluster 'either'; run on all skip failed; target nap; $$;
create function half_any() returns int language plproxy as $$ cluster 'half'; run on any; select 1; $$;
create function half_all() returns setof int language plproxy as $$ cluster 'half'; run on all skip failed; select 1; $$;
create function timed_all(n int) returns setof int language plproxy as $$ cluster 'timed'; run on all skip failed; target same; $$;
create function lost_any() returns int language plproxy as $$ cluster 'lost'; run on any; select 1; $$;
create function endless_any() returns int language plproxy as $$ cluster 'endless'; run on any; select 1; $$;
create function times(query text, n int) returns void language plpgsql as $$ begin for i in 1 .. n loop execute query; end loop; end $$;
SQL

# One that is killed, with connections of the session at rest: no call of ANY fails, and those of ALL lack its rows.
found=$(proxy 2>&1 <<SQL | xargs
set client_min_messages = error;
select count(either_any()) from generate_series(1, 50);
select count(*) from either_nap(0);
\\! ($SCRIPTS/server.sh kill two) >/dev/null 2>&1
select count(either_any()) from generate_series(1, 200);
select count(*) from either_nap(0);
\\! ($SCRIPTS/server.sh restart two) >/dev/null 2>&1
select count(either_any()) from generate_series(1, 50);
select count(*) from either_nap(0);
SQL
)
same partial.killed "50 2 200 1 50 2" "$found"

# The same while they work: the other one goes on to its end.
at_work() {
    hang 'select count(*) from either_nap(3)'
    server_kill two
    wait "$HUNG" || true
    { grep -o '^WARNING' "$OUT"; tail -n 1 "$OUT"; } | xargs
}
same partial.killed_at_work "WARNING 1" "$(at_work)"
server_restart two

# Packets are lost: connecting takes as long as it may, once, and then nobody tries for a while.
echo lose >"$MODE"
within partial.any_lost 2000 00000 proxy -c "select * from timed('select times(''select half_any()'', 200)')"
within partial.all_lost 1500 00000 proxy -c 'set client_min_messages = error' -c "select * from timed('select half_all()')"
within partial.any_query_timeout 1500 57014 proxy -c "select * from timed('select lost_any()')"
within partial.any_statement_timeout 1000 57014 proxy -c 'set statement_timeout = 500' -c "select * from timed('select endless_any()')"
echo pass >"$MODE"
# The connection is there, and nothing comes: what has answered by then counts.
found=$(proxy 2>&1 <<SQL | xargs
set client_min_messages = error;
select count(*) from timed_all(1);
\\! echo lose >$MODE
select count(*) from timed_all(1);
select outcome from timed('select timed_all(1)');
\\! echo pass >$MODE
select count(*) from timed_all(1);
SQL
)
same partial.query_timeout "2 1 00000 2" "$found"

# A cancel and the end of the session end the search.
echo lose >"$MODE"
for how in cancel terminate; do
    hang 'select endless_any()'
    within "partial.any_$how" 500 - proxy -c "select '$how', ms from strike('$APP', '$how')"
    wait "$HUNG" || true
done
echo pass >"$MODE"
server_stop two
