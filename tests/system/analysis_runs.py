# SPDX-License-Identifier: Apache-2.0
"""Run folders whose figures are known, for the tests of analysis/: make (folder, rates, clip, ...). Files as docs/statistics.md describes them."""
import json
import os

import h5py
import numpy as np

points = 0


def ok(good, text):
    """a point of the test, in TAP"""
    global points
    points += 1
    print(f"{'' if good else 'not '}ok {points} - {text}")


def plan():
    """the last line: how many points there were"""
    print(f"1..{points}")


SETTINGS = """# program: solera 0.0 (test)
# hosts: nowhere
out: "{out}"
seed: {seed}
learners: 1
model:
  path: "{out}/base"
task:
  name: chain
  stop: ["a: b", "c"]
rollout:
  temperature: 1
staleness:
  mode: exact
  k: {k}
objective:
  name: "{objective}"
  tau: {tau}
  clip_low: {clip}
eval:
  every: 0
"""
UNUSED = ("lr", "loss", "share_T", "cut", "entropy", "entropy_behav", "ratio_dev", "truncated_share", "zero_groups_share", "queue_groups", "tokens_per_s_generated", "tokens_per_s_trained",
          "generate_s", "wait_s", "forward_s", "select_s", "backward_s", "reduce_s", "optimizer_s", "write_s", "publish_s", "low_share", "high_share", "masked_share", "response_length")


def tokens(n, updates, k):
    """|r-1| uniform on [0, 0.69], entropy 10 |r-1|, the alphabet's tokens in turn, six tokens a response; those with |r-1| > 0.6 are masked"""
    rng = np.random.default_rng(1)
    dev, behav = rng.uniform(0, 0.69, n), rng.uniform(-3, -1, n).astype("f4")
    update = np.sort(rng.integers(0, updates, n)).astype("i4")
    return {"update": update, "seq": np.arange(n, dtype="i8") // 6, "position": (np.arange(n) % 6).astype("i4"), "token": (np.arange(n) % 16).astype("i4"),
            "version": np.maximum(update - k, 0).astype("i4"), "lp_behav": behav, "lp": (behav + np.log1p(dev)).astype("f4"), "entropy": (10 * dev).astype("f4"),
            "advantage": np.where(np.arange(n) // 6 % 2, 1, -1).astype("f4"), "verdict": np.where(dev > 0.6, 9, 1).astype("u1")}


def statistics(folder, columns, version=2):
    n = len(columns["lp"])
    os.makedirs(os.path.join(folder, "stats"), exist_ok=True)
    for name in ("stats/0000.0000.h5", "stats.h5"):
        with h5py.File(os.path.join(folder, name), "w") as f:
            f.attrs["version"] = version
            for c, values in columns.items():
                f["tokens/" + c] = values
            if name == "stats.h5":
                for c, v in (("launch", 0), ("learner", 0), ("tokens", n)):
                    f["sources/" + c] = np.array([v], dtype="i8")


def metrics(folder, updates, clip, columns, k):
    """clip_share is unknown at update 0 and `clip` after it; m2_before 0.1, m2_after 0.03; grad_norm 1, and 5 in the last quarter"""
    dev = np.abs(np.exp(columns["lp"] - columns["lp_behav"]) - 1)
    sign, bins = (columns["advantage"] > 0).astype(int), np.minimum(dev / 0.025, 27).astype(int)
    with open(os.path.join(folder, "metrics.jsonl"), "w") as f:
        for u in range(updates):
            mine = columns["update"] == u
            row = {"update": u, "batch": u // 4, "n_tokens": int(mine.sum()), "n_sequences": 8, "time_s": 0.1 * u, "clip_share": clip if u else None, "m2_before": 0.1, "m2_after": 0.03,
                   "m2_all": 0.05, "kl_k1": 0.01, "kl_k3": 0.02, "ess": 0.9, "grad_norm": 5.0 if u > 3 * updates // 4 else 1.0, "reward_consumed": 0.5, "reward_fresh": 0.6}
            row.update({c: 0.25 for c in UNUSED})
            n, total = np.zeros((2, 28), int), np.zeros((2, 28))
            np.add.at(n, (sign[mine], bins[mine]), 1)
            np.add.at(total, (sign[mine], bins[mine]), columns["entropy"][mine])
            row.update({"lag_min": min(u, k), "lag_mean": min(u, k), "lag_max": min(u, k), "lag_first": min(u, k), "lag_histogram": [int(mine.sum())] + 15 * [0]})
            f.write(json.dumps({**row, "entropy_n": n.tolist(), "entropy_sum": total.tolist()}) + "\n")


def make(folder, rates, clip=0.0, objective="grpo", k=0, seed=0, tau="auto", low="auto", responses=256):
    """a run whose version 4 i has pass rate rates[i]; the last line of fresh.jsonl is cut by a kill"""
    os.makedirs(folder)
    with open(os.path.join(folder, "settings.yaml"), "w") as f:
        f.write(SETTINGS.format(out=folder, seed=seed, k=k, objective=objective, tau=tau, clip=low))
    updates = 4 * (len(rates) - 1)
    with open(os.path.join(folder, "status.json"), "w") as f:
        json.dump({"state": "done", "reason": "all updates are made", "update": updates, "updates": updates, "time": "2000-01-01T00:00:00Z"}, f)
    with open(os.path.join(folder, "fresh.jsonl"), "w") as f:
        for i, r in enumerate(rates):
            f.write(json.dumps({"version": 4 * i, "reward": r, "responses": responses}) + "\n")
        f.write('{"version":')
    columns = tokens(5000, updates, k)
    metrics(folder, updates, clip, columns, k)
    statistics(folder, columns)


UP = list(np.linspace(0.4, 0.95, 81))


def study(folder, shift, seed=0):
    """the demonstration's four runs; the one without a trust region collapses"""
    up = list(np.array(UP) + shift)
    down = up[:30] + list(np.linspace(up[29], 0.1, 51))
    for name, rates, clip in (("grpo_s0", up, 0.0), ("grpo_s256", up, 0.05), ("grpo_no_tr_s256", down, 0.0), ("m2po_s256", up, 0.03)):
        objective, s = name.rsplit("_s", 1)
        make(os.path.join(folder, name), rates, clip, objective, int(s), seed, 0.04 if objective == "m2po" else "auto", 0.2 if objective == "grpo" else "auto")
