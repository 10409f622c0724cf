# Kept connections and servers that change behind them: restarts while a session idles, and a primary that hands over.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree

RESTARTS=20
PARTITIONS=50

run_begin
server_start proxy --auth trust
server_start one --auth trust --max-connections 200 --set 'wal_level = replica' --set 'max_wal_senders = 5'
server_psql one -q -c 'create table written (n int)' \
    -c "create function write(n int) returns int language sql as 'insert into written values (n) returning inet_server_port()'"

# ---- restarts
# One session, which idles while its partitions' server is stopped in every way and started again.
restarts() {
    local i how
    for ((i = 0; i < RESTARTS; i++)); do
        case $((i % 3)) in 0) how='stop one fast' ;; 1) how='stop one immediate' ;; *) how='kill one' ;; esac
        echo "\\! $SCRIPTS/server.sh $how && $SCRIPTS/server.sh restart one"
        echo 'select count(*), min(v), max(v) from all_parts() v;'
        echo 'select n, one_part(n) from generate_series(0, 3) n;'
    done
}
server_psql proxy -q -v port="$(server_port one)" -v partitions=$PARTITIONS <<'SQL'
create extension plproxy;
select format('create server parts foreign data wrapper plproxy options (modular_mapping ''1'', %s)', string_agg(
    format('p%s %L', i, format('host=127.0.0.1 port=%s dbname=postgres application_name=part%s', :'port', i)), ', '))
    from generate_series(0, :partitions - 1) i \gexec
create user mapping for public server parts options (user 'postgres');
create function all_parts() returns setof int language plproxy as $$ cluster 'parts'; run on all; select 1; $$;
create function one_part(n int) returns int language plproxy as $$ cluster 'parts'; run on n; select n; $$;
SQL
log=$PLPROXY_RUN/restarts.log
{ echo 'select count(*) from all_parts();'; restarts; } | server_psql proxy -qAt >"$log" 2>&1 || true
whole=$(grep -c "^$PARTITIONS|1|1\$" "$log" || true)
check "after $RESTARTS restarts each of $PARTITIONS connections was replaced ($((whole * PARTITIONS)) of $((RESTARTS * PARTITIONS)))" \
    [ "$whole" = $RESTARTS ]
check "without an error" [ "$(grep -cE 'ERROR|WARNING|FATAL' "$log" || true)" = 0 ]
check "and served the calls to single partitions" [ "$(grep -cE '^([0-3])\|\1$' "$log" || true)" = $((RESTARTS * 4)) ]
[ "$failed" = 0 ] || tail -n 20 "$log" >&2

# ---- a primary that hands over
# shellcheck disable=SC2016 # expanded where the data directory is made
server_start two --auth trust --max-connections 200 \
    --from 'pg_basebackup -h 127.0.0.1 -U postgres -p '"$(server_port one)"' -D "$PGDATA_NEW" -R -X stream -c fast'
one=$(server_port one) two=$(server_port two)
server_psql proxy -q -v one="$one" -v two="$two" <<'SQL'
\set both 'host=127.0.0.1,127.0.0.1 dbname=postgres port=' :one ',' :two
\set wanted :both ' target_session_attrs=read-write application_name=wanted'
\set standby 'host=127.0.0.1 dbname=postgres application_name=standby port=' :two
create server wanted foreign data wrapper plproxy options (p0 :'wanted');
create server standby foreign data wrapper plproxy options (p0 :'standby');
create user mapping for public server wanted options (user 'postgres');
create user mapping for public server standby options (user 'postgres');
create function write(n int) returns int language plproxy as $$ cluster 'wanted'; run on 0; target write; $$;
create function write_to_standby(n int) returns int language plproxy as $$ cluster 'standby'; run on 0; target write; $$;
-- calls that fail with 25006 before one goes through; the old primary may take a moment to close itself to writes
create function until_moved(moved_to int) returns text language plpgsql as $$
declare
    refused int := 0;
    port int;
begin
    for i in 1 .. 2000 loop
        begin
            port := write(i);
            exit when port = moved_to;
            perform pg_sleep(0.01);
        exception when read_only_sql_transaction then
            refused := refused + 1;
        end;
    end loop;
    return concat_ws(' ', refused, port = moved_to);
end $$;
create function refusals(calls int) returns int language plpgsql as $$
declare
    refused int := 0;
begin
    for i in 1 .. calls loop
        begin
            perform write_to_standby(i);
        exception when read_only_sql_transaction then
            refused := refused + 1;
        end;
    end loop;
    return refused;
end $$;
SQL
log=$PLPROXY_RUN/handover.log
server_psql proxy -qAt -v one="$one" -v two="$two" >"$log" 2>&1 <<SQL || true
select write(1) = :one;
select refusals(5);
\! $SCRIPTS/server.sh psql one -q -c "alter system set default_transaction_read_only = on" -c "select from pg_reload_conf()" >/dev/null
\! $SCRIPTS/server.sh promote two
select until_moved(:two);
select write(2) = :two;
select write_to_standby(3) = :two;
\! $SCRIPTS/server.sh stop one fast
select write(4) = :two;
SQL
mapfile -t told <"$log"
check "writes went to the first primary" [ "${told[0]:-}" = t ]
check "a standby refuses each call once, and no call is repeated" [ "${told[1]:-}" = 5 ]
check "after the hand-over one call is refused, and the next finds the new primary" [ "${told[2]:-}" = '1 t' ]
check "and so does the call after that" [ "${told[3]:-}" = t ]
check "a standby that was promoted is written to on the next call" [ "${told[4]:-}" = t ]
check "the old primary's end is not noticed" [ "${told[5]:-}" = t ]
[ "$failed" = 0 ] || cat "$log" >&2

tally "$passed" "$failed"
[ "$failed" = 0 ]
