-- RUN ON ANY over partitions of which not all can be connected to.
\set alive 'dbname=part1 host=127.0.0.1 user=postgres port=' :port
create server half foreign data wrapper plproxy options (p0 'dbname=dead host=127.0.0.1 port=1', p1 :'alive');
create user mapping for public server half;
create function any_part() returns text language plproxy as $$ cluster 'half'; run on any; select current_database()::text; $$;
create function any_part_by_default() returns text language plproxy as $$ cluster 'half'; select current_database()::text; $$;
-- how many of 100 calls fail: none, or some
create function failures(query text) returns text language plpgsql as $$
declare
    found text;
    failed int := 0;
begin
    for i in 1 .. 100 loop
        begin
            execute query into found;
            if found <> 'part1' then return found; end if;
        exception when others then
            failed := failed + 1;
        end;
    end loop;
    return case when failed = 0 then 'none' else 'some' end;
end $$;
select failures('select any_part()');
select failures('select any_part_by_default()');
-- a failed statement is an error
create function any_wrong() returns int language plproxy as $$ cluster 'half'; run on any; select 1 / 0; $$;
select failures('select any_wrong()');
-- words that the C handler does not know, and those that are names to both
create function skips_not() returns setof text language plproxy as $$ cluster 'half'; run on all skip; select 1; $$;
create function skips() returns setof text language plproxy as $$ cluster 'half'; run on all skip failed; select current_database()::text; $$;
create function skip(failed int) returns int language sql as 'select failed';
create function by_skip(failed int) returns int language plproxy as $$ cluster 'half'; run on skip(failed); select failed; $$;
select by_skip(1);
create function by_failed(skip int, failed int) returns int language plproxy as $$ cluster 'half'; run on failed; select skip; $$;
select by_failed(7, 1);
