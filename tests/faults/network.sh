# A network that is slow and loses packets: nothing but time is lost. Its times bound no call that has a limit of its own.

NETWORK=$PLPROXY_RUN/network
echo pass >"$NETWORK"
misbehave relay "$ONE" "$NETWORK"
proxy -q -v wire="$PORTS" <<'SQL'
\set via 'host=127.0.0.1 sslmode=disable dbname=postgres port=' :wire ' application_name=wire'
\set p0 :via 0
\set p1 :via 1
\set p2 :via 2
\set p3 :via 3
create server wire foreign data wrapper plproxy options (p0 :'p0', p1 :'p1', p2 :'p2', p3 :'p3');
create server hurried foreign data wrapper plproxy options (query_timeout '1', p0 :'p0');
create user mapping for public server wire options (user 'postgres');
create user mapping for public server hurried options (user 'postgres');
create function wire_same(n int) returns int language plproxy as $$ cluster 'wire'; run on n; target same; $$;
create function wire_all(n int) returns setof int language plproxy as $$ cluster 'wire'; run on all; target same; $$;
create function wire_many(rows int) returns setof text language plproxy as $$ cluster 'wire'; run on all; target many; $$;
create function wire_size(value text) returns int language plproxy as $$ cluster 'wire'; run on 1; target size; $$;
create function wire_divide(n int) returns int language plproxy as $$ cluster 'wire'; run on 2; target divide; $$;
create function wire_nap(seconds float8) returns int language plproxy as $$ cluster 'wire'; run on 3; target nap; $$;
create function hurried_nap(seconds float8) returns int language plproxy as $$ cluster 'hurried'; run on 0; target nap; $$;
SQL

# results weather: what one session gets of calls of all kinds, connecting included.
results() {
    echo "$1" >"$NETWORK"
    proxy 2>&1 <<-'SQL' | xargs
	set client_min_messages = error;
	select sum(wire_same(i)) from generate_series(1, 8) i;
	select sum(n), count(*) from wire_all(7) n;
	select count(*), sum(length(m)) from wire_many(500) m;
	select wire_size(repeat('x', 1000000));
	select outcome from timed('select wire_divide(0)');
	select count(*) from (select wire_many(500) limit 3) s;
	select wire_same(5);
	SQL
    echo pass >"$NETWORK"
}
RIGHT="36 28 4 2000 200000 1000000 22012 3 5"
same network.passes "$RIGHT" "$(results pass)"
same network.delay "$RIGHT" "$(results 'delay 100 30')"
same network.loss "$RIGHT" "$(results 'delay 20 10 5')"
same network.much_loss "$RIGHT" "$(results 'delay 5 5 20')"

# limited call [setting]: a call that has connected already, over a network that takes 100 ms and loses packets.
limited() {
    echo 'delay 100 30 5' >"$NETWORK"
    proxy 2>&1 <<-SQL | xargs
	set client_min_messages = error;
	do \$\$ begin perform ${1/30/0}; end \$\$;
	${2:-}
	select * from timed('select $1');
	SQL
    echo pass >"$NETWORK"
}
within network.query_timeout 1500 57014 limited 'hurried_nap(30)'
within network.statement_timeout 1000 57014 limited 'wire_nap(30)' 'set statement_timeout = 500;'
# What a call left behind when its time was over is cancelled, over the same network.
check network.none_left until_true 60 said 0 one -c "select count(*) from pg_stat_activity where state = 'active'
    and application_name like 'wire%'"

# cancelled: a call over a slow network, from the blow to its end.
cancelled() {
    echo 'delay 100 30 5' >"$NETWORK"
    hang 'select wire_nap(30)'
    proxy -c "select outcome, ms from (select 'ended' as outcome, ms from strike('$APP', 'cancel')) s"
    wait "$HUNG" || true
    echo pass >"$NETWORK"
}
within network.cancel 500 ended cancelled
same network.mended "$RIGHT" "$(results pass)"
