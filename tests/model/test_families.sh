#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Folders of every family, written and read by transformers, score the same here. Needs a Python with torch and transformers: TORCH_PYTHON, or python3 of the PATH.
python=
for p in "$TORCH_PYTHON" python3; do
  [ -n "$p" ] && "$p" -c 'import torch, transformers' 2>/dev/null && { python=$p; break; }
done
[ -n "$python" ] || { echo "1..0 # SKIP no Python with torch and transformers (TORCH_PYTHON=PATH names one)"; exit 0; }
. "$top_srcdir/tests/system/lib.sh"
script=$top_srcdir/tests/model/families.py
"$python" -B "$script" models >names 2>log; ok $? "transformers writes the models"
[ "$(lines names)" -ge 15 ]; ok $? "$(lines names) of them"
while read -r name; do
  "$solera" score "models/$name" model.dtype=f32 <"models/$name/rows.jsonl" >"got.$name" 2>log || { ok 1 "$name"; continue; }
  found=$("$python" -B "$script" --compare "got.$name" "models/$name/want.jsonl" 2>&1)
  case $found in *" right") ok 0 "$name: log-probs differ by at most ${found% right}" ;; *) echo "$found" >log; ok 1 "$name" ;; esac
done <names
# and back: an update that changes nothing, whose written folder transformers reads
while read -r name; do
  "$solera" sft model.path="models/$name" out="models/$name/run" task.name=chain task.steps=1 rollout.max_prompt=8 rollout.max_tokens=8 sft.batch=4 train.updates=1 train.lr=0 train.weight_decay=0 \
    eval.prompts=1 >log 2>&1 || ok 1 "$name is written"
done <names
"$python" -B "$script" --back models >back 2>log; ok $? "transformers reads what is written"
is "$(lines names)" "$(lines back)" "models read"
while read -r name class verdict; do [ "$verdict" = right ] || echo "$verdict" >log; [ "$verdict" = right ]; ok $? "$name: written as $class, the same log-probs"; done <back
finish
