#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Share of all response tokens that are clipped or masked, against updates (figures 4a and 7b of the paper). --split: the four parts of it, a panel each."""
from solera_draw import SMOOTH, arrange, command, curve_rows, curves, log_axis, looks, metric_curve, new_figure, styled

PARTS = {"clip_share": "clipped or masked", "high_share": "clipped high", "low_share": "clipped low", "masked_share": "masked"}


def rows(groups, split=False, log=False):
    found = []
    for column in PARTS if split else ["clip_share"]:
        found += [{"part": PARTS[column], **r} for r in curve_rows(groups, metric_curve(column), ("update", "percent"), SMOOTH, 100)]
    return found


@styled
def figure(groups, split=False, log=False):
    columns = list(PARTS) if split else ["clip_share"]
    fig, axes = new_figure(2 if split else 1, 2 if split else 1, 4.5 if split else 6, 3.2 if split else 4)
    look = looks(groups)
    for ax, column in zip(axes.flat, columns):
        curves(ax, groups, metric_curve(column), SMOOTH, 100, look)
        ax.set(xlabel=f"optimizer update (mean of {SMOOTH})", ylabel=f"{PARTS[column]} (% of the tokens)")
        if log:
            log_axis(ax)
        else:
            ax.set_ylim(bottom=0)
    arrange(fig, axes[0, 0])
    return fig


def options(p):
    p.add_argument("--split", action="store_true", help="clipped high, clipped low and masked apart")
    p.add_argument("--log", action="store_true", help="logarithmic share")


if __name__ == "__main__":
    command(__doc__, figure, rows, options)
