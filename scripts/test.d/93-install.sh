# `make install` as a user calls it, with cargo and, as under sudo, without: what it adds, and to what; that it works there;
# that a PG_CONFIG that is none is told so; and whose Rust builds.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
source "$SCRIPTS/build.sh"
need_tree
run_begin
BASE=$("$SCRIPTS/tree.sh" base)
COPY=$PLPROXY_RUN/copy
cp -a "$BASE" "$COPY"
CONFIG=$(tree_bin "$COPY")/pg_config

# Built for the copy as `make build` leaves it, but not anew: the copy's headers are those that the library was built with.
BUILT=$PLPROXY_RUN/built
built=$(CARGO_TARGET_DIR=$BUILT target_dir)/release
mkdir -p "$built"
cp "$("$(tree_bin "$PLPROXY_TREE")/pg_config" --pkglibdir)/plproxy.so" "$built/libplproxy.so"
built_for "$CONFIG" >"$built/plproxy.built-for"

# All programs but cargo.
PROGRAMS=$PLPROXY_RUN/programs
mkdir "$PROGRAMS"
while IFS= read -r -d : place; do ln -s "$place"/* "$PROGRAMS/" 2>/dev/null || true; done <<<"$PATH:"
rm -f "$PROGRAMS/cargo"

# install_with argument...: what make says is in $said, how it ended in $rc. A make that these tests run under has no say.
install_with() {
    rc=0
    said=$(cd "$ROOT" && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u PG_CONFIG -u DESTDIR make install "$@" 2>&1) || rc=$?
}
# With a ground of its own, as root's is, in which nothing is yet.
without_cargo() { PATH=$PROGRAMS CARGO_TARGET_DIR=$BUILT PLPROXY_GROUND=$PLPROXY_RUN/none install_with "$@"; }

# files directory: all of them; one that is written, even if to the same end, becomes another.
files() { find "$1" ! -type d -printf '%p %i %s %T@\n' | sort; }
# changed before directory: files that came are marked with >.
changed() { diff <(printf '%s\n' "$1") <(files "$2") | sed -n 's/^\([<>] [^ ]*\) .*/\1/p'; }
# expected pg_config [DESTDIR]: the files of the extension, marked so.
expected() {
    {
        echo "${2:-}$("$1" --pkglibdir)/plproxy.so"
        extension_files | sed "s|^|${2:-}$("$1" --sharedir)/extension/|"
    } | sort | sed 's/^/> /'
}
# differing root tree: which of the files below the root are not those of the tests' own tree.
differing() {
    local file
    cut -c3- | while read -r file; do cmp "$file" "$PLPROXY_TREE${file#"$1"}" 2>&1 || true; done
}

before=$(files "$COPY")

# ---- none

# A program that is none, and pg_configs of what cannot be installed into.
program() { printf '#!/bin/sh\n%s\n' "$2" >"$PLPROXY_RUN/$1"; chmod 755 "$PLPROXY_RUN/$1"; }
program mute ''
program broken 'exit 1'
program other 'echo other 1.0'
program old 'echo PostgreSQL 13.4'
program headless "case \$1 in --version) exec '$CONFIG' \$1 ;; *) echo /nowhere ;; esac"
cp "$CONFIG" "$PLPROXY_RUN/closed"
chmod 644 "$PLPROXY_RUN/closed"
NOWHERE=$PLPROXY_RUN/nowhere

# refused "what" error [argument ...]: by make's own exit code.
refused() {
    "$how" "${@:3}" "DESTDIR=$NOWHERE"
    same "$1 ($how)" "2 error: $2" "$rc $(grep '^error: ' <<<"$said" || true)"
}
for how in install_with without_cargo; do
    refused 'no PG_CONFIG' 'say which PostgreSQL: make install PG_CONFIG=/path/to/pg_config'
    refused 'one that is not there' "there is no pg_config at $PLPROXY_RUN/none" "PG_CONFIG=$PLPROXY_RUN/none"
    refused 'one that is not executable' "there is no pg_config at $PLPROXY_RUN/closed" "PG_CONFIG=$PLPROXY_RUN/closed"
    refused 'one that fails' "$PLPROXY_RUN/broken does not run; is it a pg_config?" "PG_CONFIG=$PLPROXY_RUN/broken"
    refused 'one that says nothing' "$PLPROXY_RUN/mute says '', which is not a PostgreSQL version" "PG_CONFIG=$PLPROXY_RUN/mute"
    refused 'another program' "$PLPROXY_RUN/other says 'other 1.0', which is not a PostgreSQL version" \
        "PG_CONFIG=$PLPROXY_RUN/other"
    refused 'an old PostgreSQL' 'PostgreSQL 13 is not supported ('"$SUPPORTED"' are)' "PG_CONFIG=$PLPROXY_RUN/old"
    refused 'one without headers' "PostgreSQL's server headers are not in /nowhere; on Debian the package \
postgresql-server-dev-$PGMAJOR has them" "PG_CONFIG=$PLPROXY_RUN/headless"
done
check 'nothing was installed' [ ! -e "$NOWHERE" ]
# Nobody can make a directory there, not even root.
without_cargo "PG_CONFIG=$CONFIG" DESTDIR=/proc/self
same 'a place that is closed' '2 error: no permission to write to /proc/self' \
    "$rc $(grep -o '^error: no permission to write to /proc/self' <<<"$said" || true)"
same 'not even into the copy' '' "$(changed "$before" "$COPY")"

# ---- below DESTDIR

without_cargo "PG_CONFIG=$CONFIG" "DESTDIR=$PLPROXY_RUN/below"
same 'make install DESTDIR, without cargo' 0 "$rc"
same 'puts the files of the extension there' "$(expected "$CONFIG" "$PLPROXY_RUN/below")" "$(changed '' "$PLPROXY_RUN/below")"
same 'and none into the copy' '' "$(changed "$before" "$COPY")"
# With cargo for the base, for which there is nothing to build again; it is everyone's, so only if DESTDIR is heeded.
if [ "$failed" = 0 ]; then
    base=$(files "$BASE")
    install_with "PG_CONFIG=$(tree_bin "$BASE")/pg_config" "DESTDIR=$PLPROXY_RUN/packed"
    same 'make install DESTDIR, with cargo' 0 "$rc"
    wanted=$(expected "$(tree_bin "$BASE")/pg_config" "$PLPROXY_RUN/packed")
    same 'puts the files of the extension there' "$wanted" "$(changed '' "$PLPROXY_RUN/packed")"
    same 'the same as in the tree of the tests' '' "$(differing "$PLPROXY_RUN/packed$BASE" <<<"$wanted")"
    same 'and none into the base' '' "$(changed "$base" "$BASE")"
fi

# ---- whose Rust

# toolchain directory version: a cargo and a rustc that say so; the cargo builds by taking the library that there is.
toolchain() {
    local program
    mkdir -p "$1"
    for program in cargo rustc; do
        cat >"$1/$program" <<-SH
	#!/bin/sh
	[ "\$1" != --version ] || { echo "$program $2 (of the tests)"; exit; }
	echo "$1" >>'$PLPROXY_RUN/built-by'
	mkdir -p "\$CARGO_TARGET_DIR/release" && cp '$built/libplproxy.so' "\$CARGO_TARGET_DIR/release/"
	SH
        chmod 755 "$1/$program"
    done
}
# A ground that has what ours has, but for Rust.
RUST_GROUND=$PLPROXY_RUN/ground
mkdir "$RUST_GROUND"
cp "$GROUND/stamp" "$RUST_GROUND/"
for tree in "$GROUND"/pg[0-9]* "$GROUND/sys"; do [ ! -d "$tree" ] || ln -s "$tree" "$RUST_GROUND/"; done
toolchain "$RUST_GROUND/rust/usr/bin" "$(rust_wanted).0"
toolchain "$PLPROXY_RUN/rust-old" 1.63.0
toolchain "$PLPROXY_RUN/rust-new" 1.999.0

# built_by "what" wanted directory: with the directory's programs before those of the machine, which have no cargo.
built_by() {
    local target=$PLPROXY_RUN/built-for-$3
    rm -f "$PLPROXY_RUN/built-by"
    PATH=${3:+$PLPROXY_RUN/rust-$3:}$PROGRAMS PLPROXY_GROUND=$RUST_GROUND CARGO_TARGET_DIR=$target \
        install_with "PG_CONFIG=$CONFIG" "DESTDIR=$PLPROXY_RUN/root-$3"
    same "$1" "0 $2" "$rc $(cat "$PLPROXY_RUN/built-by" 2>/dev/null)"
    same "$1, and it is installed" "$(expected "$CONFIG" "$PLPROXY_RUN/root-$3")" "$(changed '' "$PLPROXY_RUN/root-$3")"
}
unset PLPROXY_FORCE_DOWNLOAD
built_by "a machine without Rust builds with Debian's" "$RUST_GROUND/rust/usr/bin" ''
built_by "one whose Rust is too old, too" "$RUST_GROUND/rust/usr/bin" old
built_by 'one whose Rust is new enough builds with that' "$PLPROXY_RUN/rust-new" new
# The real one: what the ground has is new enough, and needs nothing around it.
same "Debian's Rust runs from the ground" "$(rust_wanted)" "$(
    env -i "PATH=$(PATH=$PROGRAMS use_rust; echo "$PATH")" rustc --version | sed -n 's/^rustc \([0-9]*\.[0-9]*\)\..*/\1/p')"

# ---- for use

without_cargo "PG_CONFIG=$CONFIG"
same 'make install' 0 "$rc"
wanted=$(expected "$CONFIG")
same 'adds the files of the extension and touches no other' "$wanted" "$(changed "$before" "$COPY")"
same 'the same as in the tree of the tests' '' "$(differing "$COPY" <<<"$wanted")"
same 'which all may read and nobody else write' '644 755' "$(cut -c3- <<<"$wanted" | xargs stat -c %a | sort -u | paste -sd' ')"
server_start installed --tree "$COPY" --auth trust --set 'shared_buffers = 16MB'
same 'a server has the extension, and calls through it' 'hello Ada' "$(server_psql installed -Atq \
    -v at="host=127.0.0.1 port=$(server_port installed) user=postgres dbname=postgres" <<'SQL' 2>&1 || true
create extension plproxy;
create function hello(at text, name text) returns text language plproxy as $$ connect at; select 'hello ' || name; $$;
select hello(:'at', 'Ada');
SQL
)"
# Running sessions keep the library that they have.
session_open installed -v at="host=127.0.0.1 port=$(server_port installed) user=postgres dbname=postgres"
same 'an open session, before' 'hello Bob' "$(session "select hello(:'at', 'Bob');")"
without_cargo "PG_CONFIG=$CONFIG"
same 'make install again' "0 $wanted" "$rc $(changed "$before" "$COPY")"
same 'an open session, after' 'hello Cleo' "$(session "select hello(:'at', 'Cleo');")"
session_close

tally "$passed" "$failed"
[ "$failed" = 0 ]
