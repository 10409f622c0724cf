-- The cluster: LEFT and RIGHT are the ports of its servers, each with half of the 16 partitions.
create extension plproxy;
create view connstr as
    select n, format('host=127.0.0.1 port=%s dbname=part%s', case when n < 8 then :'left' else :'right' end, n) as text,
        format('host=%s port=%s dbname=part%s', case when n < 8 then :'left_dir' else :'right_dir' end,
            case when n < 8 then :'left' else :'right' end, n) as other
    from generate_series(0, 15) n;
select format('create server soak foreign data wrapper plproxy options (query_timeout ''20'', connect_timeout ''5'', %s)',
    string_agg(format('p%s %L', n, text), ', ')) from connstr \gexec
create user mapping for public server soak options (user 'postgres');
-- The same partition, by another way: over the socket if it is reached by TCP, and the reverse.
create procedure repoint(partition int) language plpgsql as $$
declare
    now text := substring(o from '=(.*)') from pg_foreign_server, unnest(srvoptions) o
        where srvname = 'soak' and o like format('p%s=%%', partition);
begin
    execute (select format('alter server soak options (set p%s %L)', n, case now when text then other else text end)
        from connstr where n = partition);
end $$;

create function which(key text, n int, out partition int, out said int) language plproxy as
    $$ cluster 'soak'; run on hashtext(key); $$;
create function which_all(n int, out partition int, out said int) returns setof record language plproxy as
    $$ cluster 'soak'; run on all; $$;
create function which_any(n int, out partition int, out said int) language plproxy as $$ cluster 'soak'; run on any; $$;
create function which_split(keys int[], texts text[], out partition int, out key int, out said text) returns setof record
    language plproxy as $$ cluster 'soak'; split all; run on keys; $$;
create function enter(key text, id bigint) returns bigint language plproxy as $$ cluster 'soak'; run on hashtext(key); $$;
create function look_up(key text, id bigint) returns bigint language plproxy as $$ cluster 'soak'; run on hashtext(key); $$;
create function add(key int, session int) returns bigint language plproxy as $$ cluster 'soak'; run on key; $$;
create function echo(key text, value text) returns text language plproxy as $$ cluster 'soak'; run on hashtext(key); $$;
create function grown(key text, size int) returns text language plproxy as $$ cluster 'soak'; run on hashtext(key); $$;
create function divide(key text, n int) returns int language plproxy as $$ cluster 'soak'; run on hashtext(key); $$;
create function many(key text, rows int) returns setof int language plproxy as $$ cluster 'soak'; run on hashtext(key); $$;
create function many_all(rows int, out n int, out note text) returns setof record language plproxy as
    $$ cluster 'soak'; run on all; $$;
create function nap(key text, seconds float8) returns int language plproxy as $$ cluster 'soak'; run on hashtext(key); $$;
-- Errors that are caught, between calls that work: what the calls said, and how many divisions were refused.
create function caught(key text, rounds int, out total bigint, out refused int) language plpgsql as $$
begin
    total := 0;
    refused := 0;
    for i in 1 .. rounds loop
        begin
            perform divide(key, 0);
        exception when division_by_zero then
            refused := refused + 1;
        end;
        total := total + (which(key, i)).said;
    end loop;
end $$;
-- The first rows of a set that is not read to its end.
create function first_of(key text, rows int) returns bigint language plpgsql as $$
declare
    source cursor for select many from many(key, 100000);
    n int;
    total bigint := 0;
begin
    open source;
    for i in 1 .. rows loop
        fetch source into n;
        total := total + n;
    end loop;
    close source;
    return total;
end $$;
