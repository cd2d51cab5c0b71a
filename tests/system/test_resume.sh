#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 400. kill -9 of any rank during training, then --resume: the same bytes as an undisturbed run. Damaged checkpoints are noticed.
. "$top_srcdir/tests/system/lib.sh"
base
long="small.yaml train.updates=400 checkpoint.every=20 stats.chunk=1024"
ranks 4 $long out=whole; is 0 $rc "an undisturbed run"
want=$(weights whole)

grown () { [ "$(lines "$1/metrics.jsonl")" -ge "$2" ]; }
rank_pid () { # MPIRUN-PID RANK
  for p in $(pgrep -P "$1"); do
    tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$2" && echo "$p"
  done
}
for victim in 0:broker 1:learner 2:actor; do
  who=${victim#*:}; out=kill_$who
  "$MPIRUN" -n 4 "$solera" train $long out=$out >"$t/log" 2>&1 &
  job=$!
  wait_for 60 grown $out 50; ok $? "the run goes on (to be killed: $who)"
  kill -9 $(rank_pid $job ${victim%:*}) 2>"$t/kill"; ok $? "kill -9 of the $who"
  wait $job; rc=$?
  [ $rc -ne 0 ]; ok $? "mpirun says so: exit $rc"
  [ "$(lines $out/metrics.jsonl)" -lt 400 ]; ok $? "it was killed in the middle, at update $(lines $out/metrics.jsonl)"
  ranks 4 $long out=$out --resume; is 0 $rc "--resume after the kill of the $who"
  is "$want" "$(weights $out)" "weights of the resumed run"
  is 400 "$(lines $out/metrics.jsonl)" "lines of metrics"
  is "$(cut -d, -f1-2 whole/metrics.jsonl | cksum)" "$(cut -d, -f1-2 $out/metrics.jsonl | cksum)" "every update stands there once"
  cmp -s whole/fresh.jsonl $out/fresh.jsonl; ok $? "fresh pass rates are the same"
done
rows () { "$solera" info "$1/stats.h5" | grep -E '^(tokens|sequences|first_update|last_update):' | tr '\n' ' '; }
is "$(rows whole)" "$(rows kill_learner)" "rows of the statistics"
[ -n "$(rows whole)" ]; ok $? "there are rows: $(rows whole)"

# groups that are generated again (batch.refill): what was dropped for a group that is not done yet is lost with its actor, and comes again
again="$long batch.refill=2"
ranks 4 $again out=refill; is 0 $rc "an undisturbed run with batch.refill"
for who in actor job; do
  out=refill_$who
  "$MPIRUN" -n 4 "$solera" train $again out=$out >"$t/log" 2>&1 &
  job=$!
  wait_for 60 grown $out 50; ok $? "the run goes on (to be killed: $who)"
  if [ $who = actor ]; then kill -9 $(rank_pid $job 2) 2>"$t/kill"; else kill -9 $(pgrep -P $job) $job 2>"$t/kill"; fi; ok $? "kill -9 of the $who"
  wait $job 2>"$t/kill"
  [ "$(lines $out/metrics.jsonl)" -lt 400 ]; ok $? "it was killed in the middle, at update $(lines $out/metrics.jsonl)"
  ranks 5 $again out=$out --resume; is 0 $rc "--resume on other ranks after the kill of the $who"
  is "$(weights refill)" "$(weights $out)" "weights of the resumed run"
  cmp -s refill/fresh.jsonl $out/fresh.jsonl; ok $? "fresh pass rates are the same"
done
dropped () { sed 's/.*\("pass_rate_generated":[^,]*\),.*\("refilled_groups":[^,]*\),.*/\1 \2/' "$1/metrics.jsonl" | cksum; }
is "$(dropped refill)" "$(dropped refill_job)" "groups that were dropped, update by update"

# go on solo, in another number of ranks, and to a later end
ranks 4 $long out=part train.updates=200; is 0 $rc "a shorter run"
ranks 4 $long out=part --resume; is 0 $rc "a longer run continues it"
is "$want" "$(weights part)" "weights after the continuation"
ranks 4 $long out=part2 train.updates=200; is 0 $rc "a shorter run"
run "$solera" train $long out=part2 roles=solo --resume; is 0 $rc "solo continues it"
is "$want" "$(weights part2)" "weights after solo's continuation"

# what may not change is refused by name; nothing is overwritten
run "$solera" train $long out=part2 roles=solo; [ $rc -ne 0 ]; ok $? "an existing out is refused"
has 'resume|force'
run "$solera" train $long out=part2 roles=solo train.lr=0.5 --resume; [ $rc -ne 0 ]; ok $? "another learning rate is refused"
has 'train\.lr'
run "$solera" train $long out=empty roles=solo train.updates=20 --resume; is 0 $rc "--resume on an empty folder starts"

# the newest checkpoint is damaged: the one before is used, with a warning
damage () { # FOLDER: flip a byte of, or cut, the largest file of the newest checkpoint
  ck=$1/checkpoints/$(ls "$1/checkpoints" | grep '^u' | sort | tail -n 1)
  f=$(find "$ck" -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
  if [ "$2" = flip ]; then
    at=$(($(wc -c <"$f") / 2)); b=$(od -An -tu1 -j $at -N 1 "$f")
    printf "\\$(printf %o $((b ^ 1)))" | dd of="$f" bs=1 seek=$at conv=notrunc 2>/dev/null
  else truncate -s -100 "$f"; fi
}
for how in flip cut; do
  ranks 4 $long out=damage_$how train.updates=200; is 0 $rc "a run for damage"
  damage damage_$how $how
  run "$solera" train $long out=damage_$how roles=solo --resume; is 0 $rc "--resume with a damaged checkpoint ($how)"
  has 'warn'
  is "$want" "$(weights damage_$how)" "weights, from the checkpoint before"
done
finish
