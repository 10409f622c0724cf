-- A proxy: the same for both handlers. Clusters of 1 to 1,024 partitions over the 32 databases: db0 to db15 on the first
-- server, db16 to db31 on the second. Of more than 32 each database is several, told apart by the application_name.
\getenv secret_password SECRET_PASSWORD
create extension plproxy;

create function connstr(n int) returns text language sql as $$
  select format('host=127.0.0.1 port=%s dbname=db%s application_name=p%s',
                (current_setting('bench.ports')::int[])[1 + n % 32 / 16], n % 32, n)
$$;
select set_config('bench.ports', :'ports', false);

select format('create server parts_%s foreign data wrapper plproxy options (%s)', n,
              string_agg(format('p%s %L', i, connstr(i)), ', ' order by i))
from unnest(array[1, 2, 4, 8, 16, 32, 64, 256, 1024]) n, generate_series(0, n - 1) i group by n \gexec
select format('create user mapping for public server %I options (user ''shard'')', srvname) from pg_foreign_server \gexec

select format('create server secret_32 foreign data wrapper plproxy options (%s)',
              string_agg(format('p%s %L', i, connstr(i)), ', ' order by i))
from generate_series(0, 31) i \gexec
select format('create user mapping for public server secret_32 options (user ''secret_shard'', password %L)',
              :'secret_password') \gexec

-- The calls of the scenario, on 8 partitions and on 32.
select format('create schema on_%s', n) from unnest(array[8, 32]) n \gexec
select format('create function on_%s.%s(i_userid int%s) returns %s language plproxy strict as %L', n, name,
              case when result = 'void' then '' else ', out dbid int, out userid int, out info text' end, result,
              format('cluster ''parts_%s''; run on i_userid; target shop.%s;', n, name))
from unnest(array[8, 32]) n, (values ('query_pk', 'setof record'), ('query_insert', 'setof record'),
                                     ('insert_log', 'void'), ('update_pk', 'void')) f (name, result) \gexec

-- One small row of each partition.
select format('create function one_row_%s(out dbid int, out name text) returns setof record language plproxy as %L',
              n, format('cluster ''parts_%s''; run on all; target public.one_row;', n))
from unnest(array[1, 2, 4, 8, 16, 32, 64, 256, 1024]) n \gexec
-- And many.
select format('create function some_rows_%s(out a int, out b text) returns setof record language plproxy as %L', n,
              format('cluster ''parts_%s''; run on all; select i as a, repeat(''x'', 100) as b from generate_series(1, 200) i;', n))
from unnest(array[1, 4, 16, 64, 256, 1024]) n \gexec
create function one_row_secret(out dbid int, out name text) returns setof record language plproxy as $$
  cluster 'secret_32'; run on all; target public.one_row;
$$;

create function wide_rows(i_rows int, out a int4, out b int8, out c text, out d timestamptz, out e numeric)
returns setof record language plproxy as $$
  cluster 'parts_8'; run on all; target public.wide_rows;
$$;

create function count_ints(keys int4[]) returns setof int8 language plproxy as $$
  cluster 'parts_8'; split keys; run on keys; target public.count_ints;
$$;
create function count_texts(keys text[]) returns setof int8 language plproxy as $$
  cluster 'parts_8'; split keys; run on hashtext(keys); target public.count_texts;
$$;

create function echo(t text) returns text language plproxy as $$
  cluster 'parts_8'; run on 0; target public.echo;
$$;
create function trivial(i int) returns int language plproxy as $$
  cluster 'parts_8'; run on 0; target public.trivial;
$$;

-- Seconds that one call with an array of so many elements takes, without the making of the array.
create function time_count_ints(elements int) returns float8 language plpgsql as $$
declare
  keys int4[] := array(select generate_series(1, elements));
  start timestamptz := clock_timestamp();
  total int8;
begin
  select sum(n) into total from count_ints(keys) n;
  if total <> elements then raise 'counted % of % elements', total, elements; end if;
  return extract(epoch from clock_timestamp() - start);
end $$;
create function time_count_texts(elements int) returns float8 language plpgsql as $$
declare
  keys text[] := array(select 'key number ' || i from generate_series(1, elements) i);
  start timestamptz := clock_timestamp();
  total int8;
begin
  select sum(n) into total from count_texts(keys) n;
  if total <> elements then raise 'counted % of % elements', total, elements; end if;
  return extract(epoch from clock_timestamp() - start);
end $$;
