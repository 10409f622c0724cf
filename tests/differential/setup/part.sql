-- What each of the four partitions has: run a statement, tell its number.
create function exec(statement text) returns void language plpgsql as $$ begin execute statement; end $$;
create function part() returns int language sql as $$ select right(current_database(), 1)::int $$;
create function fail(state text, message text, detail text default null, hint text default null) returns int
language plpgsql as $$
begin
    if detail is null and hint is null then
        raise exception using errcode = state, message = message;
    elsif hint is null then
        raise exception using errcode = state, message = message, detail = detail;
    else
        raise exception using errcode = state, message = message, detail = detail, hint = hint;
    end if;
end $$;
