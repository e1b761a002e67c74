# The Test Anything Protocol for shell tests: . "$(dirname "$0")/../tap.sh", then ok, is, like,
# and done_testing at the end.  $BIN holds the programs, $T is a private directory that goes away.
set -u
umask 022
: "${CHAINMAIL_BIN:?run by make check, which sets it}"
BIN=$CHAINMAIL_BIN
PATH=$BIN:$PATH
tap_count=0
tap_failed=0
T=$(mktemp -d "${TMPDIR:-/tmp}/chainmail-test.XXXXXX") || exit 111
trap 'rm -rf "$T"' EXIT
trap 'exit 130' INT TERM

# ok STATUS NAME: passes when STATUS is 0
ok() {
  tap_count=$((tap_count + 1))
  if [ "$1" -eq 0 ]; then
    echo "ok $tap_count - $2"
  else
    tap_failed=$((tap_failed + 1))
    echo "not ok $tap_count - $2"
  fi
}

# is GOT WANT NAME
is() {
  if [ "$1" = "$2" ]; then
    ok 0 "$3"
  else
    ok 1 "$3"
    printf '%s\n' "got:  $1" "want: $2" | sed 's/^/# /'
  fi
}

# like TEXT ERE NAME
like() {
  if printf '%s\n' "$1" | grep -Eq -- "$2"; then
    ok 0 "$3"
  else
    ok 1 "$3"
    printf '%s\n' "text:    $1" "pattern: $2" | sed 's/^/# /'
  fi
}

done_testing() {
  echo "1..$tap_count"
  [ "$tap_failed" -eq 0 ]
  exit
}
