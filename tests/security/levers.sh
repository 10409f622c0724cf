# The table of decisions is no lever: whatever is granted on it, whoever owns it and whatever hangs on it, nobody's code runs when
# the library writes it, and nobody makes or unmakes a decision with it.

for name in lever0 lever1; do
    part -q -c "create database $name" -c "\\c $name" -c 'create table t (n int)'
done
proxy -q -c 'create database levers' -c 'create role mallory login' -c 'create role owner login'
levers() { server_psql proxy -Atq -d levers -v ON_ERROR_STOP=0 <<<"$1" 2>&1 | paste -sd ';' - || true; }
levers "create extension plproxy;
    create server parts foreign data wrapper plproxy options (p0 'host=127.0.0.1 port=$PART dbname=lever0',
        p1 'host=127.0.0.1 port=$PART dbname=lever1');
    create user mapping for public server parts options (user 'postgres');
    create schema mallory authorization mallory; grant create on schema mallory to owner; grant usage on schema mallory to public;
    grant mallory to owner; grant create on database levers to owner" >/dev/null
TABLE=plproxy_internal.prepared_transactions
# What is in the partitions: rows and what is prepared, of each.
in_parts() {
    local name
    for name in lever0 lever1; do
        part -d $name -c 'select count(*) from t' -c 'select count(*) from pg_prepared_xacts where database = current_database()' | paste -sd '|' -
    done | paste -sd ' ' -
}
insert() { levers "${1:-}; select count(*) from plproxy_run_on_all('parts', 'insert into t values (1)', atomic => true)"; }
recover() { levers "select partition, action from plproxy_recover_prepared('parts')"; }
empty() { local name; for name in lever0 lever1; do part -d $name -q -c 'truncate t'; done; }
# works lever: all goes on as if it were not there, and nothing of it was run.
works() {
    empty
    same "levers.$1: a command" 2 "$(insert)"
    same "levers.$1: it is done" '1|0 1|0' "$(in_parts)"
    same "levers.$1: its decisions" 2 "$(levers "select count(*) from only $TABLE")"
    same "levers.$1: a savepoint rolled back" '2;0' "$(levers "begin; savepoint s;
        select count(*) from plproxy_run_on_all('parts', 'insert into t values (1)', atomic => true); rollback to s;
        select count(*) - 2 from only $TABLE; commit")"
    same "levers.$1: the recovery" '' "$(recover)"
    same "levers.$1: it has removed them" 0 "$(levers "select count(*) from only $TABLE")"
    same "levers.$1: nothing of somebody else's was run" '' "$(levers 'select distinct what from mallory.seen')"
}

# ---- who was granted everything

levers "grant all on all tables in schema public to mallory; grant all on schema plproxy_internal to mallory, owner;
    grant all on all tables in schema plproxy_internal to mallory;
    grant all on $TABLE to public" >/dev/null
levers "set role mallory;
    create table mallory.seen (what text);
    grant all on mallory.seen to public;
    create function mallory.saw() returns trigger language plpgsql as \$\$ begin
        insert into mallory.seen values (format('%s %s %s as %s', tg_when, tg_op, tg_level, current_user));
        if tg_op = 'DELETE' then return old; end if;
        return new;
    end \$\$;
    create function mallory.sees(anyelement) returns bool language plpgsql as \$\$ begin
        insert into mallory.seen values ('sees as ' || current_user);
        return true;
    end \$\$;
    create function mallory.text() returns text language plpgsql as \$\$ begin
        insert into mallory.seen values ('text as ' || current_user);
        return '';
    end \$\$" >/dev/null
for event in insert update delete; do for level in row statement; do for when in before after; do
    said=$(levers "set role mallory; create trigger ${when}_${event}_$level $when $event on $TABLE for each $level execute function mallory.saw()")
    same "levers.triggers: $when $event for each $level can be made" '' "$said"
done; done; done
same 'levers.triggers: of constraints, deferred' '' "$(levers "set role mallory; create constraint trigger late
    after insert or update or delete on $TABLE deferrable initially deferred for each row execute function mallory.saw()")"
works triggers
levers 'truncate mallory.seen' >/dev/null
same 'levers.triggers: they do run for SQL' 1 \
    "$(levers "begin; delete from $TABLE; select (count(*) > 0)::int from mallory.seen; rollback")"
same 'levers.triggers: they do not where a superuser deletes as docs/operations.md has it' 0 \
    "$(levers "begin; set local session_replication_role = replica; delete from $TABLE; select (count(*) > 0)::int from mallory.seen; rollback")"

# Nor does a lock help for longer than somebody waits.
same 'levers.lock: it is waited for as any' 'ERROR:  canceling statement due to lock timeout' "$(
    server_psql proxy -q -d levers -c "set role mallory; begin; lock table $TABLE in exclusive mode; select pg_sleep(600)" >/dev/null 2>&1 &
    until_is 1 levers "select count(*) from pg_locks where relation = '$TABLE'::regclass and mode = 'ExclusiveLock' and granted" >/dev/null
    levers "set lock_timeout = '100ms'; select from plproxy_run_on_all('parts', 'select 1', atomic => true)" | sed 's/;.*//'
    levers "select count(pg_terminate_backend(pid)) from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> pg_backend_pid()" >/dev/null
    wait)"

# ---- decisions that somebody else writes, or deletes

# again gid partition: that transaction is prepared there (again), with a row.
again() { part -d "lever$2" -q -c "begin; insert into t values (7); prepare transaction '$1'"; }
# gids what: of a command that was rolled back, or committed
gids() {
    levers "begin; select 'of', gid from $TABLE where false;
        select from plproxy_run_on_all('parts', 'insert into t values (1)', atomic => true);
        select gid from $TABLE order by partition; $1" | tr ';' '\n' | grep '^plproxy_'
}
empty
mapfile -t undecided < <(gids rollback)
same 'levers.forged: two names' 2 "${#undecided[@]}"
levers "set role mallory; insert into $TABLE select '${undecided[0]}', 'parts', 0, 'host=127.0.0.1 port=$PART dbname=lever0', '', '0', now();
    insert into $TABLE select '${undecided[1]}', 'parts', 1, 'host=127.0.0.1 port=$PART dbname=lever1',
        (select system_identifier from pg_control_system()) || '/0/00000001', '3', now()" >/dev/null
for n in 0 1; do again "${undecided[n]}" $n; done
same 'levers.forged: prepared' '0|1 0|1' "$(in_parts)"
same 'levers.forged: it is not decided' '0|rolled back;1|rolled back' "$(recover)"
same 'levers.forged: nothing is done' '0|0 0|0' "$(in_parts)"
levers "truncate $TABLE" >/dev/null
mapfile -t decided < <(gids commit)
same 'levers.deleted: done' '1|0 1|0' "$(in_parts)"
for n in 0 1; do again "${decided[n]}" $n; done
same 'levers.deleted: it can be' 2 "$(levers "set role mallory; with gone as (delete from $TABLE returning 1) select count(*) from gone")"
# The log says committed, and no row says of what.
same 'levers.deleted: that makes no decision, and unmakes none' '0|decision missing;1|decision missing' "$(recover)"
same 'levers.deleted: all is as it was' '1|1 1|1' "$(in_parts)"
same 'levers.truncated: as well' '0|decision missing;1|decision missing' "$(levers "set role mallory; truncate $TABLE" >/dev/null; recover)"
same 'levers.truncated: all is as it was' '1|1 1|1' "$(in_parts)"
for n in 0 1; do part -d "lever$n" -q -c "commit prepared '${decided[n]}'"; done
levers "truncate mallory.seen" >/dev/null
old="plproxy_$(levers "select oid from pg_database where datname = 'levers'")_17_$(levers 'select system_identifier from pg_control_system()')1795263159495601_0"
again "$old" 0
levers "set role mallory; insert into $TABLE values ('$old', 'parts', 0, '', '', '0', now())" >/dev/null
same 'levers.forged: nor one of an older version' '0|of server 3.0.0' "$(recover)"
part -d lever0 -q -c "rollback prepared '$old'"
levers "truncate $TABLE; truncate mallory.seen" >/dev/null

# ---- who owns it, and is no superuser

levers "alter table $TABLE owner to owner" >/dev/null
own() { same "levers.$1: can be made" '' "$(levers "set role owner; $2")"; }
own 'rule, also' "create rule r as on insert to $TABLE do also select mallory.text()"
own 'rule, instead' "create rule s as on delete to $TABLE do instead select mallory.text()"
works rules
levers "truncate mallory.seen; drop rule r on $TABLE; drop rule s on $TABLE" >/dev/null
own policy "create policy p on $TABLE using (mallory.sees(gid)) with check (mallory.sees(gid));
    create policy q on $TABLE as restrictive using (false);
    alter table $TABLE enable row level security; alter table $TABLE force row level security"
works policies
own default "alter table $TABLE alter gid set default mallory.text(), alter cluster set default mallory.text()"
own check "alter table $TABLE add check (mallory.sees(cluster))"
works defaults
levers "truncate mallory.seen" >/dev/null
own children "create table mallory.child () inherits ($TABLE)"
mapfile -t undecided < <(gids rollback)
levers "insert into mallory.child values ('${undecided[0]}', 'parts', 0, '', '', '0', now());
    truncate mallory.seen" >/dev/null
works children
same 'levers.children: its rows are nothing' 1 "$(levers 'select count(*) from mallory.child')"
levers "drop table mallory.child; truncate mallory.seen; alter table $TABLE alter gid drop default, alter cluster drop default,
    drop constraint prepared_transactions_cluster_check" >/dev/null

# What changes it so that rows would be written, or kept, in another way is refused.
ALTERED='ERROR:  PL/Proxy function public.plproxy_run_on_all(3): table plproxy_internal.prepared_transactions is not as the extension made it;HINT:  It must be a permanent table with the columns that it had, and have no indexes.'
refused() { # lever, what makes it, what takes it back
    empty
    same "levers.$1: can be made" '' "$(levers "set role owner; $2")"
    same "levers.$1: is refused" "$ALTERED" "$(insert)"
    same "levers.$1: before anything is done" '0|0 0|0' "$(in_parts)"
    same "levers.$1: by the recovery, too" "${ALTERED//run_on_all(3)/recover_prepared(1)}" "$(recover)"
    same "levers.$1: can be taken back" '' "$(levers "set role owner; $3")"
}
refused index "create function mallory.calm(text) returns text immutable language plpgsql as 'begin return mallory.sees(\$1)::text; end';
    create index i on $TABLE ((mallory.calm(gid)))" 'drop index plproxy_internal.i'
refused partition "create table mallory.parent (like $TABLE) partition by list (cluster); alter table mallory.parent attach partition $TABLE default" \
    "alter table mallory.parent detach partition $TABLE; drop table mallory.parent"
refused unlogged "alter table $TABLE set unlogged" "alter table $TABLE set logged"
refused column "alter table $TABLE add more text default mallory.text()" 'select 1 where false'
levers "truncate mallory.seen" >/dev/null
same 'levers.column: is refused for ever' "$ALTERED" "$(insert "alter table $TABLE drop more")"
OUTDATED="ERROR:  the extension's functions are of another version than its library;HINT:  Run ALTER EXTENSION plproxy UPDATE."
levers "begin; alter extension plproxy drop table $TABLE; alter table $TABLE rename to real;
    create table $TABLE (like plproxy_internal.real) partition by list (partition);
    create table mallory.part partition of $TABLE default; commit" >/dev/null
same 'levers.another table in its place' "$OUTDATED" "$(insert)"
levers "drop table $TABLE; create table $TABLE (gid text not null, cluster text not null, partition int4 not null, address text not null,
    server text not null, transaction xid8 not null, decided_at timestamptz not null)" >/dev/null
same 'levers.another of the same shape' "$OUTDATED" "$(insert)"
levers "alter extension plproxy add table $TABLE" >/dev/null
works 'its own again'
same 'levers.the table is gone' "$OUTDATED" "$(insert "alter extension plproxy drop table $TABLE; drop table $TABLE")"

# ---- what is there before the extension comes

proxy -q -c 'create database before'
before() { server_psql proxy -Atq -d before -v ON_ERROR_STOP=0 <<<"$1" 2>&1 | paste -sd ';' - || true; }
before "create schema plproxy_internal authorization mallory;
    set role mallory; create table plproxy_internal.prepared_transactions (gid text, cluster text, partition int4, address text,
        server text, transaction xid8, decided_at timestamptz)" >/dev/null
# From PostgreSQL 18 on it says where in the script.
said=$(before 'create extension plproxy')
same 'levers.before: refused' 'ERROR:  schema "plproxy_internal" already exists' "${said%%;CONTEXT:*}"
BY_HAND="create function plproxy_call_handler() returns language_handler as '\$libdir/plproxy' language c;
    create function plproxy_validator(oid) returns void as '\$libdir/plproxy' language c strict;
    create language plproxy handler plproxy_call_handler validator plproxy_validator;
    create function plproxy_fdw_validator(text[], oid) returns boolean as '\$libdir/plproxy' language c;
    create foreign data wrapper plproxy validator plproxy_fdw_validator"
same 'levers.before: an update as well' 'ERROR:  schema "plproxy_internal" already exists' "$(before "$BY_HAND;
    create extension plproxy version 'unpackaged'; alter extension plproxy update" | grep -o 'ERROR:  schema[^;]*')"

# ---- names that mean something else on the way

levers "drop extension plproxy cascade; create extension plproxy;
    create server parts foreign data wrapper plproxy options (p0 'host=127.0.0.1 port=$PART dbname=lever0',
        p1 'host=127.0.0.1 port=$PART dbname=lever1');
    create user mapping for public server parts options (user 'postgres')" >/dev/null
EVIL="create schema evil;
    create function evil.equal(text, text) returns bool language sql as 'select false';
    create operator evil.= (leftarg = text, rightarg = text, procedure = evil.equal);
    create function evil.same(name, name) returns bool language sql as 'select false';
    create operator evil.= (leftarg = name, rightarg = name, procedure = evil.same);
    create function evil.concat_ws(text, variadic \"any\") returns text language internal as 'text_concat_ws';
    create function evil.pg_xact_status(xid8) returns text language sql as 'select ''aborted''::text';
    create function evil.pg_current_xact_id() returns xid8 language sql as 'select ''3''::xid8';
    create function evil.current_database() returns name language sql as 'select ''evil''::name';
    create view evil.pg_prepared_xacts as select null::xid as transaction, ''::text as gid, now() as prepared, ''::name as owner,
        ''::name as database where false;
    create table evil.prepared_transactions ()"
levers "$EVIL" >/dev/null
for name in lever0 lever1; do
    part -d $name -q -c "$EVIL" -c "alter database $name set search_path = evil, pg_catalog, public"
done
same 'levers.search_path: a command' 2 "$(insert "set search_path = evil, pg_catalog, public")"
mapfile -t decided < <(gids 'set search_path = evil, pg_catalog, public; commit')
for n in 0 1; do again "${decided[n]}" $n; done
same 'levers.search_path: the recovery' '0|committed;1|committed' \
    "$(levers "set search_path = evil, pg_catalog, public; select partition, action from plproxy_recover_prepared('parts')")"
same 'levers.search_path: has removed the decisions' 0 "$(levers "select count(*) from $TABLE")"
