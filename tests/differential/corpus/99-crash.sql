-- What crashes the C handler stands last.
call everywhere('create type public.pair as (x int, y text); create domain public.good_pair as public.pair check ((value).x > 0)');
create type pair as (x int, y text);
create domain good_pair as pair check ((value).x > 0);
create function goods(a good_pair) returns good_pair language plproxy as $$ cluster 'parts'; run on 0; select (a).x, (a).y; $$;
select goods(row(1, 'a'));
select goods(row(0, 'a'));
set client_min_messages = warning;
call everywhere('drop type public.pair cascade');
reset client_min_messages;
select plproxy_fdw_validator('{p0}', 'pg_foreign_server'::regclass);
