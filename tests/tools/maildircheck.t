#!/bin/sh
# maildircheck: what is wrong with a Maildir, in words; with -m it is mended, UIDs and all.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 111

make() {
  rm -rf M
  maildirmake M && maildirmake -f Sub M
  printf 'Subject: 1\n\none\n' >M/cur/1.a.host:2,S
  printf 'Subject: 2\n\ntwo\n' >M/cur/2.b.host:2,
  printf 'Subject: 3\n\nthree\n' >M/new/3.c.host
}
# Index everything: as a session would.
index() { maildirimport M >out 2>err || cat err; }
# wrong EXPECTED-PATTERN NAME: reported with exit 1, then mended, then right.
wrong() {
  maildircheck M >out 2>err; is $? 1 "$2: exit 1"
  like "$(cat out)" "$1.*; maildircheck -m mends it" "... and what is wrong"
  maildircheck -m M >out 2>err; is $? 0 "... mended: exit 0"
  like "$(cat out)" "$1.*; mended" "... and says so"
  maildircheck M >out 2>err; is "$? $(cat out)" "0 " "... and all is right"
}

make; index
maildircheck M >out 2>err; is $? 0 "a good Maildir"
is "$(cat out err)" "" "... is passed over in silence"
make
maildircheck M >out; is "$?$(cat out)" 0 "one without a journal, too"
is "$(find M -name chainmail)" "" "... and none is made"

make; mv M/cur/2.b.host:2, M/cur/2.b.host; index
wrong 'M/cur/2.b.host: a name in cur without ":2,"' "a name without :2,"
is "$(ls M/cur)" "1.a.host:2,S
2.b.host:2," "the file has its name"

make; rm -r M/.Sub/tmp M/.Sub/maildirfolder
wrong 'M/.Sub/tmp: it is missing' "no tmp"
is "$(ls -I chainmail M/.Sub | tr '\n' ' ')" "cur maildirfolder new tmp " "maildirfolder is mended, too"

make; chmod 500 M/.Sub/new; chmod 702 M/.Sub/cur
wrong 'M/.Sub/new: its owner lacks permissions \(mode 500\)' "a mode too narrow"
is "$(stat -c %a M/.Sub/cur M/.Sub/new | tr '\n' ' ')" "700 700 " "... and one too wide"

make; touch -d '3 days ago' M/tmp/old M/tmp/courier.lock M/dovecot-uidlist.lock M/x.7.tmp; touch M/tmp/now
wrong 'M/tmp/old: left in tmp by a delivery that failed' "leftovers"
is "$(ls M/tmp; ls -I chainmail M | tr '\n' ' ')" "now
cur new tmp " "what is old goes, what is young stays"

make; ln -s /etc/passwd M/cur/link; mkdir M/cur/dir M/.Odd
maildircheck -m M >out 2>err; is $? 1 "what cannot be mended: exit 1"
like "$(cat out)" "M/cur/link: it is neither a file" "a symbolic link"
like "$(cat out)" "M/cur/dir: a directory among messages" "a directory"
like "$(cat out)" "M/.Odd: it looks like a folder, but has none of cur, new and tmp" "no folder"

# ---- the journal ----
validity() { od -An -tu4 -j20 -N4 M/chainmail/journal; }

make; index; rm M/cur/2.b.host:2,; printf 'x\n' >M/cur/4.d.host:2,
maildircheck M >out; is $? 1 "another program's changes"
like "$(cat out)" "1 of its 3 messages have no file" "... a message less"
like "$(cat out)" "M/cur: 1 of its files are not in the journal" "... a message more"
before=$(validity)
maildircheck -m M >out; is $? 0 "... mended"
is "$(validity)" "$before" "... under the same UIDVALIDITY"

make; index; before=$(validity)
printf 'XXXXXXXX' | dd of=M/chainmail/journal bs=1 seek=72 conv=notrunc 2>dd.err
wrong 'M/chainmail/journal: the journal is damaged' "a damaged journal"
is "$(validity)" "$before" "... UIDVALIDITY is kept"
make; index; before=$(validity)
printf 'half a record' >>M/chainmail/journal
wrong 'the journal ends in half a record' "a torn end"
make; index; before=$(validity)
cp M/chainmail/journal copy; rm M/chainmail/journal; mv copy M/chainmail/journal
wrong 'the journal is a copy or from a backup' "a copied journal"
is "$(validity)" "$before" "... UIDVALIDITY is kept"
make; index; printf x | dd of=M/chainmail/journal bs=1 seek=3 conv=notrunc 2>dd.err
wrong "the journal's beginning is damaged" "a header damaged"
make; index; rm M/chainmail/journal
wrong 'the journal has been lost' "a lost journal"

make; index
size=$(stat -c %s M/chainmail/journal)
maildircheck -j -f INBOX M >out 2>err; is $? 0 "the jump by hand"
like "$(cat out)" 'M/chainmail/journal: the next UID has been raised' "... says so"
like "$(cat err)" 'journal-repaired path=M ' "... and is logged"
is "$(od -An -tu4 -j16 -N4 M/chainmail/journal | tr -d ' ')" 2 "... in a new journal"
ok $((size < 1)) "(there was one)"

make; mkdir -p M/chainmail/trash/1.x/cur; touch M/chainmail/trash/1.x/cur/a; printf 'Sub\nSuper\n' >M/chainmail/renaming
wrong "M/chainmail/renaming: a folder's renaming was interrupted" "an interrupted RENAME"
is "$(ls -d M/.S* M/chainmail/trash 2>err)" "M/.Super" "... is finished, and so is DELETE"

# ---- refusals ----
mkdir plain
maildircheck plain 2>err; is $? 1 "what is no Maildir"
like "$(cat err)" 'why="it has none of cur, new and tmp' "... and says so"
maildircheck none 2>err; is $? 111 "what is not there"
maildircheck 2>err; is $? 100 "no directory"
maildircheck -f ../x M 2>err; is $? 100 "a folder that cannot be"
if [ "$(id -u)" = 0 ]; then
  make; chown -R 12345:12345 M; chown 12346 M/cur/1.a.host:2,S; chmod 711 .
  maildircheck -m M >out 2>err; is $? 1 "a file of another owner"
  like "$(cat out)" "M/cur/1.a.host:2,S: it belongs to user 12346; as root: chown -h 12345 it" "... is told"
  is "$(find M ! -uid 12345 ! -name '1.a*')" "" "root has made nothing of its own"
else
  echo "# not root: another owner's files are not tested"
fi
done_testing
