#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Several learners on devices, each an emulated one, sums and shares through the NCCL calls: they follow one learner and the host, repeat bit for bit, continue in another number, and publish
# the weights that they train.
. "$top_srcdir/tests/system/lib.sh"
"$solera" info | grep -q 'emu: runs yes' || { echo "1..0 # SKIP $("$solera" info | sed -n 's/^ *emu: runs no because //p')"; exit 0; }
"$solera" info | grep -q 'emu: .*without NCCL' && { echo "1..0 # SKIP the plugin was built without NCCL"; exit 0; }
# largest relative difference of a key of metrics.jsonl; absolute where the value is under 1
differ () { # KEY RUN RUN
  for r in "$2" "$3"; do sed -n "s/^{\"update\":\([0-9]*\),.*\"$1\":\([-0-9.e+]*\)[,}].*/\1 \2/p" "$r/metrics.jsonl"; done |
    awk '{ if ($1 in x) { d = x[$1] - $2; if (d < 0) d = -d; s = x[$1] < 0 ? -x[$1] : x[$1]; if (s > 1) d /= s; if (d > w) w = d; n++ } else x[$1] = $2 } END { if (n < 4) w = 99; printf "%.4f", w }'
}
within () { awk "BEGIN { exit !($1 <= $2) }"; ok $? "$3: off by $1, at most $2"; }
sft () { np=$1; shift; run timeout -k 5 120 "$MPIRUN" -n "$np" "$solera" sft wide.yaml model.dtype=bf16 "$@"; } # RANKS SETTINGS

# three chunks of the optimizer's state: of 4 learners one has nothing, of 2 one has more
cat >wide.yaml <<'END'
model: {layers: 2, width: 96, heads: 3, kv_heads: 1, mlp: 224, tied: true}
task: {name: chain, steps: 1, holdout: 0.1}
rollout: {max_prompt: 8, max_tokens: 8}
sft: {batch: 8, noise: 0.3}
train: {updates: 4, lr: 0.003, warmup: 0, beta2: 0.99}
checkpoint: {every: 2}
eval: {prompts: 4}
END
run "$solera" sft wide.yaml model.dtype=bf16 out=cpu backend.name=cpu; is 0 $rc "on the host"
sft 1 out=one backend.name=emu; is 0 $rc "one learner"
for k in 2 4; do
  sft $k out=by$k backend.name=emu; is 0 $rc "$k learners"
  within "$(differ loss one by$k)" 0.01 "losses of $k learners and of one"
  within "$(differ grad_norm one by$k)" 0.02 "their gradient norms"
  within "$(differ loss cpu by$k)" 0.02 "losses of $k learners and of the host"
done
sft 4 out=again backend.name=emu; is 0 $rc "4 learners again"
is "$(weights by4)" "$(weights again)" "the same weights"
SOL_EMU_EAGER=1 sft 4 out=eager backend.name=emu; is 0 $rc "sums as early as their order allows, beside a late backward pass"
is "$(weights by4)" "$(weights eager)" "the same weights"
for k in 4 2; do
  rm -rf again/checkpoints/u00000004 again/model; echo u00000002 >again/checkpoints/latest
  sft $k out=again backend.name=emu --resume; is 0 $rc "$k learners continue what 4 began"
  [ $k -ne 4 ] || is "$(weights by4)" "$(weights again)" "the same weights"
  within "$(differ loss by4 again)" 0.01 "losses"
done

# each learner has a device of its own, or nothing begins
two="small.yaml model.path=by2/model model.dtype=bf16 learner.leaves=0 learners=2 train.updates=2 batch.prompts=2 staleness.k=0 backend.name=emu"
base
export SOL_EMU_DEVICES=1
ranks 4 $two out=shared; [ $rc -ne 0 ]; ok $? "two learners on one device: exit $rc"; has ' error learner: host .*: 2 learners would share 1 device: '
is 1 "$(grep -c ' error learner: ' "$t/log")" "it is said once"
[ ! -e shared ]; ok $? "no folder is made"
sft 2 out=shared backend.name=emu; [ $rc -ne 0 ]; ok $? "sft with two: exit $rc"; has '2 learners would share 1 device: '
[ ! -e shared ]; ok $? "no folder is made"
run env SOL_EMU_DEVICES=2 timeout -k 5 120 "$MPIRUN" -n 4 env -u OMPI_COMM_WORLD_LOCAL_RANK "$solera" train $two out=apart; is 0 $rc "on two devices, under a launcher that says nothing of local numbers"
. "$top_srcdir/tests/system/pretended_hosts.sh"
if hosts_can; then
  placed () { printf '%s\n' $1 >ranks.txt; shift; run several_hosts timeout -k 5 120 "$MPIRUN" -n 4 --map-by seq --hostfile ranks.txt --bind-to none "$solera" train $two "$@"; }
  placed "one one two two" out=hosts; is 0 $rc "on two hosts of one device"
  placed "one two two one" out=shared; [ $rc -ne 0 ]; ok $? "both on the second: exit $rc"; has 'host two: 2 learners would share 1 device: '
fi
unset SOL_EMU_DEVICES

# actors on the learners' newest weights: log-probs that they record are the learners' own
ranks 4 small.yaml model.path=by2/model model.dtype=bf16 learner.leaves=0 learners=2 train.micro_batch_tokens=32 staleness.k=0 batch.updates_per_step=1 train.updates=4 out=rl backend.name=emu
is 0 $rc "two learners, a broker and an actor"
is 4 "$(lines rl/metrics.jsonl)" "updates"
is 0 "$(grep -c '"grad_norm":0,' rl/metrics.jsonl)" "updates with no gradient"
most=$(sed -n 's/.*"m2_all":\([-0-9.e+]*\)[,}].*/\1/p' rl/metrics.jsonl | sort -g | tail -n 1)
within "${most:-99}" 0.0001 "mean square of recorded against recomputed log-probs"
finish
