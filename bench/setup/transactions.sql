-- On our proxy only: the cluster of eight once more, whose calls join the local transaction, and two statements on two partitions in
-- both modes.
select format('create server joined_8 foreign data wrapper plproxy options (transaction_mode ''two_phase'', %s)',
              string_agg(format('p%s %L', i, connstr(i)), ', ' order by i))
from generate_series(0, 7) i, set_config('bench.ports', :'ports', false) \gexec
create user mapping for public server joined_8 options (user 'shard');
create schema joined;
select format('create function joined.%s(i_userid int%s) returns %s language plproxy strict as %L', name,
              case when result = 'void' then '' else ', out dbid int, out userid int, out info text' end, result,
              format('cluster ''joined_8''; run on i_userid; target shop.%s;', name))
from (values ('query_pk', 'setof record'), ('insert_log', 'void'), ('update_pk', 'void')) f (name, result) \gexec
select format('create function %s.pair(i_userid int) returns void language plpgsql as $$
begin
  perform %1$s.update_pk(i_userid);
  perform %1$s.update_pk(i_userid + 1);
end $$', schema)
from unnest(array['on_8', 'joined']) schema \gexec
