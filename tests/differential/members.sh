# What the extension has in a database. Sourced.

# Everything, as it is declared, one line for each.
LISTED="select regexp_replace(pg_describe_object(d.classid, d.objid, 0) || coalesce(pg_get_functiondef(p.oid), '') || coalesce(p.proacl::text, '')
        || coalesce(n.nspacl::text, '') || coalesce(format('%s %s %s %s %s %s', c.relacl, c.relkind, c.relpersistence, c.relam,
            c.relrowsecurity, c.relhasindex), '')
        || case c.relkind when 'v' then pg_get_viewdef(c.oid) else '' end || coalesce((select string_agg(format('%s %s %s %s', attname, atttypid::regtype,
            attnotnull, pg_get_expr(adbin, adrelid)), ',' order by attnum) from pg_attribute
            left join pg_attrdef on adrelid = attrelid and adnum = attnum where attrelid = c.oid and attnum > 0), ''), e'\\\\s+', ' ', 'g') as what
    from pg_extension e join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
    left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
    left join pg_namespace n on d.classid = 'pg_namespace'::regclass and n.oid = d.objid
    left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid where extname = 'plproxy'
    union all select 'to be dumped: ' || coalesce(extconfig::regclass[]::text, 'nothing') from pg_extension where extname = 'plproxy'"
MEMBERS="select md5(string_agg(what, e'\\n' order by what collate \"C\")) from ($LISTED) members"
