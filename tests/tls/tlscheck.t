#!/bin/sh
# tlscheck: what it says of certificate files, and its exit codes.
. "$(dirname "$0")/../tap.sh"
check=$CHAINMAIL_BIN/tlscheck
cd "$T" || exit 1
unset TLS_CERTFILE TLS_PRIVATE_KEYFILE TLS_TRUSTCERTS
quiet() { "$@" >>"$T/quiet" 2>&1 || { cat "$T/quiet"; exit 1; }; }

# A root, an intermediate and servers.
quiet openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out root.crt -subj /CN=root -days 4000
request() { quiet openssl req -new -newkey "$2" ${3:+-pkeyopt "$3"} -nodes -keyout "$1.key" -out "$1.csr" -subj "/O=Example/CN=$1"; }
# sign NAME AUTHORITY EXTENSION OPTIONS...
sign() {
  name=$1 authority=$2
  echo "$3" >ext
  shift 3
  quiet openssl x509 -req -in "$name.csr" -CA "$authority.crt" -CAkey "$authority.key" -CAcreateserial -extfile ext -out "$name.crt" "$@"
}
curve=ec_paramgen_curve:P-256
request mid ec $curve
sign mid root basicConstraints=critical,CA:TRUE -days 3000
request server ec $curve
sign server mid subjectAltName=DNS:mail.example.org,DNS:*.example.net,IP:192.0.2.1 -days 100
cat server.crt mid.crt server.key >good.pem
mkdir trust
cp root.crt trust
quiet openssl rehash trust

run() {
  "$check" "$@" >out 2>err
  code=$?
}
run -t trust good.pem mail.example.org
is $code 0 "a good file"
like "$(cat out)" "good.pem: 2 certificates" "how many"
like "$(cat out)" "subject    O=Example, CN=server" "subject"
like "$(cat out)" "names      mail.example.org, .*example.net, 192.0.2.1" "names"
like "$(cat out)" "issuer     O=Example, CN=mid" "issuer"
like "$(cat out)" "valid      20.* UTC to 20.* UTC" "when"
like "$(cat out)" "key        EC on P-256" "key"
like "$(cat out)" "signature  ECDSA with SHA-256" "signature"
like "$(cat out)" "chain: complete" "chain"
like "$(cat out)" "host: mail.example.org is one of the names" "host"
like "$(cat out)" "key: belongs to the first certificate" "pair"
is "$(cat err)" "" "and no more"
for host in x.example.net 192.0.2.1 MAIL.example.org; do
  run -t trust good.pem $host
  is $code 0 "host $host"
done

# problem NAME WORDS ARGUMENTS...
problem() {
  name=$1 words=$2
  shift 2
  run "$@"
  is $code 1 "$name"
  like "$(cat out)" "problem: .*$words.*: ..*" "  says so"
}
problem "another host" "is not for www.example.org" -t trust good.pem www.example.org
cat server.crt server.key >single.pem
problem "no intermediate" "no certificate of O=Example, CN=mid" -t trust single.pem
cp mid.crt trust
quiet openssl rehash trust
run -t trust single.pem
is $code 0 "no intermediate, but TLS_TRUSTCERTS has it"
cat root.crt mid.crt >bundle
run -t bundle single.pem
is $code 0 "or a file has"
cp mid.crt mid-now.crt
sign mid root basicConstraints=critical,CA:TRUE -days -1
cat root.crt mid.crt >bundle
problem "an intermediate that has expired" "no certificate of O=Example, CN=mid" -t bundle single.pem
cat root.crt mid.crt mid-now.crt >bundle
run -t bundle single.pem
is $code 0 "which does not hide the present one"
mv mid-now.crt mid.crt
problem "a store that is not there" "No such file" -t none single.pem
cat server.crt root.crt server.key >gap.pem
problem "a gap" "certificate 1 is not signed by certificate 2" -t trust gap.pem
cat server.crt mid.key >wrong.pem
problem "the key of another" "does not belong" -t trust wrong.pem
for k in server mid; do openssl ec -in $k.key -outform DER -out $k.der 2>/dev/null; done
{
  cat server.crt
  echo '-----BEGIN EC PRIVATE KEY-----'
  { head -c -65 mid.der; tail -c 65 server.der; } | openssl base64
  echo '-----END EC PRIVATE KEY-----'
} >liar.pem
problem "the key of another whose file says that it is ours" "does not belong" -t trust liar.pem
run -t trust -k server.key server.crt
is $code 0 "-k"
problem "no key" "no private key in it" -t trust server.crt
problem "no such file" "No such file" none.pem
echo words >words.pem
problem "no certificate" "no certificate in it" words.pem
head -c 300 server.crt >cut.pem
problem "cut off" "damaged PEM" cut.pem

sign server mid subjectAltName=DNS:mail.example.org -days 20
cat server.crt mid.crt server.key >soon.pem
problem "expires soon" "certificate 1 expires in (19|20) days, on 20" -t trust soon.pem
sign server mid subjectAltName=DNS:mail.example.org -days -1
cat server.crt mid.crt server.key >expired.pem
problem "expired" "certificate 1 has expired on 20" -t trust expired.pem
sign server mid extendedKeyUsage=serverAuth -days 100
cat server.crt mid.crt server.key >nameless.pem
problem "no names" "no alternative names" -t trust nameless.pem
request short rsa:1024
sign short mid subjectAltName=DNS:mail.example.org -days 100
cat short.crt mid.crt short.key >short.pem
problem "a short key" "less than 2048 bits" -t trust short.pem
like "$(cat out)" "key        RSA, 1024 bits" "  and how short"
sign server mid subjectAltName=DNS:mail.example.org -days 100 -sha1
cat server.crt mid.crt server.key >sha1.pem
problem "SHA-1" "signed by ECDSA with SHA-1" -t trust sha1.pem
quiet openssl req -x509 -newkey ed25519 -nodes -keyout ed.key -out ed.crt -subj /CN=ed -addext subjectAltName=DNS:ed.example.org
cat ed.crt ed.key >ed.pem
problem "Ed25519" "none that tlsd can use" ed.pem
like "$(cat out)" "key        of a kind unknown to tlsd" "  and describes it"
like "$(cat out)" "chain: self-signed" "  self-signed"

# At service start: tlsd's settings, all files that it might use; in the log, and nothing stops it.
mkdir conf
cp good.pem conf/imapd.pem
cp soon.pem conf/imapd.pem.mail.example.org
cp wrong.pem conf/imapd.pem.192.0.2.1
cp expired.pem conf/imapd.pem.ecdsa
cp words.pem conf/imapd.pem.dist
TLS_CERTFILE=$T/conf/imapd.pem TLS_TRUSTCERTS=$T/trust run -l
is $code 0 "-l always succeeds"
is "$(cat out)" "" "  writes nothing"
is "$(wc -l <err)" 3 "  but one line for each problem in the log"
like "$(cat err)" "certificate-problem path=$T/conf/imapd.pem.mail.example.org why=.*expires in .* remedy=" "  a name's"
like "$(cat err)" "path=$T/conf/imapd.pem.192.0.2.1 why=.*does not belong" "  an address's"
like "$(cat err)" "path=$T/conf/imapd.pem.ecdsa why=.*has expired" "  the second kind"
run -l
is "$code$(cat err)" 0 "no TLS_CERTFILE: nothing to check"
TLS_EXTERNAL=CN TLS_VERIFYPEER=NONE run -l
like "$code$(cat err)" "^0.*setting-unmet name=TLS_EXTERNAL value=CN why=.*TLS_VERIFYPEER is NONE" "TLS_EXTERNAL alone does nothing"
TLS_EXTERNAL=CN TLS_VERIFYPEER=PEER run -l
is "$code$(cat err)" 0 "  with TLS_VERIFYPEER it does"

for arguments in "" "-x" "a b c" "-l x" "-k"; do
  # shellcheck disable=SC2086 # words
  run $arguments
  is $code 100 "usage: $arguments"
done
done_testing
