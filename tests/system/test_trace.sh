#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 300. staleness.trace: a trace of one lag is exact mode with that k; mixed lags are those of the trace, on any number of ranks; a stop and --resume change nothing
. "$top_srcdir/tests/system/lib.sh"
base
mixed="small.yaml staleness.k=0 train.updates=40 batch.refill=2" # with groups that are generated again, under the version that their ticket is due from
run "$solera" train small.yaml roles=solo out=exact; is 0 $rc "exact, k=4"
run "$solera" train small.yaml roles=solo out=fixed staleness.k=0 staleness.trace=fixed:4; is 0 $rc "fixed:4"
is "$(weights exact)" "$(weights fixed)" "weights of a trace of one lag"
is "$(grep -oE '"(loss|lag_mean|grad_norm)":[^,]*' exact/metrics.jsonl | cksum)" "$(grep -oE '"(loss|lag_mean|grad_norm)":[^,]*' fixed/metrics.jsonl | cksum)" "loss, lag and gradient of every update"

printf '# lags of groups in turn\n0\n8\n2\n16\n4\n' >lags
run "$solera" train $mixed roles=solo out=solo staleness.trace=file:lags; is 0 $rc "lags of a file, solo"
want=$(weights solo)
[ "$want" != "$(weights exact)" ] && [ "$want" != "none in solo" ]; ok $? "weights: $want"
ranks 5 $mixed out=five brokers=2 staleness.trace=file:lags; is 0 $rc "2 brokers, 2 actors"
is "$want" "$(weights five)" "their weights"
if [ -n "$PYTHON3" ]; then
  run "$PYTHON3" -c '
import h5py, numpy as np
with h5py.File ("five/stats.h5") as f: s = {c: f["sequences/" + c][:] for c in ("ticket", "batch", "version_min", "version_max", "update")}
lag = np.array ([0, 8, 2, 16, 4])[s["ticket"] % 5]
assert (s["version_min"] == s["version_max"]).all () and (s["version_min"] == np.maximum (0, 2 * s["batch"] - lag)).all (), "lags"
assert (s["update"] >= 0).all () and len (np.unique (s["ticket"])) == 20 * 8
import json
with h5py.File ("five/stats.h5") as f: t = {c: f["tokens/" + c][:] for c in ("update", "version", "lp", "lp_behav", "verdict")}
d, lag, seen = (t["lp"] - t["lp_behav"]).astype (float), t["update"] - t["version"], 0
edges = np.array ([-1, -.3, -.1, -.03, -.01, -.003, -.001, .001, .003, .01, .03, .1, .3, 1])
for line in open ("five/metrics.jsonl"):
    m = json.loads (line)
    assert sum (b["n"] for b in m["lags"]) == m["n_tokens"]
    assert (np.bincount (lag[t["update"] == m["update"]])[m["lag_first"]:] == m["lag_histogram"]).all () and len (m["lag_histogram"]) == m["lag_max"] - m["lag_min"] + 1, "every lag is counted"
    for b in m["lags"]:
        here = (t["update"] == m["update"]) & (lag >= b["lag"]) & (lag < max (1, 2 * b["lag"]))
        x, r = d[here], np.exp (d[here])
        assert len (x) == b["n"] and ((t["verdict"][here] & 14) != 0).sum () == b["clipped"] and sum (b["d"]) == b["n"], "counts by lag"
        assert abs (np.mean (x * x) - b["m2"]) < 1e-9 and abs (r.sum () ** 2 / (r * r).sum () / len (r) - b["ess"]) < 1e-7, "M2 and ESS by lag"
        inside = np.abs (np.abs (x)[:, None] - np.abs (edges)[None, :]).min () > 1e-9
        assert not inside or list (np.histogram (x, np.concatenate (([-np.inf], edges, [np.inf])))[0]) == b["d"], "log-ratios by lag"
        seen += 1
assert seen > 80, seen
print (sorted (set ((2 * s["batch"] - s["version_min"]).tolist ())))'
  is 0 $rc "every group has the lag that the file gives it"
  has '^\[0, 2, 4, .*16\]$'
fi

run "$solera" info five; is 0 $rc "solera info"
has '^  16-17: [1-9]'

# stopped at the end of a shorter run, and in the middle by a signal: the queue of the checkpoint holds groups of many lags
ranks 3 $mixed out=part train.updates=20 staleness.trace=file:lags; is 0 $rc "a shorter run"
ranks 4 $mixed out=part staleness.trace=file:lags --resume; is 0 $rc "a longer one continues it"
is "$want" "$(weights part)" "weights"
run "$solera" train $mixed roles=solo out=part train.updates=44 --resume staleness.trace=fixed:8; is 2 $rc "another trace on --resume"
has 'staleness\.trace'
printf '0\n8\n2\n16\n6\n' >lags
run "$solera" train $mixed roles=solo out=part train.updates=44 --resume staleness.trace=file:lags; is 1 $rc "another file of the same name on --resume"
has 'queue'

# random lags follow from the seed
for i in 3 5; do ranks $i $mixed out=geo$i staleness.trace=geometric:0.2:32; is 0 $rc "geometric, $i ranks"; done
is "$(weights geo3)" "$(weights geo5)" "their weights"
is "$(cat geo3/fresh.jsonl | cksum)" "$(cat geo5/fresh.jsonl | cksum)" "their fresh rewards"
is 21 "$(lines geo3/fresh.jsonl)" "versions with fresh rewards"

# lags above the run's length: what is generated for nothing is said
run "$solera" train small.yaml roles=solo out=above staleness.k=40 train.updates=4; is 0 $rc "k above the run's length"
has 'warn run: the run has 4 updates, and with staleness.k 40 all of it is trained on version 0, as with 2: 184 groups \(736 responses\) are generated, of which 16 are trained and 168 wait'
is 184 "$(sed -n 's/.*"responses":\([0-9]*\).*/\1/p' above/fresh.jsonl | awk '{n += $1 / 4} END {print n}')" "as many were"
run "$solera" train small.yaml roles=solo out=below staleness.k=2 train.updates=4; is 0 $rc "as with 2"
is "$(weights above)" "$(weights below)" "the same weights"; ! grep -q 'are generated, of which' log; ok $? "nothing is said of it"
run "$solera" train small.yaml roles=solo out=above2 staleness.k=0 staleness.trace=fixed:40 train.updates=4; is 0 $rc "a trace above the run's length"
has 'lags of staleness.trace are too long for it: 184 groups .* of which 16 are trained'
is "$(weights above)" "$(weights above2)" "the same weights"

refused () { run "$solera" train $mixed roles=solo out=none "$@"; is 2 $rc "refused: $*"; }
refused staleness.trace=fixed:3; has 'multiple of batch.updates_per_step'
refused staleness.trace=sometimes; has 'staleness.trace is sometimes: expected fixed:LAG'
refused staleness.trace=fixed:4 staleness.k=4; has 'staleness.k is 4'
refused staleness.trace=fixed:4 staleness.mode=free; has 'staleness.mode is free'
printf '0\n8\nx\n' >lags
refused staleness.trace=file:lags; has 'lags:3: expected a lag'
[ ! -e none ]; ok $? "none of them left a folder"
finish
