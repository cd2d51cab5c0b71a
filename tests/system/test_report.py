# SPDX-License-Identifier: Apache-2.0
"""analysis/report.py on two runs of the chain task: a (two learners, resumed, evaluated) and b (solo, grpo); base is supervised. TAP;
arguments: analysis folder, tests/data, folder with the runs, number of the
first point less one."""
import gzip
import json
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np

analysis, data, tmp, count = *sys.argv[1:4], int(sys.argv[4])
sys.path.insert(0, analysis)
sys.dont_write_bytecode = True
import chromium  # noqa: E402
from fig_words import words  # noqa: E402
from report import page, seconds  # noqa: E402
from solera_run import MARKED, Run, lag_edges, open_runs  # noqa: E402
from solera_text import decoder, visible  # noqa: E402

VOID = {"meta", "link", "br", "path", "rect", "circle"}
a, b = os.path.join(tmp, "a"), os.path.join(tmp, "b")


def ok(good, text):
    global count
    count += 1
    print(f"{'' if good else 'not '}ok {count} - {text}")


def marked_all(verdict):
    return ((verdict & MARKED) != 0).astype(float)


class Tree(HTMLParser):
    """checks that elements close in order; gathers ids, links, the charts' JSON, headings, rows of tables"""
    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.ids, self.links, self.external, self.data, self.rows, self.heads = [], [], [], [], [], [], [], []
        self.feed(text)
        self.close()
        self.wrong += [f"{t} stays open" for t in self.open]

    def handle_starttag(self, tag, attributes):
        d = dict(attributes)
        self.ids += [d["id"]] if "id" in d else []
        for k in ("src", "href", "xlink:href", "action", "srcset"):
            if k in d:
                (self.links if d[k].startswith("#") else self.external).append(d[k])
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"{tag} closes what is not open")

    def handle_data(self, text):
        if self.open and self.open[-1] == "script" and text.startswith("{"):
            self.data.append(json.loads(text))
        if "td" in self.open[-4:] or "th" in self.open[-4:]:
            self.rows[-1][-1] += text
        if self.open and self.open[-1] in ("h2", "figcaption", "summary"):
            self.heads.append(text)


one, both = page(open_runs([a])), page(open_runs([a, b]))
t, t2 = Tree(one), Tree(both)
ok(not t.wrong and not t2.wrong, f"elements close in order {(t.wrong + t2.wrong)[:3]}")
ok(set(t.external) == {"data:,"} and all(s not in both for s in ("http:", "https:", "@import", "url(")) or both.count("http") == both.count("http://www.w3.org/2000/svg") + both.count("http-equiv"),
   "nothing is asked of a network")
ok(len(set(t2.ids)) == len(t2.ids) and {x[1:] for x in t2.links} <= set(t2.ids), "every link has its section")
ok([h for h in t2.heads if h in ("Runs", "Comparison", "Reward", "What the trust region does", "Speed and lag", "Where time went", "Tokens that were clipped or masked", "Evaluations", "Settings")]
   == ["Runs", "Comparison", "Reward", "What the trust region does", "Speed and lag", "Where time went", "Tokens that were clipped or masked", "Evaluations", "Settings"], "all sections")
ok(page(open_runs([a])) == one, "the same records give the same page")

run = Run(a)
lag = next(d for d in t.data if d["series"][0]["name"] == "mean" and d["series"][1]["name"] == "largest")
ok(lag["series"][0]["x"] == list(range(24)) and abs(lag["series"][0]["y"][-1] - np.mean(run.metric("lag_mean")[-16:])) < 1e-4, "a curve has the run's values")
ok(all(len(s["x"]) == len(s["y"]) > 0 for d in t.data + t2.data for s in d["series"]) and len(t.data) >= 15, f"{len(t.data)} charts with values for the pointer")
held = next(d for d in t.data if d["x"] == "version")
ok(held["series"][0]["x"] == [e["version"] for e in run.evals()] == [0, 8, 12, 16, 24] and np.allclose(held["series"][0]["low"], [e["avg_low"] for e in run.evals()], rtol=1e-5),
   "evaluations with their intervals")
ok(lag_edges(0, 3, 32).tolist() == [0, 1, 2, 3, 4] and all(len(set(np.diff(e))) == 1 and e[0] == 5 and e[-1] > most and e[-2] <= most and len(e) <= 33 for most in (5, 36, 37, 67, 263) for e in [lag_edges(5, most, 32)]),
   "bars of lags have one width and hold every lag")
ok({r[0] for r in t.rows} >= {"staleness.k", "objective.name", "train.lr"} and [r[1:] for r in t2.rows if r[0] == "objective.name"][0] == ["m2po", "grpo"], "settings, and those that differ")

with run.statistics() as f:
    verdict, token, n = f["tokens/verdict"][:], f["tokens/token"][:], int(f.attrs["n_tokens"])
    learners = len(np.unique(f["sources/learner"][:])), len(np.unique(f["sources/launch"][:]))
ok(learners == (2, 2) and len(verdict) == n == run.metric("n_tokens").sum(), "token statistics of two learners and two launches")
with run.statistics() as f:
    lag_of, d = f["tokens/update"][:] - f["tokens/version"][:], (f["tokens/lp"][:] - f["tokens/lp_behav"][:]).astype(float)
lag, n, m2, share = run.lag_buckets()
of = np.searchsorted(lag, lag_of, side="right") - 1
ok(len(lag) == 4 and np.array_equal(n, np.bincount(of)) and np.allclose(m2, np.bincount(of, d * d) / n, rtol=1e-5) and np.allclose(share, np.bincount(of, marked_all(verdict)) / n)
   and any(x.startswith("M2 by lag") for x in t.heads), f"M2 and masked tokens by lag: {lag}")
time = run.metric("time_s")
spent, total = seconds(run)
ok(abs(total - time[11] - time[23]) < 1e-9 and abs(sum(spent.values()) - total) < 1e-9 and abs(spent["forward_s"] - np.nansum(run.metric("forward_s"))) < 1e-9, f"times of both launches: {total:.2f} s")
found, why = words(run, 16)
marked = (verdict & MARKED) != 0
ok(marked.sum() > 0 and sum(r["marked"] for r in found) == marked.sum() and all(r["tokens"] == (token == r["token"]).sum() for r in found) and not why,
   f"{marked.sum()} masked tokens, counted by id")
ok(all(r["text"] == "0123456789+-*=;#"[r["token"]] and len(r["before"] + r["after"]) <= 7 for r in found) and [r[0] for r in t.rows if r[:1] == [found[0]["text"]]], "their texts, in the page too")


def report(*args):
    done = subprocess.run([sys.executable, "-B", os.path.join(analysis, "report.py"), *args, "-o", os.path.join(tmp, "out.html")], capture_output=True, text=True)
    return done.returncode, done.stderr.strip()


os.makedirs(os.path.join(tmp, "nothing"))
for what, folder, words_of in (("an empty folder", "nothing", "neither a run's folder"), ("no folder", "none", "no such folder"), ("a supervised run", "base", "a run of solera sft"),
                               ("a file", "base.yaml", "a file, expected")):
    code, said = report(os.path.join(tmp, folder))
    ok(code == 1 and words_of in said and "\n" not in said and not os.path.exists(os.path.join(tmp, "out.html")), f"{what}: {said[-100:]}")
shutil.copytree(b, os.path.join(tmp, "c"))
open(os.path.join(tmp, "c", "metrics.jsonl"), "w").close()
code, said = report(os.path.join(tmp, "c"))
ok(code == 1 and "no update is recorded" in said, f"a run without an update: {said[-80:]}")
strange = os.path.join(tmp, "<img src=x>")
shutil.rmtree(os.path.join(tmp, "c"))
shutil.copytree(b, strange)
os.remove(os.path.join(strange, "stats.h5"))
os.remove(os.path.join(strange, "fresh.jsonl"))
with open(os.path.join(strange, "status.json"), "w") as f:
    json.dump({"state": "running", "reason": "", "update": 7, "updates": 99, "time": "now"}, f)
s = page(open_runs([strange]))
ts = Tree(s)
ok("still going, or killed" in s and "of 99" in s and "stats.h5: not there" in s and not ts.wrong and "<img" not in s, "a run that goes on, without statistics and rewards, of a strange name")

for seed in range(9):
    shutil.copytree(b, os.path.join(tmp, "seeds", str(seed)))
    with open(os.path.join(tmp, "seeds", str(seed), "settings.yaml"), "a") as f:
        f.write(f"seed: {seed}\n")
s = page(open_runs([os.path.join(tmp, "seeds")]))
ts = Tree(s)
over = [r for r in ts.rows if r[:2] == ["GRPO s=4", "9"]]
ok(not ts.wrong and "9 lines" in ts.heads and "9 runs, one by one" in ts.heads and len(over) == 1 and "± 0.000" in over[0][2] and 'class="line s0 d1"' in s, f"nine seeds: folded, told apart, and together: {over}")

# texts by a tokenizer: run b with another task and a folder with one
tokenizer, d = os.path.join(tmp, "tokenizer"), os.path.join(tmp, "d")
os.makedirs(tokenizer)
for name in ("tokenizer.json", "tokenizer_config.json"):
    with gzip.open(os.path.join(data, "tokenizers", "qwen3", name + ".gz")) as f, open(os.path.join(tokenizer, name), "wb") as g:
        shutil.copyfileobj(f, g)
shutil.copytree(b, d)
with open(os.path.join(d, "settings.yaml"), "a") as f:
    f.write(f'task:\n  name: prompts\nmodel:\n  path: "{tokenizer}"\n')
ids = json.loads(subprocess.run([os.environ["SOLERA"], "tokenize", tokenizer], input='{"text": " 12 + the é\\n"}\n', capture_output=True, text=True).stdout)["ids"]
text, why = decoder(Run(d))
ok(why is None and text([ids, []]) == [" 12 + the é\n", ""] and "".join(text([[i] for i in ids])) == " 12 + the é\n" and visible(" the") == "␣the" and visible("\x15\x00") == "\u2415\u2400" and visible("\n") == "⏎", f"texts by the run's tokenizer: {ids}")
shutil.rmtree(tokenizer)
text, why = decoder(Run(d))
ok(text is None and "has a tokenizer" in why and "has a tokenizer" in page(open_runs([d])), f"none without one: {why}")


def in_chromium():
    program = chromium.find()
    if not program:
        global count
        count += 1
        print(f"ok {count} - the page in Chromium # SKIP no chromium (a Debian package of 400 MB that bootstrap does not install)")
        return
    path = os.path.join(tmp, "page.html")
    with open(path, "w", encoding="utf-8") as f:
        f.write(both)
    p = chromium.Page(program, os.path.join(tmp, "chromium"))
    try:
        p.open(path, 1280)
        x, y, shown = p.value("(() => { const b = document.querySelector ('.plot > svg').getBoundingClientRect (); scrollTo (0, b.top - 100); const c = document.querySelector ('.plot > svg')"
                              ".getBoundingClientRect (); return [c.left + c.width * 0.97, c.top + c.height / 2, document.querySelector ('.tip').hidden]; })()")
        p.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        p.value("new Promise (requestAnimationFrame)")
        tip = p.value("document.querySelector ('.tip').hidden ? '' : document.querySelector ('.tip').innerText")
        last = [float(f"{Run(r).pass_curve()[1][-1]:.4g}") for r in (a, b)]
        ok(shown and tip.split("\n") == ["optimizer update 24", f"a: {last[0]:g}", f"b: {last[1]:g}"], f"values under the pointer: {tip!r}")
        p.call("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)
        p.value("new Promise (requestAnimationFrame)")
        ok(p.value("document.querySelector ('.tip').hidden"), "none when it is elsewhere")
        color = "getComputedStyle (document.body).backgroundColor"
        light = p.value(color)
        ok(p.value(f"(() => {{ document.getElementById ('theme').click (); return {color}; }})()") != light, "the button changes light to dark")
        p.open(path, 360, dark=True)
        ok(p.value(color) != light and p.value("document.documentElement.scrollWidth <= innerWidth"), "dark where the system is; no wider than a narrow window")
        ok(not p.complaints() and not p.requests(), f"nothing in the console, no requests {p.complaints()[:2]} {p.requests()[:2]}")
    finally:
        p.close()


in_chromium()
print(f"1..{count}")
