-- The database app, where the blocks of selftest.md run.
create database app;
\c app
create extension plproxy;
