-- A server shop_N of postgres_fdw for each partition N of the cluster shop, and the mapping of the cluster to each: whatever
-- stands in the connection strings and in the mapping stands there, too. (For words without blanks and quotes, as here.)
select format('create server shop_%s foreign data wrapper postgres_fdw options (%s, fetch_size ''1000'')', number,
        string_agg(format('%I %L', word[1], word[2]), ', ')),
    format('create user mapping for public server shop_%s options (%s)', number,
        (select string_agg(format('%I %L', option_name, option_value), ', ') from pg_user_mappings, pg_options_to_table(umoptions)
         where srvname = 'shop' and usename = 'public'))
from pg_foreign_server, pg_options_to_table(srvoptions),
    lateral (select substr(option_name, 2)::int as number where option_name ~ '^p\d+$') partition,
    regexp_matches(option_value, '(\w+) *= *(\S+)', 'g') word
where srvname = 'shop' group by number order by number
\gexec
