# How sessions take leave of the partitions: none of their connections counts as abandoned there, and nothing is logged.

one -q <<'SQL'
create database ends;
\c ends
create function nap(seconds float) returns text language sql as 'select ''slept''::text from pg_sleep(seconds)';
SQL
proxy -q <<SQL
select format('create server ends foreign data wrapper plproxy options (%s)', string_agg(
    format('p%s %L', i, format('application_name=ends%s %s', i, '$(at "$ONE" ends)')), ', ')) from generate_series(0, 3) i \gexec
create user mapping for public server ends options (user 'postgres');
create function ends(seconds float) returns setof text language plproxy as \$\$ cluster 'ends'; run on all; target nap; \$\$;
create function ends_badly() returns setof int language plproxy as \$\$ cluster 'ends'; run on all; select 1 / 0; \$\$;
SQL
counted() { one -c "select sessions || ' ' || sessions_abandoned from pg_stat_database where datname = 'ends'"; }
settled() { said 0 one -c "select count(*) from pg_stat_activity where datname = 'ends'"; }
# leaves name least command...: the command leaves so many sessions behind, none of which is abandoned.
leaves() {
    local name=$1 least=$2 before after log lines; shift 2
    log=$(server_dir one)/log lines=$(wc -l <"$(server_dir one)/log")
    before=$(counted)
    "$@" >/dev/null 2>&1 || true
    until_true 20 settled
    at_least() { [ $(("$(counted | cut -d' ' -f1)" - ${before% *})) -ge "$least" ]; }
    check "ends.${name}_sessions" until_true 20 at_least
    after=$(counted)
    same "ends.$name" 0 $((${after#* } - ${before#* }))
    same "ends.${name}_log" '' "$(tail -n +$((lines + 1)) "$log" | grep 'reset by peer\|could not receive\|could not send\|unexpected EOF' || true)"
}
leaves normally 4 proxy -c 'select count(*) from ends(0)'
leaves after_an_error 4 proxy -c 'select count(*) from ends(0)' -c 'select count(*) from ends_badly()'
# At rest, and in the middle of a call, which ends the statements there first.
terminated() { # statement blow
    hang "$1" || return
    proxy -c "select $2 from pg_stat_activity where application_name = '$APP'"
    wait "$HUNG"
}
leaves terminated_at_rest 4 terminated 'select count(*) from ends(0); select pg_sleep(60)' 'pg_terminate_backend(pid)'
leaves terminated_in_a_call 4 terminated 'select count(*) from ends(60)' 'pg_terminate_backend(pid)'
leaves canceled_in_a_call 4 terminated 'select count(*) from ends(60)' 'pg_cancel_backend(pid)'
leaves nested 4 proxy -c 'select (select count(*) from ends(0)) from ends(0)'
leaves disconnected 4 proxy -c 'select count(*) from ends(0)' -c 'select plproxy_disconnect_all()' -c 'select pg_sleep(0.1)'
leaves errands 4 proxy -c "select * from plproxy_run_on_all('ends', 'select 1')"
leaves atomic 4 proxy -c "select * from plproxy_run_on_all('ends', 'select 1', atomic => true)"
