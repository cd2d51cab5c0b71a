# SPDX-License-Identifier: Apache-2.0
"""The figure scripts of analysis/ on run folders whose figures are known. TAP; arguments: analysis folder, empty folder."""
import contextlib
import glob
import io
import json
import os
import runpy
import shutil
import subprocess
import sys

import numpy as np

analysis, tmp = sys.argv[1:3]
sys.path.insert(0, analysis)
sys.dont_write_bytecode = True
from analysis_runs import UP, make, ok, plan, study  # noqa: E402
from solera_draw import markdown  # noqa: E402
from solera_group import group_runs  # noqa: E402
from solera_run import RunError, open_runs  # noqa: E402
import fig_accuracy, fig_clip_ratio, fig_collapse, fig_entropy, fig_lag, fig_m2, fig_methods, fig_rescore, fig_reward, fig_staleness, fig_tau, fig_words  # noqa: E401,E402

def drawn(figure, panels):
    """a figure with so many panels, each with something in it"""
    axes = [a for a in figure.axes if a.axison]
    return len(axes) == panels and all(a.lines or a.collections or a.patches for a in axes)


def only(rows, **which):
    return [r for r in rows if all(r[k] == v for k, v in which.items())]


for seed, shift in ((1, 0.0), (2, 0.02), (3, 0.04)):
    study(os.path.join(tmp, f"seed{seed}"), shift, seed)
groups = group_runs(open_runs([tmp]))
m2po = os.path.join(tmp, "seed1", "m2po_s256")

r = only(fig_accuracy.rows(groups), run="GRPO s=0", update=320)
ok(len(r) == 1 and abs(r[0]["pass_rate"] - (np.mean(UP[-5:]) + 0.02)) < 1e-9 and abs(r[0]["high"] - r[0]["pass_rate"] - 4.303 * 0.02 / 3 ** 0.5) < 1e-9, "accuracy with its interval")
ok(drawn(fig_accuracy.figure(groups), 1) and drawn(fig_accuracy.figure(groups, by="s"), 2) and drawn(fig_accuracy.figure(groups, by="method"), 3), "accuracy drawn, in one panel and in several")
ok([t.get_text() for t in fig_accuracy.figure(groups, by="s").legends[0].get_texts()] == ["GRPO", "GRPO no trust region", "M2PO"], "a panel a staleness: the legend names each method once")
try:
    fig_accuracy.rows(groups, of="eval")
    ok(False, "held-out accuracy of runs without evaluations")
except RunError as e:
    ok("eval.every" in str(e), "held-out accuracy of runs without evaluations")
for run in groups[0].runs:
    with open(run.path("evals.jsonl"), "w") as f:
        f.write('{"version": 0, "avg": 0.1}\n{"version": 40, "avg": 0.5}\n{"version": 40, "avg": 0.25}\n')
r = only(fig_accuracy.rows(groups[:1], of="eval"), update=40)
ok(r[0]["pass_rate"] == 0.25 and r[0]["seeds"] == 3, "held-out accuracy: of two evaluations the later counts")

r = only(fig_clip_ratio.rows(groups), run="M2PO s=256", update=100)[0]
ok(abs(r["percent"] - 3) < 1e-9 and drawn(fig_clip_ratio.figure(groups), 1) and drawn(fig_clip_ratio.figure(groups, split=True), 4), "clip ratio")
r = fig_entropy.rows(groups[:1], by_sign=True)
ok(sum(x["tokens"] for x in r) == 15000 and abs(only(r, advantage="A > 0")[20]["entropy"] - 10 * 0.5125) < 0.1 and drawn(fig_entropy.figure(groups), 2), "entropy against |r-1|")
r = fig_reward.rows(groups)
ok(abs(only(r, reward="consumed", run="GRPO s=256", update=200)[0]["mean"] - 0.5) < 1e-9 and drawn(fig_reward.figure(groups), 4), "reward consumed and fresh")
r = fig_methods.rows(groups)
ok([x["collapsed"] for x in r] == ["0 of 3", "0 of 3", "3 of 3", "0 of 3"] and r[0]["held out, last"] == "0.250 ± 0.000" and drawn(fig_methods.figure(groups), 1),
   "comparison of methods: " + markdown(r[:1])[-90:])
r = fig_staleness.rows(groups, most=16)
ok([x["method"] for x in r] == ["GRPO"] and drawn(fig_staleness.figure(groups), 1), "accuracy against staleness")
r = only(fig_m2.rows(groups), run="M2PO s=256", update=64)
ok({x["column"]: round(x["median"], 9) for x in r} == {"m2_before": 0.1, "m2_after": 0.03, "m2_all": 0.05, "kl_k1": 0.01, "kl_k3": 0.02, "ess": 0.9} and drawn(fig_m2.figure(groups), 6), "M2 and KL")
r = only(fig_collapse.rows(groups), column="m2_all")
ok([x["collapsed at"] for x in r[6:9]] == [212, 212, 212] and r[0]["collapsed at"] is None and r[0]["-40 to 0"] == 0.05 and drawn(fig_collapse.figure(groups), 6), "before a collapse")
for tau in (0.01, 0.16):
    make(os.path.join(tmp, f"tau{tau}"), UP, 0.01, "m2po", 256, 1, tau)
more = group_runs(open_runs([tmp]))
r = fig_tau.rows(more)
ok([(x["tau"], x["seeds"]) for x in r] == [(0.01, 1), (0.04, 3), (0.16, 1)] and drawn(fig_tau.figure(more), 3), "tau")
levels = [line for line in fig_tau.figure(more).axes[0].lines if str(line.get_label()).startswith("GRPO")]
ok(len({(line.get_color(), line.get_linestyle()) for line in levels}) == len(levels) >= 3, "tau: every level that is drawn beside it has a look of its own")

r = fig_words.rows(open_runs([m2po]), top=5)
whole = "0123456789+-*=;#" * 3
ok(len(r) == 5 and all(x["text"] == "0123456789+-*=;#"[x["token"]] and x["before"] + x["text"] + x["after"] in whole for x in r)
   and max(len(x["before"] + x["after"]) for x in r) == 5, f"words with their places: {r[0]}")
ok(all(abs(x["entropy_marked"] - 6.45) < 0.3 and 0.05 < x["rate"] < 0.25 for x in r) and r[0]["marked"] >= r[4]["marked"] and drawn(fig_words.figure(open_runs([m2po])), 2),
   "how often they are masked, and at which entropy")
ok(fig_words.rows(open_runs([m2po]), top=5, by="rate")[0]["rate"] >= r[0]["rate"], "words by rate")
r = fig_lag.rows(open_runs([m2po]), most=8)
ok(sum(x["tokens"] for x in r) == 5000 and r[-1]["lag_to"] == 256 and all(0.05 < x["m2"] < 0.15 and 0.9 < x["ess"] < 1 and 0.05 < x["marked"] < 0.25 for x in r), f"by lag: {r[-1]}")
ok(drawn(fig_lag.figure(open_runs([m2po])), 4 + 2), "by lag, drawn")

lines = [{"kind": "run", "run": "a/b"}] + [{"kind": "update", "update": u, "objective": o, "marked": m, "kept_weight": 1, "ess": None} for u in range(9) for o, m in (("self", 0.01), ("tis", 0.02))]
path = os.path.join(tmp, "rules.jsonl")
with open(path, "w") as f:
    f.write("\n".join(map(json.dumps, lines)))
run, rules = fig_rescore.read(path)
ok(run == "a/b" and abs(fig_rescore.rows(rules)[1]["marked"] - 2) < 1e-9 and len(fig_rescore.figure(rules).axes) == 3, "other gates")
many = fig_rescore.figure({f"rule{i}": rules["tis"] for i in range(9)}, "a")
ok(drawn(many, 3) and [t.get_text() for t in many.axes[0].get_yticklabels()] == [f"rule{i}" for i in range(9)] and len(many.axes[0].patches) == 9, "more rules than curves can show: bars")

close = fig_staleness.figure([g for g in groups if g.label in ("GRPO s=0", "M2PO s=256")]).axes[0]
ok(all(max(line.get_ydata()) < 0.97 * close.get_ylim()[1] for line in close.lines), "no point of a figure is at its edge")

for script in ("demo.py", "calibrate.py", "report.py"):
    done = subprocess.run([sys.executable, "-B", os.path.join(analysis, script), "--help"], capture_output=True, text=True)
    ok(done.returncode == 0 and done.stdout.startswith("usage:"), script + " --help")
for script in sorted(glob.glob(os.path.join(analysis, "fig_*.py"))):
    sys.argv, said, code = [script, "--help"], io.StringIO(), None
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(script, run_name="__main__")
    except SystemExit as e:
        code = e.code
    ok(code == 0 and "usage:" in said.getvalue() and "--csv" in said.getvalue(), os.path.basename(script) + " --help")
png = os.path.join(tmp, "x.png")
done = subprocess.run([sys.executable, "-B", os.path.join(analysis, "fig_m2.py"), tmp, "-o", png, "--csv", "-"], capture_output=True, text=True)
ok(done.returncode == 0 and open(png, "rb").read(8) == b"\x89PNG\r\n\x1a\n" and done.stdout.startswith("column,run,method,s,update,median"), "a script's figure and table " + done.stderr[-200:])
shutil.rmtree(os.path.join(tmp, "seed1", "m2po_s256", "stats"))
done = subprocess.run([sys.executable, "-B", os.path.join(analysis, "fig_words.py"), m2po, "--csv", "-"], capture_output=True, text=True)
ok(done.returncode == 1 and done.stderr.count("\n") == 1 and "stats/0000.0000.h5 is missing" in done.stderr, "what is wrong is one line: " + done.stderr.strip()[-200:])
plan()
