#!/bin/sh
# charsetd: requests and answers, and how it ends.
. "$(dirname "$0")/../tap.sh"

# ask OPERATION NAME TEXT: prints one request; sizes below 128, TEXT in printf's escapes.
ask() {
  text=$(printf "$3" | wc -c)
  printf '\0\0\0'
  printf "\\$(printf %03o $((2 + ${#2} + text)))\\$(printf %03o "$1")\\$(printf %03o ${#2})"
  printf '%s' "$2"
  printf "$3"
}
bytes() {
  od -An -v -tx1 | tr -d ' \n'
}

: | charsetd
is "$?" 0 'end of file: exit 0'
charsetd x </dev/null 2>"$T/log"
is "$?" 100 'arguments: exit 100'
like "$(cat "$T/log")" '^charsetd: [0-9]+: usage ' 'and a log line'

is "$(ask 4 x-none '' | charsetd | bytes)" 0000000101 'an unknown charset'
is "$(ask 4 UTF-8//IGNORE '' | charsetd | bytes)" 0000000101 'a name with a slash'
is "$(ask 4 '' '' | charsetd | bytes)" 0000000101 'no name'
if [ "$(ask 4 koi8-r '' | charsetd | bytes)" = 0000000100 ]; then
  ok 0 'a known charset'
  is "$({ ask 3 koi8-r '\320'; ask 3 koi8-r 'a'; } | charsetd | bytes)" \
    0000000300d0bf000000020061 'two texts'
  is "$({ ask 1 utf-16be '\004'; ask 2 utf-16be '\077'; } | charsetd | bytes)" \
    00000001000000000300d0bf 'a character cut in two'
  is "$({ ask 1 utf-16be '\004'; ask 3 utf-16be '\004\077'; } | charsetd | bytes)" \
    00000001000000000300d0bf 'a new text forgets the old one'
  is "$(ask 3 utf-16be '\004' | charsetd | bytes)" 0000000400efbfbd 'half a character at the end'
else
  echo '# no koi8-r on this system: its tests are skipped'
fi

# bad BYTES NAME: a request that imapd does not make
bad() {
  printf "$1" | charsetd >/dev/null 2>&1
  is "$?" 100 "$2"
}
bad '\377\377\377\377' 'a request of 4 GiB: exit 100'
bad '\0\0\0\001\004' 'a request that is too short'
bad '\0\0\0\003\004\005a' 'a name longer than its request'
bad '\0\0\0\174\004\172%0122d' 'a name that is too long'
printf '\0\0\0\010\003\006koi' | charsetd
is "$?" 0 'end of file within a request'
done_testing
