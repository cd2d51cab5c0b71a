#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# supervised training: killed or stopped and resumed, every line of metrics.jsonl stands there once, as in an undisturbed run; a failure of any rank is told in status.json
. "$top_srcdir/tests/system/lib.sh"
cat >sft.yaml <<'END'
model: {layers: 1, width: 32, heads: 2, kv_heads: 1, mlp: 64}
task: {name: chain, steps: 1, holdout: 0.1}
rollout: {max_prompt: 8, max_tokens: 8}
sft: {batch: 16, noise: 0.3}
train: {updates: 300, lr: 0.01, warmup: 10}
learner: {leaves: 2}
checkpoint: {every: 20}
eval: {prompts: 32, every: 30}
END
plain () { sed 's/,"time_s":[^,}]*//' "$1/metrics.jsonl" | cksum; }
sft () { run timeout -k 5 120 "$MPIRUN" -n 2 "$solera" sft sft.yaml "$@"; }
sft out=whole; is 0 $rc "an undisturbed run"
is 320 "$(lines whole/metrics.jsonl)" "300 losses, 10 x 2 pass rates"
want=$(plain whole) digest=$(weights whole)

grown () { [ "$(lines "$1/metrics.jsonl")" -ge "$2" ]; }
for sig in 9 USR1; do
  "$solera" sft sft.yaml out=cut_$sig >"$t/log" 2>&1 &
  job=$!
  wait_for 60 grown cut_$sig 100; kill -$sig $job; wait $job; rc=$?
  [ "$(lines cut_$sig/metrics.jsonl)" -lt 320 ]; ok $? "signal $sig in the middle (exit $rc)"
  [ $sig = 9 ] || is stopped "$(state cut_$sig)" "the state"
  printf '{"update":' >>cut_$sig/metrics.jsonl # a line that a kill cut short
  sft out=cut_$sig --resume; is 0 $rc "--resume"
  is "$digest" "$(weights cut_$sig)" "its weights"
  is "$want" "$(plain cut_$sig)" "every line once, in order"
done
# the checkpoint and the pass rates fall on one update: the pass rates at it are lost or there, both come out the same
for keep in all none one; do
  rm -rf at60; sft out=at60 train.updates=60; is 0 $rc "60 updates"
  case $keep in
    none) sed -i '/"update":60,/d' at60/metrics.jsonl ;;
    one) sed -i '$d' at60/metrics.jsonl ;;
  esac
  sft out=at60 --resume; is 0 $rc "and 240 more"
  is "$want" "$(plain at60)" "every line once ($keep of the last pass rates were there)"
done
sft out=at50 train.updates=50; sft out=at50 --resume; is 0 $rc "50 and 250 more: pass rates at the end of the first part go"
is "$want" "$(plain at50)" "every line once"

# rank 1 cannot write its slices of a checkpoint: it may end the job before rank 0 has told the outcome
bad="sft.yaml out=bad model.width=256 model.mlp=1024 train.updates=20 checkpoint.every=10"
run timeout -k 5 60 "$MPIRUN" -n 1 "$solera" sft $bad : -n 1 sh -c 'trap "" XFSZ; ulimit -f 64; exec "$0" "$@"' "$solera" sft $bad
[ $rc -ne 0 ]; ok $? "a rank that cannot write its part ends the job: exit $rc"
is failed "$(state bad)" "and status.json says so"
[ -z "$(ls bad/checkpoints | grep -v tmp)" ]; ok $? "no checkpoint is left"
finish
