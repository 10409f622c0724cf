# The functions that define clusters run with the rights of who asks. Whoever may create schemas in a database may make them: the
# administration functions ask them only where they are of somebody whom who asks has reason to trust.

proxy -q -c 'create database configured' -c 'create role d_mallory login' -c 'create role d_operator login' \
    -c 'grant create on database configured to d_mallory'
configured() { server_psql proxy -Atq -d configured -v ON_ERROR_STOP=0 <<<"$1" 2>&1 | paste -sd ';' - || true; }
configured "create extension plproxy; grant execute on all functions in schema public to d_operator" >/dev/null
same configured.made '' "$(configured "set role d_mallory; create schema plproxy; grant usage on schema plproxy to public;
    create sequence plproxy.ran; grant all on plproxy.ran to public;
    create function plproxy.get_cluster_version(text) returns int language sql as
        \$\$ select nextval('plproxy.ran'); select 1 \$\$;
    create function plproxy.get_cluster_config(text, out text, out text) returns setof record language sql as
        \$\$ select nextval('plproxy.ran'); select 'query_timeout', '0' \$\$;
    create function plproxy.get_cluster_partitions(text) returns setof text language sql as
        \$\$ select nextval('plproxy.ran'); select 'dbname=postgres' \$\$;")"
configured "create function on_misspelt() returns int language plproxy as 'cluster ''misspelt''; run on 0; select 1;';
    create function misspelt() returns text language sql as 'select ''misspelt''::text';
    create function on_computed() returns int language plproxy as 'cluster misspelt(); run on 0; select 1;'" >/dev/null
# Whether any of them was run, be it that the transaction was rolled back.
ran() { configured 'select is_called from plproxy.ran'; }
for call in "plproxy_check_cluster('misspelt')" "plproxy_check_functions('misspelt')" "plproxy_check_function('on_misspelt()')" \
    "plproxy_check_function('on_computed()')" "plproxy_route('on_misspelt()')" "plproxy_route('on_computed()')" \
    "plproxy_run_on_all('misspelt', 'select 1')" "plproxy_run_on_all('misspelt', 'select 1', atomic => true)" \
    "plproxy_recover_prepared('misspelt')" "plproxy_disconnect('misspelt')"; do
    for role in postgres d_operator; do
        same "configured.refused: $call by $role" 'ERROR:  42501' "$(configured "\\set VERBOSITY sqlstate
            set role $role; select * from $call")"
    done
done
same configured.nothing_ran f "$(ran)"
same configured.words 'ERROR:  PL/Proxy function public.plproxy_check_cluster(1): there is no foreign server "misspelt", and function plproxy.get_cluster_config(text) in a schema of role "d_mallory" is not asked;HINT:  The functions that define clusters run with the rights of who asks. They and their schema must belong to a superuser or to the current user.' \
    "$(configured "select * from plproxy_check_cluster('misspelt')")"
# A call has always asked them, and what a session knows from calls is no way around.
same configured.known '1 t' "$(configured "set role d_operator; select on_misspelt(); select * from plproxy_check_cluster('misspelt')" \
    | grep -c 'is not asked') $(ran)"
# Oneself, a superuser; not a role that one is a member of, for its other members may write what is the role's.
tells() { configured "set role $1; select partition from plproxy_check_cluster('misspelt')"; }
refuses() { configured "\\set VERBOSITY sqlstate
    set role $1; select * from plproxy_check_cluster('misspelt')" | grep -o 42501; }
configured 'grant execute on all functions in schema public to d_mallory' >/dev/null
same configured.oneself 0 "$(tells d_mallory)"
configured 'grant d_mallory to d_operator, postgres' >/dev/null
same configured.member 42501 "$(refuses d_operator)"
same configured.superuser_as_member 42501 "$(refuses postgres)"
for function in version config partitions; do
    same "configured.all_three: $function" '42501' "$(refuses postgres)"
    configured "alter function plproxy.get_cluster_$function(text) owner to postgres" >/dev/null
done
# Who owns the schema may drop what is in it and put something else there.
same configured.schema 42501 "$(refuses postgres)"
configured 'alter schema plproxy owner to postgres' >/dev/null
same configured.superuser 0 "$(tells postgres)"
# Functions that come and go: none of them is ever run, whenever the name is looked up.
configured 'drop schema plproxy cascade; create schema plproxy authorization d_mallory' >/dev/null
configured 'create sequence ran; grant all on ran to public' >/dev/null
{
    echo 'set role d_mallory;'
    for ((n = 0; n < 1500; n++)); do
        echo "begin; create function plproxy.get_cluster_version(text) returns int language plpgsql as 'begin perform nextval(''public.ran''); return 1; end';
            create function plproxy.get_cluster_config(text, out text, out text) returns setof record language sql as \$\$ select nextval('public.ran')::text, '0' \$\$;
            create function plproxy.get_cluster_partitions(text) returns setof text language sql as \$\$ select nextval('public.ran')::text \$\$; commit;
            begin; drop function plproxy.get_cluster_version(text), plproxy.get_cluster_config(text), plproxy.get_cluster_partitions(text); commit;"
    done
} | server_psql proxy -Atq -d configured >/dev/null 2>&1 &
coming_and_going=$!
asked=0
while kill -0 "$coming_and_going" 2>/dev/null; do
    for ((n = 0; n < 200; n++)); do echo "select * from plproxy_check_cluster('misspelt');"; done \
        | server_psql proxy -Atq -d configured -v ON_ERROR_STOP=0 >/dev/null 2>&1 || true
    asked=$((asked + 200))
done
wait "$coming_and_going" || true
same 'configured.coming_and_going: it was asked' t "$([ "$asked" -ge 200 ] && echo t)"
same configured.coming_and_going f "$(configured 'select is_called from public.ran')"
proxy -q -c 'drop database configured' -c 'drop role d_mallory, d_operator'
