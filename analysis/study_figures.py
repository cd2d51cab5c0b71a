# SPDX-License-Identifier: Apache-2.0
"""Figures of the study (docs/study.md) from the rows of runs.csv and the runs' curves."""
import os

import numpy as np

import fig_clip_ratio
import fig_collapse
import fig_entropy
from solera_draw import COLORS, OTHERS, arrange, new_figure, save, styled
from solera_group import group_runs, name_of
from solera_run import Run
from study_tables import bootstrap, pick, rank, values

PARTS_WITH_CURVES = ("long", "smollm2")
PAPER = ("grpo", "grpo_no_tr", "gspo", "m2po")
LOOK = dict(COLORS, **dict(zip(("decoupled_ppo", "icepop", "dppo_tv"), OTHERS)))


def color(method):
    return LOOK.get(method, "#7f7f7f")


def path_of(row):
    return f"seed{row['seed']}/{row['part']}/{row['run']}"


def mean_curve(rows, curves):
    """versions that all have, mean, smallest and largest"""
    have = [curves[path_of(r)] for r in rows if path_of(r) in curves]
    if not have:
        return None
    n = min(len(v) for v, _ in have)
    rate = np.array([r[:n] for _, r in have])
    return have[0][0][:n], rate.mean(0), rate.min(0), rate.max(0)


@styled
def draw_curves(rows, curves, path, part="main"):
    """a panel for each s: pass rate of fresh rollouts against updates, mean over the seeds, the span of the seeds shaded"""
    some = pick(rows, part=part)
    stale = sorted({r["s"] for r in some})
    wide = min(3, len(stale))
    fig, axes = new_figure(-(-len(stale) // wide), wide, 4.4, 3.4)
    seen = {}
    for ax, s in zip(axes.flat, stale):
        for m in sorted({r["method"] for r in pick(some, s=s)}, key=rank):
            c = mean_curve(pick(some, s=s, method=m), curves)
            if c:
                ax.fill_between(c[0], c[2], c[3], color=color(m), alpha=0.10, lw=0)
                seen[m] = ax.plot(c[0], c[1], color=color(m), lw=1.6)[0]
        ax.set(title=f"s = {s}", ylim=(0, 1.02), xlabel="optimizer update")
    for ax in axes.flat[len(stale):]:
        ax.set_visible(False)
    for ax in axes[:, 0]:
        ax.set_ylabel("pass rate, fresh rollouts")
    fig.legend([seen[m] for m in sorted(seen, key=rank)], [name_of(m) for m in sorted(seen, key=rank)], loc="lower center", ncol=5 if wide > 1 else 2)
    fig.tight_layout(rect=(0, 0.45 / fig.get_figheight(), 1, 1))
    save(fig, path)


@styled
def draw_staleness(rows, path):
    """held-out pass rate at the end, clipped share and collapses against s, a line a method"""
    some = pick(rows, part="main")
    stale = sorted({r["s"] for r in some})
    fig, axes = new_figure(1, 3, 4.4, 4.1)
    axes = axes[0]
    for m in sorted({r["method"] for r in some}, key=rank):
        for ax, (column, scale) in zip(axes, (("heldout_final", 1), ("clip_share", 100), ("collapse", 1))):
            x, y, low, high = [], [], [], []
            for i, s in enumerate(stale):
                v = values(pick(some, method=m, s=s), column)
                if v:
                    a, b, c = bootstrap(np.asarray(v, float) * scale)
                    x.append(i)
                    y.append(a)
                    low.append(a - (a if b is None else b))
                    high.append((a if c is None else c) - a)
            bars = [low, high] if column != "collapse" else None
            ax.errorbar(x, y, yerr=bars, color=color(m), marker="o", ms=3, lw=1.4, elinewidth=0.7, capsize=2, label=name_of(m))
    for ax, title in zip(axes, ("pass rate on held-out prompts at the end", "clipped or masked tokens (%)", "share of seeds that collapsed")):
        ax.set(xticks=range(len(stale)), xticklabels=[str(s) for s in stale], xlabel="staleness s (updates)", title=title)
    axes[0].set_ylim(0, 1.02)
    axes[1].set_yscale("symlog", linthresh=0.1)
    axes[1].set_ylim(bottom=0)
    axes[2].set_ylim(-0.03, 1.03)
    arrange(fig, axes[0], most=5)
    save(fig, path)


@styled
def draw_tau(rows, path):
    """each seed and the mean against tau: held-out pass rate at the end, area, masked share"""
    some = pick(rows, part="tau") + [dict(r, tau="0.04") for r in pick(rows, part="main", method="m2po", s=256)]
    tau = sorted({float(r["tau"]) for r in some})
    fig, axes = new_figure(1, 3, 4.4, 3.6)
    axes = axes[0]
    for ax, (column, scale, title) in zip(axes, (("heldout_final", 1, "pass rate on held-out prompts at the end"), ("area", 1, "mean pass rate of fresh rollouts"), ("clip_share", 100, "masked tokens (%)"))):
        ax.plot([float(r["tau"]) for r in some if r[column] is not None], [r[column] * scale for r in some if r[column] is not None], "o", ms=4, alpha=0.4, color=color("m2po"))
        ax.plot(tau, [np.mean(values([r for r in some if float(r["tau"]) == t], column) or [np.nan]) * scale for t in tau], "-", color=color("m2po"))
        ax.set(xscale="log", xlabel="tau (nats²)", title=title)
        ax.axvline(0.04, color="#7f7f7f", lw=0.8, ls=":")
    arrange(fig)
    save(fig, path)


def figures(rows, curves, folder):
    """writes into a study's folder what its rows suffice for; names of the files"""
    os.makedirs(folder, exist_ok=True)
    made = []

    def make(name, draw, *args, **more):
        draw(*args, path=os.path.join(folder, name), **more)
        made.append(name)
    if pick(rows, part="main"):
        make("curves.png", draw_curves, rows, curves)
        make("staleness.png", draw_staleness, rows)
    if pick(rows, part="tau"):
        make("tau.png", draw_tau, rows)
    stalest = max((r["s"] for r in pick(rows, part="main")), default=None)
    for name, script, wanted in (("clip_ratio.png", fig_clip_ratio, PAPER), ("entropy.png", fig_entropy, PAPER), ("collapse.png", fig_collapse, PAPER + ("tis",))):
        some = [r for r in pick(rows, part="main", s=stalest) if r["method"] in wanted]
        if some: # a run's metrics are let go with its figure
            script.figure(group_runs([Run(os.path.join(folder, path_of(r))) for r in some])).savefig(os.path.join(folder, name), dpi=90) # these lie in the repository
            made.append(name)
    for part in PARTS_WITH_CURVES:
        if pick(rows, part=part):
            make(f"{part}.png", draw_curves, rows, curves, part=part)
    return made
