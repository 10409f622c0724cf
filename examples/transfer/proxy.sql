-- The cluster's functions: accounts with even numbers are on partition 0, the others on partition 1.
create function open_account(i_id int, i_balance bigint) returns void language plproxy as
    $$ cluster 'bank'; run on i_id; $$;
create function move(i_id int, i_amount bigint) returns bigint language plproxy as
    $$ cluster 'bank'; run on i_id; $$;
create function total() returns setof bigint language plproxy as
    $$ cluster 'bank'; run on all; $$;

-- The transfer is a function of the proxy like any other. It takes the account with the lower number first: two transfers in
-- opposite directions then wait for each other in one order, and not in a circle that no partition sees.
create table transfers (id bigint generated always as identity, source int, target int, amount bigint);
create function transfer(i_source int, i_target int, i_amount bigint) returns void language plpgsql as $$
begin
    if i_source < i_target then
        perform move(i_source, -i_amount);
        perform move(i_target, i_amount);
    else
        perform move(i_target, i_amount);
        perform move(i_source, -i_amount);
    end if;
    insert into transfers (source, target, amount) values (i_source, i_target, i_amount);
end $$;
