-- A partition: run in each of its databases, by a superuser, where there is a role app.
create table accounts (id int primary key, balance bigint not null check (balance >= 0));
grant select, insert, update on accounts to app;

create function open_account(i_id int, i_balance bigint) returns void language sql as
    $$ insert into accounts values (i_id, i_balance) $$;
create function move(i_id int, i_amount bigint) returns bigint language plpgsql as $$
declare
    v_balance bigint;
begin
    update accounts set balance = balance + i_amount where id = i_id returning balance into v_balance;
    if not found then
        raise exception 'there is no account %', i_id;
    end if;
    return v_balance;
end $$;
create function total() returns bigint language sql as $$ select coalesce(sum(balance), 0)::bigint from accounts $$;
