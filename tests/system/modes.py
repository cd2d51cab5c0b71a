# SPDX-License-Identifier: Apache-2.0
# modes.py RUN MODE K UPS PROMPTS GROUP FIRST-POINT: what a finished run's files must agree about, whatever its staleness mode; prints TAP points from FIRST-POINT + 1 on
import json, sys
import h5py
import numpy as np
run, mode = sys.argv[1:3]
k, ups, prompts, group, n = (int(a) for a in sys.argv[3:8])
def ok(good, text):
    global n
    n += 1
    print(f"{'' if good else 'not '}ok {n} - {run}: {text}")
lines = [json.loads(line) for line in open(run + "/metrics.jsonl")]
with h5py.File(run + "/stats.h5") as f:
    tok = {c: f["tokens/" + c][:] for c in ("update", "seq", "position", "version", "lp_behav", "lp", "advantage")}
    sq = {c: f["sequences/" + c][:] for c in ("seq", "ticket", "update", "batch", "version_min", "version_max", "n_response", "advantage", "reward")}
updates, u = len(lines), tok["update"]
ok([m["update"] for m in lines] == list(range(updates)), f"each of {updates} updates has one line of metrics")
rows = np.bincount(u, minlength=updates)
ok(len(rows) == updates and (rows == [m["n_tokens"] for m in lines]).all() and len(u) > 0, f"{len(u)} token rows, every update's are its n_tokens")
lag = u - tok["version"]
low, high = np.full(updates, 10**6), np.full(updates, -1)
np.minimum.at(low, u, lag), np.maximum.at(high, u, lag)
ok((low == [m["lag_min"] for m in lines]).all() and (high == [m["lag_max"] for m in lines]).all() and lag.min() >= 0, f"lags {lag.min()} to {lag.max()}, as the metrics say")
first = u // ups * ups - tok["version"]
if mode == "exact": ok((tok["version"] == np.maximum(0, u // ups * ups - k)).all(), "every token from the version that its batch is due from")
if mode == "bounded": ok(first.max() <= k and lag.max() <= k + ups - 1, f"lag at most {first.max()} at a batch's first update, {lag.max()} in all; k is {k}")
ok(len(np.unique(sq["seq"])) == len(sq["seq"]) and (sq["seq"] // group == sq["ticket"]).all(), f"{len(sq['seq'])} responses, each once")
t = sq["update"] >= 0
mini = prompts * group // ups
ok((np.bincount(sq["update"][t], minlength=updates) == mini).all() and (sq["batch"][t] == sq["update"][t] // ups).all(), f"{mini} responses trained an update")
if mode != "free": ok(set(sq["ticket"][t]) == set(range(updates // ups * prompts)), "none lost: tickets without a gap")
if mode == "exact": ok((~t).sum() == (k // ups + 1) * prompts * group and sq["batch"][~t].min() == updates // ups, f"{(~t).sum()} responses at the end stay untrained, with update -1")
order = np.argsort(sq["seq"][t])
ids, where = np.unique(tok["seq"], return_inverse=True)
vmin, vmax = np.full(len(ids), 10**6), np.full(len(ids), -1)
np.minimum.at(vmin, where, tok["version"]), np.maximum.at(vmax, where, tok["version"])
same = len(ids) == t.sum() and (ids == sq["seq"][t][order]).all()
ok(same and (np.bincount(where) == sq["n_response"][t][order]).all(), "token rows and responses are the same ones, at full length")
ok(same and (vmin == sq["version_min"][t][order]).all() and (vmax == sq["version_max"][t][order]).all(), f"versions of tokens and responses ({(vmin < vmax).sum()} responses under changing weights)")
if "flight" in run: ok((vmin < vmax).any(), "some were under changing weights")
else: ok((vmin == vmax).all(), "one version a response")
ok(same and (tok["advantage"] == sq["advantage"][t][order][where]).all(), "one advantage a response")
# where weights change in flight, a prompt's keys may be older than every token of a response behind it: the group's first version tells
group_of = np.unique(ids // group, return_inverse=True)[1]
oldest = np.full(group_of.max() + 1, 10**6)
np.minimum.at(oldest, group_of, vmin)
fresh = (lag == 0) & (oldest[group_of][where] == tok["version"])
ok((tok["lp"][fresh] == tok["lp_behav"][fresh]).all(), f"lag 0: the same log-probs, bit for bit, in {fresh.sum()} tokens")
print(f"#{n}")
