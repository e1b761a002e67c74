#!/bin/sh
# Every program has a manual page, and mandoc finds nothing wrong with any page.
. "$(dirname "$0")/../tap.sh"
cd "$(dirname "$0")/../.." || exit 111
for program in "$BIN"/* scripts/*; do
  name=$(basename "$program")
  [ "$name" = install-conf ] && continue # make install's own
  ls doc/"$name".[1578] >/dev/null 2>&1
  ok $? "$name has a manual page"
done
for page in doc/*.[1578]; do
  is "$(mandoc -T lint -W warning "$page" 2>&1)" '' "$page is sound mdoc"
done
done_testing
