#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration: table and figure (FOLDER/demo.png, table.txt) of the runs grpo_s0, grpo_s256, grpo_no_tr_s256, m2po_s256 in a folder."""
import argparse
import os
import sys

import numpy as np

from solera_run import BINS, COLLAPSE_RULE, Run

RUNS = [("grpo_s0", "GRPO s=0", "#7f7f7f"), ("grpo_s256", "GRPO s=256", "#1f77b4"),
        ("grpo_no_tr_s256", "GRPO no trust region s=256", "#d62728"), ("m2po_s256", "M2PO s=256", "#2ca02c")]


def points(runs):
    last = max(int(r.fresh()[0][-1]) for r in runs)
    return [last * q // 4 for q in (1, 2, 3, 4)]


def table(runs, labels):
    at = points(runs)
    lines = ["pass rate of fresh rollouts (temperature 1) at update", "",
             f"{'run':<27}" + "".join(f"{u:>7d}" for u in at) + f"{'best':>8}{'at':>5}  {'clipped/masked':>14}  collapse"]
    for r, label in zip(runs, labels):
        fell, best, where, low = r.collapse()[:4]
        lines.append(f"{label:<27}" + "".join(f"{r.pass_at(u):7.3f}" for u in at) + f"{best:8.3f}{where:5d}  {100 * np.nanmean(r.metric('clip_share')):12.2f} %"
                     + ("  yes (down to %.3f)" % low if fell else "  no"))
    lines += ["", "Each pass rate is the mean over the rollouts of five weight versions; clipped/masked is the share of all response tokens.", COLLAPSE_RULE + "."]
    return "\n".join(lines)


def draw(runs, labels, colors, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "legend.frameon": False})
    fig, (a, b, c) = plt.subplots(1, 3, figsize=(13, 4.1))
    for r, label, color in zip(runs, labels, colors):
        version, reward = r.fresh()
        a.plot(version, reward, color=color, lw=0.6, alpha=0.3)
        a.plot(*r.pass_curve(), color=color, lw=1.8, label=label)
        clip = 100 * r.metric("clip_share")
        update = r.metric("update")
        w = 16
        if len(clip) >= w:
            b.plot(update[w - 1:], np.convolve(clip, np.ones(w) / w, "valid"), color=color, lw=1.5, label=label)
        n, entropy = r.entropy_by_ratio()
        keep = n >= 50  # a mean of fewer tokens says little
        c.plot((BINS[:-1] + BINS[1:])[keep] / 2, entropy[keep], "o-", ms=3, color=color, lw=1.2, label=label)
    a.set(xlabel="optimizer update", ylabel="pass rate, fresh rollouts", ylim=(0, 1.02), title="Learning from stale rollouts")
    b.set(xlabel="optimizer update", ylabel="clipped or masked tokens (%)", title=f"What the trust region stops (mean of {w} updates)")
    b.set_ylim(bottom=0)
    c.set(xlabel="|r − 1|", ylabel="entropy of the policy (nats)", xlim=(0, 0.7), title="Entropy of tokens by how far they moved")
    c.set_ylim(bottom=0)
    fig.legend(*a.get_legend_handles_labels(), loc="lower center", ncol=len(runs))
    fig.tight_layout(rect=(0, 0.07, 1, 1))
    fig.savefig(path, dpi=130)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("folder", metavar="FOLDER", help="what jobs/demo.sh made")
    folder = p.parse_args().folder
    found = [(n, l, c) for n, l, c in RUNS if os.path.exists(os.path.join(folder, n, "fresh.jsonl"))]
    if not found:
        sys.exit(f"{folder}: none of the runs {', '.join(n for n, _, _ in RUNS)} is there")
    runs = [Run(os.path.join(folder, n)) for n, _, _ in found]
    labels, colors = [l for _, l, _ in found], [c for _, _, c in found]
    text = table(runs, labels)
    print("\n" + text)
    with open(os.path.join(folder, "table.txt"), "w", encoding="utf-8") as f:
        f.write(text + "\n")
    path = os.path.join(folder, "demo.png")
    draw(runs, labels, colors, path)
    print(f"\nfigure: {path}")


if __name__ == "__main__":
    main()
