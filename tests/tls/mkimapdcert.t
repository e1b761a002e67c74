#!/bin/sh
# The script that makes a first certificate.
. "$(dirname "$0")/../tap.sh"
make=$(cd "$(dirname "$0")/../../scripts" && pwd)/mkimapdcert

"$make" "$T/ec.pem" mail.example.org 192.0.2.1 2>"$T/err"
ok $? "makes a certificate"
is "$(stat -c %a "$T/ec.pem")" 600 "which only its owner may read"
text=$(openssl x509 -in "$T/ec.pem" -noout -text)
like "$text" 'DNS:mail.example.org, IP Address:192.0.2.1' "with names and addresses"
like "$text" 'P-256' "and an EC key"
is "$(openssl x509 -in "$T/ec.pem" -noout -pubkey)" "$(openssl pkey -in "$T/ec.pem" -pubout)" \
  "certificate and key belong together"

before=$(cksum <"$T/ec.pem")
"$make" "$T/ec.pem" mail.example.org 2>"$T/err"
is $? 1 "never overwrites"
is "$(cksum <"$T/ec.pem")" "$before" "indeed"
like "$(cat "$T/err")" 'ec.pem exists' "and says why"
ln -s nowhere "$T/link.pem"
"$make" "$T/link.pem" mail.example.org 2>/dev/null
is $? 1 "nor follows a dangling link"

"$make" -r "$T/rsa.pem" localhost 2>/dev/null
like "$(openssl pkey -in "$T/rsa.pem" -noout -text)" '2048 bit' "-r: RSA"
"$make" "$T/none/x.pem" mail.example.org 2>"$T/err"
is $? 111 "a directory that does not exist"
like "$(cat "$T/err")" "fatal: .* beside $T/none/x.pem: .* must exist" "says what to do"
for name in 'a,DNS:b' mail.example.org. .example.org mail..example.org -mail.example.org 'mail.*.org' '*mail.org' '*'; do
  "$make" "$T/x.pem" "$name" 2>/dev/null
  is $? 100 "refuses names that are none: $name"
done
(cd "$T" && "$make" -- -x.pem localhost 2>"$T/err")
ok $? "a file whose name begins with a hyphen"
"$make" 2>/dev/null
is $? 100 "usage"

"$make" request "$T/real.pem" mail.example.org imap.example.org 192.0.2.1 >"$T/out" 2>&1
is $? 0 "request"
like "$(openssl req -in "$T/real.pem.csr" -noout -text -verify 2>&1 | tr '\n' ' ')" \
  'verify OK.*CN = mail.example.org.*DNS:mail.example.org, DNS:imap.example.org, IP Address:192.0.2.1' "with all names"
is "$(find "$T/real.pem.key" -perm 600)" "$T/real.pem.key" "only its owner may read the key"
like "$(cat "$T/out")" "TLS_PRIVATE_KEYFILE=$T/real.pem.key" "says what to do next"
is "$(openssl req -in "$T/real.pem.csr" -noout -pubkey)" "$(openssl pkey -in "$T/real.pem.key" -pubout)" "the request is the key's"
before=$(cksum <"$T/real.pem.key")
"$make" request "$T/real.pem" new.example.org >"$T/out" 2>&1
is "$? $(cksum <"$T/real.pem.key")" "0 $before" "a key that is there is kept"
like "$(openssl req -in "$T/real.pem.csr" -noout -text)" "DNS:new.example.org" "and the request is new"
is "$(openssl req -in "$T/real.pem.csr" -noout -pubkey)" "$(openssl pkey -in "$T/real.pem.key" -pubout)" "of the same key"
"$make" request -r "$T/rsareal.pem" localhost >"$T/out" 2>&1
like "$(openssl pkey -in "$T/rsareal.pem.key" -noout -text)" '2048 bit' "request -r: RSA"
echo words >"$T/bad.pem.key"
"$make" request "$T/bad.pem" localhost >"$T/out" 2>&1
is "$? $(cat "$T/bad.pem.key")" "111 words" "a key that is none stays, and nothing is requested"
is "$(find "$T" -name "bad.pem.csr" -o -name "*mkimapdcert*")" "" "leaves nothing else behind"
done_testing
