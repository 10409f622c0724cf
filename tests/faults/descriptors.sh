# Proxies that may have few files open, and many partitions. What does not fit is an error that says so; PostgreSQL has enough
# left for sorts and commits, and nobody else notices.

server_start brim --auth trust --set 'shared_buffers = 16MB' --set "lc_messages = 'C'" --max-connections 500
server_psql brim -q <<'SQL'
create function nap(seconds float) returns int language sql as 'select 1 from pg_sleep(seconds)';
create function napping() returns bigint language sql as
    $$ select count(*) from pg_stat_activity where state = 'active' and application_name like 'fd%' and query ~ 'nap' $$;
SQL
BRIM=$(server_port brim)

# few_files limit partitions fewer: a proxy of that name, with a cluster of so many partitions and two of fewer.
few_files() {
    # In a shell of its own, whose limit it is.
    (ulimit -n "$1" && server_start "files$1" --auth trust --set 'shared_buffers = 16MB' --set "lc_messages = 'C'" \
        --set 'plproxy.standard_sqlstates = on' --set 'max_wal_size = 64MB' --set 'min_wal_size = 32MB')
    server_psql "files$1" -q -v partitions="$2" -v fewer="$3" -v at="$(at "$BRIM")" <<-'SQL'
	create extension plproxy;
	select format('create server %s foreign data wrapper plproxy options (modular_mapping ''1'', %s)', name, string_agg(
	    format('p%s %L', i, format('%s application_name=fd%s%s', :'at', name, i)), ', '))
	    from (values ('many', :partitions), ('fewer', :fewer), ('other', :fewer)) v(name, partitions), generate_series(0, partitions - 1) i
	    group by name \gexec
	create user mapping for public server many options (user 'postgres');
	create user mapping for public server fewer options (user 'postgres');
	create user mapping for public server other options (user 'postgres');
	create function many(seconds float) returns setof int language plproxy as $$ cluster 'many'; run on all; target nap; $$;
	create function fewer(seconds float) returns setof int language plproxy as $$ cluster 'fewer'; run on all; target nap; $$;
	create function other(seconds float) returns setof int language plproxy as $$ cluster 'other'; run on all; target nap; $$;
	-- what came of a query, or what went wrong
	create function outcome(q text) returns text language plpgsql as $$
	declare
	    found text;
	    hint text;
	begin
	    execute q into found;
	    return found;
	exception when others or query_canceled then
	    get stacked diagnostics hint = pg_exception_hint;
	    return concat_ws(' ', sqlstate, regexp_replace(sqlerrm, '^.*\] ', ''), left(nullif(hint, ''), 40));
	end $$;
	-- 100 tables to keep open, and a sort that does not fit into memory, of many runs
	select format('create table t%s as select 1 as n', i) from generate_series(1, 100) i \gexec
	create function own_files() returns text language plpgsql as $$
	declare
	    total bigint := 0;
	    found int;
	begin
	    for i in 1 .. 100 loop
	        execute format('select n from t%s', i) into found;
	        total := total + found;
	    end loop;
	    select total + count(*) into total
	    from (select n from generate_series(1, 200000) n order by md5(n::text) offset 0) sorted;
	    return total;
	end $$;
	create table written (n int);
	-- commits, each of which has to open a file of the WAL
	create procedure commits() language plpgsql as $$ begin
	    for i in 1 .. 10 loop
	        insert into written values (i);
	        perform pg_switch_wal();
	        commit;
	    end loop;
	end $$;
	SQL
}
TOO_MANY='08001 could not connect: there are too many open files on the local server Raise the server'"'"'s "max_files_per_proces'

none_naps() { until_true "$1" said 0 server_psql brim -Atqc 'select napping()'; }
# cancels server: of a call that is over time nothing is left running.
cancels() {
    server_psql "$1" -Atq -c 'set statement_timeout = 2000' -c 'select count(*) from fewer(600)' >/dev/null 2>&1 || true
    ! none_naps 10 || return 0
    server_psql brim -Atqc "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'fd%'" >/dev/null
    none_naps 60
    return 1
}
# cancels_as_well server: what its last call left is gone, or that of another. A cancelling has 80 ms, in which a busy machine does
# not come to all, be there files or not: so it has failed if a server that has enough of them often did it meanwhile.
cancels_as_well() {
    local try others=0
    ! none_naps 20 || return 0
    for try in {1..10}; do
        ! cancels "$1" || return 0
        ! cancels files1024 || others=$((others + 1))
        [ "$others" -lt 5 ] || return 1
    done
    say "    $1: too busy a machine to tell whether it cancels"
}

# full_files limit partitions fewer: more partitions than the limit allows, and as many as it does.
full_files() {
    local name=descriptors.limit_$1 told
    few_files "$@"
    server_psql "files$1" -Atq >"$PLPROXY_RUN/files.out" 2>&1 <<-'SQL' || true
	set work_mem = '64kB';
	-- none of them ends, and makes room, before all are wanted
	select outcome('select count(*) from many(60)');
	select outcome('select own_files()');
	call commits();
	select outcome('select count(*) from fewer(0)');
	select outcome('select own_files()');
	call commits();
	select outcome('select count(*) from many(60)');
	-- those at rest make room
	select outcome('select count(*) from other(0)');
	select outcome('select count(*) from fewer(0)');
	select outcome('select own_files()');
	call commits();
	select outcome($$select count(*) from plproxy_check_cluster('fewer') where ok$$);
	set statement_timeout = 2000;
	select outcome('select count(*) from fewer(600)');
	select count(*) from written;
	SQL
    mapfile -t told <"$PLPROXY_RUN/files.out"
    same "${name}_error" "$TOO_MANY" "${told[0]:-}"
    same "${name}_own_files" 200100 "${told[1]:-}"
    same "${name}_fewer" "$3" "${told[2]:-}"
    same "${name}_own_files_then" 200100 "${told[3]:-}"
    same "${name}_error_again" "$TOO_MANY" "${told[4]:-}"
    same "${name}_others_make_room" "$3 $3" "${told[5]:-} ${told[6]:-}"
    same "${name}_own_files_at_last" 200100 "${told[7]:-}"
    same "${name}_errands" "$3" "${told[8]:-}"
    same "${name}_timeout" '57014 canceling statement due to statement timeout' "${told[9]:-}"
    same "${name}_commits" 30 "${told[10]:-}"
    # Cancel requests need descriptors, too.
    check "${name}_cancelled" cancels_as_well "files$1"
    same "${name}_log" '' "$(grep -aE 'PANIC|FATAL|Too many open files|terminated by' "$(server_dir "files$1")/log" | head -n 3)"
    server_stop "files$1"
}
few_files 1024 400 120
full_files 120 110 50
full_files 256 245 120

# With the usual limit more partitions than the third that PostgreSQL lends to everybody.
server_psql files1024 -Atq >"$PLPROXY_RUN/files.out" 2>&1 <<-'SQL' || true
	set work_mem = '64kB';
	select outcome('select count(*) from many(0)');
	select count(*) from plproxy_get_connections();
	select outcome('select own_files()');
	call commits();
	select count(*) from written;
	SQL
same descriptors.limit_1024 '400 400 200100 10' "$(xargs <"$PLPROXY_RUN/files.out")"
same descriptors.limit_1024_log '' "$(grep -aE 'PANIC|FATAL|Too many open files' "$(server_dir files1024)/log" | head -n 3)"
server_stop files1024
server_stop brim
