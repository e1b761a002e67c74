#!/bin/sh
# make install: everything in its place, and an administrator's edited file stays.
. "$(dirname "$0")/../tap.sh"
cd "$(dirname "$0")/../.." || exit 111
install_conf() { scripts/install-conf "$T/root" /opt/mail; }
out=$(install_conf)
ok $? 'installs into an empty place'
is "$out" '' 'and says nothing'
is "$(sed -n 's/^USERDB=//p' "$T/root/opt/mail/conf/imapd")" /opt/mail/conf/userdb.cdb 'paths follow PREFIX'
[ -x "$T/root/opt/mail/service/imapd/run" ]
ok $? 'run files are executable'
echo PORT=1 >>"$T/root/opt/mail/conf/imapd"
out=$(install_conf)
like "$out" 'conf/imapd is yours and stays' 'an edited file is named'
is "$(tail -n 1 "$T/root/opt/mail/conf/imapd")" PORT=1 'and stays'
is "$(sed -n 's/^PORT=//p' "$T/root/opt/mail/conf/imapd.dist")" 143 'the new one is beside it'
is "$(find "$T" -name '*.tmp')" '' 'nothing temporary is left'
scripts/install-conf >/dev/null 2>&1
is $? 100 'wrong usage exits 100'

# PREFIX is compiled in, so what was built for another one must not be installed.
for prefix in /usr/local/chainmail /opt/mail /opt/mail; do
  out=$(env -u MAKEFLAGS -u MAKELEVEL make B="$T/b" PREFIX=$prefix "$T/b/src/auth/source_userdb.o" 2>&1)
  is $? 0 "compiled for $prefix"
done
grep -q /opt/mail/conf/userdb.cdb "$T/b/src/auth/source_userdb.o"
ok $? 'another PREFIX compiles anew'
is "$out" '' 'and the same one does not'
done_testing
