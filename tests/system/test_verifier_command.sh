#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# task.verifier: command. A program grades the rollouts of a training run: the same weights with one actor, with two, and with a program that dies now and then; errors that name it
. "$top_srcdir/tests/system/lib.sh"
data=$top_srcdir/tests/data
cp -r "$data/tiny_models/llama-gqa" m && chmod -R u+w m && cp "$data"/tiny_tokenizer/*.json m/
i=1; while [ $i -le 40 ]; do printf '{"problem":"%d+1","answer":"%d","more":[%d]}\n' $i $((i%7)) $i; i=$((i+1)); done >p.jsonl
cat >grade <<'END'
# the reward is what the length of the response leaves over 3; mean: every process ends at its ninth question
k=0
while IFS= read -r l; do
  id=${l#*:}; id=${id%%,*}; r=${l#*'"response":"'}; r=${r%%'","cut":'*}
  case $l in *'"row":{"problem":"'*'+1","answer":"'*'","more":['*) ;; *) echo "no row: $l" >&2; exit 2;; esac
  k=$((k+1)); [ "$1" = mean ] && [ $((k%9)) -eq 0 ] && exit 3
  case $((${#r}%3)) in 0) x=0;; 1) x=0.5;; *) x=1;; esac
  echo "{\"id\":$id,\"reward\":$x}"
done
END
cat >c.yaml <<'END'
seed: 5
model: {path: m}
task: {name: jsonl, path: p.jsonl, holdout: 0.1, verifier: command, verifier_command: [sh, grade], verifier_s: 30}
rollout: {max_prompt: 32, max_tokens: 6}
batch: {prompts: 4, group: 4, updates_per_step: 2}
actor: {slots: 8}
staleness: {mode: exact, k: 2}
objective: {name: m2po}
learner: {leaves: 4}
train: {updates: 6, lr: 1.0e-3}
checkpoint: {every: 6}
watchdog_s: 60
END
sed 's/\[sh, grade\]/[sh, grade, mean]/' c.yaml >mean.yaml
run "$solera" train c.yaml roles=solo out=solo; is 0 $rc "one rank"
w=$(weights solo)
ranks 3 c.yaml out=one; is 0 $rc "one actor"
is "$w" "$(weights one)" "the weights of one actor"
ranks 4 c.yaml out=two; is 0 $rc "two actors"
is "$w" "$(weights two)" "the weights of two actors"
! cmp -s solo/model/model.safetensors m/model.safetensors; ok $? "rewards differ inside groups: weights moved"
run "$solera" train mean.yaml roles=solo out=mean; is 0 $rc "a program that dies"
has 'the verifier "sh grade mean" is started again .*: it ended with exit status 3'
is "$w" "$(weights mean)" "the weights are the same: no verdict is lost or made up"
[ "$(sed -n 's/.*"verifier_restarts":\([0-9]*\).*/\1/p' mean/metrics.jsonl | awk '{ n += $1 } END { print n }')" -gt 4 ] && ! grep -q '"verifier_restarts":[1-9]' solo/metrics.jsonl; ok $? "restarts are in the metrics"

# it does not work at all
echo 'echo "no compiler here" >&2; exit 4' >broken
sed 's/\[sh, grade\]/[sh, broken]/' c.yaml >broken.yaml
ranks 3 broken.yaml out=b; [ $rc -ne 0 ]; ok $? "exit of a run whose verifier always dies: $rc"
has 'the verifier "sh broken" failed 3 times in a row, the last time: it ended with exit status 4; last line on its standard error: "no compiler here"'
run "$solera" train c.yaml roles=solo task.verifier_command=./nowhere out=c; is 1 $rc "a program that is not there"
has 'the verifier \./nowhere cannot be started: No such file or directory'
run "$solera" train c.yaml roles=solo 'task.verifier_command=cat' out=d; is 1 $rc "a program that repeats the question"
has 'found no number "reward": "'
run "$solera" train c.yaml roles=solo task.verifier=answer out=x; is 2 $rc "a command, but another verifier"
has 'the program would grade nothing'
run "$solera" train c.yaml roles=solo task.format_bonus=1 out=x; is 2 $rc "a bonus for a form that is not given"

# the same grader for solera eval
run "$solera" eval m c.yaml task.split=all eval.prompts=12 rollout.samples=3; is 0 $rc "eval"
echo 'while IFS= read -r l; do id=${l#*:}; echo "{\"id\":${id%%,*},\"reward\":0,\"verdict\":true}"; done' >yes
sed 's/\[sh, grade\]/[sh, yes]/' c.yaml >yes.yaml
run "$solera" eval m yes.yaml task.split=all eval.prompts=12 rollout.samples=3; is 0 $rc "eval by verdicts"
run "$solera" eval m c.yaml --data ./p.jsonl --first 4 rollout.samples=2 out=e; is 0 $rc "eval of a file"
is 8 "$(grep -c '"extracted":"","expected":"[0-6]","correct":\(true\|false\),"form":"none"' e/responses.p.jsonl)" "responses, nothing taken out of them"
run "$solera" eval m yes.yaml task.split=all eval.prompts=12 rollout.samples=3
has 'pass rate 1\.0000 .*36 of 36'
finish
