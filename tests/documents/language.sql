-- Four partitions on this server, for the examples of the language.
create role app login password 'secret';
create database users0 owner app;
create database users1 owner app;
create database users2 owner app;
create database users3 owner app;
create database app;
\c app
create extension plproxy;
create server users foreign data wrapper plproxy options (
    p0 'host=127.0.0.1 dbname=users0', p1 'host=127.0.0.1 dbname=users1',
    p2 'host=127.0.0.1 dbname=users2', p3 'host=127.0.0.1 dbname=users3');
create user mapping for public server users options (user 'app', password 'secret');
select * from plproxy_run_on_all('users', $$
    create table users (id int primary key, name text, country text);
    create function get_user(i_id int, out id int, out name text) returns setof record
        language sql as 'select id, name from users where id = i_id';
    create function add_user(i_id int, i_name text) returns int
        language sql as 'insert into users values (i_id, i_name) returning id';
$$);
create type part_of_user as (id int, name text);
grant create on schema public to app;
