-- A partition of the shop: run in each of its databases, by a superuser, where there is a role app.
create table users (name text primary key, info text not null);
create function put_user(i_name text) returns text language sql as
    $$ insert into users values (i_name, md5(i_name)) returning current_setting('cluster_name') || ':' || current_database() $$;
create function put_users(i_names text[]) returns bigint language sql as
    $$ with new as (insert into users select n, md5(n) from unnest(i_names) n returning 1) select count(*) from new $$;
create function get_user(i_name text, out name text, out info text, out home text) returns setof record language sql as
    $$ select name, info, current_setting('cluster_name') || ':' || current_database() from users where name = i_name $$;
create function sum_users(out home text, out n bigint, out checksum numeric) language sql as
    $$ select current_setting('cluster_name') || ':' || current_database(), count(*), sum(hashtextextended(name || info, 0))
       from users $$;
create function all_users() returns setof users language sql as 'select * from users';
grant select, insert on users to app;
