#!/bin/sh
# conf2env: what it makes of a file, and what it refuses.
# shellcheck disable=SC1003,SC2012,SC2016,SC2059 # it is all about quoting
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 111

# value KEY: the whole file, with a mark at its end so that no newline is lost
value() {
  cat "env/$1" 2>&1
  printf .
}

# holds KEY VALUE NAME
holds() {
  is "$(value "$1")" "$2
." "$3"
}

# expands LINE VALUE NAME: X is VALUE when the file is LINE
expands() {
  printf '%s\n' "$1" | conf2env env
  holds X "$2" "$3"
}

# refuses FILE-TEXT LINE KEY REASON NAME (FILE-TEXT as printf takes it)
refuses() {
  rm -rf env
  echo 'KEPT=before' | conf2env env
  message=$(printf "$1" | conf2env env 2>&1)
  is $? 1 "$5: exit 1"
  like "$message" "^conf2env: [0-9]+: bad-line line=$2 key=$3 why=.*$4" "$5: says where and why"
  is "$(ls env):$(cat env/KEPT)" KEPT:before "$5: the directory is as it was"
}

# A file that holds every construct of a stock Courier file.
cat > imapd <<'EOF'
##VERSION: $Id: of nothing $
#
#  The first lines are comments, with $DOLLARS, "quotes' and `backticks`

##NAME: ADDRESS:0
ADDRESS=0
PORT=143
	
  # an indented comment
#PORT=1143,127.0.0.1.900
TCPDOPTS="-nodnslookup -noidentlookup"
LOGGEROPTS="-name=imapd"
IMAP_CAPABILITY="IMAP4rev1 UIDPLUS THREAD=REFERENCES IDLE"
IMAP_CAPABILITY_ORIG="IMAP4rev1 AUTH=CRAM-MD5"
IMAP_CAPABILITY_TLS="$IMAP_CAPABILITY AUTH=PLAIN"
IMAP_CAPABILITY_TLS_ORIG="$IMAP_CAPABILITY_ORIG AUTH=PLAIN"
TLS_STARTTLS_PROTOCOL="$TLS_PROTOCOL"
IMAP_EMPTYTRASH=Trash:7,Sent:30
IMAP_TRASHFOLDERNAME=Trash
SENDMAIL=/usr/sbin/sendmail
NOTHING=
PORT=1143
EOF
errors=$(conf2env env < imapd 2>&1)
is "$?:$errors" 0: 'a file of the stock kind: accepted in silence'
is "$(ls env | wc -l | tr -d ' ')" 13 'one file for each key'
holds ADDRESS 0 'a plain value'
holds PORT 1143 'the last of two definitions'
holds TCPDOPTS '-nodnslookup -noidentlookup' 'quotes are stripped'
holds LOGGEROPTS '-name=imapd' 'an = in a value'
holds IMAP_CAPABILITY_TLS 'IMAP4rev1 UIDPLUS THREAD=REFERENCES IDLE AUTH=PLAIN' \
  'a reference to an earlier key'
holds IMAP_CAPABILITY_TLS_ORIG 'IMAP4rev1 AUTH=CRAM-MD5 AUTH=PLAIN' \
  'the longest name counts in a reference'
holds TLS_STARTTLS_PROTOCOL '' 'a reference to an undefined key is empty'
holds NOTHING '' 'an empty value'
is "$(find env -type f ! -perm 600; find env -type d ! -perm 700)" '' 'others cannot read it'

cp imapd unended
cp imapd imapd.before
printf 'LAST=line' >> unended
conf2env env < unended
holds LAST line 'the last line needs no newline'
sed 's/$/\r/' imapd | conf2env env
holds IMAP_TRASHFOLDERNAME Trash 'lines that end in CR LF'
holds TCPDOPTS '-nodnslookup -noidentlookup' 'lines that end in CR LF, quoted'

for stock in /etc/courier/imapd /etc/courier/imapd-ssl; do
  if [ -r "$stock" ]; then
    conf2env env < "$stock"
    env -i sh -c 'set -a; . "$0"; exec env' "$stock" | grep -Ev '^(PWD|_|SHLVL)=' | sort > want
    env -i envdir ./env "$(command -v env)" | sort > got
    cmp want got
    ok $? "$stock: the environment is what sh makes of it"
  else
    ok 0 "$stock # SKIP courier-imap is not installed"
  fi
done

# Courier's files for databases have blanks in place of =.
cat > authmysqlrc <<'EOF'
##NAME: LOCATION:0
MYSQL_SERVER		localhost
MYSQL_PASSWORD  'a"b $C #d\e
 MYSQL_EQUALS = with $MYSQL_SERVER
MYSQL_WHERE_CLAUSE	server='$(service)' AND a=b  \t
# MYSQL_OFF x
MYSQL_SELECT_CLAUSE	SELECT CONCAT(user,'@',domain), '',  hash,	\
	uid, '$HOME' \
			FROM users WHERE user='$(local_part)' \

MYSQL_OPT		0
EOF
printf 'MYSQL_LAST one \\\r\n  two\r' >> authmysqlrc
conf2env env authmysqlrc
is $? 0 "a file of Courier's for a database"
holds MYSQL_SERVER localhost '... has values behind blanks'
holds MYSQL_PASSWORD "'a\"b \$C #d\\e" '... as they stand'
holds MYSQL_WHERE_CLAUSE "server='\$(service)' AND a=b  \\t" '... whatever is in them'
holds MYSQL_EQUALS 'with localhost' '... or behind an =, as ever'
holds MYSQL_SELECT_CLAUSE "SELECT CONCAT(user,'@',domain), '',  hash, uid, '\$HOME' FROM users WHERE user='\$(local_part)'" '... on several lines'
holds MYSQL_OPT 0 '... of which the last may be empty'
holds MYSQL_LAST 'one two' '... or the last of the file'
is "$(ls env | wc -l | tr -d ' ')" 7 '... and no more'
refuses_rc() {
  printf "$1" > authldaprc
  message=$(conf2env env authldaprc 2>&1)
  like "$?:$message" "^1:conf2env: [0-9]+: bad-line file=authldaprc line=$2 key=$3 why=.*$4" "... $5"
}
refuses_rc 'A b\nLDAP_URI\n' 2 LDAP_URI 'no =' 'not a key alone'
refuses_rc 'A b\n1A b\n' 2 1A 'no =' 'nor what is no key'
refuses_rc 'A b\\\n\nB c\\\nd\0e\n' 3 B 'NUL' 'nor a NUL byte'
printf 'A b\n' > imapd-odd
message=$(conf2env env imapd-odd 2>&1)
like "$?:$message" '^1:.*no = in the line' '... and none of it in other files'
for stock in /etc/courier/authldaprc /etc/courier/authmysqlrc /etc/courier/authpgsqlrc /etc/courier/authsqliterc; do
  if [ -r "$stock" ]; then
    conf2env env "$stock"
    is "$?:$(ls env | wc -l | tr -d ' ')" "0:$(grep -c '^[A-Z]' "$stock")" "$stock: all its settings"
  else
    ok 0 "$stock # SKIP courier-authlib is not installed with it"
  fi
done

# Blanks and comments.
expands 'X=a' a 'no blanks'
expands ' 	X 	 = 	 a  	' a 'blanks around key, = and value'
expands 'X=a  b 	 c' 'a b c' 'runs of blanks collapse outside quotes'
expands 'X="a  b 	 c"' 'a  b 	 c' 'and stay inside double quotes'
expands "X='a  b 	 c'" 'a  b 	 c' 'and inside single quotes'
expands 'X="  a"' '  a' 'leading blanks in quotes stay'
expands 'X="a  "' 'a  ' 'trailing blanks in quotes stay'
expands 'X=  a  "b  c"  d' 'a b  c d' 'quoted and unquoted parts'
expands 'X=a#b' 'a#b' 'a # within a word'
expands 'X=#b' '#b' 'a # right after the ='
expands 'X=a # b' a 'a # after a blank begins a comment'
expands 'X="a # b" # c "d' 'a # b' 'a comment after quotes, its own quote unmatched'
expands 'X= # none' '' 'a comment instead of a value'
expands 'X=""' '' 'empty quotes'
expands 'X=a=b=c' 'a=b=c' 'the first = divides'

# Quotes, dollars, backslashes.
expands "X='it is \$5 \"net\" \\ \`x\`'" 'it is $5 "net" \ `x`' 'single quotes: all literal'
expands 'X="it'"'"'s"' "it's" 'a single quote in double quotes'
expands 'X="\$HOME \"q\" \\ \`x\` \n"' '$HOME "q" \ `x` \n' 'backslashes in double quotes, as in sh'
expands 'X=\$HOME\ \ \"\'"'"'\\\#' '$HOME  "'"'"'\#' 'backslashes outside quotes'
expands "X=ab'c d'\"e f\"g" 'abc de fg' 'parts join without blanks'
expands 'X="100$ or $5 $$ $%"' '100$ or $5 $$ $%' 'a $ before no name is a $'
expands 'X=$' '$' 'a $ at the end'
expands 'X=a;b|c&d<e>f(g)*?~!' 'a;b|c&d<e>f(g)*?~!' 'what is special to a shell only'
expands "$(printf 'X=gr\303\274n \001\177')" "$(printf 'gr\303\274n \001\177')" 'any other byte'

# References.
expands 'A=1
X=$A$A-${A}b$A_' '11-1b' '$KEY and ${KEY}'
expands "A=1
X='\$A'" '$A' 'none in single quotes'
expands 'A="a  b"
X=$A  $A' 'a  b a  b' 'the blanks of what is referred to stay'
expands "A='\$B \"q\" \\'
B=1
X=\$A" '$B "q" \' 'what is referred to is not read again'
expands 'A=1
X=$A
A=2' 1 'the definition above counts'
expands 'X=$A
A=1
A="$A 2"' '1 2' 'where there is none above, the last one below'
expands 'X=1
X="$X 2"
X="$X 3"' '1 2 3' 'a key added to'
expands 'X=$A
A=$B
B=${C}c
C=$D' c 'references below that refer below'
HOME=/somewhere expands 'X=a${HOME}b' ab 'the environment of conf2env itself is not asked'

# The directory.
printf 'A=1\nB=2\n' | conf2env env
printf 'B=3\nC=4\n' | conf2env env/
is "$(ls env | tr '\n' ' ')" 'B C ' 'keys that are gone from the file are gone'
conf2env env < /dev/null
is "$?:$(ls env)" 0: 'an empty file: an empty directory'
mkdir other
ln -s other link
echo A=1 | conf2env link
is "$(cat other/A):$(readlink link)" 1:other 'a symbolic link is followed and stays'
echo A=2 | (cd other && conf2env .)
is "$(cat other/A)" 2 'DIR is the current directory'
echo A=3 | conf2env "$T/./other//"
is "$(cat other/A)" 3 'an absolute path'
printf 'A= leading\nB="  x y"\nC=\n' | conf2env env
is "$(B=1 C=1 envdir env sh -c 'echo "$A,$B,${C-unset}"')" 'leading,  x y,' 'read by envdir'
is "$(B=1 C=1 s6-envdir env sh -c 'echo "$A,$B,${C-unset}"')" 'leading,  x y,' 'read by s6-envdir'
long=$(head -c 5000 /dev/zero | tr '\0' v)
message=$(echo "X=$long" | conf2env env 2>&1)
is "$?" 0 'a long value: accepted'
holds X "$long" 'a long value: written whole'
like "$message" ' long-value line=1 key=X bytes=5000 .*s6-envdir' 'a long value: s6-envdir cuts it, said'

# Refused.
refuses 'A=1\nwords only\n' 2 words 'no =' 'no ='
refuses '\n\n=1\n' 3 '""' 'no key' 'no key'
refuses 'A/B=1\n' 1 A/B 'a / in the key' 'a slash in the key'
refuses '../A=1\n' 1 ../A 'a / in the key' 'a way out'
refuses 'A.B=1\n' 1 A.B 'letters, digits' 'an illegal character'
refuses '1A=1\n' 1 1A 'letters, digits' 'a digit first'
refuses 'export A=1\n' 1 '"export A"' 'letters, digits' 'two words for a key'
refuses 'A\000B=1\n' 1 A 'NUL' 'a NUL in the key'
refuses 'A=1\000\n' 1 A 'NUL' 'a NUL in the value'
refuses 'A=1\nB="1\nC="\n' 2 B 'unterminated' 'an unterminated double quote'
refuses "A=1\nB='1\n" 2 B 'unterminated' 'an unterminated single quote'
refuses 'A="1\\"\n' 1 A 'unterminated' 'the closing quote escaped'
refuses 'A=1\\\n2=3\n' 1 A 'next line' 'a continued line'
refuses 'A=${B\n' 1 A 'reference' 'an unterminated reference'
refuses 'A=${B:-c}\n' 1 A 'reference' 'a reference that only sh understands'
refuses 'A=$(id)\n' 1 A 'commands' 'a command'
refuses 'A="`id`"\n' 1 A 'commands' 'a command in backticks'
refuses 'A=$A\n' 1 A 'loop: A -> A' 'a loop of one'
refuses 'A=$B\nB="x$A"\n' 1 A 'loop: A -> B -> A' 'a loop of two'
refuses 'Z=$A\nA=$B\nB=$C\nC=$A\n' 2 A 'loop: A -> B -> C -> A' 'a loop of three, seen from outside'
refuses "$(head -c 201 /dev/zero | tr '\0' K)=1\n" 1 'K+' '200' 'a key too long for a file name'

message=$(printf 'A\nB\n\nC/=1\nD=1\n' | conf2env env 2>&1)
is "$(printf '%s\n' "$message" | grep -o 'line=[0-9]*' | tr '\n' ' ')" 'line=1 line=2 line=4 ' \
  'every bad line is named'
message=$(yes nonsense | head -n 5000 | conf2env env 2>&1)
is "$?:$(printf '%s\n' "$message" | wc -l | tr -d ' ')" 1:21 'but not without end'
head -c 300000 /dev/zero | tr '\0' '#' | conf2env env 2> message
is "$?" 1 'a file that is too long'
like "$(cat message)" 'bad-file.*256 KiB' 'a file that is too long: said'
{ echo 'A=aaaaaaaaaaaaaaaaaaaa'
  i=0
  while [ $i -lt 40 ]; do echo 'A=$A$A'; i=$((i + 1)); done; } | conf2env env 2> message
is "$?" 1 'a value that doubles without end'
like "$(cat message)" 'line=1[0-9] key=A .*too long' 'a value that doubles without end: said'
i=0
while [ $i -lt 1500 ]; do echo "K$i=\$K$((i + 1))"; i=$((i + 1)); done > deep
conf2env env < deep 2> message
is "$?" 1 'references nested without end'
like "$(cat message)" 'nested too deep' 'references nested without end: said'
i=0
while [ $i -lt 2001 ]; do echo "K=$i"; i=$((i + 1)); done | conf2env env 2> message
is "$?" 1 'too many definitions'
like "$(cat message)" 'line=2001 .*2000' 'too many definitions: said'

conf2env 2> message
is "$?" 100 'no argument: exit 100'
like "$(cat message)" 'usage.*conf2env dir < file' 'no argument: says how'
conf2env -x < /dev/null 2> /dev/null
is "$?" 100 'an option: exit 100'
echo A=1 | conf2env no/such/env 2> message
is "$?" 111 'no parent directory: exit 111'
like "$(cat message)" 'no/such.*No such file' 'no parent directory: named'
echo A=1 | conf2env imapd 2> message
is "$?:$(cmp imapd imapd.before 2>&1)" 100: 'DIR is a file: exit 100, and it stays'
echo A=1 | conf2env / 2> message
is "$?" 100 'DIR is /: exit 100'
ln -s nowhere dangling
echo A=1 | conf2env dangling 2> /dev/null
is "$?:$(readlink dangling)" 100:nowhere 'a dangling link: exit 100, and it stays'

# not_replaced NAME: DIR holds something that is no variable
not_replaced() {
  find home > before
  echo A=1 | conf2env home 2> message
  is "$?:$(find home | cmp - before 2>&1)" 100: "$1: refused, nothing changed"
  like "$(cat message)" 'refused path=home entry=.* remedy=' "$1: says what to do"
}
mkdir -p home/dir
not_replaced 'a directory in DIR'
rmdir home/dir
echo precious > home/notes.txt
not_replaced 'some other file in DIR'
rm home/notes.txt
echo precious > home/.hidden
not_replaced 'a hidden file in DIR'
rm home/.hidden
ln -s /etc/passwd home/LINK
not_replaced 'a link in DIR'
rm home/LINK

mkdir -m 777 .shared.conf2env
echo A=1 | conf2env shared 2> message
is "$?" 100 'a working directory that others can write: refused'
like "$(cat message)" '\.shared\.conf2env.*remedy=' 'and named'
conf2env env < . 2> message
is "$?" 111 'standard input cannot be read: exit 111'
like "$(cat message)" 'attempt=read path="standard input"' 'standard input cannot be read: said'


# Files by name: as one, but complaints name the file and its own lines; no last newline is needed.
printf 'A=1\nB=2' >one
printf 'B=$A$B\nC=3\n' >two
conf2env env one two
is "$?:$(cat env/A env/B env/C | tr '\n' ' ')" '0:1 12 3 ' 'two files are read as one'
printf '\nC\n' >two
is "$(conf2env env one two 2>&1 | sed 's/: [0-9]*:/:/')" \
  'conf2env: bad-line file=two line=2 key=C why="no = in the line"' 'a bad line of the second one'
like "$(conf2env env one three 2>&1)" 'failed attempt=read path=three why=' 'a file that is missing'
is "$(cat env/B)" 12 'and the directory is as it was'
done_testing
