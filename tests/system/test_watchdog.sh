#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# a rank that stops answering: the job ends by itself, nonzero, with a table of who waits for whom
. "$top_srcdir/tests/system/lib.sh"
base
grown () { [ "$(lines "$1/metrics.jsonl")" -ge "$2" ]; }
child () { for p in $(pgrep -P "$1"); do tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$2" && echo "$p"; done; }
for victim in 2:actor 1:learner 0:broker; do
  who=${victim#*:}; out=stop_$who
  timeout -k 5 90 "$MPIRUN" -n 3 "$solera" train small.yaml train.updates=40000 watchdog_s=4 out=$out >"$t/log" 2>&1 &
  job=$!
  wait_for 30 grown $out 10; ok $? "the run goes on (to be stopped: $who)"
  stopped=$(child "$(pgrep -P $job)" ${victim%:*})
  kill -STOP $stopped; ok $? "SIGSTOP of the $who"
  begin=$(date +%s)
  wait $job; rc=$?
  took=$(($(date +%s) - begin))
  kill -9 $stopped 2>/dev/null
  [ $rc -ne 0 ] && [ $rc -ne 124 ]; ok $? "$who: the job ends by itself, exit $rc"
  [ $took -le 20 ]; ok $? "$who: in $took s, watchdog_s is 4"
  has "waits? for|waiting"
  has "$who"
  is failed "$(state $out)" "$who: the outcome in status.json"
done
finish
