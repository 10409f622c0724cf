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
same configured.words 'ERROR:  PL/Proxy function public.plproxy_check_cluster(1): there is no foreign server "misspelt", and function plproxy.get_cluster_config(text) of role "d_mallory" is not asked;HINT:  The functions that define clusters run with the rights of who asks. They must belong to a superuser, to the current user or to a role that it is a member of.' \
    "$(configured "select * from plproxy_check_cluster('misspelt')")"
# A call has always asked them, and what a session knows from calls is no way around.
same configured.known '1 t' "$(configured "set role d_operator; select on_misspelt(); select * from plproxy_check_cluster('misspelt')" \
    | grep -c 'is not asked') $(ran)"
# Oneself, a role that one is a member of, a superuser.
tells() { configured "set role $1; select partition from plproxy_check_cluster('misspelt')"; }
configured 'grant execute on all functions in schema public to d_mallory' >/dev/null
same configured.oneself 0 "$(tells d_mallory)"
configured 'grant d_mallory to d_operator' >/dev/null
same configured.member 0 "$(tells d_operator)"
for function in version config partitions; do
    same "configured.all_three: $function" '42501' "$(configured "\\set VERBOSITY sqlstate
        select * from plproxy_check_cluster('misspelt')" | grep -o 42501)"
    configured "alter function plproxy.get_cluster_$function(text) owner to postgres" >/dev/null
done
same configured.superuser 0 "$(tells postgres)"
proxy -q -c 'drop database configured' -c 'drop role d_mallory, d_operator'
