# A partition's server that is killed during a call.

# killed how: the call's outcome, and the milliseconds from the blow to the caller's error.
killed() {
    local outcome ended victim
    hang "set client_min_messages = error; select outcome, extract(epoch from clock_timestamp()) * 1000 from timed('select nap_on(3, 30)')"
    victim=$(one -c "select pid from pg_stat_activity where application_name = 'part3' and state = 'active'")
    STRUCK=$(date +%s%3N)
    case $1 in
        backend) kill -9 "$victim" ;;
        postmaster) server_kill one ;;
        all) hit one KILL ;;
        immediate) server_stop one immediate ;;
    esac
    wait "$HUNG" || true
    IFS='|' read -r outcome ended <"$OUT"
    case $1 in backend) until_true 60 one -c 'select 1' ;; *) server_restart one ;; esac
    echo "$outcome $((${ended%.*} - STRUCK))"
}

within killed.backend 1000 08006 killed backend
within killed.postmaster 1000 08006 killed postmaster
within killed.all 1000 08006 killed all
within killed.immediate 1000 08006 killed immediate

# In one session: what a kill breaks, the next call finds mended.
{
    echo 'select count(*) from same_all(1);'
    for ((i = 0; i < 3; i++)); do
        echo "\\! ($SCRIPTS/server.sh kill one) >/dev/null 2>&1"
        echo "select outcome <> '00000' from timed('select count(*) from same_all(1)');"
        echo "\\! ($SCRIPTS/server.sh restart one) >/dev/null 2>&1"
        echo 'select count(*) from same_all(1);'
    done
} >"$PLPROXY_RUN/mended.sql"
same killed.mended "32 t 32 t 32 t 32" "$(proxy -f "$PLPROXY_RUN/mended.sql" 2>&1 | xargs)"
