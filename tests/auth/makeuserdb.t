#!/bin/sh
# makeuserdb: what it compiles, what it refuses, and that the old database stays when it does.
. "$(dirname "$0")/../tap.sh"
umask 077
tab=$(printf '\t')
cd "$T" || exit 111

# compile TEXT: makes users.cdb from it; $code and $log say how it went
compile() {
  printf '%s' "$1" >users
  makeuserdb users users.cdb 2>log
  code=$?
  log=$(cat log)
}
# refused LINE WORDS NAME: the second line of a text; the database must stay as it is
refused() {
  before=$(cksum <users.cdb)
  compile "ann${tab}uid=2|gid=2|home=/x
$1
zoe${tab}uid=3|gid=3|home=/x
"
  is $code 1 "$3: refused"
  like "$log" "refused file=users line=2 why=.*$2" "$3: file, line and reason"
  is "$(cksum <users.cdb)" "$before" "$3: the old database stays"
}

compile "# a comment with a${tab}tab

  ${tab}
joe${tab}uid=1|gid=1|home=/home/joe|systempw=\$6\$x\$y
1000=${tab}joe
ann@example.com${tab}uid=2|gid=2|home=/x"
is "$code" 0 'comments, blank lines, lookups by uid, no newline at the end'
is "$log" '' 'nothing to say'
is "$(stat -c %a users.cdb)" 600 'nobody else can read it'
is "$(ls)" 'log
users
users.cdb' 'nothing is left over'
size=$(wc -c <users.cdb)
first='joeuid=1|gid=1|home=/home/joe|systempw=$6$x$y' second='ann@example.comuid=2|gid=2|home=/x'
# cdb: a header, and for each record its lengths, its text and two slots of the hash tables
is "$size" $((2048 + 8 + ${#first} + 16 + 8 + ${#second} + 16)) 'two records, nothing else'

refused "joe" 'no tab' 'no tab'
refused "joe uid=1" 'no tab' 'a blank for a tab'
refused "joe${tab}uid=0|gid=0|home=/root" 'uid=0' 'root'
refused "joe${tab}uid=1|gid=1|home=/x|systempw=hello" 'userdbpw' 'a password in the clear'
refused "joe${tab}uid=1|gid=1" 'home=' 'no home'
refused "ann${tab}uid=1|gid=1|home=/y" 'already' 'the same user twice'
refused "joe${tab}uid=1|gid=1|home=/x$(printf '\r')" 'carriage return' 'a line of DOS'
refused "$(printf '%4300s' x)" 'longer' 'a long line'
printf 'joe\tuid=1|gid=1|home=/\0x\n' >users
makeuserdb users users.cdb 2>log
is $? 1 'a NUL: refused'
like "$(cat log)" 'line=1 why="a NUL"' 'a NUL: the reason'
compile "a
b
joe${tab}uid=1|gid=1|home=/x
c
"
is "$(grep -c 'refused file=users' log)" 3 'every bad line is named'
like "$log" 'line=4' 'with its number'

compile ''
is "$code" 0 'no users are a database too'
printf 'joe\tuid=1|gid=1|home=/x\n' >users
chmod 644 users
makeuserdb users users.cdb 2>log
is $? 0 'a text that others can read'
like "$(cat log)" 'warning file=users .*chmod 600' 'is warned of'
rm users.cdb
ln -s elsewhere users.cdb
makeuserdb users users.cdb 2>/dev/null
ok "$([ ! -e elsewhere ] && [ ! -L users.cdb ]; echo $?)" 'a symbolic link is replaced, not followed'

makeuserdb users 2>log
is $? 100 'one word: usage'
makeuserdb a b c 2>log
is $? 100 'three words: usage'
makeuserdb none users.cdb 2>log
is $? 111 'no text'
like "$(cat log)" 'failed attempt=.* path=none why="No such file' 'which is said'

# A directory, as Courier has it.
mkdir -p tree/more
printf 'ann\tuid=1|gid=1|home=/x\n' >tree/b
printf 'joe\tuid=1|gid=1|home=/x\n' >tree/more/a
printf 'nonsense\n' >tree/.lock.b
makeuserdb tree tree.cdb 2>log
is $? 0 'a directory of texts'
ok "$(grep -q 'annuid=1' tree.cdb && grep -q 'joeuid=1' tree.cdb; echo $?)" 'all of them'
printf 'ann\tuid=2|gid=1|home=/x\n' >tree/more/c
makeuserdb tree tree.cdb 2>log
is $? 1 'the same user in two of them'
like "$(cat log)" 'file=tree/more/c line=1 why=".*already' 'which is said'
rm tree/more/c
ln -s .. tree/more/loop
makeuserdb tree tree.cdb 2>log
is $? 1 'a loop of links'
like "$(cat log)" 'nested too deep' 'which is said'

refused "joe${tab}alias=nobody" 'alias of nobody' 'an alias of nobody'
refused "joe${tab}alias=ann|uid=1" 'no other fields' 'an alias with fields of its own'
refused "joe${tab}alias=" 'names nobody' 'an empty alias'
refused "joe${tab}uid=1|gid=1|home=/x|pop3pw=secret" 'userdbpw' 'a password in the clear for another service'
compile "joe${tab}alias=ann
ann${tab}uid=1|gid=1|home=/x|disabled|systempw={SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
is "$code" 0 'an alias before its account, a disabled account, a hash of another scheme'
makeuserdb users nowhere/users.cdb 2>log
is $? 111 'no place for the database'
like "$(cat log)" 'path=nowhere/users.cdb' 'which is said'

# Readers meet the old or the new database, never a part of one.
i=0
while [ $i -lt 300 ]; do
  printf 'user%d\tuid=1|gid=1|home=/x\n' $i
  i=$((i + 1))
done >many
makeuserdb many many.cdb && cp many.cdb whole
(
  n=0
  while [ $n -lt 20 ]; do
    makeuserdb many many.cdb || exit 1
    n=$((n + 1))
  done
) &
writer=$!
torn=0
n=0
while [ $n -lt 40 ]; do
  cmp -s many.cdb whole || torn=1
  n=$((n + 1))
done
wait $writer
is $? 0 'twenty compilations'
is $torn 0 'the database is whole at any time'
is "$(ls many*)" 'many
many.cdb' 'nothing is left over'
done_testing
