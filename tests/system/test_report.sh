#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The report of analysis/ on real runs: several learners, a resumed run, evaluations; the page in headless Chromium where there is one.
. "$top_srcdir/tests/system/lib.sh"
[ -n "$PYTHON3" ] || { echo "1..0 # SKIP no Python with h5py and matplotlib"; exit 0; }
MPLCONFIGDIR=$t/mpl; SOLERA=$solera; export MPLCONFIGDIR SOLERA
base
ranks 4 small.yaml learners=2 eval.every=8 eval.prompts=16 objective.tau=1e-3 checkpoint.every=4 train.updates=12 out=a
is 0 $rc "a run on two learners"
ranks 4 small.yaml learners=2 eval.every=8 eval.prompts=16 objective.tau=1e-3 checkpoint.every=4 train.updates=24 out=a --resume
is 0 $rc "goes on"
run "$solera" train small.yaml roles=solo objective.name=grpo out=b
is 0 $rc "another run"
exec "$PYTHON3" -B "$top_srcdir/tests/system/test_report.py" "$top_srcdir/analysis" "$top_srcdir/tests/data" "$t" "$n"
