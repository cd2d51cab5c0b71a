#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Accuracy against staleness, a line a method, means over the seeds with 95 % intervals. --most 16: small staleness only."""
import numpy as np

from solera_draw import arrange, command, looks, new_figure, styled
from solera_run import RunError
from fig_methods import FIGURES


def chosen(groups, most):
    some = [g for g in groups if g.s is not None and (most is None or g.s <= most)]
    if not some:
        raise RunError("no run has a staleness" + (f" of at most {most}" if most is not None else ""))
    return some


def rows(groups, of="end", most=None):
    return [{"method": g.method, "s": g.s, "seeds": len(g.runs), of: i.mean, "low": i.low, "high": i.high, "collapsed": "%d of %d" % g.collapsed()}
            for g in chosen(groups, most) for i in [g.of(FIGURES[of][1])]]


@styled
def figure(groups, of="end", most=None):
    some = chosen(groups, most)
    look = looks(some)
    fig, axes = new_figure(1, 1, 6, 4)
    ax = axes[0, 0]
    values = sorted({g.s for g in some})
    place = {s: i for i, s in enumerate(values)}
    methods = list(dict.fromkeys(g.method for g in some))
    for k, m in enumerate(methods):
        mine = [g for g in some if g.method == m]
        x = np.array([place[g.s] for g in mine]) + min(0.04, 0.3 / len(methods)) * (k - (len(methods) - 1) / 2)  # side by side, so that no interval hides another
        each = [g.of(FIGURES[of][1]) for g in mine]
        color = look[mine[0].label][0]
        ax.plot(x, [i.mean for i in each], "o-", ms=4, color=color, label=m)
        for a, i in zip(x, each):
            if i.n > 1:
                ax.plot([a, a], [i.low, i.high], color=color, lw=1)
    ax.set_xticks(range(len(values)), values)
    ax.set(xlabel="staleness s (updates)", ylabel=FIGURES[of][0])
    ax.set_ylim(0, 1.05 * ax.dataLim.y1 or 1)  # room above: values that are alike lie at the top
    arrange(fig, ax, 3)
    return fig


def options(p):
    p.add_argument("--of", choices=list(FIGURES), default="end", help="end: pass rate over the last tenth (default), best, area: mean over the run, clipped")
    p.add_argument("--most", type=int, metavar="S", help="staleness up to S only")


if __name__ == "__main__":
    command(__doc__, figure, rows, options)
