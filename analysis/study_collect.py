# SPDX-License-Identifier: Apache-2.0
"""The runs of a study's folder (jobs/study/study.sh) as one table: a row a run, read through the runs' documented files, one run in memory at a time."""
import csv
import glob
import json
import os

import numpy as np

from solera_run import Run

# name, what it says; the order of runs.csv. Shares are of 1.
COLUMNS = [
    ("part", "part of the grid: main, tau, other, long, beyond, mixed, same, smollm2"),
    ("run", "name inside the part"),
    ("method", "objective"),
    ("s", "staleness in updates; none with a distribution of lags"),
    ("tau", "bound of M2, where the grid sets one"),
    ("trace", "distribution of lags, where the grid sets one"),
    ("seed", "seed of prompts, samples and base model"),
    ("lag_mean", "mean lag of the tokens, mean over the updates"),
    ("ranks", "processes"),
    ("updates", "updates made"),
    ("heldout_start", "pass rate on held-out prompts before training"),
    ("heldout_final", "the same, mean of the last three evaluations"),
    ("heldout_best", "the same, largest mean of three evaluations in a row"),
    ("heldout_best_at", "version of the last of these three"),
    ("fresh_final", "pass rate of fresh rollouts, mean over the last tenth of the versions"),
    ("fresh_best", "the same, largest mean over five versions"),
    ("fresh_best_at", "its version"),
    ("fresh_low", "the same, lowest mean over five versions after the best"),
    ("area", "pass rate of fresh rollouts, mean over all versions"),
    ("collapse", "1: collapsed by the rule of solera_run.py"),
    ("collapse_at", "its version"),
    ("clip_share", "tokens clipped or masked, mean over the updates"),
    ("clip_share_early", "the same up to update s, where all rollouts are the base model's (s = 0: over all updates)"),
    ("m2_before", "mean of d^2 over T before masking, mean over the updates"),
    ("m2_after", "after masking"),
    ("m2_all", "mean of d^2 over all tokens"),
    ("ess", "effective sample size as a share of the tokens, mean over the updates"),
    ("ess_min", "its smallest"),
    ("kl_k3", "estimate of the KL divergence, mean over the updates"),
    ("entropy_first", "entropy of the policy in nats, first tenth of the updates"),
    ("entropy_final", "last tenth"),
    ("grad_norm", "gradient norm, median of the updates"),
    ("grad_norm_before", "mean over the 32 updates before the collapse"),
    ("m2_all_before", "m2_all over the same updates"),
    ("dropped", "responses dropped because float32 could not hold a value"),
    ("select_s", "seconds: advantages, selection, coefficients"),
    ("learner_s", "seconds: forward, select, backward, reduce, optimizer"),
    ("wall_s", "seconds from the first update to the last, generation included"),
    ("cpu_s", "processor seconds of the run, all launches and ranks"),
    ("weights", "digest of the final weights"),
]
PHASES = ("forward_s", "select_s", "backward_s", "reduce_s", "optimizer_s")
BEFORE = 32  # updates that count as "before the collapse"


def mean(x):
    x = np.asarray(x, dtype=float)
    return float(np.nanmean(x)) if np.isfinite(x).any() else None


def grid_line(path):
    """the line of the grid that made a run (RUN.run) -> ranks, {key: value}; the last of two equal keys counts, as for the program"""
    with open(path, encoding="utf-8") as f:
        words = f.read().split()
    return int(words[1]), words[2], dict(w.split("=", 1) for w in words[4:])


def processor_seconds(path):
    """sum over the launches of RUN.cpu: wall W user U system S"""
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as f:
        rows = [line.split() for line in f]
    return sum(float(r[3]) + float(r[5]) for r in rows)


def first_line(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as f:
        return f.readline().strip()


def held_out(run):
    """start, final, best, version of the best of evals.jsonl"""
    rows = {r["version"]: r["avg"] for r in run.evals()}
    if not rows:
        return None, None, None, None
    version = np.array(sorted(rows))
    rate = np.array([rows[v] for v in version])
    three = [rate[max(0, i - 2):i + 1].mean() for i in range(len(rate))]
    best = int(np.argmax(three))
    return rows.get(0), float(three[-1]), float(three[best]), int(version[best])


def row_of(folder, name):
    """one finished run -> its row, and its curve: versions, pass rate (mean over five versions)"""
    base = os.path.join(folder, name)
    ranks, _, given = grid_line(base + ".run")
    run = Run(base)
    trace = given.get("staleness.trace", "")
    s = None if trace else int(given.get("staleness.k", 0))
    update = run.updates()
    updates = int(update[-1]) + 1
    tenth = max(1, updates // 10)
    clip = run.metric("clip_share")
    c = run.collapse()
    before = (update >= c.at - BEFORE) & (update < c.at) if c.collapsed else np.zeros(len(update), bool)
    start, final, held_best, held_at = held_out(run)
    time = run.metric("time_s")
    entropy = run.metric("entropy")
    phases = {p: np.nansum(run.metric(p)) for p in PHASES}
    part = name.split("/")[1]
    row = dict(part=part, run=name.split("/")[2], method=given.get("objective.name", "m2po"), s=s, tau=given.get("objective.tau", ""), trace=trace,
               seed=int(given["seed"]), lag_mean=mean(run.metric("lag_mean")), ranks=ranks, updates=updates, heldout_start=start, heldout_final=final, heldout_best=held_best, heldout_best_at=held_at,
               fresh_final=run.final(), fresh_best=c.best, fresh_best_at=c.best_at, fresh_low=c.low, area=run.area(), collapse=int(c.collapsed), collapse_at=c.at,
               clip_share=mean(clip), clip_share_early=mean(clip[update < s] if s else clip), m2_before=mean(run.metric("m2_before")), m2_after=mean(run.metric("m2_after")),
               m2_all=mean(run.metric("m2_all")), ess=mean(run.metric("ess")), ess_min=float(np.nanmin(run.metric("ess"))), kl_k3=mean(run.metric("kl_k3")),
               entropy_first=mean(entropy[:tenth]), entropy_final=mean(entropy[-tenth:]), grad_norm=float(np.nanmedian(run.metric("grad_norm"))),
               grad_norm_before=mean(run.metric("grad_norm")[before]) if before.any() else None, m2_all_before=mean(run.metric("m2_all")[before]) if before.any() else None,
               dropped=int(np.nanmax(run.metric("dropped_sequences"))), select_s=phases["select_s"], learner_s=sum(phases.values()), wall_s=float(time[-1] - time[0]),
               cpu_s=processor_seconds(base + ".cpu"), weights=first_line(base + ".weights"))
    return row, run.pass_curve()


def finished(folder, name):
    status = os.path.join(folder, name, "status.json")
    if not first_line(os.path.join(folder, name + ".weights")) or not os.path.exists(status):
        return False
    with open(status, encoding="utf-8") as f:
        return json.load(f)["state"] == "done"


def collect(folder):
    """all finished runs of reinforcement learning below a study's folder: rows in order of name, {name: curve}"""
    rows, curves = [], {}
    for path in sorted(glob.glob(os.path.join(folder, "seed*", "*", "*.run"))):
        name = os.path.relpath(path, folder)[:-4]
        if grid_line(path)[1] == "train" and finished(folder, name):
            row, curves[name] = row_of(folder, name)
            rows.append(row)
    return rows, curves


def text(x):
    return "" if x is None else f"{x:.6g}" if isinstance(x, float) else str(x)


def write(rows, path):
    with open(path + ".tmp", "w", encoding="utf-8", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow([c for c, _ in COLUMNS])
        for r in rows:
            w.writerow([text(r[c]) for c, _ in COLUMNS])
    os.replace(path + ".tmp", path)


def number(x):
    try:
        return int(x)
    except ValueError:
        try:
            return float(x)
        except ValueError:
            return x


def read(path):
    """runs.csv -> rows as collect gives them; an empty field is None, but '' in tau, trace and weights"""
    with open(path, encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    known = [c for c, _ in COLUMNS]
    if not rows or list(rows[0]) != known:
        raise ValueError(f"{path}: expected the columns {','.join(known)}, found {','.join(rows[0]) if rows else 'no rows'}")
    plain = ("part", "run", "method", "tau", "trace", "weights")
    return [{c: v if c in plain else None if v == "" else number(v) for c, v in r.items()} for r in rows]
