#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training reward: of the stale rollouts that each update consumed, and of those that the present weights generate (figure 5 of the paper). A panel a group of runs."""
from solera_draw import SMOOTH, arrange, command, curve_rows, metric_curve, new_figure, smoothed, styled


def consumed(run):
    return metric_curve("reward_consumed")(run)


def fresh(run):
    return run.pass_curve()


KINDS = (("consumed", consumed, SMOOTH, "#7f7f7f"), ("fresh", fresh, None, "#2ca02c"))


def rows(groups):
    return [{"reward": name, **r} for name, xy, width, _ in KINDS for r in curve_rows(groups, xy, ("update", "mean"), width)]


@styled
def figure(groups):
    columns = min(3, len(groups))
    fig, axes = new_figure(-(-len(groups) // columns), columns, 4 if len(groups) > 1 else 6, 3 if len(groups) > 1 else 4)
    for ax, g in zip(axes.flat, groups):
        for name, xy, width, color in KINDS:
            x, _, mean, low, high = g.curve(lambda r: smoothed(xy(r), width))
            ax.plot(x, mean, color=color, lw=1.5, label=f"{name} rollouts")
            if len(g.runs) >= 3:
                ax.fill_between(x, low, high, color=color, alpha=0.15, lw=0)
        ax.set(xlabel="optimizer update", ylabel="mean reward", title=g.label + (f", {len(g.runs)} seeds" if len(g.runs) > 1 else ""))
    for ax in axes.flat[len(groups):]:
        ax.set_axis_off()
    low, high = (f(ax.get_ylim()[i] for ax in axes.flat[:len(groups)]) for i, f in ((0, min), (1, max)))
    for ax in axes.flat[:len(groups)]:
        ax.set_ylim(low, high)
    arrange(fig, axes[0, 0])
    return fig


if __name__ == "__main__":
    command(__doc__, figure, rows)
