#!/bin/sh
# userdbpw: sets one password and changes nothing else, even when several run at once.
. "$(dirname "$0")/../tap.sh"
umask 077
tab=$(printf '\t')
cd "$T" || exit 111

# A login by checkpassword: user, password.  True if it works.
login() {
  printf '%s\0%s\0x\0' "$1" "$2" >credentials
  USERDB=$T/users.cdb authuserdb true 3<credentials 2>log
}
start() {
  printf '%s\n' "# first comment" "joe${tab}uid=$uid|gid=$gid|home=/|shell=/bin/sh" "" \
    "#joe${tab}uid=9" "ann${tab}imappw=*|uid=$uid|gid=$gid|home=/|systempw=*|x=1" "# last" >users
}
uid=$(id -u) gid=$(id -g)
[ "$uid" -ne 0 ] || uid=12321 gid=12321

start
sed '2d;5d' users >rest
echo 'first secret' | userdbpw users joe 2>log
is $? 0 'a password is set'
like "$(cat log)" 'updated file=.*/users user=joe remedy="compile' 'without a database: says what to do'
like "$(sed -n 2p users)" "^joe${tab}uid=$uid\|gid=$gid\|home=/\|shell=/bin/sh\|systempw=[$]y[$][^|]*$" 'at the end of the line'
is "$(sed '2d;5d' users)" "$(cat rest)" 'comments, blank lines and order stay'
is "$(stat -c %a users)" 600 'nobody else can read it'
is "$(ls)" 'log
rest
users' 'no database is made, nothing is left over'

makeuserdb users users.cdb
login joe 'first secret'
ok $? 'it is a password to log in with'
printf 'second' | userdbpw users joe 2>log
is "$(cat log)" '' 'with a database: nothing more to do'
login joe second
ok $? 'the new password works at once'
! login joe 'first secret'
ok $? 'the old one no more'
is "$(grep -c systempw= users)" 2 'it has taken the place of the old'

echo imap | userdbpw users ann
like "$(sed -n 5p users)" "^ann${tab}imappw=[$]y[$][^|]*\|uid=$uid\|gid=$gid\|home=/\|systempw=\*\|x=1$" 'imappw where there is one, in its place'
login ann imap
ok $? 'it works'

echo b | userdbpw -b users joe
like "$(sed -n 2p users)" '\|systempw=[$]2b[$]' 'bcrypt'
login joe b
ok $? 'it works'
echo s | userdbpw -s users joe
like "$(sed -n 2p users)" '\|systempw=[$]6[$]' 'SHA-512'
login joe s
ok $? 'it works'

echo new | userdbpw -a "$uid:$gid:/" users new
like "$(tail -n 1 users)" "^new${tab}uid=$uid\|gid=$gid\|home=/\|systempw=" 'a user is added, at the end'
login new new
ok $? 'who can log in'

# unchanged CODE NAME ARGS...: nothing may happen to the text or the database
unchanged() {
  want=$1 name=$2
  shift 2
  before=$(cat users users.cdb | cksum)
  userdbpw "$@" <password 2>log
  is $? "$want" "$name: $want"
  is "$(cat users users.cdb | cksum)" "$before" "$name: nothing has changed"
}
echo secret >password
unchanged 1 'no such user' users jane
like "$(cat log)" 'why="no such user" remedy="add one with -a' 'which is said'
unchanged 1 'a comment is no user' users '#joe'
unchanged 1 'a user who is there' -a "$uid:$gid:/" users joe
unchanged 1 'root' -a 0:0:/root users boss
like "$(cat log)" 'uid=0' 'which is said'
unchanged 1 'a home that is none' -a 1:1:x users boss
unchanged 1 'a bar' -a '1:1:/x|uid=0' users boss
unchanged 1 'a name with a tab' -a 1:1:/x users "a${tab}b"
unchanged 1 'a name with a newline' -a 1:1:/x users "a
b"
unchanged 100 'an account without home' -a 1:1 users boss
unchanged 100 'one word' users
unchanged 100 'three words' users joe x
unchanged 100 'an unknown option' -x users joe
unchanged 111 'no text' none joe
: >password
unchanged 1 'no password' users joe
echo >password
unchanged 1 'an empty password' users joe
printf '%600s\n' x >password
unchanged 1 'a long password' users joe
printf 'a\0b\n' >password
unchanged 1 'a NUL in it' users joe
echo secret >password
echo nonsense >>users
unchanged 1 'another line is wrong' users joe
like "$(cat log)" 'line=8 why="no tab' 'which is said'

start
rm users.cdb
ln -s users link
echo linked | userdbpw link joe 2>log
ok "$([ -L link ]; echo $?)" 'a symbolic link stays'
like "$(cat users)" 'joe.*systempw=' 'the text behind it is changed'
printf 'joe\tuid=%s|gid=%s|home=/' "$uid" "$gid" >users
echo x | userdbpw users joe 2>log
is "$(wc -l <users)" 1 'a last line without newline gets one'

hash=$(echo secret | userdbpw)
like "$hash" '^[$]y[$].{60,}$' 'without a file: prints the hash'
like "$(echo secret | userdbpw -b)" '^[$]2b[$]' 'of the kind asked for'
if [ "$hash" != "$(echo secret | userdbpw)" ]; then ok 0 'salted'; else ok 1 'salted'; fi
like "$(printf 'secret\nmore\n' | { userdbpw >/dev/null; cat; })" '^more$' 'reads one line and no more'
userdbpw </dev/null >log 2>&1
is $? 1 'no password: no hash'

# On a terminal it asks twice and shows nothing.
if command -v script >/dev/null && script -qec true /dev/null </dev/null >/dev/null 2>&1; then
  typed() { (sleep 0.3; printf '%s\n' "$1"; sleep 0.3; printf '%s\n' "$2"; sleep 0.5) | script -qec userdbpw /dev/null; }
  typed typed typed >terminal
  like "$(cat terminal)" 'Password: ' 'on a terminal: asks'
  like "$(cat terminal)" '[$]y[$]' 'and prints the hash'
  typed one two >terminal
  like "$(cat terminal)" 'the two passwords differ' 'two different ones are refused'
else
  echo "# skip: no script(1) to make a terminal"
fi

# Several at once lose nothing.
: >users
for name in a b c d e f; do printf '%s\tuid=%s|gid=%s|home=/\n' $name "$uid" "$gid" >>users; done
makeuserdb users users.cdb
pids=
for name in a b c d e f; do
  echo "password of $name" | userdbpw -s users $name &
  pids="$pids $!"
done
for pid in $pids; do wait "$pid" || ok 1 'one of several at once'; done
is "$(grep -c 'systempw=[$]6[$]' users)" 6 'six at once: all passwords are in the text'
all=0
for name in a b c d e f; do login $name "password of $name" || all=1; done
is $all 0 'and in the database'
is "$(ls users*)" 'users
users.cdb' 'nothing is left over'
done_testing
