-- The extension, and the call that shows after each failing statement that the session is usable: by any user, with any
-- search_path, with no cluster at all.
create extension if not exists plproxy;
create schema d_probe;
grant usage on schema d_probe to public;
select 'host=127.0.0.1 dbname=part0 user=postgres port=' || :'port' as probed \gset
select format('create function d_probe.alive() returns int language plproxy as $f$ connect %L; select 42; $f$', :'probed') \gexec
