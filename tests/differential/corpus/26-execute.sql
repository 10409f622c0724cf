-- EXECUTE and procedures, which only ours has, and the words that are names as before.
create function words(execute int, using int) returns int language plproxy as $$
    cluster 'parts'; run on execute; select execute * 10 + using;
$$;
select words(1, 2);
create function execute(execute int) returns int language sql as $$ select execute $$;
create function by_word(execute int) returns int language plproxy as $$ cluster 'parts'; run on execute(execute); select execute; $$;
select by_word(1);
create function split_word(execute int[]) returns setof int language plproxy as $$
    cluster 'parts'; split execute; run on execute; select unnest(execute);
$$;
select split_word('{1,2}');
create function dy(sql text) returns setof record language plproxy as $$ cluster 'parts'; run on 1; execute sql; $$;
select * from dy('select 1') as (a int);
create procedure proc(a int) language plproxy as $$ cluster 'parts'; run on 1; $$;
call proc(1);
create procedure proc_all() language plproxy as $$ cluster 'parts'; run on all; select 1; $$;
call proc_all();
create procedure by_function(statement text) language plproxy as $$ cluster 'parts'; run on 1; target exec; $$;
call by_function('select 1');
call by_function('select 1/0');
