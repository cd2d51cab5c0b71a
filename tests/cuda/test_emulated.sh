#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The whole trainer through the CUDA code, every CUDA thread a fiber on this host: supervised and reinforcement learning follow the host's numbers, runs repeat bit for bit, checkpoints continue,
# and diff finds no op that is off.
. "$top_srcdir/tests/system/lib.sh"
"$solera" info | grep -q 'emu: runs yes' || { echo "1..0 # SKIP $("$solera" info | sed -n 's/^ *emu: runs no because //p')"; exit 0; }
base
sft="base.yaml model.dtype=bf16 train.updates=12 eval.prompts=16"
run "$solera" sft $sft out=sft_cpu backend.name=cpu; is 0 $rc "sft on the host"
run "$solera" sft $sft out=sft_emu backend.name=emu; is 0 $rc "sft on emu"
# largest relative difference of a key of metrics.jsonl over the updates below $4; absolute where the value is under 1
differ () { # KEY RUN RUN UPDATES
  for r in "$2" "$3"; do sed -n "s/^{\"update\":\([0-9]*\),.*\"$1\":\([-0-9.e+]*\)[,}].*/\1 \2/p" "$r/metrics.jsonl" | awk -v n="$4" '$1 < n'; done |
    awk '{ if ($1 in x) { d = x[$1] - $2; if (d < 0) d = -d; s = x[$1] < 0 ? -x[$1] : x[$1]; if (s > 1) d /= s; if (d > w) w = d; n++ } else x[$1] = $2 } END { if (n < 2) w = 99; printf "%.4f", w }'
}
within () { awk "BEGIN { exit !($1 <= $2) }"; ok $? "$3: off by $1, at most $2"; }
within "$(differ loss sft_cpu sft_emu 12)" 0.05 "losses of 12 supervised updates"
within "$(differ grad_norm sft_cpu sft_emu 10)" 0.1 "gradient norms of the first 10"

rl="small.yaml roles=solo learner.leaves=0 model.dtype=bf16 train.updates=8 objective.name=m2po"
run "$solera" train $rl out=cpu backend.name=cpu; is 0 $rc "train on the host"
run "$solera" train $rl out=emu backend.name=emu checkpoint.every=4; is 0 $rc "train on emu"
has 'lag 0: recorded and recomputed log-probs differ'
within "$(differ loss cpu emu 8)" 0.03 "losses of 8 updates"
within "$(differ entropy cpu emu 8)" 0.05 "entropies"
run "$solera" train $rl out=again backend.name=emu; is 0 $rc "train on emu again"
is "$(weights emu)" "$(weights again)" "the same weights"
run "$solera" train $rl out=diff backend.name=diff; is 0 $rc "diff: every op on emu and as plain loops"
is "$(weights emu)" "$(weights diff)" "diff: the same weights"
rm -rf emu/checkpoints/u00000008 emu/model; echo u00000004 >emu/checkpoints/latest
run "$solera" train $rl out=emu backend.name=emu --resume; is 0 $rc "it continues from update 4"
is "$(weights again)" "$(weights emu)" "the same weights"
SOL_EMU_SCHED=rev run "$solera" train $rl out=rev backend.name=emu; is 0 $rc "threads in the reverse order"
is "$(weights again)" "$(weights rev)" "the same weights"
ranks 4 small.yaml learner.leaves=0 model.dtype=bf16 train.updates=8 out=four backend.name=emu; is 0 $rc "four ranks"
within "$(differ loss cpu four 8)" 0.03 "losses of four ranks"
for more in "learner.leaves=4:leave it 0" "learners=2 learner.leaves=4:leave it 0" "learners=2 learner.leaves=0 backend.name=diff:expected one learner"; do
  ranks 4 small.yaml model.dtype=bf16 out=refused backend.name=emu ${more%%:*}; [ $rc -ne 0 ]; ok $? "${more%%:*}: exit $rc"; has "${more#*:}"
  is 1 "$(grep -c ' error learner: ' "$t/log")" "it is said once"
  [ ! -e refused ]; ok $? "no folder is made"
done
# heads that the device's attention cannot hold; the host can
odd="small.yaml model.path= model.layers=1 model.width=72 model.heads=2 model.kv_heads=1 model.mlp=64 train.updates=2"
ranks 4 $odd out=odd backend.name=emu; [ $rc -ne 0 ]; ok $? "heads of 36: exit $rc"; has 'attention heads of size 36: expected a multiple of 8 up to 128 on emu'
[ ! -e odd ]; ok $? "no folder is made"
ranks 4 $odd out=odd backend.name=cpu; is 0 $rc "heads of 36 on the host"
finish
