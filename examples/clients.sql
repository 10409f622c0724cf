-- Clients of the proxy that write, and keep a ledger of what they were told: one row for each write, which the partition
-- acknowledged (code 00000) or which failed. Each proxy has names of its own.
create table told (id bigint, name text, began timestamptz, ended timestamptz, answered_by text, code text, message text,
    proxy text default current_setting('cluster_name'));
create sequence client_ids;
create procedure write_one() language plpgsql as $$
declare
    id bigint := nextval('client_ids');
    name text := 'client ' || id || ' of ' || current_setting('cluster_name');
    began timestamptz := clock_timestamp();
    answered_by text;
    code text := '00000';
    message text;
begin
    begin
        answered_by := put_user(name);
    exception when others or query_canceled then
        code := sqlstate;
        message := sqlerrm;
    end;
    insert into told values (id, name, began, clock_timestamp(), answered_by, code, message);
end $$;
grant select, insert on told to app;
grant usage on client_ids to app;
