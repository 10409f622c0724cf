-- A partition: run in each of its databases, by a superuser, where there is a role app.
create table users (userid int primary key, name text not null);
create table orders (orderid bigint generated always as identity primary key, userid int not null references users,
    amount numeric(10, 2) not null);
create index on orders (userid);
create index on orders (amount);
grant select, insert on users, orders to app;

create function put_users(i_ids int[]) returns bigint language sql as
    $$ with new as (insert into users select id, 'user ' || id from unnest(i_ids) id returning 1) select count(*) from new $$;
create function put_orders(i_ids int[]) returns bigint language sql as
    $$ with new as (insert into orders (userid, amount) select id, (hashint8(id * 31 + n) & 99999) / 100.0
           from unnest(i_ids) with ordinality u(id, n) returning 1) select count(*) from new $$;
create function get_user(i_userid int, out name text, out home text) returns setof record language sql as
    $$ select name, current_database() from users where userid = i_userid $$;
create function large_orders(i_amount numeric, out name text, out amount numeric) returns setof record language sql as
    $$ select u.name, o.amount from users u join orders o using (userid) where o.amount > i_amount $$;
create function sums(out part int, out n bigint, out amount numeric) returns setof record language sql as
    $$ select userid & 7, count(*), sum(amount) from orders group by 1 $$;
create function all_orders() returns setof orders language sql as 'select * from orders';
