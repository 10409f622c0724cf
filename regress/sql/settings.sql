-- Settings called plproxy.…: ours, users' own, and those that look like misspelt ones of ours.
set plproxy.shard = '7';
set plproxy.standard_sqlstate = on;
set "PLPROXY.Log_Min_Durations" = 5;
set plproxy.log = 'own';
-- the library is loaded by the first call
select part_at(0);
select current_setting('plproxy.shard'), current_setting('plproxy.standard_sqlstate'), current_setting('plproxy.log');
select part_at(1);
set plproxy.shard = '8';
set plproxy.another = '9';
begin;
set local plproxy.shard = '10';
select set_config('plproxy.another', '11', true), current_setting('plproxy.shard');
rollback;
select current_setting('plproxy.shard'), current_setting('plproxy.another'), current_setting('plproxy.nothing', true);
-- ours are themselves
set plproxy.standard_sqlstates = maybe;
set plproxy.log_min_duration = '2s';
show plproxy.log_min_duration;
-- those of a database are there again in the next session, ours and others
alter database regression set plproxy.shard = '12';
alter database regression set plproxy.log_min_duration = '5s';
\c -
select part_at(0);
select current_setting('plproxy.shard'), current_setting('plproxy.log_min_duration');
alter database regression reset plproxy.shard;
alter database regression reset plproxy.log_min_duration;
-- loaded by other ways than a call
\c -
set plproxy.standard_sqlstate = on;
load 'plproxy';
\c -
set plproxy.max_track_partitions = 1;
select plproxy_hash(1);
