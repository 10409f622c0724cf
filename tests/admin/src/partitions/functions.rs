//! Functions that fit what the partitions have, and that do not.

use plproxy_test_kit::Tally;

use super::Servers;

pub fn run(tally: &mut Tally, servers: &Servers) {
    tally.same(
        "functions",
        "",
        servers.ask(&[
            "create function good(a int, out x int, out y text) returns setof record language plproxy
                as 'cluster ''parts''; run on all;'",
            "create function only_a(t text) returns int language plproxy as 'cluster ''parts''; run on 0;'",
            "create function wrong_columns(out x int, out z text) language plproxy as 'cluster ''parts''; run on 0;'",
            "create function no_right() returns int language plproxy as 'cluster ''parts''; run on 0;'",
        ]),
    );
    for server in servers.partitions() {
        server.execute(
            "part",
            &[
                "create function good(a int, out x bigint, out y varchar) returns setof record language sql
                    as $$ select a, 'y' $$",
                "create function wrong_columns(out x int, out y text) language sql as $$ select 1, 'y' $$",
                "create function no_right() returns int language sql as 'select 1'",
                "revoke execute on function no_right() from public",
            ],
        );
    }
    servers.a.execute(
        "part",
        &["create function only_a(t text) returns int language sql as 'select 1'"],
    );
    servers.proxy.execute(
        "postgres",
        &["alter user mapping for public server parts options (set user 'limited')"],
    );
    tally.same(
        "check_functions: what does not fit, and where",
        "good(integer)|0|t|;good(integer)|1|t|;\
         no_right()|0|f|permission denied for function public.no_right;\
         no_right()|1|f|permission denied for function public.no_right;\
         only_a(text)|0|t|;only_a(text)|1|f|ERROR:  function public.only_a(text) does not exist;\
         part_setting(text)|0|t|;part_setting(text)|1|t|;\
         wrong_columns()|0|f|ERROR:  column \"z\" does not exist;wrong_columns()|1|f|ERROR:  column \"z\" does not exist",
        servers.ask(&[
            "select function, partition, ok, split_part(problem, E'\\n', 1) from plproxy_check_functions('parts')",
        ]),
    );
    servers.b.stop("fast");
    tally.same(
        "check_function: a partition that is down is a problem",
        "0|t|;1|f|connection to server at \"127.0.0.1\", port N failed: Connection refused",
        servers.ask(&[
            "select partition, ok, split_part(problem, E'\\n', 1) from plproxy_check_function('only_a(text)')",
        ]),
    );
}
