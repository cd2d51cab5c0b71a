#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Comparison of methods (figure 6 of the paper; TIS, other gates and asymmetric clips beside it: give those runs): accuracy at the end, best, mean over the run, tokens clipped or masked,
collapsed seeds. Means over the seeds with 95 % intervals. A table; with -o a figure of --of."""
import numpy as np

from solera_draw import arrange, cell, command, looks, new_figure, styled
from solera_group import interval

FIGURES = {"end": ("pass rate over the last tenth", lambda r: r.final()), "best": ("best pass rate", lambda r: r.collapse().best), "area": ("mean pass rate over the run", lambda r: r.area()),
           "clipped": ("clipped or masked (%)", lambda r: 100 * np.nanmean(r.metric("clip_share")))}


def held_out(run):
    rows = run.evals()
    return rows[-1]["avg"] if rows else float("nan")


def rows(groups, of="end"):
    found = []
    for g in groups:
        fell, of_how_many = g.collapsed()
        row = {"method": g.method, "s": cell(g.s), "seeds": len(g.runs), **{name: g.of(f).text() for name, (_, f) in FIGURES.items()}, "collapsed": f"{fell} of {of_how_many}"}
        if any(r.evals() for x in groups for r in x.runs):
            row["held out, last"] = interval([held_out(r) for r in g.runs]).text()
        found.append(row)
    return found


@styled
def figure(groups, of="end"):
    title, f = FIGURES[of]
    look = looks(groups)
    fig, axes = new_figure(1, 1, 6.5, 0.9 + 0.33 * len(groups))
    ax = axes[0, 0]
    for y, g in enumerate(groups):
        i = g.of(f)
        color, dashes = look[g.label]
        ax.barh(y, i.mean, color=color, alpha=0.45 if dashes != "-" else 0.8, height=0.7)
        if i.n > 1:
            ax.plot([i.low, i.high], [y, y], color="#000000", lw=1)
        ax.plot([f(r) for r in g.runs], [y] * len(g.runs), "o", ms=2.5, color="#000000", alpha=0.6)
        fell, n = g.collapsed()
        if fell:
            ax.annotate(f"{fell} of {n} collapsed", (i.mean, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=7) if i.n == 1 else \
                ax.annotate(f"{fell} of {n} collapsed", (max(i.high, i.mean), y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=7)
    ax.set_yticks(range(len(groups)), [g.label for g in groups])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(title)
    ax.set_xlim(left=0)
    arrange(fig)
    return fig


def options(p):
    p.add_argument("--of", choices=list(FIGURES), default="end", help="what the figure shows: " + ", ".join(f"{k} ({v[0]})" for k, v in FIGURES.items()).replace("%", "%%"))


if __name__ == "__main__":
    command(__doc__, figure, rows, options, table=True)
