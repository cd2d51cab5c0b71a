# SPDX-License-Identifier: Apache-2.0
"""A run folder read through its documented files only: status.json, metrics.jsonl, fresh.jsonl (README.md) and stats.h5 (docs/statistics.md)."""
import json
import os

import numpy as np

MEAN_OVER = 5        # a pass rate "at update u" is the mean over the fresh rollouts of the last five versions up to u
COLLAPSE_SHARE = 2 / 3
COLLAPSE_RULE = ("collapse: after its best so far the pass rate (mean over the fresh rollouts of five versions) has fallen below two thirds of that best")
BINS = np.linspace(0, 0.7, 29)  # |r-1| in 28 bins of .025, as the paper draws it


def json_lines(path):
    """rows of a file of JSON lines; a last line that a kill cut short is left out"""
    rows = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.endswith("\n"):
                break
            rows.append(json.loads(line))
    return rows


class Run:
    def __init__(self, folder):
        self.folder = folder
        self.name = os.path.basename(os.path.normpath(folder))
        self._metrics = self._fresh = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def status(self):
        with open(self.path("status.json"), encoding="utf-8") as f:
            return json.load(f)

    def metric(self, name):
        """a column of metrics.jsonl, one value an update; null is NaN"""
        if self._metrics is None:
            self._metrics = json_lines(self.path("metrics.jsonl"))
        return np.array([np.nan if r[name] is None else r[name] for r in self._metrics], dtype=float)

    def fresh(self):
        """versions, mean reward of the rollouts that each version made"""
        if self._fresh is None:
            rows = json_lines(self.path("fresh.jsonl"))
            self._fresh = np.array([r["version"] for r in rows]), np.array([r["reward"] for r in rows], dtype=float)
        return self._fresh

    def pass_curve(self):
        """versions, pass rate at each: mean over the last MEAN_OVER versions (fewer at the start, each weighing the same)"""
        version, reward = self.fresh()
        total = np.concatenate([[0], np.cumsum(reward)])
        first = np.maximum(np.arange(len(reward)) + 1 - MEAN_OVER, 0)
        n = np.arange(len(reward)) + 1 - first
        return version, (total[1:] - total[first]) / n

    def pass_at(self, update):
        version, rate = self.pass_curve()
        i = np.searchsorted(version, update, side="right") - 1
        return rate[i] if i >= 0 else np.nan

    def collapse(self):
        """(collapsed, best, update of the best, lowest after it), by COLLAPSE_RULE"""
        version, rate = self.pass_curve()
        best = np.maximum.accumulate(rate)
        peak = int(np.argmax(rate))
        return bool((rate < COLLAPSE_SHARE * best).any()), rate[peak], int(version[peak]), rate[peak:].min()

    def entropy_by_ratio(self):
        """(tokens, mean entropy) in every bin of |r-1|, over all updates, from the token statistics"""
        import h5py
        n, total = np.zeros(len(BINS) - 1), np.zeros(len(BINS) - 1)
        with h5py.File(self.path("stats.h5"), "r") as f:
            t = f["tokens"]
            for at in range(0, len(t["lp"]), 1 << 20):
                part = slice(at, at + (1 << 20))
                r = np.exp((t["lp"][part] - t["lp_behav"][part]).astype(float))
                dev, entropy = np.abs(r - 1), t["entropy"][part].astype(float)
                n += np.histogram(dev, BINS)[0]
                total += np.histogram(dev, BINS, weights=entropy)[0]
        return n, np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
