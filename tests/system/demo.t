#!/bin/sh
# scripts/demo as its manual page has it: the printed curl command works, both ports answer, an
# existing home is served, and nothing is left running after the end.
. "$(dirname "$0")/../tap.sh"
cd "$(dirname "$0")/../.." || exit 111

free_port() {
  perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'
}
# tcpserver leads a process group that its connections belong to.
groups() { s6-svstat -o pid "$T/d/scan/imapd" && s6-svstat -o pid "$T/d/scan/imapd-ssl"; }
# Processes of these groups, and others whose arguments name this test's directory.
left() {
  for group in $groups; do pgrep -g "$group"; done
  pgrep -f "$T/d"
}
wait_gone() { # PID
  tries=0
  while kill -0 "$1" 2>/dev/null && [ $tries -lt 300 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
}

port=$(free_port) sslport=$(free_port)
mkdir -p "$T/home"
maildirmake "$T/home/Maildir"
printf 'Subject: existing\n\nhello\n' >"$T/home/Maildir/new/1.1.test"

scripts/demo -d "$T/d" -p "$port" -s "$sslport" -u "ann:s:cret'x:$T/home" -b >"$T/out" 2>&1
is $? 0 'demo -b returns when the ports answer'
pid=$(cat "$T/d/pid")
command=$(sed -n 's/^ *\(curl .*\)/\1/p' "$T/out")
like "$(sh -c "$command" 2>"$T/err")" '^Subject:' 'the printed curl command fetches a message'
is "$(curl -s --cacert "$T/d/conf/imapd.pem" --user "ann:s:cret'x" \
  "imaps://localhost:$sslport/INBOX;MAILINDEX=1;SECTION=TEXT" | tr -d '\r')" hello 'an existing home is served'
like "$(curl -s --ssl-reqd --cacert "$T/d/conf/imapd.pem" --user "ann:s:cret'x" \
  "imap://localhost:$port/" -X 'STATUS INBOX (MESSAGES)')" 'MESSAGES 1' 'STARTTLS works on the other port'
scripts/demo -d "$T/other" -p "$port" -s "$sslport" -b >"$T/out2" 2>&1
is $? 111 'a port in use is refused'
like "$(cat "$T/out2")" 'in use' 'in words'

# A session that is under way when the demo ends must not survive it.
(sleep 60 | tcpclient -R -H -l0 127.0.0.1 "$port" sh -c 'cat <&6') >/dev/null 2>&1 &
session=$!
sleep 0.5
groups=$(groups)
kill "$pid"
wait_gone "$pid"
kill $session 2>/dev/null
wait $session 2>/dev/null
is "$(left)" '' 'after the end no process is left'
[ ! -e "$T/d/pid" ]
ok $? 'and no pid file'

# Programs in a place that only their owner may pass, as a clone below /root is.
cp -R "$BIN" "$T/bin"
CHAINMAIL_BIN=$T/bin PATH=${PATH#"$BIN:"} setsid scripts/demo -d "$T/d" -p "$port" -s "$sslport" >"$T/out" 2>&1 &
pid=$!
tries=0
until grep -q Ctrl-C "$T/out" || [ $tries -gt 300 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
like "$(cat "$T/out")" 'Ctrl-C ends it' 'in the foreground, with the same directory again'
like "$(sh -c "$command" 2>"$T/err")" '^Subject:' 'with programs that nobody else can reach'
groups=$(groups)
kill -TERM "$pid"
wait_gone "$pid"
is "$(left)" '' 'nothing is left of it either'

scripts/demo -x >/dev/null 2>&1
is $? 100 'wrong usage exits 100'
# A mktemp that tells what it has made: as root, the place for programs that others can reach.
mkdir "$T/path"
cat >"$T/path/mktemp" <<EOF
#!/bin/sh
PATH=$PATH
mktemp "\$@" | tee -a "$T/made"
EOF
chmod 755 "$T/path/mktemp"
: >"$T/made"
PATH=$T/path:${PATH#"$BIN:"} CHAINMAIL_BIN=$T/bin scripts/demo -d "$T/none" -p "$port" -s "$sslport" \
  -u "a:b:$T/nowhere" >"$T/out" 2>&1
is $? 111 'a home that does not exist is refused'
like "$(cat "$T/out")" 'no directory' 'in words'
remaining=
while read -r made; do
  [ ! -e "$made" ] || remaining="$remaining $made"
done <"$T/made"
is "$remaining" '' 'and nothing is left in /tmp'
done_testing
