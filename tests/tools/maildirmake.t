#!/bin/sh
# maildirmake: Maildirs and folders, whole or not at all.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 111

umask 002
maildirmake M 2>err; is $? 0 "makes a Maildir"
is "$(ls M | tr '\n' ' ')" "cur new tmp " "with cur, new, tmp"
is "$(stat -c %a M M/cur M/new M/tmp | sort -u)" 700 "mode 0700 whatever the umask"
maildirmake M 2>err; is $? 1 "refuses what exists with 1"
like "$(cat err)" 'path=M why=.*exist' "and says so"
maildirmake no/such/M 2>err; is $? 111 "111 where it cannot be made"

maildirmake -f Archive.2025 M 2>err; is $? 0 "makes a folder"
is "$(ls M/.Archive.2025 | tr '\n' ' ')" "cur maildirfolder new tmp " "with maildirfolder"
is "$(stat -c %a M/.Archive.2025)" 700 "mode 0700"
is "$(ls M/tmp)" "" "nothing is left in tmp"
maildirmake -f Archive.2025 M 2>err; is $? 1 "refuses a folder that exists"
is "$(ls M/tmp)" "" "nothing is left in tmp then either"
for name in '' .a a..b a. a/b ../x; do
  maildirmake -f "$name" M 2>err; is $? 100 "refuses the folder name '$name'"
done
mkdir plain
maildirmake -f x plain 2>err; is $? 111 "no folder in what is no Maildir"
like "$(cat err)" 'refused path=plain .*remedy=' "and says what to do"
mkdir -m 2770 S && mkdir S/cur S/new S/tmp
maildirmake -f x S; is "$(stat -c %a S/.x S/.x/cur | sort -u)" 2770 "a shared Maildir's folder is shared"
maildirmake 2>err; is $? 100 "usage: no directory"
maildirmake -x M 2>err; is $? 100 "usage: unknown option"
maildirmake a b 2>err; is $? 100 "usage: two directories"
done_testing
