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
# What a module can say in the log, as it stands in the sources, has its place on the page.
unsaid=''
for word in $(grep -ohE '(AUTH_(DECLINE|REFUSE|TEMPORARY), |\.unavailable = |refused\(|declined\(|die_credentials\(r, |return )"[a-z0-9]+(-[a-z0-9]+)*"' src/auth/*.c |
  sed 's/.*"\(.*\)"/\1/' | sort -u); do
  grep -qE "(^|[ .]It Li | )$word( |\$)" doc/log.5 || unsaid="$unsaid $word"
done
is "$unsaid" '' 'log(5) has every reason of the modules'
done_testing
