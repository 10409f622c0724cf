-- Every result is compared.
\set n random(1, 100000)
\set how random(1, 10)
select set_config('test.n', (:n)::text, false), set_config('test.how', (:how)::text, false);
do $$
declare
    n int := current_setting('test.n');
    how int := current_setting('test.how');
begin
    for i in n .. n + 19 loop
        if double_of(i) is distinct from 2 * i then raise exception 'wrong: double_of(%)', i; end if;
        if name_of(i) is distinct from i || ' part' || i % 4 then raise exception 'wrong: name_of(%)', i; end if;
    end loop;
    if how = 1 then
        begin
            perform fails(n);
            raise exception 'wrong: no failure';
        exception when division_by_zero then null;
        end;
    elsif how = 2 then
        if (select (count(*), sum(v))::text from rows_of(100) v) <> '(400,20200)' then
            raise exception 'wrong: rows_of(100)';
        end if;
    end if;
end $$;
