# Names that try to break out of the statements they stand in: of everything that a statement names, in every encoding.

LOOK="create table canary (); create function run(q text) returns text language plpgsql as
    'begin execute q; return null; end'"
database() { server_psql "$1" -q -c "create database $2 template template0 encoding '$3' locale 'C'"; }

# Among them those whose second byte in SJIS, BIG5 or GBK is a backslash.
MULTIBYTE=('é' 'Ün"cödé' "é'; drop table canary; --" "$(printf 'é%.0s' {1..31})" '日本' 'ソ表能' '表"; drop table canary; --'
    "$(printf 'x%.0s' {1..60})能" '功許' 'я"ю' '😀')
# digits_of_those_in encoding...: an array of those that all of the encodings have, in as many bytes as names can have.
digits_of_those_in() {
    local name encoding bytes
    for name in "${MULTIBYTE[@]}"; do
        for encoding in "$@"; do
            # Without characters of its own it takes any bytes.
            [ "$encoding" != SQL_ASCII ] || continue
            bytes=$(set -o pipefail; printf '%s' "$name" | iconv -f UTF-8 -t "${encoding/_/-}" 2>/dev/null | wc -c) \
                && [ "$bytes" -le 63 ] || continue 2
        done
        printf '%s' "$name" | od -An -v -tx1 | tr -d ' \n'
        echo
    done | paste -sd , - | sed 's/.*/{&}/'
}

# names proxy-encoding partition-encoding kinds [setting of both databases]
runs=0
names() {
    local db=n$((runs += 1)) name server got count
    name="names.${1,,}_${2,,}${4:+_${4%% *}}"
    database proxy "$db" "$1"
    database part "$db" "$2"
    if [ -n "${4:-}" ]; then
        for server in proxy part; do server_psql "$server" -q -c "alter database $db set $4"; done
    fi
    PGCLIENTENCODING=UTF8 part -d "$db" -c "$LOOK"
    got=$(PGCLIENTENCODING=UTF8 proxy -d "$db" -v port="$PART" -v db="$db" -v app="$db" -v kinds="{$3}" \
        -v more="$(digits_of_those_in "$1" "$2")" \
        -f "$HERE/names.sql" 2>&1 | grep -vx f || true)
    count=$(tail -n 1 <<<"$got")
    same "$name: every statement is that of a harmless name" $'attempts t\ncanaries t t' "$(sed '$d' <<<"$got")"
    # What plproxy_check_functions asks is none of them.
    same "$name: one statement for each call ($count)" "$count" \
        "$(arrived "$db" | grep -vc "^select 'permission denied for function" || true)"
}

ALL_KINDS=function,schema,argument,columns,columns_of_set,enum,composite,domain,array,cluster,cluster_function,option
SOME_KINDS=function,schema,columns,enum
# From 19 on it cannot be set to anything else.
BACKSLASHES='standard_conforming_strings = off'
[ "$PGMAJOR" -lt 19 ] || BACKSLASHES='standard_conforming_strings = on'
names UTF8 UTF8 $ALL_KINDS
names UTF8 UTF8 $ALL_KINDS "$BACKSLASHES"
names UTF8 UTF8 $SOME_KINDS 'quote_all_identifiers = on'
for encoding in EUC_JP LATIN1 SQL_ASCII; do
    names UTF8 $encoding $SOME_KINDS
    names $encoding UTF8 $SOME_KINDS
    names $encoding $encoding $SOME_KINDS "$BACKSLASHES"
done

# TARGET takes plain identifiers. Anything else is a mistake, or stands in the statement as the name that it is.
database proxy target UTF8
database part target UTF8
PGCLIENTENCODING=UTF8 part -d target -c "$LOOK"
PGCLIENTENCODING=UTF8 proxy -d target -v port="$PART" -f "$HERE/target.sql" >"$PLPROXY_RUN/target.out" 2>&1 || true
sections names "$HERE/target.wanted" "$PLPROXY_RUN/target.out"
same 'names.target: what arrived' $'select r::text from public.é($1::int4) r\nselect r::text from é($1::int4) r' "$(arrived target | sort -u)"

# Clients whose encodings have a backslash or a quote as the second byte of a character.
proxy -d target -c 'create schema client' >/dev/null
for encoding in SJIS BIG5 GBK; do
    case $encoding in SJIS) name='ソ表能' ;; *) name='功許' ;; esac
    got=$(iconv -f UTF-8 -t "$encoding" <<<"\\set VERBOSITY terse
        create or replace function client.\"$name\"(int, out \"$name\" text) language plproxy as 'cluster ''c''; run on 0;';
        select client.\"$name\"(1);" \
        | PGCLIENTENCODING=$encoding proxy -d target 2>&1 | iconv -f "$encoding" -t UTF-8 || true)
    same "names.client_${encoding,,}" \
        "ERROR:  client.\"$name\"(1): [target] REMOTE ERROR: schema \"client\" does not exist at character 21" \
        "${got#psql:<stdin>:*: }"
done

# A name that the partition's encoding lacks is an error, and the session's next call works.
database part lacking LATIN1
part -d lacking -c "create function f(int) returns text language sql as 'select getdatabaseencoding()'"
same names.lacking $'ERROR:  22P05\nLATIN1' "$(PGCLIENTENCODING=UTF8 proxy -d target -v VERBOSITY=sqlstate \
    -v ON_ERROR_STOP=0 -v p0="host=127.0.0.1 dbname=lacking user=postgres port=$PART" 2>&1 <<'SQL' | sed 's/^psql:[^ ]* //'
create server lacking foreign data wrapper plproxy options (p0 :'p0');
create user mapping for public server lacking;
create function "日本"(int) returns text language plproxy as 'cluster ''lacking''; run on 0;';
create or replace function f(int) returns text language plproxy as 'cluster ''lacking''; run on 0;';
select "日本"(1);
select f(1);
SQL
)"

# A body that has no UTF-8 is a row of the check where the partition needs it to have one, not its end; a body like this one is
# anybody's who may write functions.
database proxy unreadable WIN1252
printf '%s\n' 'create extension plproxy;' \
    "create server c foreign data wrapper plproxy options (p0 'host=127.0.0.1 port=$PART dbname=target');" \
    "create user mapping for public server c options (user 'postgres');" 'set check_function_bodies = off;' \
    "create function a() returns text language plproxy as 'cluster ''c''; select ''a''::text;';" \
    "create function b() returns text language plproxy as 'cluster ''c''; select ''"$'\x81'"''::text;';" \
    "create function c() returns text language plproxy as 'cluster ''c''; select ''c''::text;';" \
    "create function d() returns text language plproxy as 'cluster ''"$'\x81'"''; select ''d''::text;';" \
    | PGCLIENTENCODING=WIN1252 proxy -d unreadable >/dev/null
same names.unreadable $'a() 0 t \nb() 0 f ERROR:  character with byte sequence 0x81 in encoding "WIN1252" has no equivalent in encoding "UTF8"\nc() 0 t \nc' \
    "$(proxy -d unreadable -c "select * from plproxy_check_functions('c') order by function::text" -c 'select c()' 2>&1 || true)"
