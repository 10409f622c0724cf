#!/usr/bin/env bash
# Runs the blocks of one document, from top to bottom, on the server that the environment names (scripts/playground.sh).
#
# - ```sql: SQL that must not fail, in the database app, or in the one that a first line `-- in NAME` says.
# - ```console: `$ command`, or `NAME=# statement;` for psql in that database; what follows is the output, which must be the
#   one that is shown. `…` in a line stands for anything; a line of it alone, for any lines.
# - blocks of another kind, or of none, are not run; but a `make` in them must have that target.
#
# Prints a line "ok" or "FAILED" for each block of SQL and for each command.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
DOCUMENT=$1
HERE=$ROOT/tests/documents
WORK=$PLPROXY_RUN/work
mkdir "$WORK"
cd "$WORK"

NAME=$(basename "$DOCUMENT" .md)
# What the reader has before he begins, where the document does not make it itself.
if [ -e "$HERE/$NAME.sql" ]; then psql -X -q -v ON_ERROR_STOP=1 -d postgres -f "$HERE/$NAME.sql" >/dev/null; fi

# A document's servers have addresses of another network: here they are this one.
local_addresses() { sed -E 's/host=10\.0\.0\.[0-9]+/host=127.0.0.1/g'; }

# matches got wanted: line by line, by the rules above; blanks at the end of a line do not count.
matches() {
    local -a got wanted
    mapfile -t got < <(sed 's/ *$//' <<<"$1")
    mapfile -t wanted < <(sed 's/ *$//' <<<"$2")
    local i=0 j line
    for ((j = 0; j < ${#wanted[@]}; j++)); do
        line=${wanted[j]}
        if [ "$line" = … ]; then
            # Any lines, up to one that is the next of those wanted.
            [ $((j + 1)) -lt ${#wanted[@]} ] || return 0
            while [ $i -lt ${#got[@]} ] && ! line_matches "${got[i]}" "${wanted[j + 1]}"; do i=$((i + 1)); done
        else
            [ $i -lt ${#got[@]} ] && line_matches "${got[i]}" "$line" || return 1
            i=$((i + 1))
        fi
    done
    [ $i = ${#got[@]} ]
}
line_matches() {
    local pattern
    # shellcheck disable=SC2001
    pattern=$(sed 's/[][\*?]/\\&/g; s/…/*/g' <<<"$2")
    # shellcheck disable=SC2053
    [[ $1 == $pattern ]]
}

# report line command wanted got: the verdict on stdout; what belongs into the document on descriptor 3.
report() {
    if matches "$4" "$3"; then
        printf 'ok      %s:%s %s\n' "$DOCUMENT" "$1" "${2%%$'\n'*}"
        [ -z "$3" ] || printf '%s\n' "$3" >&3
    else
        printf 'FAILED  %s:%s %s\n    shown:\n%s\n    seen:\n%s\n' "$DOCUMENT" "$1" "${2%%$'\n'*}" "$3" "$4"
        [ -z "$4" ] || printf '%s\n' "$4" >&3
    fi
}

run_sql() {
    local line=$1 text=$2 database=app said
    [[ $text != '-- in '* ]] || { database=${text#-- in }; database=${database%%$'\n'*}; database=${database%%[^a-z0-9_]*}; }
    if said=$(local_addresses <<<"$text" | psql -X -q -v ON_ERROR_STOP=1 -d "$database" 2>&1); then
        printf 'ok      %s:%s SQL in %s\n' "$DOCUMENT" "$line" "$database"
    else
        printf 'FAILED  %s:%s SQL in %s: %s\n' "$DOCUMENT" "$line" "$database" "$said"
    fi
}

# run_console line text: the commands of a block and their outputs.
run_console() {
    local start=$1 command='' wanted='' at=0 number=$1 line word
    local -a lines
    mapfile -t lines <<<"$2"
    local i
    for ((i = 0; i < ${#lines[@]}; i++)); do
        line=${lines[i]}
        number=$((start + i + 1))
        if [[ $line == '$ '* ]] || [[ $line =~ ^[a-z0-9_]+=#\  ]]; then
            [ -z "$command" ] || settle "$at" "$command" "$wanted"
            command=$line wanted='' at=$number
            if [[ $line == '$ '*"<<'"* ]]; then
                word=${line##*"<<'"} word=${word%%"'"*}
                while i=$((i + 1)) && [ $i -lt ${#lines[@]} ]; do
                    command+=$'\n'${lines[i]}
                    [ "${lines[i]}" != "$word" ] || break
                done
            elif [[ $line != '$ '* ]]; then
                while [[ $line != *';' ]] && i=$((i + 1)) && [ $i -lt ${#lines[@]} ]; do
                    line=${lines[i]}
                    command+=$'\n'$line
                done
            fi
        else
            wanted+=${wanted:+$'\n'}$line
        fi
    done
    [ -z "$command" ] || settle "$at" "$command" "$wanted"
}

settle() {
    local at=$1 command=$2 wanted=$3 got
    printf '%s\n' "$command" >&3
    # psql ends its tables with an empty line, which a document need not have.
    if [[ $command == '$ '* ]]; then
        got=$(bash -c "$(local_addresses <<<"${command#'$ '}")" 2>&1 </dev/null) || got+=${got:+$'\n'}"(exit code $?)"
    else
        got=$(local_addresses <<<"${command#*=# }" | psql -X -d "${command%%=#*}" 2>&1) || true
    fi
    report "$at" "$command" "${wanted%$'\n'}" "$got"
}

# Targets that a document tells the reader to make must be there.
check_make() {
    local line=$1 text=$2 target
    while read -r target; do
        if make -n -C "$ROOT" "$target" >/dev/null 2>&1; then printf 'ok      %s:%s make %s\n' "$DOCUMENT" "$line" "$target"
        else printf 'FAILED  %s:%s make %s: no such target\n' "$DOCUMENT" "$line" "$target"; fi
    done < <(sed -n 's/^\(\$ \)\{0,1\}\(sudo \)\{0,1\}make \([a-z-]*\).*/\3/p' <<<"$text")
}

kind='' block='' number=0 opened=0
exec 3>"$WORK/document"
while IFS= read -r line; do
    number=$((number + 1))
    if [ -z "$kind" ]; then
        printf '%s\n' "$line" >&3
        case $line in '```'*) kind=${line#'```'} kind=${kind:-plain} block='' opened=$number ;; esac
    elif [ "$line" = '```' ]; then
        case $kind in
            sql) run_sql "$opened" "$block"; printf '%s\n' "$block" >&3 ;;
            console) run_console "$opened" "$block" ;;
            *) check_make "$opened" "$block"; printf '%s\n' "$block" >&3 ;;
        esac
        printf '%s\n' "$line" >&3
        kind=''
    else
        block+=${block:+$'\n'}$line
        # An empty first line is not lost.
        [ -n "$block" ] || block=$'\n'
    fi
done <"$ROOT/$DOCUMENT"
exec 3>&-
[ -z "$kind" ] || printf 'FAILED  %s:%s a block without end\n' "$DOCUMENT" "$opened"

# Tables of values, `| `expression` | number |`, below "plproxy_hash".
while IFS='|' read -r _ expression value _; do
    expression=${expression//\`/} value=${value// /}
    got=$(psql -X -Atq -d app -c "select plproxy_hash($expression)" 2>&1) || true
    if [ "$got" = "$value" ]; then printf 'ok      %s plproxy_hash(%s)\n' "$DOCUMENT" "$expression"
    else printf 'FAILED  %s plproxy_hash(%s): shown %s, seen %s\n' "$DOCUMENT" "$expression" "$value" "$got"; fi
done < <(grep -E '^\| `.*::[a-z]+` \| -?[0-9]+ \|$' "$ROOT/$DOCUMENT" || true)

[ -z "${UPDATE:-}" ] || cat "$WORK/document" >"$ROOT/$DOCUMENT"
