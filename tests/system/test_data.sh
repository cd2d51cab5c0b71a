#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A run on problems of several files: shares, rates and rows of each; rewards for a form and against length; what is refused at the start and on --resume.
. "$top_srcdir/tests/system/lib.sh"
data=$top_srcdir/tests/data
cp -r "$data/tiny_models/llama-gqa" model && chmod -R u+w model && cp "$data"/tiny_tokenizer/*.json model/
for set in a b; do
  i=0
  while [ $i -lt 40 ]; do i=$((i+1)); printf '{"problem":"%s %d and %d?","answer":"%d"}\n' $set $i $((i * i)) $((i + i * i)); done >$set.jsonl
done
printf '{"problem":"%s","answer":"1"}\n' "$(seq -s ' ' 400 480)" >>b.jsonl
cat >two.yaml <<'END'
seed: 3
model: {path: model}
task: {name: jsonl, path: [a.jsonl, b.jsonl], weights: [3, 1], long_prompts: skip, prompt: raw, holdout: 0.2, format: '[aeiou]{2}', format_bonus: 0.5, overlong_penalty: 0.25, overlong_tokens: 8}
rollout: {max_prompt: 100, max_tokens: 16}
batch: {prompts: 8, group: 4, updates_per_step: 2, refill: 3}
actor: {slots: 8}
staleness: {mode: exact, k: 4}
objective: {name: m2po}
train: {updates: 12, lr: 1.0e-3}
learner: {leaves: 4}
eval: {every: 6, prompts: 100}
checkpoint: {every: 6}
watchdog_s: 60
END
run "$solera" train two.yaml roles=solo out=solo; is 0 $rc "solo"
ranks 4 two.yaml out=four; is 0 $rc "4 ranks"
is "$(weights solo)" "$(weights four)" "weights"
is 1 "$(grep -c 'b.jsonl: 1 of 41 prompts have more than 100 tokens' log)" "what is left out is said by one rank"
is 12 "$(grep -cE '"pass_rates":\{"a":(0|1|null|0\.[0-9]*),"b":' four/metrics.jsonl)" "updates with a pass rate of each set"
grep -qE '"refilled_groups":[1-9]' four/metrics.jsonl; ok $? "groups were dropped"
is "a b a b a b" "$("$solera" info four/evals.h5 | sed -n 's/^  data: //p' | tr '\n' ' ' | sed 's/ $//')" "rows of evals.h5"
is "$(sed -n 's/{"version":12,"prompts":\([0-9]*\),.*/\1/p' four/evals.jsonl)" "$("$solera" info four/evals.h5 | sed -n 's/^  problems: //p' | tail -n 2 | awk '{n += $1} END {print n}')" "their problems together"
run "$solera" eval model task.name=jsonl 'task.path=[a.jsonl,b.jsonl]' task.prompt=raw task.holdout=0 task.split=all task.long_prompts=skip rollout.max_prompt=100 rollout.max_tokens=4 eval.prompts=100 out=ev; is 0 $rc "solera eval"
is "a 40 b 40" "$("$solera" info ev/evals.h5 | sed -n 's/^  \(data\|problems\): //p' | tr '\n' ' ' | sed 's/ $//')" "its rows"
for m in four/model four; do
  run "$solera" eval $m --data ./a.jsonl --first 30 task.prompt=raw rollout.max_tokens=4 rollout.max_prompt=100 rollout.samples=1 out=seen --force; is 0 $rc "solera eval $m --data"
  has "warn task: 2[0-9] of the 30 problems that are asked are among those that $m was trained on; the first: .*a\\.jsonl:[0-9]+, in training a\\.jsonl:[0-9]+"
done
if [ -n "$PYTHON3" ]; then
  run "$PYTHON3" -c '
import h5py
with h5py.File ("four/stats.h5") as f:
    s, first = f["sequences"], {}
    assert f.attrs["data_sets"].decode ().split () == ["a", "b"]
    for ticket, set, refilled in zip (s["ticket"][:], s["set"][:], s["refilled"][:]): first[ticket] = (set, refilled)
    n = [sum (x[0] == j for x in first.values ()) for j in (0, 1)]
    print (n, sum (x[1] for x in first.values ()))
    assert n[0] > n[1] > 0'
  is 0 $rc "data sets of the groups in the statistics"
fi

# rollouts that were recorded mean something else with another vocabulary
cp -r model swapped; sed 's/"a": 97, "b": 98/"b": 97, "a": 98/' model/tokenizer.json >swapped/tokenizer.json
cp -r model more; sed 's/"added_tokens": \[/&{"id": 276, "content": "<more>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}, /' model/tokenizer.json >more/tokenizer.json
reuse () { ranks 3 two.yaml eval.every=0 out=again --reuse-rollouts solo "$@"; }
reuse model.path=swapped; is 2 $rc "rollouts of another vocabulary"
has 'the rollouts of solo are of a vocabulary of 276 tokens, the model swapped has another one, of 276: token 97 is "a" there, "b" here'; is 1 "$(grep -c 'vocabulary' log)" "it is said once"
reuse model.path=more; is 2 $rc "rollouts of a smaller vocabulary"
has 'of 276 tokens, the model more has another one, of 277: token 276 is no token there, "<more>" here'
[ ! -e again ]; ok $? "no folder is left"
cp -r model same; reuse model.path=same; is 0 $rc "the same vocabulary elsewhere"

# problems of a run that goes on
more () { run "$solera" train two.yaml roles=solo out=four train.updates=18 --resume "$@"; }
more 'task.path=[b.jsonl,a.jsonl]'; is 2 $rc "another order on --resume"
has 'four/settings.yaml: data set 1 of task.path was "a", 40 problems, .* when the run began, now it is "b", 41 problems'
more 'task.path=[a.jsonl]' 'task.weights=[]'; is 2 $rc "a data set less"
has 'task.weights|data set 2 of task.path'
more 'task.weights=[1,1]'; is 2 $rc "other weights"
has 'the run has task.weights: .*may not change on --resume'
mkdir moved; sed 's/"answer":"6"/"answer":"7"/' a.jsonl >moved/a.jsonl
more 'task.path=[moved/a.jsonl,b.jsonl]'; is 2 $rc "another answer"
has 'data set 1 of task.path was "a", 40 problems, .* now it is "a", 40 problems'
mv a.jsonl moved/a.jsonl
more 'task.path=[moved/a.jsonl,b.jsonl]'; is 0 $rc "files that moved"

# evaluation needs questions that are held out, of every set
run "$solera" train two.yaml roles=solo out=none 'task.path=[moved/a.jsonl,b.jsonl]' task.holdout=0.0001; is 2 $rc "none held out"
has 'eval.every is 6, but with task.holdout 0.0001 none of the 80 questions is held out'
[ ! -e none ]; ok $? "no folder is left"
run "$solera" sft two.yaml out=none 'task.path=[moved/a.jsonl,b.jsonl]' task.holdout=0.0001; is 2 $rc "none held out for sft"
has 'none of the 80 questions is held out'
run "$solera" train two.yaml roles=solo out=few 'task.path=[moved/a.jsonl,b.jsonl]' eval.prompts=1 train.updates=2 checkpoint.every=2; is 0 $rc "one held-out problem of two sets"
has 'warn task: none of the 1 held-out problems .* is of the data set "[ab]"'
finish
