# SPDX-License-Identifier: Apache-2.0
"""Runs of a grid (methods x staleness x seeds) grouped by their settings, and what seeds say together: means with 95 % intervals, curves, paired differences."""
from typing import NamedTuple

import numpy as np

from solera_run import RunError

# settings in which runs of one group may differ: where it ran and what it wrote. In exact mode they do not change a byte of the weights.
ASIDE = ("seed", "out", "roles", "actors", "brokers", "learners", "watchdog_s", "model.path", "actor.slots", "actor.kv_tokens", "broker.slots", "broker.queue",
         "train.updates", "train.micro_batch_tokens")
ASIDE_GROUPS = ("backend.", "checkpoint.", "stats.", "log.", "eval.", "sft.")
# order of methods in legends and tables: the paper's first
ORDER = ("grpo", "grpo_no_tr", "gspo", "m2po", "m2po_clip", "m2po_all")
NAMES = {"grpo": "GRPO", "grpo_no_tr": "GRPO no trust region", "gspo": "GSPO", "m2po": "M2PO", "m2po_tis": "M2PO + TIS", "m2po_k3": "M2PO (k3)", "m2po_clip": "M2PO (clip)", "m2po_all": "M2PO (all)",
         "dapo": "DAPO", "dr_grpo": "Dr. GRPO", "rloo": "RLOO", "cispo": "CISPO", "tis": "TIS", "seq_tis": "TIS (sequence)", "icepop": "IcePop", "decoupled_ppo": "Decoupled PPO", "topr": "TOPR",
         "opsm": "OPSM", "dppo_tv": "DPPO-TV", "sapo": "SAPO", "vespo": "VESPO", "gmpo": "GMPO"}
# 97.5 % quantiles of Student's t by degrees of freedom, 1 to 30
T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
        2.060, 2.056, 2.052, 2.048, 2.045, 2.042)


class Interval(NamedTuple):
    """mean over n seeds and its 95 % interval by Student's t; low and high are NaN for one seed"""
    mean: float
    low: float
    high: float
    n: int

    def text(self, digits=3):
        if self.n < 2:
            return f"{self.mean:.{digits}f}"
        return f"{self.mean:.{digits}f} ± {self.high - self.mean:.{digits}f}"


def t975(df):
    return T975[df - 1] if df <= len(T975) else 1.96 + 2.42 / df  # beyond the table: to three digits


def interval(values):
    """Interval of values, one a seed; NaN (a seed that has none) is left out"""
    x = np.asarray(values, dtype=float)
    x = x[~np.isnan(x)]
    if len(x) == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    if len(x) == 1:
        return Interval(float(x[0]), np.nan, np.nan, 1)
    half = t975(len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return Interval(float(x.mean()), float(x.mean() - half), float(x.mean() + half), len(x))


def intervals(y):
    """(mean, low, high) of interval (y[:, i]) for every i"""
    known = ~np.isnan(y)
    n = known.sum(axis=0)
    mean = np.divide(np.where(known, y, 0).sum(axis=0), n, out=np.full(len(n), np.nan), where=n > 0)
    squares = np.where(known, (y - mean) ** 2, 0).sum(axis=0)
    half = np.full(len(n), np.nan)
    for k in np.unique(n[n > 1]):
        half[n == k] = t975(int(k) - 1) * np.sqrt(squares[n == k] / (k - 1) / k)
    return mean, mean - half, mean + half


def share_interval(k, n):
    """k of n (collapsed seeds, say) as a share with its 95 % interval by Wilson"""
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    z, p = 1.959964, k / n
    middle, half = (p + z * z / (2 * n)) / (1 + z * z / n), z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(p, float(max(0, middle - half)), float(min(1, middle + half)), n)


def smooth(y, width):
    """mean over the last `width` values (fewer at the start), NaN left out"""
    y = np.asarray(y, dtype=float)
    good = ~np.isnan(y)
    total, n = np.concatenate([[0], np.cumsum(np.where(good, y, 0))]), np.concatenate([[0], np.cumsum(good)])
    first = np.maximum(np.arange(len(y)) + 1 - width, 0)
    count = n[1:] - n[first]
    return np.divide(total[1:] - total[first], count, out=np.full(len(y), np.nan), where=count > 0)


def middle(y, width):
    """median of the last `width` values (fewer at the start), NaN left out: for quantities with rare huge values"""
    y = np.asarray(y, dtype=float)
    padded = np.concatenate([np.full(width - 1, np.nan), y])
    windows = np.lib.stride_tricks.sliding_window_view(padded, width) if len(y) else np.zeros((0, width))
    known = ~np.isnan(windows).all(axis=1)
    out = np.full(len(y), np.nan)
    out[known] = np.nanmedian(windows[known], axis=1)
    return out


class Group:
    """runs with the same settings but for seed and ASIDE. key: the settings by which the groups at hand differ, in words: .label"""
    def __init__(self, runs, varying):
        self.runs = sorted(runs, key=lambda r: r.setting("seed"))
        self.varying = varying
        self.objective, self.s = runs[0].objective(), runs[0].staleness()
        self.label = label(runs[0], varying)
        self.method = method(runs[0], varying)

    def setting(self, name, default=None):
        return self.runs[0].setting(name, default)

    def seeds(self):
        return [r.setting("seed") for r in self.runs]

    def of(self, figure):
        """Interval of figure (run) over the seeds"""
        return interval([figure(r) for r in self.runs])

    def collapsed(self):
        """(how many, of how many), by COLLAPSE_RULE"""
        return sum(r.collapse().collapsed for r in self.runs), len(self.runs)

    def curve(self, xy):
        """xy (run) -> (x, y) of each run; here: x that all runs have, y [runs][x], mean, low, high"""
        curves = [xy(r) for r in self.runs]
        x = curves[0][0]
        for other, _ in curves[1:]:
            x = np.intersect1d(x, other)
        y = np.array([np.asarray(c[1], dtype=float)[np.searchsorted(c[0], x)] for c in curves])
        return (x, y) + intervals(y)


def name_of(objective):
    return NAMES.get(objective, objective)


def method(run, varying):
    """the method in words, staleness left out: GRPO, M2PO tau=0.02"""
    shown = [k for k in varying if k not in ("objective.name", "staleness.k", "staleness.mode", "staleness.trace") and value(run, k) not in ("", "auto")]
    last = [k.split(".")[-1] for k in varying]
    extra = [f"{k if last.count(k.split('.')[-1]) > 1 else k.split('.')[-1]}={value(run, k)}" for k in shown]
    return " ".join([name_of(run.objective())] + extra)


def label(run, varying):
    return f"{method(run, varying)} {run.staleness_text()}"


def is_aside(name):
    return name in ASIDE or name.startswith(ASIDE_GROUPS)


def value(run, name):
    """a setting as text; what is empty, and what the program of that run did not have yet, is the empty text"""
    v = run.setting(name)
    return "" if v is None or v == [] else str(v)


def telling_settings(runs, also=()):
    """names of the settings that can tell groups apart. One that only some runs have (a newer program made them) counts if those differ in it: else the older ones did what it says by default."""
    names = sorted({k for r in runs for k in r.settings() if not is_aside(k) or k in also})
    return [k for k in names if len({value(r, k) for r in runs if k in r.settings()}) > 1]


def group_runs(runs, also=()):
    """[Group] of runs, in order of method and staleness. also: settings of ASIDE that tell groups apart here, such as ("learners",). Two runs of one group with one seed are an error."""
    groups, telling = {}, telling_settings(runs, also)
    for run in runs:
        key = tuple(value(run, k) for k in telling)
        groups.setdefault(key, []).append(run)
    for same in groups.values():
        seen = {}
        for run in same:
            seed = run.setting("seed")
            if seed in seen:
                raise RunError(f"{seen[seed].folder} and {run.folder} have the same settings and the same seed {seed}: leave one out")
            seen[seed] = run
    varying = varying_settings([same[0] for same in groups.values()], also)
    return sorted((Group(same, varying) for same in groups.values()), key=order)


def varying_settings(runs, also=()):
    """names of the settings by which runs differ. A parameter of an objective counts only if it differs between runs of one objective."""
    found = []
    for name in telling_settings(runs, also):
        if name == "objective.name":
            continue
        by_objective = {}
        for r in runs:
            by_objective.setdefault(r.objective() if name.startswith("objective.") else "", set()).add(value(r, name))
        if any(len(v) > 1 for v in by_objective.values()):
            found.append(name)
    return ["objective.name"] + found


def order(group):
    known = ORDER.index(group.objective) if group.objective in ORDER else len(ORDER)
    return known, group.method, -1 if group.s is None else group.s, group.label


def paired(a, b, figure):
    """Interval of figure (run of a) - figure (run of b) over the seeds that both have: the same base model and prompts, so the spread of the seeds falls out"""
    other = {r.setting("seed"): r for r in b.runs}
    return interval([figure(r) - figure(other[r.setting("seed")]) for r in a.runs if r.setting("seed") in other])
