do $$
declare
    what text;
begin
    for what in
        select pg_describe_object(classid, objid, 0) from pg_depend join pg_extension e on e.oid = refobjid
        where refclassid = 'pg_extension'::regclass and extname = 'plproxy' and deptype = 'e'
            and classid in ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_namespace'::regclass)
            and pg_describe_object(classid, objid, 0) !~ 'plproxy_(call_handler|validator|fdw_validator)[(]'
        order by classid = 'pg_proc'::regclass, classid = 'pg_namespace'::regclass  -- views before their functions
    loop
        execute 'alter extension plproxy drop ' || what;
        execute 'drop ' || what;
    end loop;
    update pg_extension set extversion = '2.10.0' where extname = 'plproxy';
end $$;
