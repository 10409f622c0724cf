-- Some calls, as the application makes them.
set role app;
select id, q.* from generate_series(0, 63, 9) id, query_pk(id) q;
select count(insert_log(id)) as "insert_log calls" from generate_series(0, 99) id;
select count(*) as "query_insert rows" from generate_series(0, 99) id, query_insert(id);
select count(update_pk(id)) as "update_pk calls" from generate_series(0, 99) id;
select count(*) as "query_update_insert rows" from generate_series(100, 199) id, query_update_insert(id);
select answered_by, count(*) from generate_series(0, 399) id, query_smalltbl(id) group by 1 order by 1;
