# The password file: which line counts, which file is trusted.

IN="$AT user=c_secret"
OPEN='permissions should be u=rw (0600) or less'
NO_PASSWORD=$(said "$MAIN" 'fe_sendauth: no password supplied')
WRONG=$(said "$MAIN" 'FATAL:  password authentication failed for user "c_secret"')
in_file() { both "$1" "$2" "$IN passfile=$FILE"; }

both passfile.none "$NO_PASSWORD" "$IN"
put "$FILE" 600 <<<"127.0.0.1:$MAIN:c_secret:c_secret:$SECRET"
in_file passfile.exact 'main c_secret c_secret'
both passfile.another_database "$NO_PASSWORD" "$IN dbname=other passfile=$FILE"
put "$FILE" 600 <<<"*:*:*:*:$SECRET"
in_file passfile.wildcards 'main c_secret c_secret'
put "$FILE" 600 <<<"127.0.0.*:*:*:*:$SECRET"
in_file passfile.wildcard_is_whole "$NO_PASSWORD"
put "$FILE" 600 <<<"# comment

x:*:*:*:other
#*:*:*:*:commented
*:$MAIN:*:c_secret:$SECRET
*:*:*:*:late"
in_file passfile.first_line_counts 'main c_secret c_secret'
put "$FILE" 600 <<<"*:*:*:*:wrong
127.0.0.1:$MAIN:c_secret:c_secret:$SECRET"
# libpq adds where the wrong password came from.
verdict passfile.wrong "$WRONG
password retrieved from file \"$FILE\"" "$(ours "$IN passfile=$FILE")" "$(theirs "$IN passfile=$FILE")"
put "$FILE" 600 <<<"*:*:*:*:
*:*:*:*:$SECRET"
in_file passfile.empty_password "$NO_PASSWORD"
put "$FILE" 600 <<<"127.0.0.1:$MAIN:c_secret:c_secret:hu\\nter2"
in_file passfile.escape 'main c_secret c_secret'
put "$FILE" 600 <<<"127.0.0.1:$MAIN:c_secret:c_secret:$SECRET:rest"
in_file passfile.colon_ends 'main c_secret c_secret'
printf '*:*:*:*:%s\r\n' "$SECRET" | put "$FILE" 600
in_file passfile.dos_line 'main c_secret c_secret'
printf '*:*:*:*:%s' "$SECRET" | put "$FILE" 600
in_file passfile.no_end_of_line 'main c_secret c_secret'
put "$FILE" 600 <<<"$(server_dir main):*:*:*:$SECRET"
both passfile.socket 'main c_secret c_secret' "host=$(server_dir main) port=$MAIN user=c_secret passfile=$FILE"
put "$FILE" 600 <<<"127.0.0.1:$MAIN:*:*:$SECRET"
both passfile.address_is_not_the_name "$NO_PASSWORD" "$IN host=somewhere hostaddr=127.0.0.1 passfile=$FILE"
put "$FILE" 600 <<<"somewhere:$MAIN:*:*:$SECRET"
both passfile.name_before_address 'main c_secret c_secret' "$IN host=somewhere hostaddr=127.0.0.1 passfile=$FILE"
put "$FILE" 600 <<<"127.0.0.1:$DEAD:*:*:wrong
127.0.0.1:$STANDBY:*:*:$SECRET"
both passfile.per_host 'standby c_secret c_secret' "$IN host=127.0.0.1,127.0.0.1 port=$DEAD,$STANDBY passfile=$FILE"
put "$FILE" 600 <<<'*:*:*:*:wrong'
both passfile.password_wins 'main c_secret c_secret' "$IN passfile=$FILE password=$SECRET"

# Files that are not trusted, or not there.
put "$FILE" 600 <<<"*:*:*:*:$SECRET"
for mode in 644 640 604 660; do
    as_server chmod "$mode" "$FILE"
    in_file "passfile.mode_$mode" "WARNING: password file \"$FILE\" has group or world access; $OPEN
$NO_PASSWORD"
done
as_server chmod 400 "$FILE"
in_file passfile.mode_400 'main c_secret c_secret'
as_server chmod 200 "$FILE"
in_file passfile.unreadable "$NO_PASSWORD"
as_server chmod 600 "$FILE"
both passfile.missing "$NO_PASSWORD" "$IN passfile=$HOME_DIR/no-file"
both passfile.directory "WARNING: password file \"$HOME_DIR\" is not a plain file
$NO_PASSWORD" "$IN passfile=$HOME_DIR"
both passfile.device "WARNING: password file \"/dev/zero\" is not a plain file
$NO_PASSWORD" "$IN passfile=/dev/zero"

# Where it is looked for.
put "$HOME_DIR/.pgpass" 600 <<<"*:*:*:*:$SECRET"
both passfile.home 'main c_secret c_secret' "$IN"
put "$HOME_DIR/.pgpass" 600 <<<'*:*:*:*:wrong'
both passfile.instead_of_home 'main c_secret c_secret' "$IN passfile=$FILE"
surround "PGPASSFILE=$FILE"
both passfile.environment 'main c_secret c_secret' "$IN"
both passfile.instead_of_environment "$NO_PASSWORD" "$IN passfile=$HOME_DIR/no-file"
as_server rm "$HOME_DIR/.pgpass"
surround
