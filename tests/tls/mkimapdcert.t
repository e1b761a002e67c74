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
"$make" "$T/x.pem" 'a,DNS:b' 2>/dev/null
is $? 100 "refuses names that are none"
"$make" 2>/dev/null
is $? 100 "usage"
is "$(find "$T" -name "*mkimapdcert*")" "" "leaves nothing else behind"
done_testing
