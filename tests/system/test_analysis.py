# SPDX-License-Identifier: Apache-2.0
"""analysis/ on run folders made here, whose figures are known. TAP; arguments: analysis folder, empty folder."""
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np

analysis, tmp = sys.argv[1:3]
sys.path.insert(0, analysis)
sys.dont_write_bytecode = True
from analysis_runs import UP, make, ok, plan, statistics, study, tokens  # noqa: E402
from solera_group import group_runs, interval, intervals, paired, share_interval, smooth  # noqa: E402
from solera_run import Run, RunError, open_run, open_runs, read_settings  # noqa: E402


def run(script, *args):
    r = subprocess.run([sys.executable, "-B", os.path.join(analysis, script), *args], capture_output=True, text=True)
    return r.returncode, r.stdout, r.stderr


for seed, shift in ((1, 0.0), (2, 0.04)):
    study(os.path.join(tmp, f"seed{seed}"), shift, seed)
one = os.path.join(tmp, "seed1")

r = Run(os.path.join(one, "grpo_s0"))
version, rate = r.pass_curve()
ok(version[-1] == 320 and len(version) == 81, "a line cut short is left out")
ok(abs(rate[0] - 0.4) < 1e-12 and abs(r.pass_at(320) - np.mean(np.linspace(0.4, 0.95, 81)[-5:])) < 1e-12, "pass rate is the mean over five versions")
ok(np.isnan(r.metric("clip_share")[0]), "null is unknown")
ok(not r.collapse()[0] and Run(os.path.join(one, "grpo_no_tr_s256")).collapse()[0], "collapse by the rule")
n, entropy = r.entropy_by_ratio()
middle = (np.arange(28) + 0.5) * 0.025
ok(n.sum() == 5000 and np.nanmax(np.abs(entropy / (10 * middle) - 1)[4:]) < 0.1, "entropy by |r-1|")

code, out, err = run("demo.py", one)
ok(code == 0, "demo.py ends well " + err.strip()[-200:])
ok("M2PO s=256" in out and "3.00 %" in out and out.count("  yes (down to") == 1, "its table")
png = os.path.join(one, "demo.png")
ok(os.path.exists(png) and open(png, "rb").read(8) == b"\x89PNG\r\n\x1a\n" and os.path.getsize(png) > 20000, "its figure")
code, out, err = run("calibrate.py", tmp, "--markdown")
ok(code == 0 and out.count("2 seeds") == 4 and "2 of 2" in out and "0 of 2" in out, "calibrate.py " + err.strip()[-200:])
code, out, err = run("demo.py", os.path.join(tmp, "nothing"))
ok(code != 0 and "none of the runs" in err, "a folder without runs")


def refused(function, *parts):
    """function () ends with a RunError that has all these parts"""
    try:
        function()
    except RunError as e:
        return all(p in str(e) for p in parts)
    return False


# the reader
c = Run(os.path.join(one, "grpo_no_tr_s256")).collapse()
down = UP[:30] + list(np.linspace(UP[29], 0.1, 51))
ok(c.best_at == 124 and c.at == 212 and abs(c.end - np.mean(down[-8:])) < 1e-12 and r.collapse().at is None, f"where it collapsed, and how it ended: {c}")
few = os.path.join(tmp, "few")
make(few, list(np.where(np.arange(60) < 30, 0.25, 0.125)), responses=16)
many = os.path.join(tmp, "many")
make(many, list(np.where(np.arange(60) < 30, 0.25, 0.125)), responses=256)
ok(not Run(few).collapse().collapsed and Run(many).collapse().at == 4 * 33, f"half of 0.25 is chance with 80 responses, a collapse with 1280: {Run(many).collapse().at}")
shutil.rmtree(few)
shutil.rmtree(many)
s = r.settings()
ok(s["objective.name"] == "grpo" and s["staleness.k"] == 0 and s["objective.clip_low"] == 0.2 and s["objective.tau"] == "auto" and s["task.stop"] == ["a: b", "c"] and r.head()["hosts"] == "nowhere",
   "settings.yaml")
by_sign, mean = r.entropy_bins()
ok(by_sign.sum() == 5000 and np.array_equal(by_sign.sum(axis=0), n) and np.allclose(np.nansum(by_sign * np.nan_to_num(mean), axis=0) / n, entropy), "entropy by |r-1|: metrics and token statistics agree")
lag, count_of = Run(os.path.join(one, "m2po_s256")).lag_histogram()
ok(lag[0] == 0 and lag[-1] == 256 and count_of.sum() == 5000, "lag histogram")
parts = list(r.tokens(("update", "lp", "lp_prox"), rows=700, overlap=5))
ok(np.array_equal(np.concatenate([p["update"][p["own"]] for p in parts]), tokens(5000, 320, 0)["update"]) and len(parts[1]["lp"]) == 710 and "lp_prox" not in parts[0], "tokens in parts")
ok(refused(lambda: open_run(tmp), tmp, "no settings.yaml and no metrics.jsonl") and refused(lambda: open_run(tmp + "/none"), "no such folder"), "not a run's folder")
bad = os.path.join(tmp, "bad")
make(bad, UP, k=3)
open(os.path.join(bad, "metrics.jsonl"), "r+").truncate(20)
ok(refused(lambda: open_run(bad), bad, "no update"), "a run without an update")
with open(os.path.join(bad, "settings.yaml"), "a") as f:
    f.write("  what is this\n")
ok(refused(lambda: read_settings(os.path.join(bad, "settings.yaml")), "line 22", "what is this"), "a line of settings.yaml that is none")
for launch, update in enumerate((0, 100, 60, 80)):
    with h5py.File(os.path.join(bad, "stats", f"{launch:04d}.0000.h5"), "w") as f:
        f.attrs["launch"], f.attrs["resumed_update"] = launch, update
ok(Run(bad).launches() == [60, 80], "launches that count: one that went back behind others takes their place")
statistics(bad, tokens(100, 4, 0), version=99)
ok(refused(lambda: Run(bad).statistics(), "stats.h5", "found 99"), "statistics of another version")
statistics(bad, tokens(100, 4, 0))
os.remove(os.path.join(bad, "stats/0000.0000.h5"))
ok(refused(lambda: Run(bad).statistics(), "stats/0000.0000.h5 is missing"), "a source that is missing")
shutil.rmtree(bad)

# groups
groups = group_runs(open_runs([tmp]))
ok([g.label for g in groups] == ["GRPO s=0", "GRPO s=256", "GRPO no trust region s=256", "M2PO s=256"] and all(g.seeds() == [1, 2] for g in groups), "runs grouped by their settings, in order")
ok(groups[2].collapsed() == (2, 2) and groups[3].collapsed() == (0, 2), "how many seeds collapsed")
ok(np.allclose(paired(groups[3], groups[0], lambda x: x.pass_at(320))[:3], 0), "paired differences")
x, y, mean, low, high = groups[0].curve(lambda x: x.pass_curve())
ok(len(x) == 81 and y.shape == (2, 81) and np.allclose(mean - y[0], 0.02) and np.allclose(high - mean, 12.706 * 0.02), "a curve with its interval")
i = interval([1, 2, 3, float("nan")])
ok(i.n == 3 and i.mean == 2 and abs(i.high - 2 - 4.303 / 3 ** 0.5) < 1e-9 and np.isnan(interval([4]).low), "interval of three seeds, and of one")
columns = np.array([[1, 4, np.nan, 1], [2, np.nan, np.nan, 2], [3, np.nan, np.nan, 9]])
ok(np.allclose(np.array(intervals(columns)).T, [interval(x)[:3] for x in columns.T], equal_nan=True), "intervals of many columns are those of each")
i = share_interval(1, 5)
ok(abs(i.low - 0.0362) < 5e-4 and abs(i.high - 0.6245) < 5e-4, f"interval of a share: {i}")
ok(np.allclose(smooth([1, np.nan, 3, 5], 2), [1, 1, 3, 4]), "smoothing leaves unknown values out")
make(os.path.join(tmp, "again"), UP, 0.0, "grpo", 0, 1, low=0.2)
ok(refused(lambda: group_runs(open_runs([tmp])), "seed 1", "again", "grpo_s0"), "the same run twice")
shutil.rmtree(os.path.join(tmp, "again"))
for tau in (0.01, 0.08):
    make(os.path.join(tmp, f"tau{tau}"), UP, 0.01, "m2po", 256, 1, tau)
with open(os.path.join(tmp, "tau0.08", "settings.yaml"), "a") as f:
    f.write('kl:\n  coef: 0\ntask:\n  path: []\n')  # of a newer program
labels = [g.label for g in group_runs(open_runs([tmp]))]
ok("M2PO tau=0.08 s=256" in labels and not any("coef" in x or "path" in x for x in labels), "a setting that older runs do not have")
for name, coef in (("tau0.01", 1), ("tau0.08", 2)):
    with open(os.path.join(tmp, name, "settings.yaml"), "a") as f:
        f.write(f'kl:\n  coef: {coef}\nentropy:\n  coef: {coef + 1}\n')
labels2 = [g.label for g in group_runs(open_runs([tmp]))]
ok("M2PO entropy.coef=3 kl.coef=2 tau=0.08 s=256" in labels2 and "GRPO s=0" in labels2, f"names whose last part is the same are whole: {labels2[3:]}")
ok("M2PO tau=0.01 s=256" in labels and "M2PO tau=0.04 s=256" in labels and "GRPO s=256" in labels, f"a parameter that differs is in the label: {labels}")
with open(os.path.join(tmp, "tau0.01", "settings.yaml"), "a") as f:
    f.write('staleness:\n  trace: "uniform:4:64"\n')
labels = [g.label for g in group_runs(open_runs([tmp]))]
ok(any(x.startswith("M2PO ") and x.endswith(" s=uniform:4:64") for x in labels), "a trace of lags is in the label")
plan()
