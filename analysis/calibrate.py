#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration over seeds (FOLDER/seed*/RUN): for every run the median of the seeds, and the smallest and largest."""
import argparse
import glob
import os
import sys

import numpy as np

from demo import RUNS, points
from solera_run import COLLAPSE_RULE, Run


def spread(x, digits=2):
    return f"{np.median(x):.{digits}f} ({np.min(x):.{digits}f}-{np.max(x):.{digits}f})"


def row(runs, at):
    collapse = [r.collapse() for r in runs]
    clip = [r.metric("clip_share") * 100 for r in runs]
    cells = [spread([r.pass_at(u) for r in runs]) for u in at]
    cells += [spread([c.best for c in collapse]), f"{sum(c.collapsed for c in collapse)} of {len(runs)}"]
    cells += [spread([np.nanmean(c[:256]) for c in clip])]
    cells += [spread([np.nanmean(c[256:]) for c in clip]) if min(map(len, clip)) > 256 else "-"]
    return cells


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("folder", metavar="FOLDER", help="what jobs/calibrate.sh made")
    p.add_argument("--markdown", action="store_true", help="a table of Markdown")
    a = p.parse_args()
    seeds = sorted(glob.glob(os.path.join(a.folder, "seed*")))
    rows, at = [], None
    for name, label, _ in RUNS:
        runs = [Run(os.path.join(s, name)) for s in seeds if os.path.exists(os.path.join(s, name, "fresh.jsonl"))]
        if runs:
            at = at or points(runs)
            rows.append([f"{label}, {len(runs)} seeds"] + row(runs, at))
    if not rows:
        sys.exit(f"{a.folder}: no runs in seed*/")
    head = ["run"] + [f"update {u}" for u in at] + ["best", "collapsed", "clipped/masked %, first 256 updates", "after"]
    if a.markdown:
        print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        for r in rows:
            print("| " + " | ".join(r) + " |")
    else:
        width = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]
        for r in [head] + rows:
            print("  ".join(c.ljust(w) for c, w in zip(r, width)))
    print("\nMedian of the seeds (smallest-largest). " + COLLAPSE_RULE + ".")


if __name__ == "__main__":
    main()
