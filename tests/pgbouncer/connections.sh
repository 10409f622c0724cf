#!/usr/bin/env bash
# How many connections the partitions' instances see from the sessions of one proxy, through PgBouncer (one in front of each
# instance, with recommended.ini) and without it. Prints a table of the peaks, and a last line that says whether the
# pooled run stayed within the limit without an error.
#
#   SESSIONS=45 INSTANCES=4 DATABASES=8 (on each instance) SECONDS_EACH=20
#   LIMIT=100      max_connections of the instances in the pooled run
#   POOL=10        default_pool_size
#   DIRECT=yes     the run without PgBouncer too: at the limit, and with as many connections as it wants
#
# Needs PLPROXY_TREE, as scripts/ready.sh gives it.

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
source "$SCRIPTS/pooler.sh"
need_tree
HERE=$ROOT/tests/pgbouncer
SESSIONS=${SESSIONS:-45} INSTANCES=${INSTANCES:-4} DATABASES=${DATABASES:-8} SECONDS_EACH=${SECONDS_EACH:-20}
LIMIT=${LIMIT:-100} POOL=${POOL:-10} DIRECT=${DIRECT:-yes}
# Three are the superuser's; the rest of what is not the pooler's is for the administrator.
RESERVED=3
ALLOWED=$((LIMIT - RESERVED))
PARTITIONS=$((INSTANCES * DATABASES))

run_begin
PARTITION_PASSWORD=$(cat "$PLPROXY_RUN/password")
export PARTITION_PASSWORD

# The shards' role is no superuser, so that the reserved connections are not its own.
cat >"$PLPROXY_RUN/instance.sql" <<'E2'
create role app login password :'password';
select format('create database db%s owner app', n) from generate_series(0, :databases - 1) n \gexec
E2
cat >"$PLPROXY_RUN/database.sql" <<'E2'
create table item (id int primary key, info text);
insert into item select i, 'item ' || i from generate_series(1, 1000) i;
create function item(i_id int, out id int, out info text) returns setof record language plpgsql as
    $$ begin return query select t.* from item t where t.id = i_id; end $$;
create function items() returns setof int8 language sql as 'select count(*) from item';
alter table item owner to app;
E2
server_start proxy --max-connections $((SESSIONS + 10))
for ((i = 0; i < INSTANCES; i++)); do
    server_start "instance$i" --max-connections "$LIMIT" --set "superuser_reserved_connections = $RESERVED" \
        --set 'shared_buffers = 32MB'
    server_psql "instance$i" -q -v databases="$DATABASES" -v password="$PARTITION_PASSWORD" -f "$PLPROXY_RUN/instance.sql"
    for ((d = 0; d < DATABASES; d++)); do
        server_psql "instance$i" -q -d "db$d" -f "$PLPROXY_RUN/database.sql"
    done
    # The pooler's user file holds what the server itself keeps: no password in clear.
    server_psql "instance$i" -Atq -c "select format('\"app\" \"%s\"', rolpassword) from pg_authid where rolname = 'app'" \
        >"$PLPROXY_RUN/users$i"
    printf '"postgres" "%s"\n' "$PARTITION_PASSWORD" >>"$PLPROXY_RUN/users$i"
done

# cluster NAME PORT_OF...: a server with all partitions, reached by the port that the function gives for an instance, and
# the two functions on it.
cluster() {
    local name=$1 port_of=$2 prepared=$3 p ports=''
    for ((p = 0; p < PARTITIONS; p++)); do ports+="$("$port_of" $((p % INSTANCES))) "; done
    server_psql proxy -q -v name="$name" -v ports="$ports" -v instances="$INSTANCES" -v prepared="$prepared" <<-'SQL'
	\set password `printf %s "$PARTITION_PASSWORD"`
	select format('create server %I foreign data wrapper plproxy options (modular_mapping ''1'',
	    prepared_statements %L, %s)', :'name', :'prepared', string_agg(format('p%s ''host=127.0.0.1 port=%s dbname=db%s''',
	    n - 1, port, (n - 1) / :instances), ', ')) from unnest(string_to_array(trim(:'ports'), ' '))
	    with ordinality x (port, n) \gexec
	create user mapping for public server :"name" options (user 'app', password :'password');
	create schema :"name";
	select format('create function %I.item(i_id int, out id int, out info text) returns setof record language plproxy
	    as $$ cluster %L; run on i_id; target public.item; $$', :'name', :'name') \gexec
	select format('create function %I.items() returns setof int8 language plproxy
	    as $$ cluster %L; run on all; target public.items; $$', :'name', :'name') \gexec
	SQL
}

pooled_port() { pooler_port "pooler$1"; }
direct_port() { server_port "instance$1"; }

# measure "what" cluster: a line of the table; leaves `peak` and `errors`.
measure() {
    local what=$1 name=$2 i out=$PLPROXY_RUN/bench-$2
    local -a watchers=()
    printf '\\set id random(1, 1000)\nselect * from %s.item(:id);\n' "$name" >"$out.item"
    printf 'select sum(n) from %s.items() n;\n' "$name" >"$out.items"
    for ((i = 0; i < INSTANCES; i++)); do
        # One connection of the superuser's looks all the time.
        server_psql "instance$i" -Atq >"$out.peak$i" 2>&1 <<-SQL &
		select count(*) from pg_stat_activity where backend_type = 'client backend' and usename = 'app' \watch 0.1
		SQL
        watchers+=($!)
    done
    server_tool proxy pgbench -n -M prepared -c "$SESSIONS" -j 2 -T "$SECONDS_EACH" -f "$out.item@49" -f "$out.items@1" \
        postgres >"$out.log" 2>&1 || true
    # They end with their sessions.
    for ((i = 0; i < INSTANCES; i++)); do
        server_psql "instance$i" -q -o /dev/null -c "select pg_terminate_backend(pid) from pg_stat_activity
            where application_name = 'psql' and usename <> 'app' and pid <> pg_backend_pid()"
    done
    wait "${watchers[@]}" 2>/dev/null || true
    peak=$(cat "$out".peak* | grep -E '^[0-9]+$' | sort -n | tail -n 1)
    errors=$(grep -cE 'ERROR|FATAL' "$out.log" || true)
    printf '| %s | %s | %s | %s | %s |\n' "$what" "${peak:-?}" "$errors" \
        "$(sed -n 's/^tps = \([0-9]*\).*/\1/p' "$out.log")" "$(sed -n 's/^latency average = //p' "$out.log" | tail -n 1)"
    grep -hE 'ERROR|FATAL' "$out.log" | grep -oE '(FATAL|ERROR): .*' | sort | uniq -c | sort -rn | head -n 2 \
        | sed 's/^ */    /' || true
}

for ((i = 0; i < INSTANCES; i++)); do
    pooler_start "pooler$i" "instance$i" --include "$HERE/recommended.ini" --users "$PLPROXY_RUN/users$i" \
        --set "default_pool_size = $POOL" --set "max_user_connections = $((LIMIT * 9 / 10 < ALLOWED ? LIMIT * 9 / 10 : ALLOWED))"
done
server_psql proxy -q -c 'create extension plproxy'

printf '%s sessions, %s partitions, %s databases on each of %s instances, %s s\n\n' \
    "$SESSIONS" "$PARTITIONS" "$DATABASES" "$INSTANCES" "$SECONDS_EACH"
printf '| | server connections per instance, peak | errors | calls per second | average latency |\n'
printf '| --- | --- | --- | --- | --- |\n'
cluster pooled pooled_port auto
measure "PgBouncer, max_connections = $LIMIT" pooled
pooled_peak=${peak:-0} pooled_errors=$errors
if [ "$DIRECT" = yes ]; then
    cluster pooled_on pooled_port on
    measure "PgBouncer, prepared_statements on" pooled_on
    for ((i = 0; i < INSTANCES; i++)); do pooler_kill "pooler$i"; done
    cluster direct direct_port auto
    measure "direct, max_connections = $LIMIT" direct
    for ((i = 0; i < INSTANCES; i++)); do
        server_psql "instance$i" -q -c "alter system set max_connections = $((SESSIONS * DATABASES + 20))"
        server_restart "instance$i"
    done
    measure "direct, max_connections = $((SESSIONS * DATABASES + 20))" direct
fi
printf '\nwithin the limit: %s, errors: %s\n' \
    "$([ "$pooled_peak" -gt 0 ] && [ "$pooled_peak" -le "$ALLOWED" ] && echo yes || echo no)" "$pooled_errors"
