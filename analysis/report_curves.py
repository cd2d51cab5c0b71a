# SPDX-License-Identifier: Apache-2.0
"""The charts of the report: which columns of metrics.jsonl, fresh.jsonl and evals.jsonl are drawn, and how. A colour a run; of one run alone, a colour a column."""
import numpy as np

from fig_entropy import FEWEST, MIDDLE
from solera_draw import SMOOTH
from solera_group import middle, smooth
from solera_run import RunError, lag_edges
from solera_svg import COLORS, Series, bar_chart, line_chart

LAG_BARS = 32
QUIET = ("refilled_groups", "verifier_stopped", "check_mean")  # of no interest where it is 0 throughout
# title, columns (name in legends), note, logarithmic, medians instead of means, scale, lowest y
CHARTS = {
    "trust": ("What the trust region does", (
        ("Clipped or masked (% of the tokens)", (("high_share", "clipped high"), ("low_share", "clipped low"), ("masked_share", "masked")), "clip_share", False, False, 100, 0),
        ("M2 over T (nats²)", (("m2_before", "before the gate"), ("m2_after", "of what it keeps")), None, True, True, 1, None),
        ("M2 over all tokens (nats²)", (("m2_all", "all"),), None, True, True, 1, None),
        ("KL of behaviour policy and learner, k3 (nats)", (("kl_k3", "k3"),), None, True, True, 1, None),
        ("Effective sample size (share of N)", (("ess", "ESS"),), None, False, True, 1, None),
        ("Recorded and recomputed log-probabilities: distance (nats)", (("check_mean", "mean"), ("check_max", "largest")), None, True, True, 1, None),
        ("Mean distance of the ratio from 1", (("ratio_dev", "|r − 1|"),), None, False, True, 1, 0))),
    "learning": ("Optimization and responses", (
        ("Entropy (nats)", (("entropy", "learner"), ("entropy_behav", "behaviour policies")), None, False, False, 1, 0),
        ("Gradient norm before clipping", (("grad_norm", "norm"),), None, True, True, 1, None),
        ("Loss of the objective", (("loss", "loss"),), None, False, True, 1, None),
        ("What KL and entropy add to the loss", (("loss_kl", "KL"), ("loss_entropy", "entropy")), None, False, True, 1, None),
        ("KL to the reference (nats)", (("kl_ref", "KL"),), None, False, True, 1, None),
        ("Response length (tokens)", (("response_length", "length"),), None, False, False, 1, None),
        ("Truncated responses (%)", (("truncated_share", "truncated"),), None, False, False, 100, 0),
        ("Groups with equal rewards (%)", (("zero_groups_share", "groups"),), None, False, False, 100, 0),
        ("Groups dropped for others, their rewards being equal", (("refilled_groups", "groups"),), None, False, False, 1, 0),
        ("Responses at which the verifier was stopped", (("verifier_stopped", "responses"),), None, False, False, 1, 0))),
    "speed": ("Speed and lag", (
        ("Lag (updates)", (("lag_mean", "mean"), ("lag_max", "largest")), None, False, False, 1, 0),
        ("Tokens a second", (("tokens_per_s_trained", "trained"), ("tokens_per_s_generated", "generated")), None, False, False, 1, 0),
        ("Groups that wait in the brokers", (("queue_groups", "groups"),), None, False, False, 1, 0)))}


def metric_series(runs, labels, columns, whole, median, scale):
    """several runs: a line each (whole, if there is such a column, instead of its parts; the second column dashed); one run: a line a column, with the single values behind a lone one"""
    how = middle if median else smooth
    if len(runs) > 1:
        columns = ((whole, ""),) if whole else columns[:2] if len(runs) <= COLORS else columns[:1]
    found = []
    for i, (run, label) in enumerate(zip(runs, labels)):
        for k, (column, name) in enumerate(columns):
            y = scale * run.metric(column)
            alone = len(runs) == 1
            text = name if alone else label + (f", {name}" if k > 0 else "")
            found.append(Series(text, run.updates(), how(y, SMOOTH), k if alone else i, 0 if alone else max(k, i // COLORS), None, y if alone and len(columns) == 1 else None, alone or k == 0))
    return found


def charts(runs, labels, rows):
    out = ""
    for title, columns, whole, log, median, scale, low in rows:
        if columns[0][0] in QUIET and not any(np.nansum(np.abs(r.metric(columns[0][0]))) for r in runs):
            continue
        note = ("median" if median else "mean") + f" of {SMOOTH} updates"
        if len(runs) > 1 and not whole and len(columns) > 1:
            note += f"; {columns[0][1]}" + (f", dashed: {columns[1][1]}" if len(runs) <= COLORS else "")
        out += line_chart(title, metric_series(runs, labels, columns, whole, median, scale), note=note, log=log, low=low)
    return out


def rewards(runs, labels):
    """pass rate of fresh rollouts, of the consumed ones, held-out accuracy"""
    alone, fresh, consumed, sets, held = len(runs) == 1, [], [], [], []
    for i, (run, label) in enumerate(zip(runs, labels)):
        try:
            x, y = run.pass_curve()
            fresh.append(Series("fresh rollouts" if alone else label, x, y, i, i // COLORS, faint=run.fresh()[1] if alone else None))
        except RunError:
            pass  # no rollouts of its own: there is no such curve
        consumed.append(Series("consumed rollouts" if alone else label, run.updates(), smooth(run.metric("reward_consumed"), SMOOTH), 1 if alone else i, i // COLORS))
        for k, name in enumerate(sorted({n for r in run.metrics() for n in r.get("pass_rates") or {}})):
            y = np.array([(r.get("pass_rates") or {}).get(name) for r in run.metrics()], dtype=float)
            sets.append(Series(name if alone else f"{label} {name}", run.updates(), smooth(y, SMOOTH), k if alone else i, 0 if alone else max(k, i // COLORS)))
        rows = run.evaluations()
        names = sorted({r.get("data", "") for r in rows})
        for k, data in enumerate(names):
            mine = [r for r in rows if r.get("data", "") == data]
            x, y, low, high = (np.array([r[c] for r in mine], dtype=float) for c in ("version", "avg", "avg_low", "avg_high"))
            name = " ".join(t for t in ("" if alone else label, data if alone or len(names) > 1 else "") if t) or "held out"
            held.append(Series(name, x, y, k if alone else i, 0 if alone else max(k, i // COLORS), (low, high) if len(runs) <= COLORS else None))
    out = line_chart("Reward of fresh rollouts", fresh, note="of the present weights, mean over five versions")
    out += line_chart("Reward of consumed rollouts", consumed, note=f"of those that were trained on, mean of {SMOOTH} updates")
    out += line_chart("Right answers by data set (share)", sets, note=f"of the responses trained on, mean of {SMOOTH} updates", low=0)
    return out + line_chart("Held-out prompts: avg@n", held, "version", "95 % interval over prompts", low=0)


def entropies(runs, labels):
    alone, found = len(runs) == 1, []
    for i, (run, label) in enumerate(zip(runs, labels)):
        n, mean = run.entropy_bins()
        for j, sign in ((1, "A > 0"), (0, "A ≤ 0")) if alone else ((None, ""),):
            count, total = (n[j], n[j] * np.nan_to_num(mean[j])) if j is not None else (n.sum(axis=0), (n * np.nan_to_num(mean)).sum(axis=0))
            y = np.divide(total, count, out=np.full(len(count), np.nan), where=count >= FEWEST)
            found.append(Series(sign or label, MIDDLE, y, i if j is None else j, 0 if alone else i // COLORS))
    return line_chart("Entropy of tokens by how far they moved (nats)", found, "|r − 1|", f"28 bins, of {FEWEST} tokens or more", low=0)


def by_lag(runs, labels):
    """M2 and clipped tokens by lag, of runs with more than one bucket of lags"""
    m2, clipped = [], []
    for i, (run, label) in enumerate(zip(runs, labels)):
        lag, _, mean, share = run.lag_buckets()
        if len(lag) > 1:
            m2.append(Series("M2" if len(runs) == 1 else label, lag, mean, i, i // COLORS))
            clipped.append(Series("clipped or masked" if len(runs) == 1 else label, lag, 100 * share, i, i // COLORS))
    note = "over all updates; buckets from lags 0, 1, 2, 4, 8, ..."
    return line_chart("M2 by lag (nats²)", m2, "lag (updates)", note, log=True) + line_chart("Clipped or masked by lag (% of the tokens)", clipped, "lag (updates)", note, low=0)


def lags(runs, labels):
    out = by_lag(runs, labels)
    for i, (run, label) in enumerate(zip(runs, labels)):
        lag, tokens = run.lag_histogram()
        if not len(lag):
            continue
        edges = lag_edges(lag[0], lag[-1], LAG_BARS)
        counts = np.histogram(lag, edges, weights=tokens)[0]
        out += bar_chart("Tokens by lag" + ("" if len(runs) == 1 else f": {label}"), edges, 100 * counts / counts.sum(), i, "lag (updates)", "% of the tokens", "%")
    return out


def sections(runs, labels):
    """[(name, title, HTML)]"""
    def grid(inside):
        return inside and f'<div class="grid">{inside}</div>'
    found = [("reward", "Reward", grid(rewards(runs, labels)))]
    for name, (title, rows) in CHARTS.items():
        extra = entropies(runs, labels) if name == "trust" else lags(runs, labels) if name == "speed" else ""
        found.append((name, title, grid(charts(runs, labels, rows) + extra)))
    return found
