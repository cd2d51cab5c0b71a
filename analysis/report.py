#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""report.py RUN [RUN...] [-o FILE.html]: one self-contained page of one or several runs: settings, curves with the values under the pointer, where time went, lags, the tokens that were clipped or
masked with their texts, evaluations, and with several runs what they have apart. No network is used to make or to show it. In a notebook: page (open_runs (["runs/a"])) is the text of the page."""
import argparse
import json
import os
import sys

import numpy as np

import report_curves
from fig_words import words
from solera_draw import say
from solera_group import group_runs, is_aside, value
from solera_page import Raw, facts, page as shell, section, table
from solera_run import COLLAPSE_RULE, RunError, open_runs
from solera_svg import number
from solera_text import visible
from html import escape

MANY = 6  # runs: above, their cards are folded
PHASES = ("forward_s", "backward_s", "generate_s", "select_s", "optimizer_s", "reduce_s", "write_s", "publish_s", "wait_s")  # then what is left
PHASE_COLORS = {"forward_s": 0, "backward_s": 1, "generate_s": 5, "select_s": 2, "optimizer_s": 3, "reduce_s": 6, "write_s": 4, "publish_s": 7, "wait_s": 8, "other": 9}


def names(runs):
    """a name for every run: its folder's, with those above it as far as needed to tell them apart"""
    parts = [os.path.abspath(r.folder).split(os.sep) for r in runs]
    found = ["/".join(p[-1:]) for p in parts]
    for depth in range(2, 5):
        found = [n if found.count(n) == 1 else "/".join(p[-depth:]) for n, p in zip(found, parts)]
    return found


def state(run):
    """(banner or None, status) of a run that did not end by itself"""
    if not run.has("status.json"):
        return ("", "status.json is missing: how the run ended is not known"), {"state": "unknown", "update": len(run.metrics()), "updates": run.setting("train.updates"), "time": ""}
    s = run.status()
    made = f"update {s.get('update')} of {s.get('updates')}"
    if s.get("state") == "running":
        return ("", f"still going, or killed: the page shows what was recorded up to update {int(run.updates()[-1]) + 1} of {s.get('updates')} (status of {s.get('time')})"), s
    if s.get("state") in ("failed", "stopped"):
        return ("bad" if s["state"] == "failed" else "", f"{s['state']} at {made}: {s.get('reason')}"), s
    return None, s


def seconds(run):
    """({phase: s}, s in all) over all launches"""
    spent, total = {p: float(np.nansum(run.metric(p))) for p in PHASES}, run.seconds()
    spent["other"] = max(total - sum(spent.values()), 0.0)
    return spent, total


def duration(s):
    s = int(round(s))
    return f"{s // 3600} h {s % 3600 // 60} min" if s >= 3600 else f"{s // 60} min {s % 60} s" if s >= 60 else f"{s} s"


def verdict(run):
    """(cells of how it learned): best, at, end, collapse; dashes where no reward of fresh rollouts was recorded"""
    if not run.has("fresh.jsonl"):
        return None
    try:
        return run.collapse()
    except RunError:
        return None


def card(run, name, color):
    _, status = state(run)
    c, (_, total) = verdict(run), seconds(run)
    fell = "–" if c is None else Raw(f'<span class="bad">at {c.at}, down to {c.low:.3f}</span>') if c.collapsed else Raw('<span class="good">no</span>')
    pairs = [("objective", run.objective()), ("staleness", ", ".join(dict.fromkeys((str(run.setting("staleness.mode")), run.staleness_text())))), ("task", run.setting("task.name")), ("seed", run.setting("seed")),
             ("state", status["state"]), ("updates", f"{number(status.get('update'))} of {number(status.get('updates'))}"), ("time", duration(total)),
             ("pass rate, last tenth", "–" if c is None else f"{c.end:.3f}"), ("best", "–" if c is None else f"{c.best:.3f} at {c.best_at}"), ("collapse", fell),
             ("clipped or masked", f"{100 * np.nanmean(run.metric('clip_share')):.2f} %"), ("tokens trained", number(float(np.nansum(run.metric("n_tokens"))))),
             ("mean lag", number(float(np.nanmean(run.metric("lag_mean"))))), ("model", run.setting("model.path") or "–"), ("program", run.head().get("program", "–").split(" (")[0]),
             ("hosts", run.head().get("hosts", "–")), ("ended" if status["state"] != "running" else "status of", status.get("time", "").replace("T", " ").replace("Z", " UTC"))]
    return f'<article class="card"><h3><span class="swatch b{color % 8}"></span>{escape(name)}</h3>{facts(pairs)}</article>'


def cards(runs, labels):
    inside = "".join(card(r, n, i) for i, (r, n) in enumerate(zip(runs, labels)))
    inside = f'<div class="runs{" one" if len(runs) == 1 else ""}">{inside}</div><p class="soft">{escape(COLLAPSE_RULE)}.</p>'
    return inside if len(runs) <= MANY else f"<details><summary>{len(runs)} runs, one by one</summary>{inside}</details>"


def banners(runs, labels):
    out = ""
    for run, name in zip(runs, labels):
        note, _ = state(run)
        if note:
            out += f'<div class="banner {note[0]}"><b>{escape(name)}</b> {escape(note[1])}</div>'
    return out


def times(runs, labels):
    out = ""
    for run, name in zip(runs, labels):
        spent, total = seconds(run)
        if total <= 0:
            continue
        shown = {p: s for p, s in spent.items() if s / total >= 0.0005}
        bar = "".join(f'<span class="b{PHASE_COLORS[p]}" style="width:{100 * s / total:.2f}%" title="{p.replace("_s", "")}: {number(s)} s, {100 * s / total:.1f} %"></span>' for p, s in shown.items())
        items = "".join(f'<li><span class="swatch b{PHASE_COLORS[p]}"></span>{p.replace("_s", "")} {100 * s / total:.1f} % <span class="soft">{number(s)} s</span></li>' for p, s in shown.items())
        out += f'<h3>{escape(name)} <small>{duration(total)}</small></h3><div class="stack">{bar}</div><ul class="phases">{items}</ul>'
    return out and f'<div class="card">{out}</div><p class="soft">Of the learners, added up over the updates; wait: for rollouts. What the phases leave of the time is other.</p>'


def words_table(run, top):
    rows, why = words(run, top)
    if not rows:
        return '<p class="soft">No token was clipped or masked.</p>'
    most = max(r["rate"] for r in rows)
    cells = [[Raw(f'<span class="mono">{escape(visible(r["text"]))}</span>'), r["token"], number(r["marked"]), f"{100 * r['of_marked']:.1f}",
              Raw(f'<span class="meter" style="width:{60 * r["rate"] / most:.1f}px"></span><span class="figure">{100 * r["rate"]:.3f}</span>'), f"{r['entropy_marked']:.3f}", f"{r['entropy']:.3f}", f"{r['distance']:.3f}",
              Raw(f'<span class="mono">{escape(r["before"])}<mark>{escape(r["text"])}</mark>{escape(r["after"])}</span> <small>update {r["update"]}</small>')] for r in rows]
    head = ["token", "id", "times", "% of all", "% of this token", "entropy there", "entropy anywhere", "|d| there", "farthest"]
    return (f'<p class="soft">{escape(why)}.</p>' if why else "") + table(head, cells, (0, 8), (8,))


def words_section(runs, labels, top):
    out = ""
    for i, (run, name) in enumerate(zip(runs, labels)):
        try:
            inside = words_table(run, top)
        except RunError as e:
            inside = f'<p class="soft">{escape(str(e))}</p>'
        out += f'<details{" open" if len(runs) <= 4 else ""}><summary>{escape(name)}</summary>{inside}</details>'
    return out + ('<p class="soft">times: clipped or masked; entropies of the learner\'s policy in nats; |d|: mean distance of the log-probability from the recorded one; farthest: the marked place '
                  'where that was largest, among the tokens around it.</p>')


def evaluations(runs, labels):
    rows = [[name, e.get("data") or "–", number(e["version"]), number(e.get("prompts")), number(e.get("samples")), f"{e['avg']:.3f}", f"{e['avg_low']:.3f} to {e['avg_high']:.3f}",
             f"{e['pass_k']}: {e['pass']:.3f}", f"{100 * e['truncated']:.1f} %", f"{e['mean_tokens']:.1f}"] for run, name in zip(runs, labels) for e in run.evaluations()]
    return rows and table(["run", "data", "version", "prompts", "samples", "avg@n", "95 %", "pass@k", "truncated", "tokens"], rows, (0, 1))


def plain(value):
    """a setting as it stands in settings.yaml"""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def comparison(runs, labels):
    """several runs: a row each, the settings by which they differ, and groups of seeds where there are some"""
    if len(runs) < 2:
        return ""
    rows = []
    for run, name in zip(runs, labels):
        c = verdict(run)
        learned = ["–"] * 4 if c is None else [f"{run.area():.3f}", f"{c.best:.3f}", f"{c.end:.3f}", f"at {c.at}" if c.collapsed else "no"]
        rows.append([name, run.objective(), run.staleness_text(), run.setting("seed"), *learned, f"{100 * np.nanmean(run.metric('clip_share')):.2f}",
                     number(float(np.nanmean(run.metric("m2_before")))), number(float(np.nanmean(run.metric("ess"))))])
    out = table(["run", "objective", "staleness", "seed", "mean pass rate", "best", "last tenth", "collapse", "clipped %", "M2 over T", "ESS"], rows, (0, 1, 2))
    try:
        groups = group_runs(runs)
    except RunError as e:
        groups, out = [], out + f'<p class="soft">Not grouped: {escape(str(e))}.</p>'
    if any(len(g.runs) > 1 for g in groups) and all(verdict(r) for r in runs):
        cells = [[g.label, len(g.runs), g.of(lambda r: r.area()).text(), g.of(lambda r: r.collapse().best).text(), g.of(lambda r: r.final()).text(), "%d of %d" % g.collapsed()] for g in groups]
        out += "<h3>Over seeds</h3>" + table(["runs", "seeds", "mean pass rate", "best", "last tenth", "collapsed"], cells)
        out += '<p class="soft">Means over the seeds ± half of the 95 % interval by Student\'s t.</p>'
    names_of = sorted({k for r in runs for k in r.settings()} - {"out"})
    differ = [k for k in names_of if len({value(r, k) for r in runs if k in r.settings()}) > 1]
    if differ:
        out += "<h3>Settings that differ</h3>" + table(["setting"] + labels, [[k + (" *" if is_aside(k) else "")] + [plain(r.setting(k, "–")) for r in runs] for k in differ])
        out += '<p class="soft">* where it ran and what it wrote: of no weight when runs are grouped.</p>' if any(is_aside(k) for k in differ) else ""
    return out


def settings(runs, labels):
    out = ""
    for run, name in zip(runs, labels):
        head = "".join(f'<div class="soft">{escape(k)}: {escape(v)}</div>' for k, v in run.head().items())
        rows = [[k, plain(v)] for k, v in run.settings().items()]
        out += f"<details><summary>{escape(name)}: all {len(rows)} settings</summary>{head}{table(['setting', 'value'], rows, (0, 1), (1,))}</details>"
    return out


def page(runs, title=None, top=20):
    """the page as text"""
    labels = names(runs)
    for run in runs:
        run.settings()
    title = title or ", ".join(labels[:4]) + (f" and {len(labels) - 4} more" if len(labels) > 4 else "")
    parts = [("runs", "Runs" if len(runs) > 1 else "Run", cards(runs, labels)),
             ("comparison", "Comparison", comparison(runs, labels)),
             *report_curves.sections(runs, labels),
             ("time", "Where time went", times(runs, labels)),
             ("words", "Tokens that were clipped or masked", words_section(runs, labels, top)),
             ("evaluations", "Evaluations", evaluations(runs, labels)),
             ("settings", "Settings", settings(runs, labels))]
    parts = [p for p in parts if p[2]]
    return shell(title, [(n, t) for n, t, _ in parts], banners(runs, labels) + "".join(section(*p) for p in parts))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, or a folder with runs in it")
    p.add_argument("-o", "--out", metavar="FILE", default="report.html", help="the page (default report.html)")
    p.add_argument("--title", help="its title (default: the names of the runs)")
    p.add_argument("--top", type=int, default=20, metavar="N", help="tokens in each table of clipped tokens (default 20)")
    a = p.parse_args()
    try:
        text = page(open_runs(a.runs, say), a.title, a.top)
        with open(a.out, "w", encoding="utf-8") as f:
            f.write(text)
    except (RunError, OSError) as e:
        say(str(e))
        sys.exit(1)
    say(f"page: {a.out} ({len(text.encode()) / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
