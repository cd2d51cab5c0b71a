# SPDX-License-Identifier: Apache-2.0
"""analysis/ on run folders made here, whose figures are known. TAP; arguments: analysis folder, empty folder."""
import json
import os
import subprocess
import sys

import h5py
import numpy as np

analysis, tmp = sys.argv[1:3]
sys.path.insert(0, analysis)
sys.dont_write_bytecode = True
from solera_run import Run  # noqa: E402

count = 0


def ok(good, text):
    global count
    count += 1
    print(f"{'' if good else 'not '}ok {count} - {text}")


def make(folder, rates, clip):
    """version 4 i has pass rate rates[i]; every token has entropy 10 |r-1|"""
    os.makedirs(folder)
    with open(os.path.join(folder, "fresh.jsonl"), "w") as f:
        for i, r in enumerate(rates):
            f.write(json.dumps({"version": 4 * i, "reward": r, "responses": 256}) + "\n")
        f.write('{"version":')  # cut by a kill
    updates = 4 * (len(rates) - 1)
    with open(os.path.join(folder, "metrics.jsonl"), "w") as f:
        for u in range(updates):
            f.write(json.dumps({"update": u, "clip_share": clip if u else None}) + "\n")
    rng = np.random.default_rng(1)
    dev = rng.uniform(0, 0.69, 5000)
    behav = rng.uniform(-3, -1, 5000).astype("f4")
    with h5py.File(os.path.join(folder, "stats.h5"), "w") as f:
        f["tokens/lp_behav"] = behav
        f["tokens/lp"] = (behav + np.log1p(dev)).astype("f4")
        f["tokens/entropy"] = (10 * dev).astype("f4")


def study(folder, shift):
    up = list(np.linspace(0.4, 0.95, 81) + shift)
    down = up[:30] + list(np.linspace(up[29], 0.1, 51))
    for name, rates, clip in (("grpo_s0", up, 0.0), ("grpo_s256", up, 0.05), ("grpo_no_tr_s256", down, 0.0), ("m2po_s256", up, 0.03)):
        make(os.path.join(folder, name), rates, clip)


def run(script, *args):
    r = subprocess.run([sys.executable, "-B", os.path.join(analysis, script), *args], capture_output=True, text=True)
    return r.returncode, r.stdout, r.stderr


for seed, shift in ((1, 0.0), (2, 0.04)):
    study(os.path.join(tmp, f"seed{seed}"), shift)
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
print(f"1..{count}")
