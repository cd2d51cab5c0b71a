# SPDX-License-Identifier: Apache-2.0
"""Tables of the study (docs/study.md) from the rows of runs.csv. Every cell says over how many seeds it is; what is missing is a dash."""
import numpy as np

from solera_group import ORDER, interval, name_of

RESAMPLES = 10000
# after those of solera_group.ORDER
REST = ("m2po_tis", "m2po_k3", "dapo", "dr_grpo", "decoupled_ppo", "tis", "seq_tis", "cispo", "icepop", "dppo_tv", "topr", "opsm", "sapo", "vespo", "gmpo")


def rank(method):
    known = ORDER + REST
    return (known.index(method), "") if method in known else (len(known), method)


def bootstrap(x):
    """mean of one value a seed and its 95 % interval: percentiles of the means of resampled seeds; None for one seed"""
    x = np.asarray(x, dtype=float)
    if len(x) < 2:
        return float(x.mean()), None, None
    draw = np.random.default_rng(1).integers(0, len(x), (RESAMPLES, len(x)))
    low, high = np.percentile(x[draw].mean(axis=1), [2.5, 97.5])
    return float(x.mean()), float(low), float(high)


def values(rows, column):
    return [r[column] for r in rows if r[column] is not None]


def cell(x, digits=2, scale=1, unit=""):
    if not x:
        return "-"
    m, low, high = bootstrap(np.asarray(x, float) * scale)
    return f"{m:.{digits}f}{unit}" + (f" [{low:.{digits}f}, {high:.{digits}f}]" if low is not None else "") + f", n {len(x)}"


def plain(x, digits=3, scale=1):
    return f"{np.mean(x) * scale:.{digits}f}" if x else "-"


def markdown(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(r) + " |" for r in rows])


def pick(rows, **want):
    return [r for r in rows if all(r[k] == v for k, v in want.items())]


def fell(rows):
    """4 of 5 (updates 160, 180): how many collapsed and the median of where"""
    n = [r for r in rows if r["collapse"]]
    where = f" (at {np.median([r['collapse_at'] for r in n]):.0f})" if n else ""
    return f"{len(n)} of {len(rows)}{where}" if rows else "-"


def by_staleness(rows, make, part="main"):
    """methods x s; make (rows of a cell) -> text"""
    rows = pick(rows, part=part)
    s = sorted({r["s"] for r in rows})
    methods = sorted({r["method"] for r in rows}, key=rank)
    return markdown(["method"] + [f"s = {k}" for k in s], [[name_of(m)] + [make(pick(rows, method=m, s=k)) for k in s] for m in methods])


def details(rows, names):
    """names: [(label, rows)]"""
    head = ["run", "seeds", "mean lag", "held out at the end", "best", "area", "collapsed (median update)", "clipped %", "M2 before", "after", "M2 all", "ESS", "KL k3", "entropy, first tenth", "last tenth", "gradient norm", "before a collapse"]
    out = []
    for text, some in names:
        if some:
            v = lambda c: values(some, c)  # noqa: E731
            out.append([text, str(len(some)), plain(v("lag_mean"), 0), cell(v("heldout_final")), plain(v("heldout_best"), 2), plain(v("area"), 2), fell(some), plain(v("clip_share"), 2, 100), plain(v("m2_before"), 4),
                        plain(v("m2_after"), 4), plain(v("m2_all"), 4), plain(v("ess"), 2), plain(v("kl_k3"), 4), plain(v("entropy_first")), plain(v("entropy_final")), plain(v("grad_norm")),
                        plain(v("grad_norm_before"))])
    return markdown(head, out)


def of_methods(rows, part, s):
    some = pick(rows, part=part, s=s)
    return [(name_of(m), pick(some, method=m)) for m in sorted({r["method"] for r in some}, key=rank)]


def of_tau(rows):
    some = pick(rows, part="tau") + [dict(r, tau="0.04") for r in pick(rows, part="main", method="m2po", s=256)]
    return [(f"tau {t}", pick(some, tau=t)) for t in sorted({r["tau"] for r in some}, key=float)]


def of_beyond(rows):
    """the experiments by their names, below the long runs of M2PO and GRPO"""
    names = sorted({r["run"] for r in pick(rows, part="beyond")})
    plain_ones = [(name_of(m), pick(rows, part="long", method=m)) for m in ("grpo", "m2po")] if names else []
    return plain_ones + [(n.replace("_", " "), pick(rows, part="beyond", run=n)) for n in names]


def of_traces(rows):
    some = pick(rows, part="mixed")
    methods = {r["method"] for r in some}
    some += [dict(r, trace=f"one lag, s = {r['s']}") for r in pick(rows, part="main") if r["method"] in methods and r["s"] in (0, 64, 128, 256)]
    keys = sorted({(rank(r["method"]), r["method"], r["s"] is None, r["s"] or 0, r["trace"]) for r in some})
    return [(f"{name_of(m)}, {t}", pick(some, method=m, trace=t)) for _, m, _, _, t in keys]


def same(rows):
    """one line a run of the part `same`: what was varied, and the digest of its weights"""
    some = sorted(pick(rows, part="same"), key=lambda r: (r["ranks"], len(r["run"]), r["run"]))
    kinds = len({r["weights"] for r in some})
    out = [[r["run"], str(r["ranks"]), str(r["updates"]), r["weights"]] for r in some]
    return markdown(["varied", "ranks", "updates", "weights: step, digest"], out) + (f"\n\n{len(some)} runs, {kinds} different digest{'s' if kinds != 1 else ''}." if some else "")


def selection(rows):
    """cost of selection: seconds of the phase against the learner's and the whole run's, by task and method at the largest s"""
    out = []
    for part, name in (("main", "chain"), ("smollm2", "SmolLM2-135M")):
        some = pick(rows, part=part)
        for m in sorted({r["method"] for r in some}, key=rank):
            have = [r for r in pick(some, method=m) if r["updates"]]
            share = [100 * r["select_s"] / r["learner_s"] for r in have]
            whole = [100 * r["select_s"] / r["wall_s"] for r in have]
            out.append([f"{name}, {name_of(m)}", str(len(have)), plain([1e6 * r["select_s"] / r["updates"] for r in have], 0), plain([1e3 * r["learner_s"] / r["updates"] for r in have], 1),
                        f"{np.mean(share):.2g}", f"{np.mean(whole):.2g}"])
    return markdown(["task, method", "runs", "select, µs an update", "learner, ms an update", "% of the learner's time", "% of the run's time, generation included"], out)


def paired(rows, a, b, column, part):
    """differences a - b by seed; a, b: (method, s)"""
    left = {r["seed"]: r[column] for r in pick(rows, part=part, method=a[0], s=a[1])}
    right = {r["seed"]: r[column] for r in pick(rows, part=part, method=b[0], s=b[1])}
    return [left[k] - right[k] for k in sorted(left) if k in right and left[k] is not None and right[k] is not None]


def verdict(i, bound, above):
    """a claim that a difference, known as an Interval, lies above (or below) a bound"""
    if i.n < 2:
        return "open (one seed)"
    if (i.low > bound) if above else (i.high < bound):
        return "holds"
    return "does not hold" if ((i.high < bound) if above else (i.low > bound)) else "open"


# claim, the paper's numbers, part, (method, s) - (method, s), figure, scale, bound, above: the paper's figures are averages of eight benchmarks over six models (claims 1 to 4), shares of tokens of two (5, 6)
CLAIMS = [
    ("GRPO loses by stale data: s = 256 less s = 0", "−2.6 to −10.6 points", "main", ("grpo", 256), ("grpo", 0), "heldout_final", 100, 0, False),
    ("GSPO at s = 256 less GRPO at s = 0", "−2.6 to −7.5 points", "main", ("gspo", 256), ("grpo", 0), "heldout_final", 100, 0, False),
    ("M2PO at s = 256 less GRPO at s = 256", "+2.8 to +11.2 points", "main", ("m2po", 256), ("grpo", 256), "heldout_final", 100, 0, True),
    ("M2PO at s = 256 less GRPO at s = 0: no worse than the paper's worst, −0.5", "−0.5 to +3.6 points", "main", ("m2po", 256), ("grpo", 0), "heldout_final", 100, -0.5, True),
    ("GRPO clips more on stale data: s = 256 less s = 0", "+0.59 and +1.17 % of tokens", "main", ("grpo", 256), ("grpo", 0), "clip_share", 100, 0, True),
    ("M2PO masks less than GRPO clips, s = 256", "−0.64 and −1.16 % of tokens", "main", ("m2po", 256), ("grpo", 256), "clip_share", 100, 0, False),
    ("prosperity: without a trust region the best pass rate at s = 256 is above clipped GRPO's", "yes", "main", ("grpo_no_tr", 256), ("grpo", 256), "fresh_best", 100, 0, True),
    ("SmolLM2-135M: GRPO at s = 16 less s = 0", "as above, s = 256", "smollm2", ("grpo", 16), ("grpo", 0), "heldout_final", 100, 0, False),
    ("SmolLM2-135M: M2PO at s = 16 less GRPO at s = 16", "as above, s = 256", "smollm2", ("m2po", 16), ("grpo", 16), "heldout_final", 100, 0, True),
]


def claims(rows):
    out = []
    for text, paper, part, a, b, column, scale, bound, above in CLAIMS:
        x = [scale * d for d in paired(rows, a, b, column, part)]
        if not x:
            out.append([text, paper, "-", "no seed has both"])
            continue
        i = interval(x) # by Student's t: wider than the bootstrap's, which understates what few seeds leave open
        out.append([text, paper, f"{i.mean:+.1f}" + (f" [{i.low:+.1f}, {i.high:+.1f}]" if i.n > 1 else "") + f", n {i.n}", verdict(i, bound, above)])
    for text, method, want in (("without a trust region runs at s = 256 collapse", "grpo_no_tr", True), ("M2PO at s = 256 does not collapse", "m2po", False)):
        some = pick(rows, part="main", method=method, s=256)
        n = sum(r["collapse"] for r in some)
        good = n == (len(some) if want else 0)
        out.append([text, "3 of 3 models, after 4 to 7 s" if want else "0 of 6 models", fell(some), "-" if not some else "holds" if good else "does not hold in every seed" if n or not want else "does not hold"])
    return markdown(["claim", "paper", "here", "verdict"], out)


def coverage(rows):
    parts = sorted({r["part"] for r in rows})
    cpu = values(rows, "cpu_s")
    lines = [f"`{p}`: {len(pick(rows, part=p))} runs, seeds {', '.join(str(x) for x in sorted({r['seed'] for r in pick(rows, part=p)}))}" for p in parts]
    return "Finished runs: " + "; ".join(lines) + f". Processor time {sum(cpu) / 60:.0f} minutes, {np.median(cpu):.1f} s in the median run." if rows else "No run is finished."


def tables(rows):
    """{name: Markdown}; the names are those of the marks in docs/study.md"""
    some = {
        "coverage": lambda: coverage(rows),
        "claims": lambda: claims(rows),
        "heldout": lambda: by_staleness(rows, lambda c: cell(values(c, "heldout_final"))),
        "area": lambda: by_staleness(rows, lambda c: cell(values(c, "area"))),
        "best": lambda: by_staleness(rows, lambda c: cell(values(c, "heldout_best"))),
        "collapse": lambda: by_staleness(rows, fell),
        "clip": lambda: by_staleness(rows, lambda c: cell(values(c, "clip_share"), 2, 100)),
        "details256": lambda: details(rows, of_methods(rows, "main", 256)),
        "details64": lambda: details(rows, of_methods(rows, "main", 64)),
        "other": lambda: details(rows, of_methods(rows, "other", 256)),
        "tau": lambda: details(rows, of_tau(rows)),
        "long": lambda: details(rows, of_methods(rows, "long", 256)),
        "beyond": lambda: details(rows, of_beyond(rows)),
        "mixed": lambda: details(rows, of_traces(rows)),
        "same": lambda: same(rows),
        "selection": lambda: selection(rows),
        "smollm2": lambda: details(rows, [(f"{name_of(m)} s = {s}", pick(rows, part="smollm2", method=m, s=s)) for m, s in sorted({(r["method"], r["s"]) for r in pick(rows, part="smollm2")}, key=lambda k: (k[1], rank(k[0])))]),
    }
    made = {k: f() for k, f in some.items()}
    return {k: v if v.count("\n") > 1 or "|" not in v else "No run of this part is finished." for k, v in made.items()}
