#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# demo.sh PROGRAM [FOLDER [SEED]]: the demonstration of docs/demo.md. One base model, four runs of reinforcement learning on four ranks, a table, a figure and a page.
# Finished runs are kept, interrupted ones go on from their last checkpoint, so it may be stopped and started at any time.
#   RUNS="m2po_s256 ..."  only these        SETTINGS="key=value ..."  more settings for the four runs       RANKS=4
set -eu
solera=$(realpath "$1"); out=${2-runs/demo}; seed=${3-0}
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
. tests/env.sh
python=${PYTHON3-$(sed -n 's/^PYTHON3 = //p' "$(dirname "$solera")/Makefile" 2>/dev/null || true)}
settings=${SETTINGS-}

finished () { grep -qs '"state": *"done"' "$1/status.json"; }
step () { # NAME COMMAND...: run it in FOLDER/NAME unless that is finished
  name=$1; shift
  if finished "$out/$name"; then echo "== $name: finished before, kept"; return; fi
  echo "== $name"
  begin=$(date +%s)
  "$@" out="$out/$name" --resume
  echo "== $name: $(($(date +%s) - begin)) s"
}
rl () { # NAME OBJECTIVE K
  step "$1" "${MPIRUN-mpirun}" -n "${RANKS:-4}" "$solera" train jobs/chain.yaml model.path="$out/base/model" seed="$seed" objective.name="$2" staleness.k="$3" $settings
}

begin_all=$(date +%s)
mkdir -p "$out"
step base "$solera" sft jobs/chain_base.yaml seed="$seed"
for run in ${RUNS:-grpo_s0 grpo_s256 grpo_no_tr_s256 m2po_s256}; do rl "$run" "${run%_s*}" "${run##*_s}"; done
if [ -n "$python" ]; then
  "$python" analysis/demo.py "$out"
  "$python" analysis/report.py "$out" -o "$out/report.html" --title "The demonstration" 2>"$out/report.log" || { cat "$out/report.log" >&2; exit 1; }
  echo "page: $out/report.html"
else echo "no Python with h5py and matplotlib: analysis/demo.py $out makes the table and the figure"; fi
echo "$(($(date +%s) - begin_all)) s in all; everything is in $out"
