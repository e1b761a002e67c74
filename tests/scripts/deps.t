#!/bin/sh
# scripts/deps, with a stand-in for the package manager: nothing is installed here.
. "$(dirname "$0")/../tap.sh"
deps=$(cd -P "$(dirname "$0")/../../scripts" && pwd)/deps
cd "$T" || exit 111
mkdir fake

fake() {
  { echo '#!/bin/sh'
    cat; } >"fake/$1"
  chmod +x "fake/$1"
}

# Has all packages but those in the file missing.
fake dpkg-query <<'EOF'
while [ "$1" != -f ]; do shift; done
shift 2
for package; do
  if grep -qx "$package" missing; then
    echo "dpkg-query: no packages found matching $package" >&2
    status=1
  elif grep -qx "$package" removed; then
    echo "config-files $package"
  else
    echo "installed $package"
  fi
done
exit ${status:-0}
EOF
fake apt-get <<'EOF'
echo "$*" >>calls
[ "$1" = update ] || [ ! -e refuse ] || exit 1
[ "$1" = update ] || printf '%s\n' K01gone S01here S02cron S03slapd S01mariadb >servers
[ "$1" = update ] || [ ! -e halfway ] || exit 1
EOF
# Of the directory of what starts with the system, what the file says.
fake ls <<'EOF'
cat servers
EOF
fake update-rc.d <<'EOF'
echo "update-rc.d $*" >>calls
EOF
fake id <<'EOF'
cat uid
EOF
PATH=$T/fake:$PATH

run() {
  rm -f calls
  "$deps" "$@" >out 2>err </dev/null
}

: >missing
: >removed
printf '%s\n' K01gone S01here S02cron >servers
echo 1000 >uid
for purpose in build demo bench check all ''; do
  run $purpose
  is "$?:$(cat out err)" 0: "nothing is missing: silent ($purpose)"
done

printf '%s\n' curl isync >missing
echo make >removed
run build
is "$?:$(cat out)" '1:sudo apt-get install -y --no-install-recommends make' 'to build'
run demo
is "$?:$(cat out)" '1:sudo apt-get install -y --no-install-recommends make curl' 'for the demo'
run check
is "$?:$(cat out)" '1:sudo apt-get install -y --no-install-recommends make curl isync' 'for the tests'
run
is "$?:$(cat out)" '1:sudo apt-get install -y --no-install-recommends make curl isync' 'for all'
ok "$([ ! -e calls ]; echo $?)" 'an ordinary user: nothing is run'

echo 0 >uid
run demo
is "$?:$(cat out)" 0: 'root: done'
is "$(sed -n 2p calls)" 'install -y -qq --no-install-recommends make curl' 'root: installs just these'
is "$(tail -n +3 calls | tr '\n' ';')" 'update-rc.d slapd disable;update-rc.d mariadb disable;' \
  'root: what is new does not start with the system; what was there does as before'
like "$(cat err)" 'slapd is not started with the system' '... which is said'
is "$(head -n 1 calls)" 'update -qq' 'root: with fresh lists'
: >refuse
run demo
is "$?" 111 'apt-get fails: exit 111'
like "$(cat err)" 'could not install make curl' 'apt-get fails: said'
rm refuse
: >halfway
printf '%s\n' K01gone S01here S02cron >servers
run demo
is "$?:$(tail -n +3 calls | tr '\n' ';')" '111:update-rc.d slapd disable;update-rc.d mariadb disable;' \
  '... half-way: what it has installed does not start with the system either'

run nonsense
is "$?" 100 'an unknown purpose: exit 100'
like "$(cat err)" '^usage: deps' 'an unknown purpose: usage'

done_testing
