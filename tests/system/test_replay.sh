#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300. A run in bounded or free mode, made again from its record on another number of ranks: the same weights at every step; stopped and resumed ones too; what differs is refused by name
. "$top_srcdir/tests/system/lib.sh"
base
tr="small.yaml train.updates=40"
facts () { # RUN: what the learners did, update by update
  grep -oE '"(update|n_tokens|loss|grad_norm|lag_mean|reward_consumed|clip_share|masked_share|m2_before|cut)":[^,]*' "$1/metrics.jsonl"
}
same () { # RUN REPLAY TEXT
  is "$(weights "$1")" "$(weights "$2")" "$3: weights"
  facts "$1" >want; facts "$2" >found
  cmp -s want found; ok $? "$3: every update's figures" || diff want found | head -4 | sed 's/^/# /'
}
for mode in bounded free; do
  s="$tr staleness.mode=$mode"
  ranks 6 $s out=$mode brokers=2 batch.refill=1; is 0 $rc "$mode: 3 actors, 2 brokers"
  [ "$(weights $mode)" != "none in $mode" ]; ok $? "$mode: $(weights $mode), lags $(grep -o '"lag_mean":[0-9.]*' $mode/metrics.jsonl | sort -u | wc -l)"
  run "$solera" train $s batch.refill=1 roles=solo out=${mode}_solo --replay $mode; is 0 $rc "$mode: replay, solo"
  has 'replay of 40 updates'
  grep -q "^# replay of: $mode\$" ${mode}_solo/settings.yaml; ok $? "$mode: its settings.yaml says so"
  same $mode ${mode}_solo "$mode, solo"
  ranks 4 $s batch.refill=1 out=${mode}_four --replay $mode actor.slots=3 eval.every=10 eval.prompts=20; is 0 $rc "$mode: replay, 2 actors, 1 broker"
  same $mode ${mode}_four "$mode, 2 actors, 1 broker"
  is 5 "$(lines ${mode}_four/evals.jsonl)" "$mode: versions evaluated beside the replay"
done
run "$solera" train $tr staleness.mode=free batch.refill=1 roles=solo out=again --replay free_four; is 0 $rc "a replay of a replay"
same free again "a replay of a replay"
run "$solera" train $tr roles=solo out=exact staleness.trace=geometric:0.3:16 staleness.k=0; is 0 $rc "exact, mixed lags"
ranks 3 $tr out=exact_again staleness.trace=geometric:0.3:16 staleness.k=0 --replay exact; is 0 $rc "its replay"
same exact exact_again "exact"

# a run that was stopped inside a batch, resumed, killed and resumed
s="small.yaml train.updates=400 staleness.mode=bounded checkpoint.every=20"
grown () { [ "$(lines "$1/metrics.jsonl")" -ge "$2" ]; }
ranks 5 $s out=cut train.updates=30; is 0 $rc "30 updates"
"$MPIRUN" -n 5 "$solera" train $s out=cut --resume >"$t/log" 2>&1 & job=$!
wait_for 60 grown cut 60; kill -9 $(pgrep -P $job) 2>"$t/kill"; wait $job
[ "$(lines cut/metrics.jsonl)" -lt 400 ]; ok $? "killed after $(lines cut/metrics.jsonl) updates"
run "$solera" train $s roles=solo out=cut_killed --replay cut; is 0 $rc "replay of what was killed"
is stopped "$(state cut_killed)" "its status"
has 'the record ends here'
pid_of () { sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$1/status.json"; }
old=$(pid_of cut)
started () { [ "$(pid_of cut)" != "$old" ] && grown cut 100; } # the killed launch may have left a hundred lines, and a signal before the new one listens ends it
"$MPIRUN" -n 4 "$solera" train $s out=cut --resume >"$t/log" 2>&1 & job=$!
wait_for 60 started; kill -USR1 $job; wait $job; is 0 $? "stopped"
ranks 3 $s out=cut_replay --replay cut; is 0 $rc "replay of a run that was stopped"
same cut cut_replay "killed, resumed and stopped after $(lines cut/metrics.jsonl) updates"

# a replay that stops goes on
ranks 4 $tr staleness.mode=free batch.refill=1 out=part train.updates=20 --replay free; is 0 $rc "half of a replay"
ranks 3 $tr staleness.mode=free batch.refill=1 out=part --replay free --resume; is 0 $rc "the other half"
same free part "half and half"
run "$solera" train $tr staleness.mode=free batch.refill=1 roles=solo out=part train.updates=42 --resume; is 1 $rc "--resume without --replay"
has 'queue'

# what differs
refused () { run "$solera" train $tr staleness.mode=free batch.refill=1 roles=solo out=none --replay "$@"; }
refused free train.lr=0.5; is 2 $rc "another learning rate"; has 'train.lr: 0.001, now 0.5'
refused free staleness.mode=bounded; is 2 $rc "another mode"; has 'staleness.mode'
run "$solera" train $tr staleness.mode=free batch.refill=1 roles=solo out=./free --replay free --force; is 2 $rc "the run itself as out"; has "the run that is read lies"
[ -s free/stats.h5 ]; ok $? "nothing of it is lost"
refused nowhere; is 1 $rc "no such run"; has 'nowhere'
[ ! -e none ]; ok $? "none of them left a folder"
cp -r base/model other
printf '\001' | dd of=other/model.safetensors bs=1 seek=$(($(wc -c <other/model.safetensors) - 2)) conv=notrunc 2>/dev/null
refused free model.path=other; is 1 $rc "other start weights"
has 'update 0: the record begins it with weights xxh3 [0-9a-f]+, replay made [0-9a-f]+'
ranks 3 small.yaml train.updates=200 batch.group=64 actor.slots=2 staleness.mode=bounded staleness.in_flight=true out=flight
run "$solera" train small.yaml train.updates=200 batch.group=64 roles=solo staleness.mode=bounded staleness.in_flight=true out=none2 --replay flight
[ $rc -eq 0 ] || has 'responses went on under newer weights'
calm="small.yaml batch.group=64 actor.slots=2 staleness.mode=bounded staleness.in_flight=true" # solo: allowed to, but none did; nor do they when ranks make it again
run "$solera" train $calm roles=solo out=calm; is 0 $rc "in flight, solo"
ranks 3 $calm out=calm_r --replay calm; is 0 $rc "replay of it on 3 ranks"
same calm calm_r "responses that could have gone on under newer weights, and did not"

# ---- the recorded rollouts without generating: with the same settings the same weights
s="$tr staleness.mode=free"
run "$solera" train $s batch.refill=1 roles=solo out=reuse_solo --reuse-rollouts free; is 0 $rc "reuse, solo"
has 'nothing is generated'
same free reuse_solo "reuse, solo"
ranks 3 $s batch.refill=1 out=reuse_eval eval.every=10 eval.prompts=20 --reuse-rollouts free; is 0 $rc "reuse, and an actor that evaluates"
rates () { grep -oE '"(version|avg|pass)":[^,]*' "$1/evals.jsonl"; }
rates free_four >want; rates reuse_eval >found; [ -s want ] && cmp -s want found; ok $? "its evaluations are those of the replay: $(tail -n 2 found | tr '\n' ' ')"
ranks 3 $s batch.refill=1 out=reuse_two brokers=2 --reuse-rollouts free; is 0 $rc "reuse, no actors, 2 brokers"
same free reuse_two "reuse, no actors, 2 brokers"
run "$solera" train small.yaml train.updates=200 batch.group=64 roles=solo staleness.mode=bounded staleness.in_flight=true out=reuse_flight --reuse-rollouts flight; is 0 $rc "reuse of responses under changing weights"
same flight reuse_flight "reuse of responses under changing weights"
run "$solera" train $s batch.refill=1 roles=solo out=reuse_other --reuse-rollouts free objective.name=grpo train.lr=2e-3 staleness.mode=exact seed=9; is 0 $rc "another objective, learning rate, mode and seed"
[ "$(weights reuse_other)" != "$(weights free)" ]; ok $? "other weights"
is "$(grep -o '"reward_consumed":[^,]*' free/metrics.jsonl | cksum)" "$(grep -o '"reward_consumed":[^,]*' reuse_other/metrics.jsonl | cksum)" "the same rewards, update by update"
ranks 2 $s batch.refill=1 out=reuse_part train.updates=20 --reuse-rollouts free; is 0 $rc "half of it on 2 ranks"
run "$solera" train $s batch.refill=1 roles=solo out=reuse_part --reuse-rollouts free --resume; is 0 $rc "the other half"
same free reuse_part "half and half"
run "$solera" train $s batch.refill=1 roles=solo out=again2 --reuse-rollouts reuse_two; is 0 $rc "reuse of a run that reused"
same free again2 "reuse of a run that reused"
refused () { run "$solera" train $s batch.refill=1 roles=solo out=none3 --reuse-rollouts "$@"; is 2 $rc "refused: $*"; }
refused free train.updates=42; has 'train.updates is 42, but free has the rollouts of 40'
refused free lp_check.record=true; has 'free was made without'
refused free batch.group=8; has 'batch.group'
refused free --replay free; has 'give one'
ranks 2 $s batch.refill=1 out=none3 eval.every=10 --reuse-rollouts free; is 2 $rc "evaluation without actors"; has 'eval.every is 10'
[ ! -e none3 ]; ok $? "none of them left a folder"
finish
