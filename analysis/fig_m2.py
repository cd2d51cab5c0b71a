#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Second moment of the log-ratio before and after masking, and KL (figure 9 of the paper), against updates: medians of 16 updates,
for single updates may have huge values."""
from solera_draw import SMOOTH, arrange, command, curve_rows, curves, log_axis, looks, metric_curve, new_figure, styled
from solera_group import middle

PANELS = (("m2_before", "M2 over T before the gate (nats²)", True), ("m2_after", "M2 over what it keeps (nats²)", True), ("m2_all", "M2 over all tokens (nats²)", True),
          ("kl_k1", "KL, mean of −d (nats)", False), ("kl_k3", "KL, mean of r − 1 − d (nats)", True), ("ess", "effective sample size (share)", False))


def rows(groups):
    return [{"column": c, **r} for c, _, _ in PANELS for r in curve_rows(groups, metric_curve(c), ("update", "median"), SMOOTH, how=middle)]


@styled
def figure(groups):
    fig, axes = new_figure(2, 3, 4, 2.9)
    look = looks(groups)
    for ax, (column, title, log) in zip(axes.flat, PANELS):
        curves(ax, groups, metric_curve(column), SMOOTH, look=look, how=middle)
        ax.set(xlabel=f"optimizer update (median of {SMOOTH})", ylabel=title)
        if log:
            log_axis(ax)
    for tau in sorted({g.setting("objective.tau") for g in groups if g.objective == "m2po"} - {None, "auto"}):
        for ax in axes[0, :2]:
            ax.axhline(tau, color="#888888", lw=0.8, ls=":", label=f"tau {tau:g} (dotted)")
    arrange(fig, axes[0, 0], 3)
    return fig


if __name__ == "__main__":
    command(__doc__, figure, rows)
