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
finish
