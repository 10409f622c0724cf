-- The proxy's side: the cluster names both hosts, and nobody changes it while they change roles.
\set both 'host=127.0.0.1,127.0.0.1 dbname=postgres target_session_attrs=read-write sslmode=disable port=' :one ',' :two
create server pair foreign data wrapper plproxy options (query_timeout '1', connect_timeout '1', p0 :'both');
create user mapping for public server pair options (user 'postgres');
create function put(id bigint) returns text language plproxy as $$ cluster 'pair'; run on 0; $$;
create sequence ids;
create table outcomes (id bigint, at timestamptz default clock_timestamp(), server text, code text);
-- One insert: acknowledged by a server, or not.
create procedure one_insert() language plpgsql as $$
declare
    id bigint := nextval('ids');
    server text;
    code text := '00000';
begin
    begin
        server := put(id);
    exception when others or query_canceled then
        code := sqlstate;
    end;
    insert into outcomes (id, server, code) values (id, server, code);
    -- Not too many of them.
    if code <> '00000' then perform pg_sleep(0.005); end if;
end $$;
-- The milliseconds from a moment until the server's first acknowledgement.
create function first_by(name text, since timestamptz) returns int language sql as
    $$ select extract(epoch from min(at) - since) * 1000 from outcomes where server = name and at > since $$;
-- Milliseconds from a moment until every client has been served by the server again: none failed later than that.
create function last_failure(since timestamptz) returns int language sql as
    $$ select greatest(0, extract(epoch from max(at) - since) * 1000) from outcomes where code <> '00000' $$;
