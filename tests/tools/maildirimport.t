#!/bin/sh
# maildirimport and maildirexport at the command line.  What they do with real servers' files is in
# tests/store/moving.t.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 111

maildirmake M && maildirmake -f Sub M && mkdir M/.odd
printf 'Subject: 1\n\none\n' >M/cur/1.a.host:2,S
printf 'Subject: 2\n\ntwo\n' >M/.Sub/new/2.b.host
printf '1 795229815 8\n7 1.a.host\n' >M/courierimapuiddb
mkdir M/courierimapkeywords && printf 'foo\n\n1.a.host:0\n' >M/courierimapkeywords/:list

maildirimport -n M >out 2>err; is $? 0 "-n"
is "$(cat out err)" "INBOX: from Courier: 1 messages of 1 in its list, UIDVALIDITY 795229815, next UID 8, keywords foo
Sub: nothing is taken over: no other server has left its files" "... says what would be taken over"
is "$(find M -name 'chainmail*'; head -n 1 M/courierimapuiddb)" "1 795229815 8" "... and touches nothing"
maildirimport M >out 2>err; is $? 0 "and does it"
like "$(cat err)" "moved-in path=M from=Courier messages=1 uidvalidity=795229815 uidnext=8" "... which is logged"
is "$(head -n 1 M/courierimapuiddb)" "1 795229815 1048584" "Courier's next UID is out of the way"
maildirimport M >out 2>err; is $? 0 "once more"
like "$(cat out)" "INBOX: nothing is taken over: it has a journal of ours already" "... there is nothing to do"

maildirexport dovecot M >out 2>err; is $? 0 "handed over to Dovecot"
is "$(cat out)" "INBOX: handed over to Dovecot: 1 messages
Sub: handed over to Dovecot: 1 messages" "... folder by folder"
is "$(tail -n 1 M/dovecot-uidlist; cat M/dovecot-keywords; ls M/cur)" "7 :1.a.host
0 foo
1.a.host:2,Sa" "UIDs, keywords, letters"
is "$(ls M/.Sub/new)" "2.b.host" "what is new stays new"
maildirimport -n M >out 2>err
like "$(cat out)" "INBOX: from Dovecot: 1 messages of 1 in its list, UIDVALIDITY 795229815, .* keywords foo" "and back"

maildirimport 2>err; is $? 100 "usage of maildirimport"
maildirexport uw M 2>err; is $? 100 "usage of maildirexport: no such server"
mkdir plain
maildirimport plain 2>err; is $? 111 "what is no Maildir"
like "$(cat err)" 'refused path=plain .*remedy=' "... and what to do"
maildirexport courier plain 2>err; is $? 111 "... of maildirexport"
done_testing
