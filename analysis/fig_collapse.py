#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What comes before a collapse: pass rate, gradient norm, M2 and effective sample size against updates, a line a run, with the update of its collapse marked. The table has their medians in
windows before and after it (for runs that do not collapse: in the same windows around the median collapse of the others)."""
import numpy as np

from solera_draw import SMOOTH, arrange, command, log_axis, looks, new_figure, styled
from solera_group import middle

PANELS = (("grad_norm", "gradient norm", True), ("m2_all", "M2 over all tokens (nats²)", True), ("m2_before", "M2 over T before the gate (nats²)", True),
          ("ess", "effective sample size (share)", False), ("clip_share", "clipped or masked (share)", False))


def windows(updates):
    """bounds relative to the collapse, in shares of the run's length: three before it and one after it"""
    step = max(updates // 8, 1)
    return [(-3 * step, -2 * step), (-2 * step, -step), (-step, 0), (0, step)]


def median(values):
    return float(np.median(values)) if len(values) else float("nan")


def rows(groups):
    at = [r.collapse().at for g in groups for r in g.runs]
    usual = int(np.median([a for a in at if a is not None])) if any(a is not None for a in at) else None
    found = []
    for g in groups:
        for run in g.runs:
            c, u = run.collapse(), run.updates()
            zero = usual if c.at is None else c.at
            for name, _, _ in PANELS:
                y = run.metric(name)
                y = y if zero is not None else y * np.nan
                row = {"run": g.label, "seed": run.setting("seed"), "collapsed at": c.at, "column": name}
                for first, last in windows(int(u[-1]) + 1):
                    mine = y[(u >= (zero or 0) + first) & (u < (zero or 0) + last)]
                    row[f"{first} to {last}"] = median(mine[~np.isnan(mine)])
                found.append(row)
    return found


@styled
def figure(groups):
    fig, axes = new_figure(2, 3, 4.2, 3)
    look = looks(groups)
    for g in groups:
        color, dashes = look[g.label]
        for k, run in enumerate(g.runs):
            at = run.collapse().at
            axes[0, 0].plot(*run.pass_curve(), color=color, ls=dashes, lw=1.2, label=g.label if k == 0 else None)
            for ax, (name, _, _) in zip(axes.flat[1:], PANELS):
                ax.plot(run.updates(), middle(run.metric(name), SMOOTH), color=color, ls=dashes, lw=1.2)
            for ax in axes.flat if at is not None else []:
                ax.axvline(at, color=color, lw=0.9, ls=":")
    axes[0, 0].set(ylabel="pass rate, fresh rollouts", ylim=(0, 1.02))
    for ax, (_, title, log) in zip(axes.flat[1:], PANELS):
        ax.set_ylabel(title)
        if log:
            log_axis(ax)
    for ax in axes[1]:
        ax.set_xlabel(f"optimizer update (median of {SMOOTH})")
    axes[0, 1].set_title("dotted: the update of its collapse")
    arrange(fig, axes[0, 0], 3)
    return fig


if __name__ == "__main__":
    command(__doc__, figure, rows)
