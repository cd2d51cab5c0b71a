#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What other gates would have done with the tokens of one run (TIS, k3 as a gate, asymmetric clips beside the run's own): share that each rule marks, kept weight and effective sample size against
updates, or, of more than 8 rules, which curves cannot tell apart, their means. FILE is what `solera rescore RUN --objective RULE,RULE --json` printed, or - for standard input. Exact for update 0, afterwards conditional on this run's own course (docs/rescore.md)."""
import argparse
import json
import os
import sys

import numpy as np

from solera_draw import COLORS, OTHERS, SMOOTH, arrange, markdown, new_figure, save, say, styled, write_csv
from solera_group import middle
from solera_run import RunError

PANELS = (("marked", "clipped or masked (% of the tokens)", 100), ("kept_weight", "kept weight (% of the sum of r)", 100), ("ess", "effective sample size (share)", 1))

MOST_CURVES = 8


def read(path):
    """(name of the run, {rule: {column: values by update}})"""
    run, rules = None, {}
    try:
        with (sys.stdin if path == "-" else open(path, encoding="utf-8")) as f:
            for number, line in enumerate(f, 1):
                row = json.loads(line)
                if row.get("kind") == "run":
                    run = row["run"]
                elif row.get("kind") == "update":
                    for c in ("update",) + tuple(p[0] for p in PANELS):
                        rules.setdefault(row["objective"], {}).setdefault(c, []).append(np.nan if row.get(c) is None else row[c])
    except OSError as e:
        raise RunError(f"{path}: {e.strerror}") from None
    except (ValueError, KeyError, AttributeError) as e:
        raise RunError(f"{path}: line {number}: expected a row of solera rescore --json ({e})") from None
    if not rules:
        raise RunError(f"{path}: no rows of updates: expected the output of solera rescore --json")
    return run, {r: {c: np.array(v, dtype=float) for c, v in columns.items()} for r, columns in rules.items()}


def mean_known(values):
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def rows(rules):
    return [{"rule": r, "updates": len(c["update"]), **{name: scale * mean_known(c[name]) for name, _, scale in PANELS}} for r, c in rules.items()]


def bars(rules, title):
    found = rows(rules)
    fig, axes = new_figure(1, len(PANELS), 4.2, 1.2 + 0.2 * len(found))
    for ax, (name, label, _) in zip(axes.flat, PANELS):
        ax.barh(range(len(found)), [r[name] for r in found], color=["#000000" if r["rule"] == "self" else "#1f77b4" for r in found], alpha=0.8)
        ax.set_yticks(range(len(found)), ["the run's own rule" if r["rule"] == "self" else r["rule"] for r in found] if ax is axes[0, 0] else [""] * len(found))
        ax.set(xlabel=label + ", mean of the updates")
        ax.invert_yaxis()
    axes[0, 1].set_title(title)
    arrange(fig)
    return fig


@styled
def figure(rules, title=""):
    if len(rules) > MOST_CURVES:
        return bars(rules, title)
    fig, axes = new_figure(1, len(PANELS), 4.2, 3.4)
    spare = list(OTHERS)
    for rule, c in rules.items():
        color = "#000000" if rule == "self" else COLORS.get(rule) or (spare.pop(0) if spare else "#bbbbbb")
        for ax, (name, label, scale) in zip(axes.flat, PANELS):
            ax.plot(c["update"], scale * middle(c[name], SMOOTH), lw=1.4, color=color, label="the run's own rule" if rule == "self" else rule)
            ax.set(xlabel=f"optimizer update (median of {SMOOTH})", ylabel=label)
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 1].set_title(title)
    arrange(fig, axes[0, 0], 4)
    return fig


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("file", metavar="FILE")
    p.add_argument("-o", "--out", metavar="FILE", default="fig_rescore.png", help="the figure: .png, .svg or .pdf (default fig_rescore.png)")
    p.add_argument("--csv", metavar="FILE", help="means over the updates, as a table (- for standard output)")
    p.add_argument("--markdown", action="store_true", help="print that table as Markdown")
    a = p.parse_args()
    try:
        run, rules = read(a.file)
        if a.csv:
            write_csv(rows(rules), a.csv)
        if a.markdown:
            print(markdown(rows(rules)))
        save(figure(rules, os.path.basename(run or "")), a.out)
        say(f"figure: {a.out}")
    except (RunError, OSError, ValueError) as e:
        say(str(e))
        sys.exit(1)


if __name__ == "__main__":
    main()
