#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# which log-probs a run records at a sampling temperature other than 1: tempered and not, both those of the policy that generated
. "$top_srcdir/tests/system/lib.sh"
[ -n "$PYTHON3" ] || { echo "1..0 # SKIP no Python with h5py"; exit 0; }
base
for temperature in 1 0.7; do
  run "$solera" train small.yaml roles=solo train.updates=4 staleness.k=0 rollout.temperature=$temperature out=t$temperature; is 0 $rc "temperature $temperature"
done
# the responses that the base model made, scored anew by it
cat >rows.py <<'END'
import json, sys
import h5py, numpy as np
with h5py.File ("t0.7/stats.h5") as f:
    t, s = {c: f["tokens/" + c][:] for c in f["tokens"]}, {c: f["sequences/" + c][:] for c in f["sequences"]}
first = np.flatnonzero (t["version"] == 0)
order = first[np.lexsort ((t["position"][first], t["seq"][first]))]
if sys.argv[1] == "rows":
    for q in np.unique (t["seq"][order]):
        i = np.flatnonzero (s["seq"] == q)[0]
        prompt = s["prompt_tokens"][s["prompt_first"][i]:s["prompt_first"][i] + s["n_prompt"][i]]
        print (json.dumps ({"ids": [int (x) for x in prompt] + [int (x) for x in t["token"][order][t["seq"][order] == q]]}))
else:
    name, rows, at, good = sys.argv[2], [json.loads (x)["logprobs"] for x in open (sys.argv[3])], 0, 0
    for q, row in zip (np.unique (t["seq"][order]), rows):
        mine = t[name][order][t["seq"][order] == q]
        good += int ((np.array (row[-len (mine):], dtype=np.float32) == mine).sum ())
    print (good, len (order), "equal")
    sys.exit (good != len (order) or len (order) < 100)
END
"$PYTHON3" -B rows.py rows >rows.jsonl 2>log; ok $? "responses of the first weights: $(wc -l <rows.jsonl)"
for pair in lp_raw:1 lp_behav:0.7; do
  "$solera" score base/model rollout.temperature=${pair#*:} <rows.jsonl >scores.jsonl 2>log; ok $? "scored at temperature ${pair#*:}"
  "$PYTHON3" -B rows.py compare "${pair%:*}" scores.jsonl >log 2>&1; ok $? "${pair%:*} are these, bit for bit: $(tail -n 1 log)"
done
"$PYTHON3" -B -c 'import h5py; f = h5py.File ("t1/stats.h5"); assert "lp_raw" not in f["tokens"] and "lp_prox" not in f["tokens"]' >log 2>&1; ok $? "at temperature 1 there is no second column"
# lp_check: the same responses by the actor's own forward pass; on a CPU that is what it sampled with, bit for bit, so the correction is 1
run "$solera" train small.yaml roles=solo train.updates=4 staleness.k=0 rollout.temperature=0.7 lp_check.record=true lp_check.correct=tis out=check; is 0 $rc "lp_check"
"$PYTHON3" -B -c 'import h5py; t = h5py.File ("check/stats.h5")["tokens"]; assert (t["lp_check"][:] == t["lp_behav"][:]).all () and len (t["lp"]) > 100 and "lp_check" not in h5py.File ("t0.7/stats.h5")["tokens"]' >log 2>&1
ok $? "lp_check is what was recorded while sampling"
is "$(weights t0.7)" "$(weights check)" "and corrects nothing"
grep -q '"check_mean":0,"check_max":0,"check_kl":0,"check_capped":0,' check/metrics.jsonl; ok $? "the metrics say so"
grep -q '"check_mean":null,"check_max":null,"check_kl":null,"check_capped":null,' t0.7/metrics.jsonl; ok $? "and nothing where it is not recorded"
run "$solera" rescore check --objective grpo; is 0 $rc "re-scored"; has "^self gave every recorded verdict again, [1-9]"
run "$solera" train small.yaml roles=solo lp_check.correct=tis out=no; is 2 $rc "the correction without the column"; has 'lp_check.correct is tis.*lp_check.record is false'
run "$solera" train small.yaml roles=solo lp_check.record=true staleness.mode=bounded staleness.in_flight=true out=no; is 2 $rc "with changes in flight"; has 'staleness.in_flight is true'
bytes () { sed -n 's/.*statistics: at most \([0-9.e+]*\) MB.*/\1/p' "$1/log.txt"; }
"$PYTHON3" -c 'import sys; a, b = map (float, sys.argv[1:]); assert b > a' "$(bytes t1)" "$(bytes t0.7)" >log 2>&1; ok $? "the expected bytes count it"
finish
