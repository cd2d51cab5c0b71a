#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# signals: the update is finished, a checkpoint written, status.json says so; a second signal ends at once
. "$top_srcdir/tests/system/lib.sh"
base
long="small.yaml train.updates=40000"
grown () { [ "$(lines "$1/metrics.jsonl")" -ge "$2" ]; }
for sig in TERM USR1 INT; do
  out=solo_$sig
  # a background job of a script ignores INT: env gives it back
  env --default-signal=INT "$solera" train $long roles=solo out=$out >"$t/log" 2>&1 &
  job=$!
  wait_for 30 grown $out 10
  kill -$sig $job
  wait $job; is 0 $? "solo, $sig: exit"
  is stopped "$(state $out)" "solo, $sig: state"
  grep -q "$sig" $out/status.json; ok $? "solo, $sig: the reason is in status.json"
  ls $out/checkpoints 2>/dev/null | grep -q '^u'; ok $? "solo, $sig: a checkpoint was written"
done
u=$(weights solo_TERM | cut -d' ' -f1)
end=$((u + 20 - u % 2))
run "$solera" train $long roles=solo out=solo_TERM train.updates=$end --resume; is 0 $rc "it continues"
run "$solera" train $long roles=solo out=plain train.updates=$end; is 0 $rc "the same undisturbed"
is "$(weights plain)" "$(weights solo_TERM)" "weights"

# a rollout batch of eight updates: a stop falls inside one (7 of 8 times; up to five tries), and the next start goes on inside it
eight="$long batch.updates_per_step=8 staleness.k=8 batch.prompts=8"
inside () { # MODE LAUNCHER...
  mode=$1; u=0; shift
  for try in 1 2 3 4 5; do
    rm -rf inside
    "$@" "$solera" train $eight staleness.mode=$mode $roles out=inside >"$t/log" 2>&1 &
    job=$!
    wait_for 30 grown inside 10
    kill -USR1 $job
    wait $job || break
    u=$(weights inside | cut -d' ' -f1)
    [ $((u % 8)) -eq 0 ] || break
  done
  [ $((u % 8)) -ne 0 ]; ok $? "$mode, $*: stopped inside a rollout batch, after update $u"
  end=$((u + 24 - u % 8))
  run "$@" "$solera" train $eight staleness.mode=$mode $roles out=inside train.updates=$end --resume; is 0 $rc "$mode, $*: it continues"
  [ "$(seq 0 $((end - 1)))" = "$(sed 's/^{"update":\([0-9]*\),.*/\1/' inside/metrics.jsonl)" ]; ok $? "$mode, $*: every update has one line of metrics"
}
roles=roles=solo; inside exact env
run "$solera" train $eight roles=solo out=plain8 train.updates=$end; is 0 $rc "the same undisturbed"
is "$(weights plain8)" "$(weights inside)" "weights"
cmp -s plain8/fresh.jsonl inside/fresh.jsonl; ok $? "the same fresh.jsonl"
roles=; inside exact "$MPIRUN" -n 4
run "$solera" train $eight roles=solo out=plain4 train.updates=$end; is 0 $rc "the same undisturbed"
is "$(weights plain4)" "$(weights inside)" "weights"
inside bounded "$MPIRUN" -n 4
is done "$(state inside)" "bounded: state"

"$MPIRUN" -n 4 "$solera" train $long out=usr1 >"$t/log" 2>&1 &
job=$!
wait_for 30 grown usr1 10
kill -USR1 $job # mpirun forwards it
wait $job; is 0 $? "mpirun, USR1: exit"
is stopped "$(state usr1)" "mpirun, USR1: state"
export OMPI_MCA_odls_base_sigkill_timeout=3 # mpirun passes TERM on after so long, and kills after so long again
"$MPIRUN" -n 4 "$solera" train $long out=term >"$t/log" 2>&1 &
job=$!
wait_for 30 grown term 10
kill -TERM $job
wait $job
is stopped "$(state term)" "mpirun, TERM: state"
finish
