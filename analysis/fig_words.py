#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The words that are clipped or masked (figure 10 of the paper), of one run, from its token statistics: how often, how large a part of all of that token, at which entropy, and the place where the
log-ratio was largest. Texts by the run's tokenizer (`solera tokenize`; environment variable SOLERA names the program)."""
import numpy as np

from solera_draw import arrange, command, new_figure, say, styled
from solera_run import MARKED, RunError
from solera_text import decoder, visible

CONTEXT = 8  # tokens on either side of an example
COLUMNS = ("update", "seq", "token", "lp", "lp_behav", "entropy", "verdict")


class Counts:
    """sums by token id, and for each the marked token that is farthest from its behaviour policy"""
    def __init__(self):
        self.sums = {k: np.zeros(0) for k in ("tokens", "marked", "entropy", "entropy_marked", "distance")}
        self.example = {}  # id -> (|d|, update, ids before, ids after)

    def add(self, part):
        own = part["own"]
        token, marked = part["token"][own], (part["verdict"][own] & MARKED) != 0
        d = np.abs((part["lp"] - part["lp_behav"])[own].astype(float))
        entropy = part["entropy"][own].astype(float)
        for name, which, weight in (("tokens", slice(None), None), ("marked", marked, None), ("entropy", slice(None), entropy), ("entropy_marked", marked, entropy), ("distance", marked, d)):
            self.grow(name, np.bincount(token[which], weight[which] if weight is not None else None))
        where = np.flatnonzero(marked)
        where = where[np.argsort(-d[where], kind="stable")]
        ids, first = np.unique(token[where], return_index=True)
        for i, row in zip(ids, where[first]):
            if int(i) not in self.example or d[row] > self.example[int(i)][0]:
                self.example[int(i)] = (float(d[row]),) + surroundings(part, own.start + int(row))

    def grow(self, name, counts):
        if len(counts) > len(self.sums[name]):
            self.sums[name] = np.concatenate([self.sums[name], np.zeros(len(counts) - len(self.sums[name]))])
        self.sums[name][:len(counts)] += counts

    def of(self, name, i):
        return self.sums[name][i] if i < len(self.sums[name]) else 0.0


def surroundings(part, row):
    """(update, ids before, ids after) of a row, in its own response"""
    def same(other):
        return 0 <= other < len(part["seq"]) and part["seq"][other] == part["seq"][row] and part["update"][other] == part["update"][row]
    low, high = row, row + 1
    while low > row - CONTEXT and same(low - 1):
        low -= 1
    while high < row + 1 + CONTEXT and same(high):
        high += 1
    return int(part["update"][row]), part["token"][low:row].tolist(), part["token"][row + 1:high].tolist()


def count(run):
    c = Counts()
    for part in run.tokens(COLUMNS, overlap=CONTEXT):
        c.add(part)
    return c


def words(run, top=20, by="count", fewest=20):
    """(rows of the `top` token ids, why there are no texts or None). by: count (most often marked) or rate (largest part of its tokens, of those that are there at least `fewest` times)"""
    c = count(run)
    tokens, marked = c.sums["tokens"], np.zeros(len(c.sums["tokens"]))
    marked[:len(c.sums["marked"])] = c.sums["marked"]
    rank = marked if by == "count" else np.where(tokens >= fewest, marked / np.maximum(tokens, 1), 0)
    ids = [int(i) for i in np.argsort(-rank, kind="stable")[:top] if rank[i] > 0]
    text, why = decoder(run)
    lists = [x for i in ids for x in ([i], *c.example[i][2:])]
    texts = text(lists) if text and lists else [""] * len(lists)
    rows = []
    for k, i in enumerate(ids):
        rows.append({"token": i, "text": texts[3 * k] if text else f"#{i}", "marked": int(marked[i]), "of_marked": marked[i] / marked.sum(), "tokens": int(tokens[i]), "rate": marked[i] / tokens[i],
                     "entropy": c.of("entropy", i) / tokens[i], "entropy_marked": c.of("entropy_marked", i) / marked[i], "distance": c.of("distance", i) / marked[i],
                     "update": c.example[i][1], "before": texts[3 * k + 1], "after": texts[3 * k + 2]})
    return rows, why


def one(runs):
    if len(runs) != 1:
        raise RunError(f"expected one run, found {len(runs)}")
    return runs[0]


def rows(runs, top=20, by="count", fewest=20):
    found, why = words(one(runs), top, by, fewest)
    if why:
        say(why)
    return found


@styled
def figure(runs, top=20, by="count", fewest=20):
    found = rows(runs, top, by, fewest)
    if not found:
        raise RunError(f"{one(runs).folder}: no token was clipped or masked")
    fig, axes = new_figure(1, 2, 4.5, 1.0 + 0.22 * len(found))
    y, names = np.arange(len(found)), [visible(r["text"]).replace("$", r"\$") for r in found]
    left, right = axes[0]
    left.barh(y, [100 * r["rate"] for r in found], color="#1f77b4", alpha=0.8)
    left.set(xlabel="clipped or masked (% of this token)", ylabel="token")
    right.plot([r["entropy_marked"] for r in found], y, "o", ms=4, color="#d62728", label="where clipped or masked")
    right.plot([r["entropy"] for r in found], y, "o", ms=4, color="#7f7f7f", label="all places of this token")
    right.set(xlabel="mean entropy (nats)", ylabel="times clipped or masked")
    right.set_xlim(left=0)
    left.set_yticks(y, names, family="monospace")
    right.set_yticks(y, [f"{r['marked']} of {r['tokens']}" for r in found])
    for ax in axes[0]:
        ax.invert_yaxis()
    arrange(fig, right)
    return fig


def options(p):
    p.add_argument("--top", type=int, default=20, metavar="N", help="so many token ids (default 20)")
    p.add_argument("--by", choices=["count", "rate"], default="count", help="most often (default), or the largest part of its tokens")
    p.add_argument("--fewest", type=int, default=20, metavar="N", help="with --by rate: token ids that are there N times or more (default 20)")


if __name__ == "__main__":
    command(__doc__, figure, rows, options, grouped=False)
