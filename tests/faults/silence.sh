# Partitions that are there and say nothing: their processes are stopped, or what is sent is lost or not taken.

MODE=$PLPROXY_RUN/mode
echo pass >"$MODE"
misbehave relay "$ONE" "$MODE"
RELAY=$PORTS
proxy -q -v relay="$RELAY" <<'SQL'
\set via 'host=127.0.0.1 sslmode=disable dbname=postgres application_name=via port=' :relay
\set slow :via ' tcp_user_timeout=1000'
create server lossy foreign data wrapper plproxy options (query_timeout '1', p0 :'via');
create server fresh foreign data wrapper plproxy options (connect_timeout '1', p0 :'via');
create server plain foreign data wrapper plproxy options (p0 :'via');
create server taken foreign data wrapper plproxy options (p0 :'slow');
create user mapping for public server lossy options (user 'postgres');
create user mapping for public server fresh options (user 'postgres');
create user mapping for public server plain options (user 'postgres');
create user mapping for public server taken options (user 'postgres');
create function lossy(n int) returns int language plproxy as $$ cluster 'lossy'; run on 0; select same(n); $$;
create function fresh(n int) returns int language plproxy as $$ cluster 'fresh'; run on 0; select same(n); $$;
create function plain(n int) returns int language plproxy as $$ cluster 'plain'; run on 0; select same(n); $$;
create function taken(value text) returns int language plproxy as $$ cluster 'taken'; run on 0; select size(value); $$;
SQL

# silent how first call [setting]: one session that calls when all is well, and then when it is not.
silent() {
    local how=$1 first=$2 call=$3 setting=${4:-} hurt heal
    case $how in
        lose | hold) hurt="echo $how >$MODE" heal="echo pass >$MODE" ;;
        stop) hurt="$HERE/hit.sh one STOP" heal="$HERE/hit.sh one CONT" ;;
    esac
    proxy 2>&1 <<-SQL | xargs
	set client_min_messages = error;
	$first
	\\! $hurt
	$setting
	select * from timed(\$\$$call\$\$);
	\\! $heal
	SQL
}
within silence.query_timeout_lost 1500 57014 silent lose 'do $$ begin perform lossy(1); end $$;' 'select lossy(1)'
within silence.query_timeout_held 1500 57014 silent hold 'do $$ begin perform lossy(1); end $$;' 'select lossy(1)'
within silence.query_timeout_stopped 1500 57014 silent stop 'do $$ begin perform lossy(1); end $$;' 'select lossy(1)'
within silence.connect_timeout_lost 1500 57014 silent lose '' 'select fresh(1)'
within silence.connect_timeout_held 1500 57014 silent hold '' 'select fresh(1)'
within silence.connect_timeout_stopped 1500 57014 silent stop '' 'select fresh(1)'
within silence.tcp_user_timeout 1500 08006 silent hold "do 'begin perform taken(''x''); end';" "select taken(repeat('x', 16000000))"
for how in lose hold stop; do
    within "silence.statement_timeout_$how" 1000 57014 silent $how 'do $$ begin perform plain(1); end $$;' \
        'select plain(1)' 'set statement_timeout = 500;'
done
