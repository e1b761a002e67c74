#!/bin/sh
# Each fuzz target: what made it fail once, and its seeds, by the plain program; then a short look
# for more with libFuzzer, always the same one.
. tests/tap.sh
runs=${FUZZ_RUNS:-1000}
programs=${CHAINMAIL_BIN%/bin}/fuzz

for source in tests/fuzz/*.c; do
  target=$(basename "$source" .c)
  [ "$target" != replay ] || continue
  set --
  for directory in tests/fuzz/crashes/$target tests/fuzz/seeds/$target; do
    [ ! -d "$directory" ] || set -- "$@" "$directory"
  done
  said=$("$programs/$target" "$@" 2>&1)
  ok $? "$target: old failures and seeds" || echo "$said" | sed 's/^/# /'
  if [ -x "build-fuzz/fuzz/$target" ]; then
    said=$(tests/fuzz/run -r "$runs" "$target" 2>&1)
    ok $? "$target: $runs more" || echo "$said" | sed 's/^/# /'
  fi
done
[ -d build-fuzz/fuzz ] || echo '# no clang with libFuzzer here: no more were looked for'
done_testing
