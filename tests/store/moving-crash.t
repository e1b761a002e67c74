#!/bin/sh
# Killed at any step of moving in, a folder is moved in by the next one, with the same UIDs.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 111

if [ "${SANITIZE:-}" ] || ! strace -o /dev/null true 2>err; then
  echo "1..0 # SKIP needs strace, and no sanitizers"
  exit 0
fi

make() {
  rm -rf M
  maildirmake M
  printf 'x\n' >M/cur/1.a.host:2,S
  printf 'x\n' >M/new/2.b.host
  printf '1 795229815 8\n5 1.a.host\n7 2.b.host\n' >M/courierimapuiddb
}

killed=0
wrong=''
for call in fsync ?rename,?renameat,renameat2 linkat unlinkat pwrite64 openat; do
  n=0
  while [ $n -lt 40 ]; do
    n=$((n + 1))
    make
    { strace -f -o trace -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" maildirimport M; } >out 2>&1
    [ $? = 137 ] || break
    killed=$((killed + 1))
    maildirimport M >out 2>&1 && maildirexport courier M >>out 2>&1 ||
      wrong="$wrong $call:$n failed: $(cat out)"
    [ "$(sed 's/ [0-9]*$//;1!d' M/courierimapuiddb; tail -n 2 M/courierimapuiddb)" = "1 795229815
5 1.a.host
7 2.b.host" ] || wrong="$wrong $call:$n: $(cat M/courierimapuiddb)"
    [ -e M/tmp/courier.lock ] && wrong="$wrong $call:$n: the lock is still there"
  done
done
is "$wrong" "" "each of $killed kills is recovered from"
[ $killed -gt 20 ]; ok $? "(there were many)"
done_testing
