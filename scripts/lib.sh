# What every script here shares: where things are, how to say things, how to run a PostgreSQL program.
# Sourced, never run. Sets variables and defines functions; creates nothing.
#
# From the environment:
#   PLPROXY_GROUND   directory for the private PostgreSQL trees (default /var/tmp/plproxy-<uid>)
#   PLPROXY_HANDLER  rust (default), or c to run against Debian's PL/Proxy, for comparison
#   PG               the major version of PostgreSQL to work with (default 15, Debian 12's own; scripts/postgresql.versions
#                    has all of them)

set -euo pipefail

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$SCRIPTS")
GROUND=${PLPROXY_GROUND:-/var/tmp/plproxy-$(id -u)}
HANDLER=${PLPROXY_HANDLER:-rust}

# Messages are compared and parsed, and a server must not inherit a locale that its machine lacks.
export LC_ALL=C.UTF-8
# Debian's own wrappers and a user's settings must not redirect what we start.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGSERVICE PGSERVICEFILE PGOPTIONS \
      PGSSLMODE PGAPPNAME PGCLIENTENCODING PGDATA PGCLUSTER PSQLRC 2>/dev/null || true

if [ -t 1 ]; then BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else BOLD='' RED='' GREEN='' PLAIN=''; fi

say() { printf '%s\n' "$*" >&2; }
die() { printf '%serror:%s %s\n' "$RED" "$PLAIN" "$*" >&2; exit 1; }

# The versions of PostgreSQL, what a tree of each is made of, and what .ci/run tests of it; and the one of Debian 12's own.
VERSIONS=() PACKAGED=''
declare -A MADE_OF=() TESTED=()
read_versions() {
    local major made tests
    while read -r major made tests; do
        VERSIONS+=("$major") MADE_OF[$major]=$made TESTED[$major]=$tests
        [ "$made" != packages ] || PACKAGED=$major
    done < <(grep -E '^[0-9]' "$SCRIPTS/postgresql.versions")
}
read_versions
SUPPORTED="${VERSIONS[0]} to ${VERSIONS[-1]}"
PGMAJOR=${PG:-$PACKAGED}

# supported MAJOR: whether plproxy is for that version.
supported() { [[ ${1:-} =~ ^[0-9]+$ ]] && [ -n "${MADE_OF[$1]:-}" ]; }
supported "$PGMAJOR" || die "PG=$PGMAJOR: the major versions $SUPPORTED are supported"

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

# tree_loader tree: the program loader of a tree that has libraries of its own, of a newer Debian than this; of others nothing.
tree_loader() { compgen -G "$1/lib/*/ld-linux*.so.*" | head -n 1 || true; }
# tree_link tree: what a C compiler is told for a program that is to run with the tree's libraries.
tree_link() {
    local loader; loader=$(tree_loader "$1")
    [ -z "$loader" ] || printf '%s\n' "-Wl,--dynamic-linker=$loader" "-Wl,-rpath,$(dirname "$loader"),--disable-new-dtags"
}
# libraries program [library]: those that it runs with, and those of a library in it, as ldd lists them. Not by ldd, which
# asks the machine's own loader.
libraries() { env LD_TRACE_LOADED_OBJECTS=1 ${2:+"LD_PRELOAD=$2"} "$1"; }

# ---- Rust

# What Cargo.toml asks for, such as 1.96; what a compiler is, such as 1.96.0.
rust_wanted() { sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml"; }
rust_version() { "$1" --version 2>/dev/null | sed -n '1s/^[a-z]* \([0-9][0-9.]*\).*/\1/p'; }
# not_older WANTED VERSION
not_older() { [ -n "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# machine_has_rust: whether the machine has a cargo and a rustc that are new enough.
machine_has_rust() {
    local wanted; wanted=$(rust_wanted)
    [ -z "${PLPROXY_FORCE_DOWNLOAD:-}" ] && not_older "$wanted" "$(rust_version cargo)" \
        && not_older "$wanted" "$(rust_version rustc)"
}

# use_rust: cargo and rustc are new enough from here on, by Debian's own from the ground if the machine's are not.
use_rust() {
    local dir
    ! machine_has_rust || return 0
    dir=$("$SCRIPTS/tree.sh" rust)
    case ":$PATH:" in *":$dir/usr/bin:"*) ;; *) export PATH="$dir/usr/bin:$PATH" ;; esac
}
