#!/usr/bin/env bash
# The packages: that version numbers agree and a wrong one is noticed; the source archive; the Debian package; and on a
# scratch root, with a dpkg and an apt state of its own, Debian's package of the C handler replaced by ours and the other
# way round. The machine's own packages are not looked at. Needs PLPROXY_TREE; ends with "N passed, N failed".

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
need_tree

run_begin
# dpkg wants ldconfig and start-stop-daemon to be found, even where it runs neither.
PATH=$PATH:/usr/sbin:/sbin
WORK=$PLPROXY_RUN/packages
mkdir "$WORK"
VERSION=$("$SCRIPTS/versions.sh" --print)

# ---- version numbers

# versioned directory: a copy of what names the version.
versioned() {
    rm -rf "$1"
    mkdir -p "$1"
    (cd "$ROOT" && cp --parents Cargo.toml Cargo.lock crates/*/Cargo.toml plproxy.control META.json CHANGELOG.md sql/*.sql \
        scripts/postgresql.versions README.md CONTRIBUTING.md docs/*.md regress/HARNESS.md packaging/README.md "$1")
}
versions() { if "$SCRIPTS/versions.sh" "$1" 2>&1; then :; else echo failed; fi; }

versioned "$WORK/versions"
same 'all version numbers agree' "all name version $VERSION" "$(versions "$WORK/versions")"
for file in Cargo.toml Cargo.lock crates/plproxy-core/Cargo.toml plproxy.control META.json CHANGELOG.md sql/plproxy.sql; do
    versioned "$WORK/versions"
    case $file in
        Cargo.lock) sed -i '/^name = "plproxy-core"/{n;s/".*"/"2.99.0"/}' "$WORK/versions/$file" ;;
        crates/*) sed -i 's/^version.workspace = true/version = "2.99.0"/' "$WORK/versions/$file" ;;
        *) sed -i "0,/${VERSION//./\\.}/s//2.99.0/" "$WORK/versions/$file" ;;
    esac
    said=$(versions "$WORK/versions")
    same "a wrong one in $file is noticed" failed "${said##*$'\n'}"
done
# Another PostgreSQL, of which nothing else knows yet; a document that was forgotten; another pgrx.
versioned "$WORK/versions"
echo '99 sources -' >>"$WORK/versions/scripts/postgresql.versions"
said=$(versions "$WORK/versions")
same 'a version of PostgreSQL that only the list has is noticed everywhere' \
    'CONTRIBUTING.md Cargo.toml README.md docs/SAFETY.md docs/tutorial.md regress/HARNESS.md failed' \
    "$(sed -n 's/^\([^ ]*\) .*, not .*99$/\1/p' <<<"$said" | sort | xargs) ${said##*$'\n'}"
versioned "$WORK/versions"
sed -i 's/cargo-pgrx [0-9.]*[0-9]/cargo-pgrx 0.1.0/' "$WORK/versions/packaging/README.md"
said=$(versions "$WORK/versions")
same 'another pgrx in a document is noticed' failed "${said##*$'\n'}"
versioned "$WORK/versions"
rm "$WORK/versions/sql"/plproxy--*--"$VERSION.sql"
said=$(versions "$WORK/versions")
same 'a missing upgrade script is noticed' failed "${said##*$'\n'}"

# ---- the source archive

if git -C "$ROOT" rev-parse --verify -q HEAD >/dev/null 2>&1; then
    mapfile -t archives < <("$SCRIPTS/tarball.sh" "$WORK/archive")
    mkdir "$WORK/source"
    tar -xzf "${archives[0]}" -C "$WORK/source"
    same 'the archive has one directory' "plproxy-$VERSION" "$(ls "$WORK/source")"
    source=$WORK/source/plproxy-$VERSION
    same 'with all files of the commit' "$(git -C "$ROOT" ls-tree -r --name-only HEAD | sort)" \
        "$(cd "$source" && find . -type f -o -type l | cut -c3- | sort)"
    same 'and agreeing versions' "all name version $VERSION" "$(versions "$source")"
    # What other platforms would need was not downloaded for the build.
    use_rust
    HOST=$(rustc -vV | sed -n 's/^host: //p')
    same 'cargo takes it as it is' ok "$(cd "$source" \
        && cargo metadata --locked --offline --filter-platform "$HOST" --format-version 1 2>/dev/null | grep -q '"name":"plproxy"' && echo ok)"
    same 'there is a zip of it' "PK" "$(head -c 2 "${archives[1]}")"
else
    say "not a checkout: the source archive is not tested"
fi

# ---- the Debian package

DEB=$("$SCRIPTS/deb.sh" "$WORK/deb")
field() { dpkg-deb -f "$DEB" "$1"; }
NAME=postgresql-$PGMAJOR-plproxy3
OLD=postgresql-$PGMAJOR-plproxy
same 'its name' "${NAME}_$VERSION-1_$(dpkg --print-architecture).deb" "$(basename "$DEB")"
same 'it stands for the package of the C handler' "$OLD (= $VERSION-1)|$OLD|$OLD" \
    "$(field Provides)|$(field Conflicts)|$(field Replaces)"
same 'it depends on PostgreSQL and on what it is linked with' "libc6 libgcc-s1 libssl3 postgresql-$PGMAJOR" \
    "$(field Depends | tr ',' '\n' | awk '{ print $1 }' | sort | paste -sd' ')"
same 'everything in it belongs to root and nobody else may write' '' \
    "$(dpkg-deb -c "$DEB" | awk '$2 != "root/root" || $1 !~ /^[-d]rw[-x]r-[-x]r-[-x]$/')"
wanted=$(
    echo "lib/postgresql/$PGMAJOR/lib/plproxy.so"
    extension_files | sed "s|^|share/postgresql/$PGMAJOR/extension/|"
)
same 'its files' "$(sort <<<"$wanted")" \
    "$(dpkg-deb -c "$DEB" | awk '$1 ~ /^-/ { sub(/^\.\/usr\//, "", $6); print $6 }' | grep -v '^share/\(doc\|lintian\)/' | sort)"
same 'made again it is the same' '' "$(cmp "$DEB" "$("$SCRIPTS/deb.sh" "$WORK/again")" 2>&1)"
dpkg-deb -x "$DEB" "$WORK/unpacked"
same 'the checksums in it are right' '' \
    "$(dpkg-deb -e "$DEB" "$WORK/control" && cd "$WORK/unpacked" && md5sum --quiet -c "$WORK/control/md5sums" 2>&1)"
same 'its library has no debug information' '' "$(objdump -h "$WORK/unpacked/usr/lib/postgresql/$PGMAJOR/lib/plproxy.so" | grep -o '\.debug_[a-z]*' || true)"
crates=$(zcat "$WORK/unpacked/usr/share/doc/$NAME/crates.gz")
same 'it passes the licences on of what is linked in' 'tokio 1' "$(grep -o '^tokio 1' <<<"$crates")"
same 'with their texts' yes "$([ "$(grep -c 'THE SOFTWARE IS PROVIDED "AS IS"' <<<"$crates")" -gt 20 ] && echo yes)"
if command -v lintian >/dev/null; then
    # A lintian that fails has neither, either.
    same 'lintian has no error and no warning' 'exit code 0' \
        "$(lintian --profile debian --fail-on none "$DEB"; echo "exit code $?")"
else
    say "there is no lintian here: the package is not tested by it"
fi

# ---- a scratch root

PACKAGES=$("$SCRIPTS/tree.sh" packages)
SCRATCH=$PLPROXY_RUN/root
ADMIN=$SCRATCH/var/lib/dpkg

# PostgreSQL's own packages would make a cluster and start it when they are configured: only their files are put there, and
# what dpkg knows is that they are installed.
make_root() {
    local package
    mkdir -p "$ADMIN"/{info,updates,triggers,parts} "$SCRATCH/etc/apt" "$SCRATCH/apt"/{cache/archives/partial,state/lists/partial}
    cp "$PACKAGES/status" "$ADMIN/status"
    : >"$ADMIN/available"
    for package in "$PACKAGES"/postgresql{,-client}-"$PGMAJOR"_*.deb; do
        dpkg-deb -x "$package" "$SCRATCH"
        dpkg-deb -c "$package" | awk '{ sub(/^\./, "", $6); sub(/\/$/, "", $6); print ($6 == "" ? "/." : $6) }' \
            >"$ADMIN/info/$(dpkg-deb -f "$package" Package).list"
    done
    # The servers' user reads it.
    chmod 755 "$SCRATCH"
}

# package arguments...: dpkg on the scratch root alone.
package() {
    dpkg --root="$SCRATCH" --admindir="$ADMIN" --log=/dev/null --force-not-root --force-script-chrootless "$@" 2>&1
}

# What apt does to the scratch root, with no sources: only files that are given.
get() {
    APT_CONFIG='' DEBIAN_FRONTEND=noninteractive apt-get -c "$SCRATCH/apt/conf" -y --no-install-recommends --allow-downgrades "$@" 2>&1
}
write_apt_conf() {
    cat >"$SCRATCH/apt/conf" <<-CONF
	Dir::State "$SCRATCH/apt/state";
	Dir::State::status "$ADMIN/status";
	Dir::Cache "$SCRATCH/apt/cache";
	Dir::Cache::pkgcache "";
	Dir::Cache::srcpkgcache "";
	Dir::Log "$SCRATCH/apt";
	Dir::Etc::sourcelist "/dev/null";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	APT::Sandbox::User "$(id -un)";
	#clear DPkg::Pre-Install-Pkgs;
	#clear DPkg::Pre-Invoke;
	#clear DPkg::Post-Invoke;
	#clear DPkg::Options;
	DPkg::Options { "--root=$SCRATCH"; "--admindir=$ADMIN"; "--log=/dev/null"; "--force-not-root"; "--force-script-chrootless"; };
	CONF
}

# The packages of plproxy that are installed there, with their versions.
installed_here() {
    dpkg-query --admindir="$ADMIN" -W -f '${Package} ${Version} ${db:Status-Abbrev}\n' "$OLD" "$NAME" 2>/dev/null \
        | awk '$3 == "ii" { print $1, $2 }' | paste -sd' '
}
# Whose library lies there: ours has this function.
library_here() {
    local library=$SCRATCH/usr/lib/postgresql/$PGMAJOR/lib/plproxy.so
    if [ ! -e "$library" ]; then echo none
    elif grep -qa plproxy_hash "$library"; then echo ours
    else echo c; fi
}
scripts_here() { find "$SCRATCH/usr/share/postgresql/$PGMAJOR/extension" -name 'plproxy*' -printf '%f\n' | sort | paste -sd' '; }
bitcode_here() { (cd "$SCRATCH/usr/lib/postgresql/$PGMAJOR/lib" && find . -path '*plproxy*' -name '*.bc') | wc -l; }
ask() { server_psql scratch -Atq -d app -c "$1" 2>&1 || true; }
extension() { ask "select extversion from pg_extension where extname = 'plproxy'"; }

make_root
write_apt_conf
C_DEB=("$PACKAGES/$OLD"_*.deb)
C_VERSION=$(dpkg-deb -f "${C_DEB[0]}" Version)

# As it was.
said=$(package -i "${C_DEB[0]}") || say "$said"
same "the C handler's package is installed" "$OLD $C_VERSION" "$(installed_here)"
same 'with its library' c "$(library_here)"
bitcode=$(bitcode_here)
same 'and bitcode' yes "$([ "$bitcode" -gt 0 ] && echo yes)"
C_SCRIPTS=$(scripts_here)
server_start scratch --tree "$SCRATCH/usr" --auth trust --set 'shared_buffers = 16MB'
server_psql scratch -q -c 'create database app' -c 'create database part'
server_psql scratch -q -d part -c "create function hello(name text) returns text language sql as 'select ''hello '' || name'"
server_psql scratch -q -d app <<SQL
create extension plproxy;
create server people foreign data wrapper plproxy options (p0 'host=127.0.0.1 port=$(server_port scratch) dbname=part');
create user mapping for public server people options (user 'postgres');
create function hello(name text) returns text language plproxy as \$\$ cluster 'people'; run on 0; \$\$;
SQL
same 'a call by the C handler' 'hello Ada' "$(ask "select hello('Ada')")"

# Ours, by dpkg.
said=$(package -i "$DEB") || say "$said"
same 'dpkg replaces it by ours' "$NAME $VERSION-1" "$(installed_here)"
same 'and says so' 1 "$(grep -c "will remove $OLD in favour of $NAME" <<<"$said")"
same 'the library is ours' ours "$(library_here)"
same 'the scripts are ours' "$(awk -F/ '/extension/ { print $NF }' <<<"$wanted" | sort | paste -sd' ')" "$(scripts_here)"
same "nothing of the C handler's is left of $bitcode files" 0 "$(bitcode_here)"
same 'dpkg finds nothing changed' '' "$(package --verify "$NAME")"
same 'the same function, in a new session' "hello Ada" "$(ask "select hello('Ada')")"
same 'the extension says the old version' "${C_VERSION%-*}" "$(extension)"
ask 'alter extension plproxy update'
same 'and is updated' "$VERSION" "$(extension)"
same 'what is new works' '-7583489610679606711' "$(ask "select plproxy_hash('a'::text)")"

# Back, by dpkg: it does not take the other's place by itself.
said=$(package -i "${C_DEB[0]}") || true
same 'dpkg does not put the C handler over ours' "$NAME $VERSION-1 ours" "$(installed_here) $(library_here)"
said=$(package -r "$NAME") || say "$said"
same 'ours is removed' ' none' "$(installed_here) $(library_here)"
same 'without a trace' '' "$(scripts_here)$(find "$SCRATCH/usr/share/doc" "$SCRATCH/usr/share/lintian" -name "*$NAME*" 2>/dev/null)"
said=$(package -i "${C_DEB[0]}") || say "$said"
same "the C handler's package is installed again" "$OLD $C_VERSION c" "$(installed_here) $(library_here)"
same 'with its scripts' "$C_SCRIPTS" "$(scripts_here)"
same 'the same function once more' "hello Ada" "$(ask "select hello('Ada')")"

# The same by apt, which solves conflicts by itself.
said=$(get install "$DEB") || say "$said"
same 'apt replaces it by ours' "$NAME $VERSION-1 ours" "$(installed_here) $(library_here)"
same 'a call' 'hello Ada' "$(ask "select hello('Ada')")"
said=$(get install "${C_DEB[0]}") || say "$said"
same 'apt replaces ours by it' "$OLD $C_VERSION c" "$(installed_here) $(library_here)"
same 'a call by it' 'hello Ada' "$(ask "select hello('Ada')")"

# Where there was none.
said=$(get remove "$OLD" && get install "$DEB") || say "$said"
same 'ours alone' "$NAME $VERSION-1 ours" "$(installed_here) $(library_here)"
server_psql scratch -q -c 'create database fresh'
same 'makes the extension' "$VERSION" "$(server_psql scratch -Atq -d fresh -c 'create extension plproxy' \
    -c "select extversion from pg_extension where extname = 'plproxy'")"

# META.json, by a reader of JSON that is at hand.
if [ -d "${source:-}" ]; then
    same "META.json has what PGXN's format asks for" "plproxy|$VERSION|postgresql|sql/plproxy.sql|1.0.0" \
        "$(server_psql scratch -Atq -v json="$(cat "$source/META.json")" <<'SQL'
select concat_ws('|', m->>'name', m->>'version', m->>'license', m#>>'{provides,plproxy,file}', m#>>'{meta-spec,version}')
from (select :'json'::json) as j(m)
where m->>'abstract' > '' and m->>'maintainer' > '' and m#>>'{provides,plproxy,version}' = m->>'version';
SQL
)"
    for key in file docfile; do
        same "the $key that it names is there" yes "$([ -f "$source/$(server_psql scratch -Atq \
            -v json="$(cat "$source/META.json")" -v key=$key <<<"select :'json'::json #>> array['provides', 'plproxy', :'key']")" ] && echo yes)"
    done
fi

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
