#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# the commands as a user meets them: errors that say both sides, what a run leaves, what info says about it
. "$top_srcdir/tests/system/lib.sh"
base
train="$solera train small.yaml roles=solo"

# settings: unknown, wrong type, out of bounds, contradictory, twice; file and line
printf 'out: a\nseed: 1\nstalenes: {k: 4}\n' >bad.yaml;          refused 2 'bad\.yaml:3.*stalenes.*staleness' "$solera" train bad.yaml
printf 'out: a\ntrain:\n  updatse: 4\n' >bad.yaml;               refused 2 'bad\.yaml:3.*updatse.*updates' "$solera" train bad.yaml
printf 'out: a\ntrain:\n  updates: many\n' >bad.yaml;            refused 2 'bad\.yaml:3.*train\.updates.*many' "$solera" train bad.yaml
printf 'out: a\nseed: 1\nseed: 2\n' >bad.yaml;                   refused 2 'bad\.yaml:3.*seed' "$solera" train bad.yaml
printf 'out: a\ntrain: {updates: [1, 2\n' >bad.yaml;             refused 1 'bad\.yaml' "$solera" train bad.yaml
refused 2 'staleness\.k is 3 .*updates_per_step is 2' $train out=a staleness.k=3
refused 2 'batch\.prompts is 7 .*updates_per_step is 2' $train out=a batch.prompts=7
refused 2 'rollout\.top_p' $train out=a rollout.top_p=0.9
refused 2 'exact' $train out=a staleness.in_flight=true
refused 2 'nearest is .staleness\.k' $train out=a stalenes.k=4
refused 2 'out' $train
refused 1 'nothing/model' $train out=absent model.path=nothing/model
refused 1 'missing\.yaml' "$solera" train missing.yaml out=a
refused 2 'rollout\.max_prompt is 8, rollout\.max_tokens is 9: expected at most 16 together' $train out=absent rollout.max_tokens=9
cp -r base/model cut; truncate -s -3 cut/model.safetensors
cp -r base/model less; sed -i 's/model.norm.weight/model.morn.weight/' less/model.safetensors
cp -r base/model none; rm none/model.safetensors
for c in train sft; do
  s=small.yaml; [ $c = train ] || s="base.yaml rollout.max_tokens=8"
  roles=roles=solo; [ $c = train ] || roles=
  refused 1 'cut/model.safetensors.*' "$solera" $c $s $roles out=absent model.path=cut
  refused 1 'less.*model\.(morn|norm)\.weight' "$solera" $c $s $roles out=absent model.path=less
  refused 1 'none: neither model.safetensors nor' "$solera" $c $s $roles out=absent model.path=none
done
refused 1 'cut/model.safetensors.*' "$solera" eval cut small.yaml out=absent
refused 2 'ranks? need [0-9.]+ MiB, but the host has [0-9.]+ MiB .*keys and values.*actor\.slots' $train out=absent actor.slots=65536 rollout.max_tokens=10000 model.path=
has 'memory: solo, 1 rank, [0-9.]+ MiB: weights'
refused 2 'activations.*train\.micro_batch_tokens' "$solera" sft base.yaml out=absent sft.batch=1000000 train.micro_batch_tokens=1000000000
refused 2 'grpo' $train out=absent2 objective.name=grop
[ ! -e a ] && [ ! -e absent ] && [ ! -e absent2 ]; ok $? "a refused run leaves no folder"
refused 2 'mpirun -n 3' "$solera" train small.yaml out=a
refused 2 'learners' "$MPIRUN" -n 3 "$solera" train small.yaml out=a learners=2
refused 2 'solo' "$MPIRUN" -n 2 "$solera" train small.yaml out=a roles=solo

# comments, anchors and aliases work
printf '# a comment\nseed: &s 7 # another\nout: b\nmodel: {path: base/model}\ntask: {name: chain, steps: 1}\nrollout: {max_prompt: 8, max_tokens: &m 8}\nbatch: {prompts: 4, group: 2, updates_per_step: 2}\ntrain: {updates: *m}\nroles: solo\n' >anchor.yaml
run "$solera" train anchor.yaml log.tensorboard=true; is 0 $rc "comments, anchors and aliases"
run "$solera" info b; is 0 $rc "info of the run"
grep -qE 'memory: solo, 1 rank, [0-9.]+ MiB: weights .*, master weights .*, moments .*, gradients .*, whole master .*, activations .*, keys and values .*, decoding .*, batch .*, window ' b/log.txt; ok $? "the log says what memory it takes"
has '^ *state: done'; has '^weights: step 8 xxh3 [0-9a-f]{16}$'; has '^lags:'
for f in settings.yaml status.json metrics.jsonl fresh.jsonl stats.h5 checkpoints/latest model/config.json model/model.safetensors; do [ -s "b/$f" ]; ok $? "the run left $f"; done
[ -n "$(find b/tensorboard -name '*tfevents*' -size +0)" ]; ok $? "and TensorBoard events"
grep -q '^seed: 7' b/settings.yaml; ok $? "settings.yaml is resolved"
grep -q '"seed": *7' b/status.json || grep -q 'seed' b/settings.yaml; ok $? "the seed stands in the folder"

# never overwritten
before=$(cksum <b/metrics.jsonl)
refused 2 'b.*(--resume|--force)' "$solera" train anchor.yaml
is "$before" "$(cksum <b/metrics.jsonl)" "metrics.jsonl is untouched"
rm b/log.txt; mkdir b/log.txt
run "$solera" train anchor.yaml --resume; is 0 $rc "--resume of a finished run"
has 'warn run: b/log\.txt cannot be written: Is a directory'
refused 2 'give one of them' "$solera" train anchor.yaml --resume --force
refused 2 'anchor\.yaml: expected a folder, or nothing there yet; found a file' "$solera" train anchor.yaml out=anchor.yaml
refused 2 'anchor\.yaml/x: cannot be a folder: Not a directory' "$solera" eval base/model small.yaml task.steps=1 out=anchor.yaml/x
refused 2 "base: expected a model folder .*, found one of a run: its model is base/model" "$solera" train anchor.yaml out=a model.path=base
run "$solera" train anchor.yaml --force seed=8; is 0 $rc "--force"
[ "$before" != "$(cksum <b/metrics.jsonl)" ]; ok $? "--force replaced the run"
refused 2 'b/model, which this run reads, lies in b' "$solera" train anchor.yaml --force model.path=b/model
[ -s b/model/model.safetensors ]; ok $? "--force does not remove the model that it is to begin with"
mkdir other; echo mine >other/file
refused 2 'other' "$solera" train anchor.yaml out=other
run "$solera" train anchor.yaml out=other --force; [ -f other/file ] && [ "$(cat other/file)" = mine ]; ok $? "--force does not remove a folder that is no run"

# brokers and the model's path may change on --resume, and the bytes do not
run "$MPIRUN" -n 4 "$solera" train small.yaml train.updates=8 brokers=2 out=moved; is 0 $rc "two brokers"
rm moved/model/model.safetensors # start weights are not asked for when there is a checkpoint
run "$solera" train small.yaml train.updates=8 roles=solo model.path=moved/model out=moved --resume; is 0 $rc "resumed without the start weights"
mv base there
run "$solera" train small.yaml train.updates=12 roles=solo model.path=there/model out=moved --resume; is 0 $rc "resumed on one rank, the model's folder moved"
mv there base
run "$solera" train small.yaml train.updates=12 roles=solo out=straight; is 0 $rc "the same in one piece"
is "$(weights straight)" "$(weights moved)" "equal weights"

refused 2 'train\.updates is 4.*at update 12' "$solera" train small.yaml train.updates=4 roles=solo out=straight --resume

# one job at a time in a folder
"$solera" train small.yaml train.updates=400000 roles=solo out=busy >"$t/busy.log" 2>&1 &
job=$!
written () { [ -s busy/metrics.jsonl ]; }
wait_for 30 written; ok $? "a run is going on"
refused 2 'busy is being written' "$solera" train small.yaml train.updates=400000 roles=solo out=busy --resume
refused 2 'busy is being written' "$solera" train small.yaml train.updates=400000 roles=solo out=busy --force
kill -9 $job; wait $job 2>/dev/null
run "$solera" train small.yaml train.updates=4 roles=solo out=busy --resume; is 0 $rc "after a kill it may go on"

# a disk that is full: an error, told in status.json, no crash
(trap '' XFSZ; ulimit -f 65536; exec "$solera" train small.yaml roles=solo stats.chunk=1048576 out=full) >"$t/log" 2>&1; is 1 $? "a file that cannot grow"
is failed "$(state full)" "its outcome"

# info recognises what it is given
for p in b/stats.h5:statistics b/model:model "b/checkpoints/$(cat b/checkpoints/latest 2>/dev/null):checkpoint"; do
  run "$solera" info "${p%:*}"; is 0 $rc "info ${p%:*}"; has "^kind: ${p##*:}"
done
run "$solera" info; is 0 $rc "info of the build"; has 'hdf5'; has 'cpu'
refused 1 'small\.yaml' "$solera" info small.yaml
run "$solera" info b --json; is 0 $rc "info --json"
[ -z "$PYTHON3" ] || { "$PYTHON3" -c 'import json, sys; d = json.load (sys.stdin); assert d["kind"] == "run" and d["weights"]["step"] == 8' <"$t/log" 2>"$t/err"; ok $? "it is JSON"; }
if command -v h5dump >/dev/null; then run h5dump -H b/stats.h5; is 0 $rc "h5dump -H"; has 'lp_behav'; has 'VIRTUAL|DATASET'; fi
printf 'x' | dd of=b/stats.h5 bs=1 seek=3 conv=notrunc 2>/dev/null
run "$solera" info b/stats.h5; is 1 $rc "info of a damaged file"

# generation and evaluation of the small model
run "$solera" eval base/model small.yaml eval.prompts=64 task.split=heldout; is 0 $rc "eval"; has 'pass rate'
first=$(sed -n 's/^pass rate \([0-9.]*\).*/\1/p' "$t/log")
run "$solera" eval base/model small.yaml eval.prompts=64 task.split=heldout actor.slots=3; is "$first" "$(sed -n 's/^pass rate \([0-9.]*\).*/\1/p' "$t/log")" "eval with other slots"
cp small.yaml job.yaml; echo 'out: moved' >>job.yaml
run "$solera" eval moved/model job.yaml eval.prompts=16; is 0 $rc "eval with the YAML file of the run"; [ ! -e moved/responses.chain.jsonl ] && [ ! -e moved/evals.h5 ]; ok $? "it writes nothing into the run's folder"
run "$solera" eval moved/model job.yaml eval.prompts=16 out=rows; is 0 $rc "eval out="; is 16 "$(lines rows/responses.chain.jsonl)" "a row a response"
figures () { "$solera" info "$1/evals.h5" 2>&1 | grep -v '^path:\|  seconds:\|  time:'; } # all but when and how long
run "$solera" eval moved/model job.yaml eval.prompts=16 rollout.samples=3 out=one; is 0 $rc "eval with three responses a prompt"; has '^avg@3 0\.[0-9]+ \(95 % interval over problems: 0\.[0-9]+ to 0\.[0-9]+\), pass@3 '
share=$(sed -n 's/^pass rate \([0-9.]*\).*/\1/p' "$t/log"); has "^avg@3 $share " # as many responses of each: the mean of means is the mean
run "$MPIRUN" -n 2 "$solera" eval moved/model job.yaml eval.prompts=16 rollout.samples=3 out=two; is 0 $rc "eval on two ranks"
is "$(figures one)" "$(figures two)" "evals.h5 of one rank and of two"; figures one >"$t/log"; has '^rows: 1$'; has '^  data: chain$'; has '^  pass_k: 3$'
run "$solera" eval moved/model job.yaml eval.prompts=16 out=one --force; figures one >"$t/log"; has '^rows: 2$'
"$solera" eval moved/model job.yaml eval.prompts=16 >/dev/full 2>"$t/log"; is 1 $? "eval on a full disk"; has 'output: writing failed'
refused 2 'rows exists' "$solera" eval moved/model job.yaml eval.prompts=16 out=rows
printf '{"ids":[3,10,4,13]}\n{"ids":[]}\n{"ids":[3,13]}\n' | "$solera" score base/model >score.out 2>"$t/log"; is 1 $? "score: exit 1 with a bad row"
is 3 "$(lines score.out)" "score: one row out per row in"
grep -c logprobs score.out | grep -qx 2 && sed -n 2p score.out | grep -q error; ok $? "score: the bad row has its error in its place"
run "$solera" frobnicate; is 2 $rc "an unknown command"
finish
