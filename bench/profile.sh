#!/usr/bin/env bash
# Where one call's time goes, in instructions: the C handler and ours, by group and by function, and the system calls.
# Needs valgrind and strace (Debian: apt-get install valgrind strace).
#
#   bench/profile.sh [trivial|query_pk|all]    which call (default: trivial, that of W10); all: RUN ON ALL, 32 partitions
#   TOP=n                                      how many functions to show (default 25)
#   PLPROXY_TREE=path                          a PostgreSQL tree with our handler (default: built and installed now)
#
# The backend is `postgres --single`, which is one process from its start, under callgrind. It runs a statement that
# makes few calls and then one that makes many; what the second takes more, by the calls that it makes more, is what
# one call costs when everything is warm. The kernel's part does not show in instructions: its calls are counted.

source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

FEW=100 MANY=1100
for program in valgrind callgrind_annotate strace; do
    command -v "$program" >/dev/null || die "$program is not there; on Debian: apt-get install valgrind strace"
done
case ${1:-trivial} in
    trivial) query='select count(trivial(i)) from generate_series(1, CALLS) i' ;;
    query_pk) query='select count(q) from (select on_8.query_pk(i) q from generate_series(1, CALLS) i) x' ;;
    all) query='select count(q) from (select one_row_32() q from generate_series(1, CALLS) i) x' FEW=10 MANY=110 ;;
    *) die "which call? trivial, query_pk or all" ;;
esac

# under NAME CALLS program...: the statement in a backend of the proxy's data directory, run by the program.
under() {
    local name=$1 calls=$2; shift 2
    as_server timeout 600 "$@" "$(tree_bin "$(server_tree "$name")")/postgres" --single \
        -D "$(server_dir "$name")/data" -c log_min_messages=error postgres <<<"${query//CALLS/$calls}" \
        >"$PLPROXY_RUN/single.log" 2>&1 || { tail -n 20 "$PLPROXY_RUN/single.log" >&2; die "$name did not run"; }
    grep -q 'count = "' "$PLPROXY_RUN/single.log" \
        || { tail -n 20 "$PLPROXY_RUN/single.log" >&2; die "$name gave no answer"; }
}

# costs NAME CALLS: "instructions<tab>object<tab>function", of all functions.
costs() {
    local out=$DIR/$1.$2
    under "$1" "$2" valgrind --tool=callgrind --callgrind-out-file="$out"
    sed -n 's/^\(totals\|summary\): //p' "$out" | head -n 1 >"$out.total"
    callgrind_annotate --auto=no --threshold=100 "$out" | awk '
        match($0, /^ *[0-9,]+ \([ 0-9.]+%\)  /) {
            cost = $1; gsub(",", "", cost)
            name = substr($0, RLENGTH + 1); object = ""
            if (match(name, / \[[^]]*\]$/)) {
                object = substr(name, RSTART + 2, RLENGTH - 3); name = substr(name, 1, RSTART - 1)
            }
            if (name == "PROGRAM TOTALS") next
            sub(/^.*\//, "", object)
            # Only our library has line numbers; of code inlined from another file the object is not told.
            if (object == "") object = "plproxy.so"
            # The file is of no use where there is none, and the function tells its crate.
            sub(/^[^:]*:/, "", name)
            print cost "\t" object "\t" name
        }'
}

# calls_of_kernel NAME CALLS: "calls<tab>name", of all system calls.
calls_of_kernel() {
    under "$1" "$2" strace -f -c -o "$DIR/strace"
    awk '$NF ~ /^[a-z_0-9]+$/ && $4 ~ /^[0-9]+$/ && $NF != "total" { print $4 "\t" $NF }' "$DIR/strace"
}

# per_call few many calls: the differences, by the calls, largest first.
per_call() {
    awk -F '\t' -v calls="$3" '
        { cost = $1; sub(/^[^\t]*\t/, ""); sum[$0] += FILENAME == ARGV[1] ? -cost : cost }
        END { for (key in sum) if (sum[key] >= calls / 2) printf "%.1f\t%s\n", sum[key] / calls, key }' "$1" "$2" \
        | sort -t "$(printf '\t')" -k1,1nr
}

# groups: who the instructions are spent by.
groups() {
    awk -F '\t' '
        function group(object, name) {
            if (object ~ /^libpq/ || object ~ /^plproxy/ \
                && name ~ /(^|[< ])(tokio[a-z_]*|mio|postgres_(protocol|types)|bytes|futures_[a-z]+|socket2)::/)
                return "client library: libpq; tokio, and what writes the messages"
            if (object ~ /^plproxy/) {
                if (name ~ /(^|[< ])plproxy(_remote|_core)?::/) return "handler"
                if (name ~ /::/) return "Rust: standard library, dispatch"
                return "handler"
            }
            if (object ~ /^postgres/) {
                if (name ~ /^(AllocSet|palloc|pfree|repalloc|MemoryContext)/) return "PostgreSQL: memory contexts"
                if (name ~ /^(_?SPI_|[A-Za-z]*CachedPlan|(Push|Pop)ActiveSnapshot|Get[A-Za-z]*Snapshot|ResourceOwner)/)
                    return "PostgreSQL: SPI, plans, snapshots"
                if (name ~ /^((Search|Release)(Sys|Cat)Cache|hash_(search|any|bytes))/) return "PostgreSQL: catalog caches"
                return "PostgreSQL: executor, fmgr, types"
            }
            if (object ~ /^(libc|ld-linux|libm|libpthread|vgpreload)/) return "libc"
            return "other libraries"
        }
        { sum[group($2, $3)] += $1; all += $1 }
        END { for (g in sum) printf "%10.0f  %s\n", sum[g], g; printf "%10.0f  all\n", all }' | sort -nr
}

bench_servers 3200 10 >&2
DIR=$PLPROXY_RUN/profile
mkdir "$DIR"
[ "$(id -u)" != 0 ] || chown $NOBODY:$NOBODY "$DIR"
for name in c ours; do
    server_stop "$name"
    say "counting: $name"
    for kind in costs calls_of_kernel; do
        for calls in $FEW $MANY; do "$kind" "$name" "$calls" >"$DIR/$kind.$name.$calls"; done
        per_call "$DIR/$kind.$name.$FEW" "$DIR/$kind.$name.$MANY" $((MANY - FEW)) >"$DIR/$kind.$name"
    done
done

# What was sorted must be all that there was.
for name in c ours; do
    awk -v n="$name" -v calls=$((MANY - FEW)) 'FILENAME ~ /total$/ { all = $1 - all; next } { sum += $1 }
        END { all /= calls; if (sum < 0.95 * all || sum > 1.05 * all) { print n ": sorted " sum " of " all; exit 1 } }' \
        "$DIR/$name.$FEW.total" "$DIR/$name.$MANY.total" "$DIR/costs.$name" >&2 || die "instructions were lost"
done

for name in c ours; do
    printf '\n== %s: instructions per call, by group\n' "$name"
    groups <"$DIR/costs.$name"
    printf '\n== %s: system calls per call\n' "$name"
    awk -F '\t' '$1 >= 0.01 { printf "%10.2f  %s\n", $1, $2 }' "$DIR/calls_of_kernel.$name"
    printf '\n== %s: instructions per call, by function\n' "$name"
    awk -F '\t' -v top="${TOP:-25}" 'NR <= top { printf "%10.0f  %-12s %s\n", $1, $2, $3 }' "$DIR/costs.$name"
done
