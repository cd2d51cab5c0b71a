#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Accuracy against updates by method and staleness (figures 1, 2, 3 and 11 of the paper; small staleness too: give those runs).

--of fresh: pass rate of the rollouts that each version generated (fresh.jsonl; mean over five versions); --of eval: held-out prompts (evals.jsonl, needs eval.every)."""
from solera_draw import arrange, command, curve_rows, curves, looks, new_figure, styled
from solera_run import RunError

import numpy as np


def fresh(run):
    return run.pass_curve()


def held_out(run):
    rows = run.evals()
    if not rows:
        raise RunError(f"{run.folder}: no evaluation (evals.jsonl): the run needs eval.every")
    return np.array([r["version"] for r in rows]), np.array([r["avg"] for r in rows], dtype=float)


CURVES = {"fresh": fresh, "eval": held_out}


def panels(groups, by):
    """[(title, groups)]: all in one, or a panel a method or a staleness"""
    if by == "none":
        return [("", groups)]
    key = (lambda g: g.method) if by == "method" else (lambda g: g.runs[0].staleness_text())
    titles = list(dict.fromkeys(key(g) for g in (groups if by == "method" else sorted(groups, key=lambda g: -1 if g.s is None else g.s))))
    return [(t, [g for g in groups if key(g) == t]) for t in titles]


def shades_of(values):
    """{s: colour}, from light for fresh to dark for stale"""
    from matplotlib import colormaps
    some = sorted(set(values), key=lambda s: -1 if s is None else s)
    return {s: colormaps["viridis_r"](0.15 + 0.85 * i / max(len(some) - 1, 1)) for i, s in enumerate(some)}


def rows(groups, of="fresh", by="none"):
    return curve_rows(groups, CURVES[of], ("update", "pass_rate"))


@styled
def figure(groups, of="fresh", by="none"):
    parts = panels(groups, by)
    columns = min(3, len(parts))
    fig, axes = new_figure(-(-len(parts) // columns), columns, 6 if len(parts) == 1 else 4.2, 4 if len(parts) == 1 else 3.2)
    look, name = looks(groups), None
    if by == "s":  # the panel says s: colours tell methods apart
        look, name = {label: (color, "-") for label, (color, _) in look.items()}, lambda g: g.method
    elif by == "method":
        shades = shades_of([g.s for g in groups])
        look, name = {g.label: (shades[g.s], "-") for g in groups}, lambda g: g.runs[0].staleness_text()
    for ax, (title, some) in zip(axes.flat, parts):
        curves(ax, some, CURVES[of], look=look, name=name)
        ax.set(xlabel="optimizer update", ylabel="pass rate, " + ("fresh rollouts" if of == "fresh" else "held-out prompts"), ylim=(0, 1.02), title=title)
    for ax in axes.flat[len(parts):]:
        ax.set_axis_off()
    arrange(fig, axes, 2 if len(parts) == 1 else 4)
    return fig


def options(p):
    p.add_argument("--of", choices=list(CURVES), default="fresh", help="which pass rate (default: fresh)")
    p.add_argument("--by", choices=["none", "s", "method"], default="none", help="a panel a staleness or a method")


if __name__ == "__main__":
    command(__doc__, figure, rows, options)
