create database app;
\c app
create extension plproxy;
