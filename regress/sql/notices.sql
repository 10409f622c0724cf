-- Notices of the partitions, told here at the moment they come.
create schema t_notices;
set search_path = t_notices, public;
call everywhere('create schema t_notices');
call everywhere($$
    create function t_notices.tell(level text, message text, detail text, hint text, state text) returns int
    language plpgsql as 'begin
        case level
            when ''debug'' then raise debug using message = message, detail = detail, hint = hint, errcode = state;
            when ''log'' then raise log using message = message, detail = detail, hint = hint, errcode = state;
            when ''info'' then raise info using message = message, detail = detail, hint = hint, errcode = state;
            when ''notice'' then raise notice using message = message, detail = detail, hint = hint, errcode = state;
            when ''warning'' then raise warning using message = message, detail = detail, hint = hint, errcode = state;
        end case;
        return part();
    end';
    create function t_notices.count_to(n int) returns setof int language plpgsql as 'begin
        for i in 1..n loop
            raise notice ''% of %'', i, n;
            return next i;
        end loop;
    end';
$$);
create function tell(level text, message text, detail text, hint text, state text) returns int language plproxy as $$
    cluster 'parts'; run on 1;
$$;
-- a SQLSTATE of class 00 makes a NOTICE, any other a WARNING
select tell('notice', 'a notice', '', '', '00000');
select tell('notice', 'a notice with all', 'the detail', 'the hint', '00000');
select tell('warning', 'a warning', 'the detail', '', '01000');
select tell('notice', 'a notice of another class', '', '', '01000');
select tell('warning', 'a warning of class 00', '', 'the hint', '00000');
select tell('warning', 'a class of my own', '', '', 'P0042');
select tell('info', 'an info', '', '', '00000');
select tell('info', 'an info of another class', '', '', '22012');
select tell('notice', E'two\nlines', E'two\nmore', E'and\ntwo', '00000');
select tell('notice', '100% "quoted" \', '', '', '00000');
select tell('debug', 'nobody hears', '', '', '00000');
select tell('log', 'nobody hears', '', '', '00000');
\set VERBOSITY sqlstate
select tell('notice', 'a notice', '', '', '00042');
select tell('warning', 'a warning', '', '', '01042');
\set VERBOSITY default
-- the local session decides what is shown
set client_min_messages = warning;
select tell('notice', 'a notice', '', '', '00000');
select tell('warning', 'a warning', '', '', '01000');
set client_min_messages = error;
select tell('warning', 'a warning', '', '', '01000');
reset client_min_messages;
-- many, in order, and the rows too
create function count_to(n int) returns setof int language plproxy as $$ cluster 'parts'; run on 2; $$;
select * from count_to(5);
create function count_from_all(n int) returns setof int language plproxy as $$
    cluster 'parts'; run on all; target t_notices.count_to;
$$;
set client_min_messages = warning;
select count(*), sum(n) from count_from_all(1000) n;
reset client_min_messages;
-- a notice, then an error
call everywhere($$ create function t_notices.warn_and_fail() returns int language plpgsql as 'begin
        raise notice ''about to fail'';
        raise exception ''failed'';
    end' $$);
create function warn_and_fail() returns int language plproxy as $$ cluster 'parts'; run on 3; $$;
select warn_and_fail();
select part_at(3);
-- notices of the server itself
create function dynamic(statement text) returns void language plproxy as $$ cluster 'parts'; run on 0; target exec; $$;
select dynamic('create table if not exists t_notices.a (b int)'), dynamic('create table if not exists t_notices.a (b int)');
select dynamic('drop table if exists t_notices.none');
select dynamic('create table t_notices.b (id int primary key); drop table t_notices.b');
-- one that comes with CONNECT, and in a nested call
create function connected(connstr text) returns int language plproxy as $$ connect connstr; target t_notices.count_one; $$;
call everywhere($$ create function t_notices.count_one(text) returns int language plpgsql as
    'begin raise notice ''one''; return 1; end' $$);
select connected(format('dbname=regress_part1 host=127.0.0.1 port=%s', current_setting('port')));
do $$
begin
    perform * from t_notices.count_to(2);
end $$;
-- what the server says at the log-in, once for each connection: here that a setting of the role is not valid any more
select dynamic('create role regress_gone; create role regress_told login; alter role regress_told set role = regress_gone;
    drop role regress_gone');
create function told(connstr text) returns int language plproxy as $$ connect connstr; select 1; $$;
select told(format('dbname=regress_part0 host=127.0.0.1 user=regress_told port=%s', current_setting('port')));
select told(format('dbname=regress_part0 host=127.0.0.1 user=regress_told port=%s', current_setting('port')));
select dynamic('drop role regress_told');
set client_min_messages = warning;
drop schema t_notices cascade;
call everywhere('drop schema t_notices cascade');
