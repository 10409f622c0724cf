-- What a session on a partition keeps when a call ends badly, here or there.
create function keep() returns setof text language plproxy as $$ cluster 'parts'; run on all; select set_config('d.kept', 'kept', false); $$;
create function kept(n int) returns text language plproxy as $$ cluster 'parts'; run on n; select current_setting('d.kept', true); $$;
create function nap(n int, s float8) returns int language plproxy as $$ cluster 'parts'; run on n; select 1 from pg_sleep(s); $$;
create function naps(s float8) returns setof int language plproxy as $$ cluster 'parts'; run on all; select 1 from pg_sleep(s); $$;
select keep();
set statement_timeout = '300ms';
select nap(0, 30);
reset statement_timeout;
select kept(0), kept(1), kept(2), kept(3);
set statement_timeout = '300ms';
select naps(30);
reset statement_timeout;
select kept(0), kept(1), kept(2), kept(3);
begin;
savepoint s;
set local statement_timeout = '300ms';
select naps(30);
rollback to s;
select kept(0), kept(1), kept(2), kept(3);
commit;
select kept(0), kept(1), kept(2), kept(3);
-- an error there
create function divide(n int) returns int language plproxy as $$ cluster 'parts'; run on n; select 1 / 0; $$;
select keep();
select divide(0);
select kept(0), kept(1), kept(2), kept(3);
-- one of several, when the others have long answered: what happens to one that has not is a matter of time
create function divide_one() returns setof int language plproxy as $$ cluster 'parts'; run on all;
    select case when current_database() = 'part0' then 1 / (select length(pg_sleep(2)::text)) else 1 end; $$;
select keep();
select divide_one();
select kept(1), kept(2), kept(3);
select kept(0);
-- an error here
create function unfit(n int) returns int language plproxy as $$ cluster 'parts'; run on n; select 'x'; $$;
create function unfits() returns setof int language plproxy as $$ cluster 'parts'; run on all; select 'x'; $$;
create function two(n int) returns int language plproxy as $$ cluster 'parts'; run on n; select generate_series(1, 2); $$;
select keep();
select unfit(0);
select kept(0), kept(1), kept(2), kept(3);
select unfits();
select kept(0), kept(1), kept(2), kept(3);
select two(0);
select kept(0), kept(1), kept(2), kept(3);
-- a cursor that nobody reads to its end, a set that is wanted in part
begin;
declare c cursor for select naps(0);
fetch c;
close c;
commit;
select naps(0) limit 1;
select kept(0), kept(1), kept(2), kept(3);
