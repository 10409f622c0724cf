# Very many partitions, on one server: a statement that ends is ended on all of them, with TLS and without.
#
# CROWD: how many; docs/reliability.md has figures for 1024, too.

CROWD=${PLPROXY_FAULT_CROWD:-256}
certificates=$PLPROXY_RUN/certificates
"$SCRIPTS/certificates.sh" "$certificates" >/dev/null
mkdir "$certificates/server"
cp "$certificates"/cn.{crt,key} "$certificates/server/"
[ "$(id -u)" != 0 ] || chown -R $NOBODY:$NOBODY "$certificates/server"
server_start crowd --auth trust --set 'shared_buffers = 16MB' --max-connections $((2 * CROWD + 50)) --set 'ssl = on' \
    --set "ssl_cert_file = '$certificates/server/cn.crt'" --set "ssl_key_file = '$certificates/server/cn.key'"
server_psql crowd -q <<'SQL'
create function nap(seconds float) returns int language sql as 'select 1 from pg_sleep(seconds)';
-- the milliseconds from a moment on until no statement of a crowd's runs, and how many still do after a while
create function quiet_since(began timestamptz, out ms int, out running bigint) language plpgsql as $$
begin
    for i in 1 .. 3000 loop
        perform pg_stat_clear_snapshot();
        select count(*) into running from pg_stat_activity where state = 'active' and application_name like 'crowd%';
        exit when running = 0;
        perform pg_sleep(0.01);
    end loop;
    ms := extract(epoch from clock_timestamp() - began) * 1000;
end $$;
SQL
proxy -q -v crowd="$CROWD" -v at="host=127.0.0.1 port=$(server_port crowd) user=postgres dbname=postgres" <<'SQL'
select format('create server crowd_%s foreign data wrapper plproxy options (modular_mapping ''1'', %s)', mode, string_agg(
    format('p%s %L', i, format('%s sslmode=%s application_name=crowd%s', :'at', mode, i)), ', '))
    from (values ('disable'), ('require')) v(mode), generate_series(0, :crowd - 1) i group by mode \gexec
create user mapping for public server crowd_disable options (user 'postgres');
create user mapping for public server crowd_require options (user 'postgres');
create function crowd_disable(seconds float) returns setof int language plproxy as
    $$ cluster 'crowd_disable'; run on all; target nap; $$;
create function crowd_require(seconds float) returns setof int language plproxy as
    $$ cluster 'crowd_require'; run on all; target nap; $$;
SQL
# Connections at rest, or new ones, some of which are still being made when the time is over.
for mode in disable require; do
    for state in rested new; do
        warm=''; [ "$state" = new ] || warm="select count(*) from crowd_$mode(0);"
        proxy >"$PLPROXY_RUN/crowd.out" 2>&1 <<-SQL || true
			set statement_timeout = 0;
			$warm
			set statement_timeout = 700;
			select clock_timestamp() as began \gset
			select outcome, ms from timed('select count(*) from crowd_$mode(600)');
			set statement_timeout = 0;
			\! $SCRIPTS/server.sh psql crowd -AtqF ' ' -c "select running, ms from quiet_since(clock_timestamp())"
			select count(*) from crowd_$mode(0);
		SQL
        mapfile -t told <"$PLPROXY_RUN/crowd.out"
        [ "$state" = new ] || told=("${told[@]:1}")
        same "crowd.${mode}_$state (after ${told[0]##* } of 700 ms)" 57014 "${told[0]%% *}"
        # Bounds for a machine that is busy with other things; the statements would run for ten minutes.
        check "crowd.${mode}_${state}_in_time" [ "${told[0]##* }" -le 5000 ]
        same "crowd.${mode}_${state}_reaches_all (${told[1]##* } ms later)" 0 "${told[1]%% *}"
        same "crowd.${mode}_${state}_next_call" "$CROWD" "${told[2]:-}"
    done
done
server_stop crowd
