# What every script here shares: where things are, how to say things, how to run a PostgreSQL program.
# Sourced, never run. Sets variables and defines functions; creates nothing.
#
# From the environment:
#   PLPROXY_GROUND   directory for the private PostgreSQL trees (default /var/tmp/plproxy-<uid>)
#   PLPROXY_HANDLER  rust (default), or c to run against Debian's PL/Proxy, for comparison
#   PG               the major version of PostgreSQL to work with (default 15, Debian 12's own)

set -euo pipefail

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$SCRIPTS")
GROUND=${PLPROXY_GROUND:-/var/tmp/plproxy-$(id -u)}
HANDLER=${PLPROXY_HANDLER:-rust}
PGMAJOR=${PG:-15}

# Messages are compared and parsed, and a server must not inherit a locale that its machine lacks.
export LC_ALL=C.UTF-8
# Debian's own wrappers and a user's settings must not redirect what we start.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGSERVICE PGSERVICEFILE PGOPTIONS \
      PGSSLMODE PGAPPNAME PGCLIENTENCODING PGDATA PGCLUSTER PSQLRC 2>/dev/null || true

if [ -t 1 ]; then BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else BOLD='' RED='' GREEN='' PLAIN=''; fi

say() { printf '%s\n' "$*" >&2; }
die() { printf '%serror:%s %s\n' "$RED" "$PLAIN" "$*" >&2; exit 1; }

case $PGMAJOR in 14|15|16|17|18) ;; *) die "PG=$PGMAJOR: the major versions 14 to 18 are supported" ;; esac

# wanted NAME [word ...]: whether the name contains one of the words, or there are none.
wanted() {
    local word
    [ $# -gt 1 ] || return 0
    for word in "${@:2}"; do case $1 in *"$word"*) return 0 ;; esac; done
    return 1
}

# quietly "what" command...: runs it with its output in a log; shows the end of the log when it fails.
quietly() {
    local what=$1 log start=$SECONDS; shift
    log=$(mktemp "${TMPDIR:-/tmp}/plproxy-log.XXXXXX")
    printf '%s ... ' "$what" >&2
    if "$@" >"$log" 2>&1 </dev/null; then
        say "done ($((SECONDS - start)) s)"
        rm -f "$log"
    else
        local rc=$?
        say "failed"
        tail -n 40 "$log" >&2
        say "(whole log: $log)"
        return "$rc"
    fi
}

# Shared libraries that a bare machine lacks lie in the ground. Only packages that the machine does not have are there,
# so the search path never puts another build of an installed library before the machine's own.
ground_libs() {
    local sys=$GROUND/sys multiarch
    # /var/tmp is open to all: nothing is loaded from a ground that someone else made under our name.
    [ -O "$GROUND" ] && [ ! -L "$GROUND" ] && read -r multiarch 2>/dev/null <"$sys/multiarch" || return 0
    printf '%s' "$sys/usr/lib/$multiarch:$sys/lib/$multiarch:$sys/usr/lib/llvm-14/lib"
}

# use_ground_libs: programs that are started from here on find them. Called below for every script, and once more by what
# may be the first to come after the ground was made: where a run begins and where a server, a pooler or a client starts.
use_ground_libs() {
    local libs; libs=$(ground_libs)
    [ -n "$libs" ] || return 0
    case ":${LD_LIBRARY_PATH:-}:" in
        *":$libs:"*) ;;
        *) export LD_LIBRARY_PATH="$libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" ;;
    esac
}
use_ground_libs

# tree_major tree: the version that the tree is of; there is one in each.
tree_major() { local lib=("$1"/lib/postgresql/*/); basename "${lib[0]}"; }
tree_bin() { printf '%s/lib/postgresql/%s/bin' "$1" "$(tree_major "$1")"; }
