#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# evaluation during training: the same figures for any number of actors, the training untouched, each version with its own weights, --resume, and the best checkpoint
. "$top_srcdir/tests/system/lib.sh"
base
E="small.yaml train.lr=5.0e-3 eval.every=4 eval.prompts=20 rollout.samples=3 checkpoint.every=4 checkpoint.keep_last=100"
figures () { sed 's/,"seconds".*//' "$1/evals.jsonl"; }
run "$solera" train $E roles=solo out=plain eval.every=0; is 0 $rc "a run without evaluation"
[ ! -e plain/evals.jsonl ]; ok $? "it has no evals.jsonl"
run "$solera" train $E roles=solo out=solo; is 0 $rc "solo with evaluation"
has 'eval: version 24: pass rate'
is "$(weights plain)" "$(weights solo)" "weights with and without evaluation"
cmp -s plain/fresh.jsonl solo/fresh.jsonl; ok $? "rollouts are the same with and without evaluation"
is "0 4 8 12 16 20 24" "$(sed 's/{"version":\([0-9]*\),.*/\1/' solo/evals.jsonl | tr '\n' ' ' | sed 's/ $//')" "versions evaluated"
[ "$(sed 's/.*"avg":\([^,]*\),.*/\1/' solo/evals.jsonl | sort -u | wc -l)" -ge 3 ]; ok $? "their pass rates differ"
is "" "$(ls solo/evals)" "shares that are left"
is 7 "$("$solera" info solo/evals.h5 | sed -n 's/^rows: //p')" "rows of evals.h5"
is "$(sed -n 's/{"version":24,.*"avg":\([^,]*\),.*/\1/p' solo/evals.jsonl | cut -c1-8)" "$("$solera" info solo/evals.h5 | sed -n 's/^  avg: //p' | tail -n 1 | cut -c1-8)" "the last row's pass rate"
# an evaluation afterwards, of the model that the run ended with, answers with the same tokens
run "$solera" eval solo/model --json task.name=chain task.steps=1 task.holdout=0.1 task.split=heldout seed=5 rollout.max_tokens=8 rollout.max_prompt=8 eval.prompts=20 rollout.samples=3
rate=$(sed -n 's/.*"\(pass_rate\|avg\)":\([0-9.]*\).*/\2/p' log | head -n 1)
is "$(sed -n 's/{"version":24,.*"avg":\([^,]*\),.*/\1/p' solo/evals.jsonl | xargs printf '%.4f')" "$(printf '%.4f' "$rate")" "pass rate of solera eval on the last weights"
for np in 3 5; do
  ranks $np $E out=r$np; is 0 $rc "$np ranks"
  is "$(weights plain)" "$(weights r$np)" "weights on $np ranks"
  is "$(figures solo | cksum)" "$(figures r$np | cksum)" "figures on $np ranks"
done
has '^  evaluate  '
run "$solera" train $E roles=solo out=again1 eval.every=0 batch.refill=2; is 0 $rc "batch.refill without evaluation"
ranks 4 $E out=again4 batch.refill=2; is 0 $rc "batch.refill with evaluation, 4 ranks"
is "$(weights again1)" "$(weights again4)" "batch.refill: weights with and without evaluation"
ranks 5 $E out=few eval.prompts=2 eval.every=2 staleness.k=0; is 0 $rc "more actors than prompts, every version"
is 13 "$(lines few/evals.jsonl)" "evaluations"
for mode in bounded free; do
  ranks 4 $E out=$mode eval.every=2 staleness.mode=$mode; is 0 $rc "$mode mode"
  is 13 "$(lines $mode/evals.jsonl)" "evaluations in $mode mode"
done

# --resume: what is done stays, what is missing is said, the figures go on as if nothing had been
run "$solera" train $E roles=solo out=part train.updates=12; is 0 $rc "a shorter run"
ranks 4 $E out=part --resume; is 0 $rc "a longer run continues it"
is "$(figures solo | cksum)" "$(figures part | cksum)" "figures after the continuation"
run "$solera" train $E roles=solo out=late eval.every=0 train.updates=12; is 0 $rc "a run without evaluation"
ranks 4 $E out=late --resume; is 0 $rc "evaluation from its continuation on"
has 'warn.*3 evaluations before update 12 were not made .the last: version 8., and the weights of 1 are gone'
has 'warn.*the weights of 2 are in checkpoints that are kept: solera eval late/checkpoints/u00000008 task.split=heldout'
"$solera" eval late/checkpoints/u00000008 task.split=heldout eval.prompts=20 rollout.samples=3 >"$t/log" 2>&1; ok $? "solera eval of that checkpoint"
is "$(sed -n 's/{"version":8,.*"avg":\([^,]*\),.*/\1/p' solo/evals.jsonl | cut -c1-8)" "$("$solera" info late/evals.h5 | sed -n 's/^  avg: //p' | tail -n 1 | cut -c1-8)" "its row in the run's evals.h5"
is "$(figures solo | tail -n 4 | cksum)" "$(figures late | cksum)" "figures from version 12 on"

# the best checkpoint is kept
choice () { # FIGURE: the version that must be chosen, first of equals, 0 has no checkpoint
  sed "s/{\"version\":\([0-9]*\),.*\"$1\":\([^,]*\),.*/\1 \2/" solo/evals.jsonl | awk '$1 > 0 && (n == 0 || $2 > m) {n = $1; m = $2} END {printf "u%08d", n}'
}
run "$solera" train $E roles=solo out=best checkpoint.keep_last=1 checkpoint.best=avg; is 0 $rc "with checkpoint.best"
is "$(weights plain)" "$(weights best)" "weights with checkpoint.best"
want=$(choice avg)
[ "$want" != u00000024 ]; ok $? "the best ($want) is not the newest"
is "$want" "$(cat best/checkpoints/best)" "the best by avg"
is "$want u00000024" "$(ls best/checkpoints | grep ^u | tr '\n' ' ' | sed 's/ $//')" "checkpoints kept"
"$solera" info best | grep -A 1 '^best:' | grep -q "version: $(echo "$want" | sed 's/u0*//')\$"; ok $? "solera info says the best"
run "$solera" train $E roles=solo out=best2 checkpoint.keep_last=1 checkpoint.best=avg train.updates=16; is 0 $rc "a shorter run with checkpoint.best"
ranks 4 $E out=best2 checkpoint.keep_last=1 checkpoint.best=avg --resume; is 0 $rc "its continuation"
is "$want" "$(cat best2/checkpoints/best)" "the best after the continuation"
is "$(figures solo | cksum)" "$(figures best2 | cksum)" "figures with checkpoint.best"
run "$solera" train $E roles=solo out=bad checkpoint.best=avg checkpoint.every=8; is 2 $rc "evaluated versions without checkpoints"
has 'eval\.every is 4 .*, but checkpoint\.every is 8'
run "$solera" train $E roles=solo out=bad checkpoint.best=avg eval.every=0; is 2 $rc "a best without evaluation"
has 'checkpoint\.best is avg .*, but eval\.every is 0'
run "$solera" train $E roles=solo out=bad eval.every=3; is 2 $rc "a bad eval.every"
has 'eval\.every is 3 .*, but batch\.updates_per_step is 2'
run "$solera" train $E roles=solo out=bad task.holdout=0; is 2 $rc "nothing held out"
has 'eval\.every is 4 .*, but task\.holdout is 0'
finish
