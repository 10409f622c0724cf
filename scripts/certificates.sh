#!/usr/bin/env bash
# Makes certificates for tests: scripts/certificates.sh DIRECTORY. Two authorities, servers good and bad, clients, and lists
# of revoked certificates; all by Debian's openssl, all thrown away with the directory.
#
#   ca.crt other-ca.crt both.crt    the authorities; both in one file
#   <name>.crt <name>.key           a server's certificate; the names are in the list below
#   ca.crl crldir/                  lists in which `revoked` is; empty.crl: in which nobody is; all.crl: with `cn`, too
#   client.crt .key, .der, -enc.key the client's, of the user cert_user; its key as DER; and with the password `open sesame`
#   stranger.crt .key               the same name from the other authority

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

OPENSSL=$("$SCRIPTS/tree.sh" openssl)
use_ground_libs
DIR=$1
mkdir -p "$DIR" && cd "$DIR"

quiet() { "$@" 2>openssl.log || { cat openssl.log >&2; die "failed: $*"; }; }
key() { quiet "$OPENSSL" genpkey -algorithm "${2:-EC}" ${3:+-pkeyopt "$3"} -out "$1.key"; chmod 600 "$1.key"; }
ec() { key "$1" EC ec_paramgen_curve:P-256; }

authority() {
    mkdir "$1-db" && touch "$1-db/index" && echo 1000 >"$1-db/serial" && echo 1000 >"$1-db/crlnumber"
    ec "$1"
    cat >"$1.cnf" <<-CNF
	[ca]
	default_ca = a
	[a]
	dir = $1-db
	database = $1-db/index
	serial = $1-db/serial
	crlnumber = $1-db/crlnumber
	new_certs_dir = $1-db
	certificate = $1.crt
	private_key = $1.key
	default_md = sha256
	default_days = 3650
	default_crl_days = 3650
	unique_subject = no
	copy_extensions = none
	policy = p
	[p]
	commonName = optional
	CNF
    quiet "$OPENSSL" req -x509 -new -key "$1.key" -subj "/CN=$1" -days 3650 -out "$1.crt" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,cRLSign
}

# issue AUTHORITY NAME SUBJECT "alternative names" options...: for a key that is there.
issue() {
    local ca=$1 name=$2 subject=$3 alternative=$4; shift 4
    printf 'basicConstraints = CA:FALSE\n' >"$name.ext"
    [ -z "$alternative" ] || printf 'subjectAltName = %s\n' "$alternative" >>"$name.ext"
    quiet "$OPENSSL" req -new -key "$name.key" -subj "$subject" -out "$name.csr"
    quiet "$OPENSSL" ca -batch -notext -config "$ca.cnf" -in "$name.csr" -out "$name.crt" -extfile "$name.ext" "$@"
}

authority ca
authority other-ca
cat ca.crt other-ca.crt >both.crt

#     name      common name           alternative names
while read -r name subject alternative; do
    ec "$name"
    issue ca "$name" "/CN=$subject" "${alternative#-}"
done <<'LIST'
cn        good.test             -
san       cn.test               DNS:a.test,DNS:b.test,DNS:c.test
wildcard  cn.test               DNS:*.wild.test
cnwild    *.wild.test           -
ip        cn.test               IP:127.0.0.1,IP:::1
ipcn      127.0.0.1             -
ipdns     127.0.0.1             DNS:a.test
onlyip    good.test             IP:127.0.0.1
revoked   good.test             -
client    cert_user             -
nobody    unknown_user          -
LIST
ec unnamed; issue ca unnamed "/" ""
ec expired; issue ca expired /CN=good.test "" -startdate 20200101000000Z -enddate 20200201000000Z
ec future; issue ca future /CN=good.test "" -startdate 20900101000000Z -enddate 20910201000000Z
ec foreign; issue other-ca foreign /CN=good.test ""
ec stranger; issue other-ca stranger /CN=cert_user ""
key ed25519 ED25519 ""; issue ca ed25519 /CN=good.test ""
# RSA-PSS and SHA-384 are signatures of the issuer: this one signs for itself.
key pss RSA rsa_keygen_bits:2048
quiet "$OPENSSL" req -x509 -new -key pss.key -subj /CN=good.test -days 3650 -sha384 \
    -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1 -out pss.crt
key rsa512 RSA rsa_keygen_bits:2048
quiet "$OPENSSL" req -x509 -new -key rsa512.key -subj /CN=good.test -days 3650 -sha512 -out rsa512.crt
key self-ed ED25519 ""
quiet "$OPENSSL" req -x509 -new -key self-ed.key -subj /CN=good.test -days 3650 -out self-ed.crt

quiet "$OPENSSL" ca -config ca.cnf -gencrl -out empty.crl
quiet "$OPENSSL" ca -config ca.cnf -revoke revoked.crt
quiet "$OPENSSL" ca -config ca.cnf -gencrl -out ca.crl
quiet "$OPENSSL" ca -config ca.cnf -revoke cn.crt
quiet "$OPENSSL" ca -config ca.cnf -gencrl -out all.crl
mkdir crldir
cp ca.crl "crldir/$("$OPENSSL" crl -in ca.crl -hash -noout).r0"

quiet "$OPENSSL" pkey -in client.key -outform DER -out client.der
quiet "$OPENSSL" pkey -in client.key -aes256 -passout 'pass:open sesame' -out client-enc.key
cp client.key client-open.key
cp client.key client-group.key
chmod 600 client.der client-enc.key
chmod 644 client-open.key
chmod 660 client-group.key
rm -f ./*.csr ./*.ext openssl.log
