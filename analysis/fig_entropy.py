#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Entropy of the policy against |r - 1| in 28 bins of width 0.025 (figure 4b of the paper), and how many tokens are in each bin. --by-sign: advantages > 0 and <= 0 apart."""
import numpy as np

from solera_draw import arrange, command, looks, new_figure, styled
from solera_run import BINS

FEWEST = 50  # a mean of fewer tokens says little
MIDDLE = (BINS[:-1] + BINS[1:]) / 2


def bins(group, first=0, last=None):
    """tokens, sum of entropies [2][28] over the runs of a group"""
    n, total = np.zeros((2, len(MIDDLE))), np.zeros((2, len(MIDDLE)))
    for run in group.runs:
        count, mean = run.entropy_bins(first, last)
        n += count
        total += count * np.nan_to_num(mean)
    return n, total


def parts(by_sign):
    return [("A ≤ 0", [0]), ("A > 0", [1])] if by_sign else [("all", [0, 1])]


def rows(groups, by_sign=False, first=0, last=None):
    found = []
    for g in groups:
        n, total = bins(g, first, last)
        for name, which in parts(by_sign):
            count, sums = n[which].sum(axis=0), total[which].sum(axis=0)
            found += [{"run": g.label, "advantage": name, "from": round(float(a), 3), "to": round(float(b), 3), "tokens": int(c), "entropy": float(s / c) if c else float("nan")}
                      for a, b, c, s in zip(BINS[:-1], BINS[1:], count, sums)]
    return found


@styled
def figure(groups, by_sign=False, first=0, last=None):
    columns = parts(by_sign)
    fig, axes = new_figure(2, len(columns), 5.5, 2.8)
    look = looks(groups)
    for column, (name, which) in enumerate(columns):
        top, below = axes[0, column], axes[1, column]
        for g in groups:
            n, total = (x[which].sum(axis=0) for x in bins(g, first, last))
            keep = n >= FEWEST
            color, dashes = look[g.label]
            top.plot(MIDDLE[keep], (total[keep] / n[keep]), "o", ls=dashes, ms=3, lw=1.2, color=color, label=g.label)
            below.plot(MIDDLE, 100 * n / max(n.sum(), 1), drawstyle="steps-mid", ls=dashes, lw=1.2, color=color)
        top.set(ylabel="entropy of the policy (nats)", xlim=(0, 0.7), title="" if name == "all" else name)
        top.set_ylim(bottom=0)
        below.set(xlabel="|r − 1|", ylabel="tokens (% of those below 0.7)", xlim=(0, 0.7), yscale="log")
        for ax in (top, below):
            ax.axvline(0.2, color="#888888", lw=0.8, ls=":")
    arrange(fig, axes[0, 0])
    return fig


def options(p):
    p.add_argument("--by-sign", action="store_true", help="advantages > 0 and <= 0 apart")
    p.add_argument("--first", type=int, default=0, metavar="U", help="from this update on")
    p.add_argument("--last", type=int, metavar="U", help="up to this update")


if __name__ == "__main__":
    command(__doc__, figure, rows, options)
