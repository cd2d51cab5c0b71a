# SPDX-License-Identifier: Apache-2.0
"""What the figure scripts share: style, colours, curves of groups with their intervals, tables, and the command line. matplotlib.figure.Figure objects, no global state: usable in a notebook."""
import argparse
import csv
import functools
import os
import sys

import numpy as np

from solera_group import group_runs, smooth
from solera_run import COLLAPSE_RULE, RunError, open_runs

STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "legend.frameon": False, "axes.titlesize": 10, "svg.fonttype": "none"}
COLORS = {"grpo": "#1f77b4", "grpo_no_tr": "#d62728", "m2po": "#2ca02c", "gspo": "#9467bd", "m2po_clip": "#17becf", "m2po_all": "#8c564b", "tis": "#e377c2", "dapo": "#bcbd22"}
OTHERS = ("#ff7f0e", "#7f7f7f", "#393b79", "#637939", "#8c6d31", "#843c39", "#7b4173", "#3182bd", "#e6550d", "#31a354", "#756bb1")
DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
SMOOTH = 16  # updates: curves of quantities of single updates are means, or medians, over so many


def styled(figure):
    """decorator of a function that draws: matplotlib's settings are ours inside and untouched outside"""
    @functools.wraps(figure)
    def inside(*args, **options):
        import matplotlib
        with matplotlib.rc_context(STYLE):
            return figure(*args, **options)
    return inside


def new_figure(rows=1, columns=1, width=6.0, height=4.0):
    """(Figure, axes [rows][columns]); width and height of one panel in inches"""
    from matplotlib.figure import Figure
    fig = Figure(figsize=(width * columns, height * rows))
    return fig, fig.subplots(rows, columns, squeeze=False)


def looks(groups):
    """{label: (color, dashes)}: a colour a method; the largest s drawn through, smaller ones dashed"""
    methods, spare, color = [], list(OTHERS), {}
    for g in groups:
        if g.method not in methods:
            methods.append(g.method)
            plain = COLORS.get(g.objective)
            color[g.method] = plain if plain and plain not in color.values() else spare.pop(0) if spare else "#000000"
    s = sorted({-1 if g.s is None else g.s for g in groups}, reverse=True)
    return {g.label: (color[g.method], DASHES[s.index(-1 if g.s is None else g.s) % len(DASHES)]) for g in groups}


def curves(ax, groups, xy, width=None, scale=1.0, look=None, how=smooth, name=None):
    """draws xy (run) -> (x, y) of every group: mean over the seeds, with its 95 % interval from three seeds on and every seed as a thin line below that.
    how (y, width): smooth or middle first. name (group): what the legend says (default: its label)."""
    look = look or looks(groups)
    for g in groups:
        x, y, mean, low, high = g.curve(lambda r: smoothed(xy(r), width, how))
        color, dashes = look[g.label]
        ax.plot(x, scale * mean, color=color, ls=dashes, lw=1.6, label=name(g) if name else g.label + (f" ({len(g.runs)} seeds)" if len(g.runs) > 1 else ""))
        if len(g.runs) >= 3:
            ax.fill_between(x, scale * low, scale * high, color=color, alpha=0.15, lw=0)
        elif len(g.runs) == 2:
            for one in y:
                ax.plot(x, scale * one, color=color, ls=dashes, lw=0.6, alpha=0.5)


def log_axis(ax):
    """a logarithmic y axis that also has numbers between the powers of ten where it covers less than two of them"""
    from matplotlib.ticker import LogFormatterSciNotation
    ax.set_yscale("log")
    ax.yaxis.set_minor_formatter(LogFormatterSciNotation(minor_thresholds=(2, 0.5)))
    ax.tick_params(axis="y", which="minor", labelsize=7)


def smoothed(curve, width, how=smooth):
    return (curve[0], how(curve[1], width)) if width else curve


def curve_rows(groups, xy, names=("update", "mean"), width=None, scale=1.0, how=smooth):
    """what curves () draws as rows: method, s, label, update, mean, low, high, seeds"""
    rows = []
    for g in groups:
        x, y, mean, low, high = g.curve(lambda r: smoothed(xy(r), width, how))
        rows += [{"run": g.label, "method": g.method, "s": g.s, names[0]: int(a), names[1]: scale * m, "low": scale * lo, "high": scale * hi, "seeds": len(g.runs)}
                 for a, m, lo, hi in zip(x, mean, low, high)]
    return rows


def metric_curve(name):
    """run -> (updates, that column of metrics.jsonl)"""
    return lambda run: (run.updates(), run.metric(name))


def arrange(fig, axes=None, most=2):
    """lays the figure out; axes (one or several): their legend goes below all panels, so many entries a line, and makes the figure that much higher"""
    entries = {}
    for ax in np.atleast_1d(axes).flat if axes is not None else []:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            entries.setdefault(label, handle)
    if not entries:
        fig.tight_layout()
        return
    extra = 0.1 + 0.2 * -(-len(entries) // most)
    fig.set_figheight(fig.get_figheight() + extra)
    fig.legend(entries.values(), entries.keys(), loc="lower center", ncol=min(most, len(entries)))
    fig.tight_layout(rect=(0, extra / fig.get_figheight(), 1, 1))


def cell(value, digits=4):
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "-"
    return f"{value:.{digits}g}" if isinstance(value, (float, np.floating)) else str(value)


def markdown(rows):
    """rows (dicts with the same keys) as a table of Markdown"""
    if not rows:
        return ""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join(lines + ["| " + " | ".join(cell(r[n]).replace("|", "\\|") for n in names) + " |" for r in rows])


def write_csv(rows, path):
    with (sys.stdout if path == "-" else open(path, "w", newline="", encoding="utf-8")) as f:
        w = csv.DictWriter(f, fieldnames=list(rows[0]) if rows else [])
        w.writeheader()
        w.writerows(rows)


@styled
def save(fig, path):
    fig.savefig(path, dpi=150, metadata={"Date": None} if str(path).endswith(".svg") else None)


def say(text):
    print(f"{os.path.basename(sys.argv[0])}: {text}", file=sys.stderr)


def parser(doc, table=False):
    """the options that every script has"""
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, or a folder with runs in it")
    p.add_argument("-o", "--out", metavar="FILE", help="the figure: .png, .svg or .pdf" + ("" if table else "; without any of these options SCRIPT.png"))
    p.add_argument("--csv", metavar="FILE", help="what is drawn, as a table (- for standard output)")
    p.add_argument("--markdown", action="store_true", help="print that table as Markdown")
    return p


def command(doc, figure, rows, add=None, grouped=True, table=False):
    """main of a script. figure (groups or runs, **options) -> Figure, rows (the same) -> [dict]; add (parser) adds options, whose names are the options of both. table: without -o only the table."""
    p = parser(doc, table)
    known = {a.dest for a in p._actions}
    if add:
        add(p)
    a = p.parse_args()
    options = {k: v for k, v in vars(a).items() if k not in known}
    try:
        runs = open_runs(a.runs, say)
        what = group_runs(runs) if grouped else runs
        if a.csv or a.markdown or (table and not a.out):
            found = rows(what, **options)
            if a.csv:
                write_csv(found, a.csv)
            if a.markdown or not a.csv:
                print(markdown(found))
        if a.out or not (a.csv or a.markdown or table):
            out = a.out or os.path.splitext(os.path.basename(sys.argv[0]))[0] + ".png"
            save(figure(what, **options), out)
            say(f"figure: {out}")
    except (RunError, OSError, ValueError) as e:
        say(str(e))
        sys.exit(1)


__all__ = ["COLLAPSE_RULE", "SMOOTH", "arrange", "cell", "command", "curve_rows", "curves", "log_axis", "looks", "markdown", "metric_curve", "new_figure", "save", "say", "styled"]
