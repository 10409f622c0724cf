-- The same cluster twice: over connections that sessions share, and over those of each session.
create server alike foreign data wrapper plproxy options (shared_connections '1', p0 'dbname=none');
create server alike_own foreign data wrapper plproxy options (p0 'dbname=none');
create user mapping for public server alike;
create user mapping for public server alike_own;
create function protection_shared(out tls text, out client text) language plproxy as $$ cluster 'alike'; run on 0;
    select case when ssl then version end as tls, client_dn as client from pg_stat_ssl where pid = pg_backend_pid(); $$;
create function protection_own(out tls text, out client text) language plproxy as $$ cluster 'alike_own'; run on 0;
    select case when ssl then version end as tls, client_dn as client from pg_stat_ssl where pid = pg_backend_pid(); $$;
-- Within a transaction, so that the connection cannot be replaced.
create function server_process() returns int language plproxy as $$ cluster 'alike'; run on 0; select pg_backend_pid(); $$;
-- Large values, there and back.
create function large(n int, out body text, out sum text) language plproxy as $$ cluster 'one'; run on 0; $$;
create function sum_of(body text) returns text language plproxy as $$ cluster 'one'; run on 0; $$;
create function many(n int) returns setof text language plproxy as $$ cluster 'one'; run on 0; $$;
