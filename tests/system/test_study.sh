#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# jobs/study: what the grid lists; a small grid that is stopped, killed, resumed and run as an array; the tables, against figures worked out by hand
. "$top_srcdir/tests/system/lib.sh"
study () { run env GRID="$GRID" JOBS="${JOBS-2}" PYTHON3="${python-}" LOG_EVERY=0 MPIRUN="$MPIRUN" bash "$top_srcdir/jobs/study/study.sh" "$solera" "$@"; }

# the grids: every run once, base models first, whole for a seed before the next; names of objectives that exist
for GRID in full small beyond; do
  study "$t/none" list; is 0 $rc "GRID=$GRID list"
  cp log $GRID.list
  is "" "$(cut -d ' ' -f 2 $GRID.list | sort | uniq -d)" "runs that $GRID has twice"
  is "" "$(sed -n 's/.*objective.name=\([^ ]*\).*/\1/p' $GRID.list | sort -u | while read -r o; do "$solera" help objectives | grep -q "^  $o " || echo "$o"; done)" "objectives that do not exist in $GRID"
  is "seed" "$(sed 's/^[0-9]* \(seed\)[0-9]*\/base .*/\1/; s/^[0-9]* .*/rest/' $GRID.list | uniq | head -n 1)" "first in $GRID"
  is "" "$(grep -v base $GRID.list | sed 's/^[0-9]* seed\([0-9]*\).*/\1/' | awk '$1 < last {print; exit} {last = $1}')" "a seed of $GRID out of its turn"
done
is 300 "$(grep -c ' seed[1-5]/main/[a-z0-9_]*_s\(0\|4\|16\|64\|128\|256\) 1 train ' full.list)" "runs of 10 methods at 6 stalenesses with 5 seeds"
is 60 "$(grep -c ' seed[1-5]/mixed/.* staleness.k=0 staleness.trace=' full.list)" "runs with mixed staleness"
GRID=small,nothing; study "$t/none" list; is 2 $rc "a grid that does not exist"; has "GRID is 'nothing': expected"

small="task.steps=1 task.holdout=0.1 batch.prompts=8 eval.prompts=16"
B="seed1/base 1 sft jobs/chain_base.yaml seed=1 train.updates=60 model.layers=1 model.width=32 model.heads=2 model.kv_heads=1 model.mlp=64 task.steps=1 task.holdout=0.1 eval.prompts=64"
A="seed1/main/m2po_s8 1 train jobs/study/chain.yaml model.path=@/seed1/base/model seed=1 objective.name=m2po staleness.k=8 $small eval.every=8 checkpoint.every=8"
C="seed1/same/learners2 4 train jobs/study/chain.yaml model.path=@/seed1/base/model seed=1 objective.name=m2po staleness.k=8 $small eval.every=0 train.updates=16 learner.leaves=8 learners=2"
GRID=$t/grid
printf '# a comment\n%s\n%s train.updates=600\n%s\n' "$B" "$A" "$C" >grid

# TERM: checkpoints, exit status 130, and a line that says so
env GRID="$GRID" JOBS=2 PYTHON3= MPIRUN="$MPIRUN" LOG_EVERY=0 bash "$top_srcdir/jobs/study/study.sh" "$solera" "$t/s" >stopped.log 2>&1 &
pid=$!
grown () { [ "$(lines s/seed1/main/m2po_s8/metrics.jsonl)" -ge 20 ]; }
wait_for 60 grown; ok $? "the study runs"
kill -TERM $pid; wait $pid; is 130 $? "stopped by TERM"
cp stopped.log log; has 'stopping: each run'; has 'stopped; the same command goes on'
is stopped "$(state s/seed1/main/m2po_s8)" "the run in hand"
at=$(lines s/seed1/main/m2po_s8/metrics.jsonl)
[ "$at" -ge 20 ] && [ "$at" -lt 600 ]; ok $? "it stopped in between: after $at updates"
base_log=$(lines s/seed1/base.log)
study "$t/s" status; has '[12] of 3 finished'

# a run that is killed fails, and the rest is made
env GRID="$GRID" JOBS=1 PYTHON3= MPIRUN="$MPIRUN" LOG_EVERY=0 bash "$top_srcdir/jobs/study/study.sh" "$solera" "$t/s" >killed.log 2>&1 &
pid=$!
more () { [ "$(lines s/seed1/main/m2po_s8/metrics.jsonl)" -gt $((at + 8)) ]; }
wait_for 60 more; ok $? "it goes on from update $at"
kill -KILL "$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' s/seed1/main/m2po_s8/status.json)"
wait $pid; is 1 $? "a study with a run that was killed"
cp killed.log log; has 'FAILED: seed1/main/m2po_s8'; has '2 of 3 finished, 1 failed'

# the same line of the grid goes on; another one is refused
sed -i 's/ train.updates=600/ train.updates=64/' grid
study "$t/s" one 1; is 1 $rc "another line for a run that is there"
has 'FAILED: .*made by another line of the grid'
sed -i 's/ train.updates=64/ train.updates=600/' grid
python=$PYTHON3
study "$t/s"; is 0 $rc "the third start ends well"
has '3 runs in .*, 2 of them finished before'
is "done" "$(state s/seed1/main/m2po_s8)" "the killed run"
is "$base_log" "$(lines s/seed1/base.log)" "lines of the log of a base model that was finished before"
python=

# the same as an array, undisturbed, has the same weights
mkdir array
for i in 1 0; do # task 1 of 2 makes the base model itself
  OUT=$t/array SOLERA=$solera GRID=$GRID SLURM_ARRAY_TASK_ID=$i SLURM_ARRAY_TASK_COUNT=2 PYTHON3='' SLURM_SUBMIT_DIR=$top_srcdir run bash "$top_srcdir/jobs/study/study.sbatch"
  is 0 $rc "array task $i of 2"
done
for r in main/m2po_s8 same/learners2; do is "$(cat "s/seed1/$r.weights")" "$(cat "array/seed1/$r.weights")" "weights of $r, disturbed and not"; done
study "$t/array" status; has '3 of 3 finished'

[ -n "$PYTHON3" ] || finish
MPLCONFIGDIR=$t/mpl; export MPLCONFIGDIR
is "2 600" "$(awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "updates") c = i} NR > 1 {n++} $2 == "m2po_s8" {u = $c} END {print n, u}' s/runs.csv)" "runs in runs.csv, and updates of one"
is "$(cat s/seed1/main/m2po_s8.weights)" "$(awk -F, '$2 == "m2po_s8" {print $NF}' s/runs.csv)" "its weights there"
[ "$(head -c 4 s/curves.png | tail -c 3)" = PNG ]; ok $? "a figure"

# tables from a file whose means, intervals, paired differences and verdicts are known
cat >page.md <<'END2'
before
<!-- table: heldout -->
old
<!-- end -->
after
END2
run "$PYTHON3" -B "$top_srcdir/analysis/study.py" "$top_srcdir/tests/data/study/runs.csv"; is 0 $rc "study.py of a runs.csv"
row () { grep -qF -- "$1" log; ok $? "has $1"; }
row '| GRPO | 0.92 [0.90, 0.94], n 3 | 0.62 [0.60, 0.64], n 3 |'
row '| GSPO | - | 0.70, n 1 |'
row '| M2PO at s = 256 less GRPO at s = 256 | +2.8 to +11.2 points | +31.0 [+31.0, +31.0], n 3 | holds |'
row '| GSPO at s = 256 less GRPO at s = 0 | −2.6 to −7.5 points | -20.0, n 1 | open (one seed) |'
row '| without a trust region runs at s = 256 collapse | 3 of 3 models, after 4 to 7 s | 2 of 3 (at 120) | does not hold in every seed |'
row '| M2PO | - | 3.00 [3.00, 3.00], n 3 |'
row '| tau 0.16 | 1 | 256 | 0.80, n 1 |'
row '| M2PO, one lag, s = 256 | 3 | 256 | 0.93 [0.91, 0.95], n 3 |'
row '| M2PO, file:jobs/study/half.lags | 1 | 126 | 0.75, n 1 |'
row '2 runs, 1 different digest.'
row '| chain, GRPO | 6 | 78 | 7.8 | 1 | 0.25 |'
sed 's/,grad_norm,/,gradient,/' "$top_srcdir/tests/data/study/runs.csv" >bad.csv
run "$PYTHON3" -B "$top_srcdir/analysis/study.py" bad.csv; is 1 $rc "a runs.csv with another column"; has 'expected the columns part,run,method'
run "$PYTHON3" -B "$top_srcdir/analysis/study.py" s --document page.md; is 0 $rc "a page"
cp page.md log
has '^before$'; has '^\| M2PO \| 0\.[0-9]*, n 1 \|$'; has '^after$'
[ "$(grep -c old page.md)" -eq 0 ] && cmp -s s/runs.csv page/runs.csv; ok $? "the old table is gone, runs.csv is beside the page"
sed -i 's/heldout/nothing/' page.md
run "$PYTHON3" -B "$top_srcdir/analysis/study.py" s --document page.md; is 1 $rc "a mark without a table"; has 'no table of the name nothing'
finish
