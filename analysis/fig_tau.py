#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The threshold tau (figure 8 of the paper): accuracy and masked tokens against tau, of runs whose objective has one (m2po, m2po_clip, m2po_all); other runs given are drawn as levels."""
import numpy as np

from solera_draw import arrange, command, looks, new_figure, styled
from solera_group import name_of
from solera_run import RunError

PANELS = (("end", "pass rate over the last tenth", lambda r: r.final()), ("best", "best pass rate", lambda r: r.collapse().best),
          ("masked", "clipped or masked (% of the tokens)", lambda r: 100 * np.nanmean(r.metric("clip_share"))))
LEVELS = ("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2)))  # of one method with several s


def has_tau(group):
    return isinstance(group.setting("objective.tau"), (int, float)) and str(group.objective).startswith("m2po")


def series(groups):
    """{(objective, s): groups in order of tau}"""
    found = {}
    for g in sorted((g for g in groups if has_tau(g)), key=lambda g: g.setting("objective.tau")):
        found.setdefault((g.objective, g.s), []).append(g)
    if not found:
        raise RunError("none of the runs has an objective with tau")
    return found


def rows(groups):
    return [{"objective": o, "s": s, "tau": g.setting("objective.tau"), "seeds": len(g.runs), **{name: g.of(f).text() for name, _, f in PANELS}, "collapsed": "%d of %d" % g.collapsed()}
            for (o, s), some in series(groups).items() for g in some]


@styled
def figure(groups):
    fig, axes = new_figure(1, len(PANELS), 4, 3.4)
    colors = ("#2ca02c", "#17becf", "#8c564b", "#9467bd", "#ff7f0e", "#1f77b4", "#7f7f7f")
    rest = [g for g in groups if not has_tau(g)]
    for ax, (_, title, f) in zip(axes.flat, PANELS):
        for k, ((objective, s), some) in enumerate(series(groups).items()):
            tau, each = [g.setting("objective.tau") for g in some], [g.of(f) for g in some]
            color = colors[k % len(colors)]
            ax.plot(tau, [i.mean for i in each], "o-", ms=4, color=color, label=f"{name_of(objective)} s={s}")
            for t, i in zip(tau, each):
                if i.n > 1:
                    ax.plot([t, t], [i.low, i.high], color=color, lw=1)
        for g in rest:
            ax.axhline(g.of(f).mean, color=looks(rest)[g.label][0], ls=LEVELS[[o.method for o in rest[:rest.index(g)]].count(g.method) % len(LEVELS)], lw=1, label=g.label)
        ax.set(xlabel="tau (nats²)", ylabel=title, xscale="log")
        ax.set_ylim(0, 1.05 * ax.dataLim.y1 or 1)  # room above: values that are alike lie at the top
    arrange(fig, axes[0, 0], 4)
    return fig


if __name__ == "__main__":
    command(__doc__, figure, rows)
