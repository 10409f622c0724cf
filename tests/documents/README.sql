-- What the example of the README finds: two partitions with its functions, and their user.
create role app login password 'secret';
create database app;
create database users0 owner app;
create database users1 owner app;
\c users0
set role app;
create table users (id int8 primary key, name text not null unique, email text);
create function get_user(i_name text, out id int8, out email text) returns setof record
    language sql as 'select id, email from users where name = i_name';
create function count_users() returns setof int8 language sql as 'select count(*) from users';
insert into users values (1, 'Ada', 'ada@example.com');
\c users1
set role app;
create table users (id int8 primary key, name text not null unique, email text);
create function get_user(i_name text, out id int8, out email text) returns setof record
    language sql as 'select id, email from users where name = i_name';
create function count_users() returns setof int8 language sql as 'select count(*) from users';
