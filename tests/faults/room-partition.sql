-- What room.sh has on the partition.
create function take(t text) returns int language sql as 'select length(t)';
create function take(t bytea) returns int language sql as 'select length(t)';
create function take_many(t text[]) returns int language sql as 'select cardinality(t)';
create function take_many(t bytea[]) returns int language sql as 'select cardinality(t)';
create type pair as (a text, b text);
create function take_pair(p pair) returns int language sql as 'select length(p.a)';
create function give(len int) returns text language sql as $$ select repeat('x', len) $$;
create function give_bytes(len int) returns bytea language sql as $$ select decode(repeat('78', len), 'hex') $$;
create function give_pair(len int) returns pair language sql as $$ select row(repeat('x', len), 'y')::pair $$;
create domain short as text;
create function give_record(len int) returns record language sql as $$ select row(repeat('x', len), 'y'::text) $$;
create function give_array(len int) returns text[] language sql as $$ select array_agg(n::text) from generate_series(1, len / 8) n $$;
create function fail(len int, what text) returns int language plpgsql as $$
begin
    case what
        when 'message' then raise exception '%', repeat('m', len);
        when 'detail' then raise exception using message = 'm', detail = repeat('d', len);
        when 'hint' then raise exception using message = 'm', hint = repeat('h', len);
        when 'all' then raise exception using message = repeat('m', len), detail = repeat('d', len), hint = repeat('h', len);
        when 'query' then execute 'select ' || quote_literal(repeat('q', len)) || ' nonsense nonsense';
    end case;
end $$;
create function tell(len int, many int) returns int language plpgsql as $$
begin
    for n in 1 .. many loop raise notice '%', repeat('n', len); end loop;
    return 1;
end $$;
-- What is committed on all partitions or none needs databases of their own.
select format('create database apart%s', n) from generate_series(0, 2) n \gexec
\c apart0
create function fail(len int, what text) returns int language plpgsql as $$ begin raise exception '%', repeat('m', len); end $$;
\c apart1
create function fail(len int, what text) returns int language plpgsql as $$ begin raise exception '%', repeat('m', len); end $$;
\c apart2
create function fail(len int, what text) returns int language plpgsql as $$ begin raise exception '%', repeat('m', len); end $$;
