# Passwords of all kinds, by every method of logging in, in both forms of a connection string; and require_auth.

# in_quotes text, in_uri text: as the two forms want a value.
in_quotes() { local text=${1//\\/\\\\}; printf "'%s'" "${text//\'/\\\'}"; }
in_uri() { printf '%s' "$1" | od -An -v -tx1 | tr -d '\n' | sed 's/ /%/g'; }

declare -A odd=(
    [quote]="it's \"odd\""
    [spaces]='  a  b '
    [backslash]='back\slash\\'
    [utf8]='пароль-ü-密码'
    [uri]='p:a/s@s?w&o=r#d%20+'
    [percent]='%41%zz'
    [normalised]=$'a\u00a0b\u2168\u00adc'
)
for kind in scram md5 plain; do
    encryption=scram-sha-256
    [ "$kind" != md5 ] || encryption=md5
    for name in "${!odd[@]}"; do
        server_psql main -q -v role="c_${kind}_$name" -v password="${odd[$name]}" -v grantee="c_$kind" \
            -v enc="$encryption" <<-'SQL'
	set password_encryption = :'enc';
	create role :"role" login password :'password';
	grant :"grantee" to :"role";
	SQL
        role=c_${kind}_$name
        both "passwords.${kind}_$name" "main $role other" \
            "host=127.0.0.1 port=$MAIN dbname=other user=$role password=$(in_quotes "${odd[$name]}")"
        both "passwords.${kind}_${name}_uri" "main $role other" \
            "postgresql://$role:$(in_uri "${odd[$name]}")@127.0.0.1:$MAIN/other"
        # Wrong by a little.
        both "passwords.${kind}_${name}_wrong" \
            "$(said "$MAIN" "FATAL:  password authentication failed for user \"$role\"")" \
            "host=127.0.0.1 port=$MAIN dbname=other user=$role password=$(in_quotes "${odd[$name]}x")"
    done
    both "passwords.${kind}_none" "$(said "$MAIN" 'fe_sendauth: no password supplied')" \
        "host=127.0.0.1 port=$MAIN dbname=other user=c_${kind}_quote"
done
# What a server says at the log-in is told: from 19 on it has something to say of this one.
warn_of_md5() {
    server_psql main -q -c "alter system $1" -c 'select from pg_reload_conf()'
    until [ "$(server_psql main -Atc 'show md5_password_warnings')" = "$2" ]; do sleep 0.1; done
}
if [ "$PGMAJOR" -ge 19 ]; then
    warn_of_md5 'set md5_password_warnings = on' on
    only passwords.md5_warning 'WARNING: public.look(2): [other] REMOTE WARNING: authenticated with an MD5-encrypted password
DETAIL:  Remote detail: MD5 password support is deprecated and will be removed in a future release of PostgreSQL.
main c_md5_quote other' "host=127.0.0.1 port=$MAIN dbname=other user=c_md5_quote password=$(in_quotes "${odd[quote]}")"
    warn_of_md5 'reset md5_password_warnings' off
fi
# The lines of a password file know no quotes, and backslashes only before colons and themselves.
put "$FILE" 600 <<<"*:*:*:c_scram_uri:${odd[uri]/:/\\:}
*:*:*:c_scram_utf8:${odd[utf8]}
*:*:*:c_scram_spaces:${odd[spaces]}"
for name in uri utf8 spaces; do
    both "passwords.passfile_$name" "main c_scram_$name other" \
        "host=127.0.0.1 port=$MAIN dbname=other user=c_scram_$name passfile=$FILE"
done

# auth name wanted role value: libpq 15 has no require_auth.
LOGIN="host=127.0.0.1 port=$MAIN dbname=other"
auth() { only "require_auth.$1" "$2" "$LOGIN user=$3 password=$(in_quotes "${odd[quote]}") require_auth=$4"; }
not_wanted() { said "$MAIN" "authentication method requirement \"$1\" failed: $2"; }
auth scram 'main c_scram_quote other' c_scram_quote scram-sha-256
auth md5 'main c_md5_quote other' c_md5_quote md5
auth password 'main c_plain_quote other' c_plain_quote password
auth one_of 'main c_md5_quote other' c_md5_quote scram-sha-256,md5
auth not_password 'main c_scram_quote other' c_scram_quote '!password,!md5'
auth none 'main c_user other' c_user none
auth wrong_scram "$(not_wanted md5 'server requested SASL authentication')" c_scram_quote md5
auth wrong_md5 "$(not_wanted scram-sha-256 'server requested a hashed password')" c_md5_quote scram-sha-256
auth wrong_password "$(not_wanted '!password' 'server requested a cleartext password')" c_plain_quote '!password'
auth wrong_trust "$(not_wanted scram-sha-256 'server did not complete authentication')" c_user scram-sha-256

# SCRAM's iterations: as many as the client library computes, and one more, with which libpq logs in.
server_psql main -q <<'SQL'
create role c_slow login in role c_scram password
    'SCRAM-SHA-256$100000:cGxwcm94eS1zYWx0LTAxNg==$Enzil6BFwYdslwPCbP1A+1FkcgW8ISn/ez9SenBGGnw=:jViemRh5JDoeZ5dgQQRV67AuXYXFQrloRhejh2Wcif8=';
create role c_slower login in role c_scram password
    'SCRAM-SHA-256$100001:cGxwcm94eS1zYWx0LTAxNg==$9QTniO/EifiUyYmZbtKt189l4eEqhts+9dkHG4sVGao=:NXNbkMu1WtlbMrOa12EV0EcVVtSS8seAFbpIBsidzuA=';
SQL
slow() { printf 'host=127.0.0.1 port=%s dbname=other user=%s password=%s' "$MAIN" "$1" "$SECRET"; }
both passwords.iterations 'main c_slow other' "$(slow c_slow)"
only passwords.too_many_iterations \
    "$(said "$MAIN" 'server asks for 100001 iterations of SCRAM, and no more than 100000 are accepted')" "$(slow c_slower)"
check passwords.too_many_iterations_libpq 'main c_slower other' "$(theirs "$(slow c_slower)")"
