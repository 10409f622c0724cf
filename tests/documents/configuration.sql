-- The partitions that the examples of configuration name.
create role app login password 'secret';
create database users0 owner app;
create database users1 owner app;
create database app;
