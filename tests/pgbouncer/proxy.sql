-- The proxy's side. The server's p0 is set for each case.
create extension plproxy;
create server parts foreign data wrapper plproxy options (p0 '');

create function one(i int, out said text, out pid int) language plproxy as $$ cluster 'parts'; run on 0; $$;
create function two(i int, out said text, out pid int) language plproxy as $$ cluster 'parts'; run on 0; $$;
create function fail(i int) returns int language plproxy as $$ cluster 'parts'; run on 0; $$;
create function slow(label text, seconds float8) returns text language plproxy as $$ cluster 'parts'; run on 0; $$;
create function prepared() returns text language plproxy as $$ cluster 'parts'; run on 0; $$;
create function letter() returns text language plproxy as $$ cluster 'parts'; run on 0; $$;
create function root_by_select() returns float8 language plproxy as $$ cluster 'parts'; run on 0; select root(); $$;
create function two_by(connstr text, i int, out said text, out pid int) language plproxy as
    $$ connect connstr; select said, pid from two(i); $$;

-- Calls the two functions in turn, every other worker the second one first, and compares each answer.
create function hammer(worker int, calls int,
    out made int, out wrong int, out errors int, out pids int[], out message text) language plpgsql as $$
declare
    said text;
    expected text;
    pid int;
    n int;
begin
    made := 0; wrong := 0; errors := 0; pids := '{}';
    for turn in 1 .. calls loop
        n := worker * 1000000 + turn;
        begin
            if (turn + worker) % 2 = 0 then
                select * into said, pid from one(n);
                expected := 'one ' || n;
            else
                select * into said, pid from two(n);
                expected := 'two ' || n;
            end if;
            made := made + 1;
            if said is distinct from expected then
                wrong := wrong + 1;
                message := coalesce(message, format('%s instead of %s', said, expected));
            end if;
            if not pid = any (pids) then pids := pids || pid; end if;
        exception when others then
            errors := errors + 1;
            message := coalesce(message, sqlerrm);
        end;
    end loop;
end $$;

-- Remote errors between good answers: each must be the one of its own call.
create function stumble(calls int, out wrong int) language plpgsql as $$
begin
    wrong := 0;
    for i in 1 .. calls loop
        begin
            perform fail(i);
            wrong := wrong + 1;
        exception when raise_exception then
            if sqlerrm not like '%REMOTE ERROR: failed ' || i then wrong := wrong + 1; end if;
        end;
        if (select said from one(i)) is distinct from 'one ' || i then wrong := wrong + 1; end if;
    end loop;
end $$;
