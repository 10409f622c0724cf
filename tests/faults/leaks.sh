# A long session, errors among its calls: memory, descriptors, connections, files.
#
# CALLS: how many calls; a whole run has a million of them.

CALLS=${PLPROXY_FAULT_CALLS:-200000}
proxy -q <<'SQL'
create function count_on(n int) returns setof int language plproxy as $$ cluster 'parts'; run on n; select n from generate_series(1, n % 3 + 1); $$;
create procedure calls(rounds int) language plpgsql as $$
declare wrong int := 0;
begin
    for i in 1 .. rounds / 10 loop
        -- Ten calls of several kinds.
        for j in 1 .. 7 loop
            if same_on(j) <> j then wrong := wrong + 1; end if;
        end loop;
        if (select count(*) from count_on(i % 4)) <> (i % 4) % 3 + 1 then wrong := wrong + 1; end if;
        begin
            perform divide(0);
            wrong := wrong + 1;
        exception when division_by_zero then null;
        end;
        perform from count_on(2) limit 1;
        if i % 100 = 0 then commit; end if;
    end loop;
    perform set_config('test.wrong', wrong::text, false);
end $$;
create function own_state() returns text language sql as $$
    select pg_size_bytes((regexp_match(s, 'RssAnon:\s*(\d+ kB)'))[1]) / 1024 || ' ' ||
        (select sum(total_bytes)::bigint / 1024 from pg_backend_memory_contexts) || ' ' ||
        (select count(*) from pg_ls_dir('/proc/self/fd')) || ' ' || (regexp_match(s, 'Threads:\s*(\d+)'))[1]
    from pg_read_file('/proc/self/status') s $$;
SQL
proxy >"$PLPROXY_RUN/leaks.out" 2>&1 <<SQL || true
set statement_timeout = 0;
select own_state() is null;
call calls(10000);
select own_state();
call calls($CALLS);
select own_state();
select current_setting('test.wrong');
select count(*) from look('$(at "$ONE")', 'select l::text from pg_stat_activity l where application_name like ''part%''');
\\! ls $(server_dir proxy)/data/base/pgsql_tmp 2>/dev/null | wc -l
SQL
mapfile -t told < <(tail -n +2 "$PLPROXY_RUN/leaks.out")
read -r rss contexts files threads <<<"${told[0]:-}"
read -r rss2 contexts2 files2 threads2 <<<"${told[1]:-}"
check "leaks.memory ($CALLS calls: $((${rss2:-0} - ${rss:-0})) kB)" [ $((${rss2:-9999999} - ${rss:-0})) -lt 1024 ]
check "leaks.contexts ($((${contexts2:-0} - ${contexts:-0})) kB)" [ $((${contexts2:-9999999} - ${contexts:-0})) -lt 256 ]
same leaks.descriptors "${files:-none}" "${files2:-}"
same leaks.threads "1 1" "${threads:-} ${threads2:-}"
same leaks.right_results 0 "${told[2]:-}"
# Seven partitions were called, and one of them for two calls at once.
check "leaks.connections (${told[3]:-})" [ "${told[3]:-99}" -le 9 ]
same leaks.files 0 "${told[4]:-}"
