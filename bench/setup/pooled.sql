-- On the C handler's proxy only: the 32 partitions once more, behind poolers, whose ports are :ports.
select format('create server pooled_32 foreign data wrapper plproxy options (%s)',
              string_agg(format('p%s %L', i, connstr(i)), ', ' order by i))
from generate_series(0, 31) i, set_config('bench.ports', :'ports', false) \gexec
create user mapping for public server pooled_32 options (user 'shard');
create schema pooled_32;
create function pooled_32.query_pk(i_userid int, out dbid int, out userid int, out info text) returns setof record
language plproxy strict as $$ cluster 'pooled_32'; run on i_userid; target shop.query_pk; $$;
