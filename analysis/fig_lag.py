#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""By lag (update - version), from the token statistics: how many tokens, M2, effective sample size, clipped or masked share, and the distribution of the log-ratio. A line a run. For mixed staleness
(bounded, free, a trace), and for how fast the ratio runs away with lag."""
import numpy as np

from solera_draw import OTHERS, arrange, command, new_figure, styled
from solera_run import MARKED, RunError, lag_edges

RATIO_EDGES = np.linspace(-2, 2, 81)  # of the log-ratio; what is beyond falls into the outer bins
FIELDS = ("tokens", "m2", "r", "r2", "marked")


def bands(run, most):
    """edges of the lag bands: every lag where there are few, else at most `most` bands of equal width"""
    lags, _ = run.lag_histogram()
    low, high = (int(np.nanmin(run.metric("lag_min"))), int(np.nanmax(run.metric("lag_max")))) if len(lags) else (0, 0)
    return np.minimum(lag_edges(low, high, most), high + 1)


def by_lag(run, most=16):
    """(edges [n+1], {field: sums [n]}, histogram of the log-ratio [n][80])"""
    edges = bands(run, most)
    sums, histogram = {f: np.zeros(len(edges) - 1) for f in FIELDS}, np.zeros((len(edges) - 1, len(RATIO_EDGES) - 1))
    for part in run.tokens(("update", "version", "lp", "lp_behav", "verdict")):
        d = (part["lp"] - part["lp_behav"]).astype(float)
        band = np.searchsorted(edges, part["update"] - part["version"], side="right") - 1
        if len(band) and (band.min() < 0 or band.max() >= len(edges) - 1):
            raise RunError(f"{run.folder}: stats.h5 has lags that metrics.jsonl does not have: the files are not of one run")
        weights = {"tokens": np.ones(len(d)), "m2": d * d, "r": np.exp(d), "r2": np.exp(2 * d), "marked": ((part["verdict"] & MARKED) != 0).astype(float)}
        for f, w in weights.items():
            sums[f] += np.bincount(band, w, len(edges) - 1)
        column = np.clip(np.searchsorted(RATIO_EDGES, d, side="right") - 1, 0, len(RATIO_EDGES) - 2)
        histogram += np.bincount(band * histogram.shape[1] + column, minlength=histogram.size).reshape(histogram.shape)
    return edges, sums, histogram


def shares(sums):
    with np.errstate(invalid="ignore", divide="ignore"):
        return {"m2": sums["m2"] / sums["tokens"], "ess": sums["r"] ** 2 / sums["r2"] / sums["tokens"], "marked": sums["marked"] / sums["tokens"]}


def rows(runs, most=16):
    found = []
    for run in runs:
        edges, sums, _ = by_lag(run, most)
        s = shares(sums)
        found += [{"run": run.name, "lag_from": int(edges[i]), "lag_to": int(edges[i + 1]) - 1, "tokens": int(sums["tokens"][i]), **{k: float(v[i]) for k, v in s.items()}}
                  for i in range(len(edges) - 1) if sums["tokens"][i]]
    return found


@styled
def figure(runs, most=16):
    import matplotlib
    fig, axes = new_figure(1 + len(runs), 4, 3.4, 2.7)
    for k, run in enumerate(runs):
        edges, sums, histogram = by_lag(run, most)
        x, color, s = (edges[:-1] + edges[1:] - 1) / 2, OTHERS[k % len(OTHERS)], shares(sums)
        for ax, y in zip(axes[0], (100 * sums["tokens"] / max(sums["tokens"].sum(), 1), s["m2"], s["ess"], 100 * s["marked"])):
            ax.plot(x, y, "o-", ms=3, color=color, label=run.name)
        wide = fig.add_subplot(axes[1 + k, 0].get_gridspec()[1 + k, :])
        wide.grid(False)
        with np.errstate(invalid="ignore", divide="ignore"):
            image = wide.pcolormesh(edges - 0.5, RATIO_EDGES, (histogram / histogram.sum(axis=1, keepdims=True)).T, norm=matplotlib.colors.LogNorm(1e-5, 1), cmap="viridis")
        fig.colorbar(image, ax=wide, label="share of the lag's tokens")
        wide.set(xlabel="lag (updates)", ylabel="log-ratio d (nats)", title=run.name)
        for ax in axes[1 + k]:
            ax.remove()
    for ax, title in zip(axes[0], ("tokens (%)", "M2 (nats²)", "effective sample size (share)", "clipped or masked (%)")):
        ax.set(xlabel="lag (updates)", ylabel=title)
    axes[0, 1].set_yscale("symlog", linthresh=1e-4)
    arrange(fig, axes[0, 0], 4)
    return fig


def options(p):
    p.add_argument("--most", type=int, default=16, metavar="N", help="at most N bands of lags (default 16)")


if __name__ == "__main__":
    command(__doc__, figure, rows, options, grouped=False)
