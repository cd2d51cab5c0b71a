# SPDX-License-Identifier: Apache-2.0
"""A run folder read through its documented files only: settings.yaml, status.json, metrics.jsonl, fresh.jsonl, evals.jsonl (README.md) and stats.h5 (docs/statistics.md).
Also what every figure means by "pass rate" and "collapse". Nothing is read before it is asked for; token statistics are streamed. What cannot be used raises RunError, whose text is for the user."""
import glob
import json
import os
from typing import NamedTuple

import numpy as np

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")  # a run that goes on has its files open; and not every file system can lock
STATS_VERSIONS = (2, 3)  # format versions of stats.h5 whose columns used here mean the same
MEAN_OVER = 5          # a pass rate "at update u" is the mean over the fresh rollouts of the last five versions up to u
COLLAPSE_SHARE = 2 / 3
COLLAPSE_ERRORS = 3    # standard errors of the difference of two pass rates: with few responses a version chance alone falls by a third
COLLAPSE_RULE = ("collapse: after its best so far the pass rate (mean over the fresh rollouts of five versions) has fallen below two thirds of that best, "
                 "and by more than three standard errors")
BINS = np.linspace(0, 0.7, 29)  # |r-1| in 28 bins of .025, as the paper draws it
OPTIONAL = ("lp_prox", "lp_raw", "lp_ref", "lp_check")  # columns of tokens that not every run records
EVALUATION = ("version", "data", "problems", "samples", "avg", "avg_low", "avg_high", "pass_k", "pass", "pass_low", "pass_high", "truncated", "mean_tokens")
IN_T, HIGH, LOW, MASKED = 1, 2, 4, 8  # bits of tokens/verdict
MARKED = HIGH | LOW | MASKED


class RunError(Exception):
    """what is wrong with a run, as one sentence that names the file"""


class Collapse(NamedTuple):
    """by COLLAPSE_RULE; at: first version below (None: no collapse); end: mean over the last tenth of the versions, which says whether it came back"""
    collapsed: bool
    best: float
    best_at: int
    low: float
    at: "int | None"
    end: float


def json_lines(path):
    """rows of a file of JSON lines; a last line that a kill cut short is left out"""
    rows = []
    try:
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                if not line.endswith("\n"):
                    break
                rows.append(json.loads(line))
                if not isinstance(rows[-1], dict):
                    raise ValueError(f"an object, found {line.strip()[:40]}")
    except OSError as e:
        raise RunError(f"{path}: {e.strerror}") from None
    except ValueError as e:
        raise RunError(f"{path}: line {number}: expected a row of JSON: {e}") from None
    return rows


def scalar(text):
    """a value of settings.yaml: number, truth value, "text", ["text", ...], or a bare word"""
    if text[:1] in ('"', "["):
        return json.loads(text)
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def read_settings(path):
    """settings.yaml as Solera writes it -> {"objective.name": "m2po", ...}, and its head (program, libraries, kernels, hosts) -> {"program": ...}"""
    settings, head, group = {}, {}, ""
    try:
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
    except OSError as e:
        raise RunError(f"{path}: {e.strerror}") from None
    for number, line in enumerate(lines, 1):
        key, colon, value = line.strip().lstrip("# ").partition(":")
        if not line.strip():
            continue
        if line.startswith("#"):
            head[key] = value.strip()
            continue
        if not colon:
            raise RunError(f"{path}: line {number}: expected 'key: value', found '{line.strip()[:60]}'")
        if not line.startswith(" "):
            group = key + "." if not value.strip() else ""
        if value.strip():
            try:
                settings[(group if line.startswith(" ") else "") + key] = scalar(value.strip())
            except ValueError:
                raise RunError(f"{path}: line {number}: '{value.strip()[:60]}' is no value") from None
    return settings, head


class Run:
    def __init__(self, folder):
        self.folder = folder
        self.name = os.path.basename(os.path.abspath(folder))
        self._metrics = self._fresh = self._settings = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def has(self, name):
        return os.path.exists(self.path(name))

    # settings and state

    def settings(self):
        """all settings, resolved: {"objective.name": "m2po", "staleness.k": 256, ...}"""
        if self._settings is None:
            self._settings = read_settings(self.path("settings.yaml"))
        return self._settings[0]

    def head(self):
        """program, libraries, kernels and hosts of the newest launch"""
        self.settings()
        return self._settings[1]

    def setting(self, name, default=None):
        return self.settings().get(name, default)

    def objective(self):
        return self.setting("objective.name")

    def staleness(self):
        """s in updates; None where staleness is not one number (free, a trace)"""
        return None if self.setting("staleness.mode") == "free" or self.setting("staleness.trace") else self.setting("staleness.k")

    def staleness_text(self):
        s = self.staleness()
        if s is None:
            return f"s={self.setting('staleness.trace')}" if self.setting("staleness.trace") else "free"
        return f"s={s}" if self.setting("staleness.mode") == "exact" else f"s≤{s}"

    def status(self):
        try:
            with open(self.path("status.json"), encoding="utf-8") as f:
                return json.load(f)
        except (OSError, ValueError) as e:
            raise RunError(f"{self.path('status.json')}: {e}") from None

    # one value an update

    def metrics(self):
        """rows of metrics.jsonl, one an update"""
        if self._metrics is None:
            self._metrics = json_lines(self.path("metrics.jsonl"))
        return self._metrics

    def metric(self, name):
        """a column of metrics.jsonl, one value an update; null, and a column that this run does not have, is NaN"""
        return np.array([np.nan if r.get(name) is None else r[name] for r in self.metrics()], dtype=float)

    def updates(self):
        return np.array([r["update"] for r in self.metrics()], dtype=int)

    def launches(self):
        """updates at which the launches that count began, the first left out; from stats/, as far as its files can be read"""
        import h5py
        began = {}
        for path in sorted(glob.glob(glob.escape(self.path("stats")) + "/*.h5")):
            try:
                with h5py.File(path, "r") as f:
                    began[int(f.attrs["launch"])] = int(f.attrs["resumed_update"])
            except (OSError, KeyError):
                pass  # being written, or none of ours
        points = []
        for launch in sorted(began):
            points = [p for p in points if p < began[launch]] + [began[launch]]
        return [p for p in points if p > 0]

    def seconds(self):
        """time of all launches together: time_s begins anew with each"""
        begin, total, last = set(self.launches()), 0.0, 0.0
        for update, t in zip(self.updates(), self.metric("time_s")):
            total += t - last if t >= last and update not in begin else t
            last = t
        return total

    def lag_histogram(self):
        """lags, tokens of each lag over all updates (runs of older programs: of 16 lags an update, the last with what is beyond)"""
        n = {}
        for r in self.metrics():
            for i, c in enumerate(r.get("lag_histogram") or []):
                if c:
                    n[r["lag_first"] + i] = n.get(r["lag_first"] + i, 0) + c
        lags = sorted(n)
        return np.array(lags, dtype=int), np.array([n[x] for x in lags], dtype=float)

    def lag_buckets(self):
        """smallest lag, tokens, M2 and share clipped or masked of every bucket of lags (0, 1, 2, 4, 8, ...) over all updates; empty where an older program wrote no lags"""
        sums = {}
        for r in self.metrics():
            for b in r.get("lags") or []:
                sums[b["lag"]] = sums.get(b["lag"], np.zeros(3)) + (b["n"], b["n"] * b["m2"], b["clipped"])
        lags = sorted(sums)
        n, m2, clipped = np.array([sums[x] for x in lags]).reshape(-1, 3).T
        return np.array(lags, dtype=int), n, m2 / n, clipped / n

    def entropy_bins(self, first=0, last=None):
        """(tokens, mean entropy) [2][28] by sign of the advantage (0: A <= 0) and bin of |r-1|, over updates first to last, from metrics.jsonl"""
        rows = [r for r in self.metrics() if "entropy_n" in r and r["update"] >= first and (last is None or r["update"] <= last)]
        n = np.sum([r["entropy_n"] for r in rows], axis=0) if rows else np.zeros((2, 28))
        total = np.sum([r["entropy_sum"] for r in rows], axis=0) if rows else np.zeros((2, 28))
        return n, np.divide(total, n, out=np.full((2, 28), np.nan), where=n > 0)

    # rewards

    def fresh(self):
        """versions, mean reward of the rollouts that each version made"""
        if self._fresh is None:
            rows = json_lines(self.path("fresh.jsonl"))
            if not rows:
                raise RunError(f"{self.path('fresh.jsonl')}: no version has its rewards yet")
            self._fresh = np.array([r["version"] for r in rows]), np.array([r["reward"] for r in rows], dtype=float)
        return self._fresh

    def pass_curve(self):
        """versions, pass rate at each: mean over the last MEAN_OVER versions (fewer at the start, each weighing the same)"""
        version, reward = self.fresh()
        total = np.concatenate([[0], np.cumsum(reward)])
        first = np.maximum(np.arange(len(reward)) + 1 - MEAN_OVER, 0)
        n = np.arange(len(reward)) + 1 - first
        return version, (total[1:] - total[first]) / n

    def pass_at(self, update):
        version, rate = self.pass_curve()
        i = np.searchsorted(version, update, side="right") - 1
        return rate[i] if i >= 0 else np.nan

    def evals(self):
        """rows of evals.jsonl by version (the later of two counts), all data sets together; [] where nothing was evaluated"""
        if not self.has("evals.jsonl"):
            return []
        rows = {r["version"]: r for r in json_lines(self.path("evals.jsonl"))}
        return [rows[k] for k in sorted(rows)]

    def evaluations(self):
        """rows of evals.h5, one a version and data set (the later of two counts), with "data"; else those of evals.jsonl"""
        if not self.has("evals.h5"):
            return self.evals()
        import h5py
        try:
            with h5py.File(self.path("evals.h5"), "r") as f:
                columns = {c: f["evaluations"][c][:] for c in EVALUATION}
        except (OSError, KeyError) as e:
            raise RunError(f"{self.path('evals.h5')}: {e}") from None
        rows = {}
        for i in range(len(columns["version"])):
            r = {c: v[i].decode() if isinstance(v[i], bytes) else v[i].item() for c, v in columns.items()}
            rows[r["version"], r["data"]] = {**r, "prompts": r["problems"]}
        return [rows[k] for k in sorted(rows)]

    def pass_responses(self):
        """responses behind every value of pass_curve ()"""
        n = np.array([r.get("responses", 0) for r in json_lines(self.path("fresh.jsonl"))], dtype=float)
        total = np.concatenate([[0], np.cumsum(n)])
        return total[1:] - total[np.maximum(np.arange(len(n)) + 1 - MEAN_OVER, 0)]

    def collapse(self):
        version, rate = self.pass_curve()
        best, n = np.maximum.accumulate(rate), np.maximum(self.pass_responses(), 1)
        at_best = n[np.maximum.accumulate(np.where(rate >= best, np.arange(len(rate)), 0))]
        pooled = np.clip((best * at_best + rate * n) / (at_best + n), 0, 1)
        error = np.sqrt(pooled * (1 - pooled) * (1 / at_best + 1 / n))
        below = np.flatnonzero((rate < COLLAPSE_SHARE * best) & (best - rate > COLLAPSE_ERRORS * error) & (best > 0))
        peak = int(np.argmax(rate))
        return Collapse(len(below) > 0, float(rate[peak]), int(version[peak]), float(rate[peak:].min()), int(version[below[0]]) if len(below) else None, self.final())

    def final(self):
        """pass rate over the last tenth of the versions (at least one)"""
        _, reward = self.fresh()
        return float(reward[-max(1, len(reward) // 10):].mean())

    def area(self):
        """mean pass rate over the whole run: the area under the curve per update"""
        return float(self.fresh()[1].mean())

    # token statistics

    def statistics(self):
        """stats.h5, opened for reading and checked: version, and that all its sources are there (HDF5 would give fill values without a word). The caller closes it."""
        import h5py
        path = self.path("stats.h5")
        if not os.path.exists(path):
            raise RunError(f"{path}: not there: it is made at the first checkpoint, and with stats.write: true only")
        try:
            f = h5py.File(path, "r")
        except OSError as e:
            raise RunError(f"{path}: {e}") from None
        try:
            version = int(f.attrs.get("version", -1))
            if version not in STATS_VERSIONS:
                raise RunError(f"{path}: expected version {' or '.join(map(str, STATS_VERSIONS))} of the statistics, found {version}")
            for launch, learner, tokens in zip(*(f["sources"][c][:] for c in ("launch", "learner", "tokens"))):
                self._check_source(path, f"stats/{launch:04d}.{learner:04d}.h5", int(tokens))
        except (RunError, KeyError, OSError) as e:
            f.close()
            raise e if isinstance(e, RunError) else RunError(f"{path}: {e}") from None
        return f

    def _check_source(self, path, name, tokens):
        import h5py
        if not self.has(name):
            raise RunError(f"{path}: its source {name} is missing")
        with h5py.File(self.path(name), "r") as source:
            if len(source["tokens/lp"]) < tokens:
                raise RunError(f"{path}: expected {tokens} tokens in its source {name}, found {len(source['tokens/lp'])}")

    def tokens(self, columns, rows=1 << 20, overlap=0):
        """streams columns of tokens/ in parts of at most `rows` rows: dicts of arrays, of all learners and launches that count. A column that was not recorded is not in the dict.
        overlap: so many rows before and after a part too, its own are then part["own"] (a slice)."""
        with self.statistics() as f:
            t = f["tokens"]
            n = len(t["lp"])
            names = [c for c in columns if c in t]
            missing = [c for c in columns if c not in t and c not in OPTIONAL]
            if missing:
                raise RunError(f"{self.path('stats.h5')}: it has no tokens/{missing[0]}")
            for at in range(0, n, rows):
                first, end = max(at - overlap, 0), min(at + rows + overlap, n)
                try:
                    part = {c: t[c][first:end] for c in names}
                except OSError as e:
                    raise RunError(f"{self.path('stats.h5')}: rows {first} to {end}: {e}") from None
                part["own"] = slice(at - first, min(at + rows, n) - first)
                yield part

    def entropy_by_ratio(self):
        """(tokens, mean entropy) in every bin of |r-1|, over all updates, from the token statistics"""
        n, total = np.zeros(len(BINS) - 1), np.zeros(len(BINS) - 1)
        for part in self.tokens(("lp", "lp_behav", "entropy")):
            dev = np.abs(np.exp((part["lp"] - part["lp_behav"]).astype(float)) - 1)
            n += np.histogram(dev, BINS)[0]
            total += np.histogram(dev, BINS, weights=part["entropy"].astype(float))[0]
        return n, np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)


def lag_edges(least, most, bars):
    """edges of at most so many bars of one width, a whole number of lags: a wider one would stand out as if it were a peak"""
    width = -(-(most + 1 - least) // bars)
    return np.arange(least, most + 1 + width, width)


def is_run(folder):
    return os.path.isfile(os.path.join(folder, "settings.yaml")) and os.path.isfile(os.path.join(folder, "metrics.jsonl"))


def open_run(folder):
    """a run of `solera train` with at least one update; anything else is a RunError that says what it is instead"""
    if not os.path.isdir(folder):
        raise RunError(f"{folder}: no such folder" if not os.path.exists(folder) else f"{folder}: a file, expected a run's folder")
    if not is_run(folder):
        missing = [n for n in ("settings.yaml", "metrics.jsonl") if not os.path.isfile(os.path.join(folder, n))]
        raise RunError(f"{folder}: not a run's folder: it has no {' and no '.join(missing)}")
    run = Run(folder)
    if not run.metrics():
        raise RunError(f"{folder}: no update is recorded in its metrics.jsonl yet")
    if "n_tokens" not in run.metrics()[0]:
        raise RunError(f"{folder}: a run of solera sft; figures are made of runs of solera train")
    return run


def open_runs(paths, say=None):
    """runs of the folders; a folder that is no run itself gives all runs of reinforcement learning below it. say (text) hears what was left out there."""
    runs = []
    for path in paths:
        if is_run(path) or not os.path.isdir(path):
            runs.append(open_run(path))
            continue
        found = 0
        for folder, inside, _ in os.walk(path):
            inside.sort()
            if not is_run(folder):
                continue
            inside.clear()
            try:
                runs.append(open_run(folder))
                found += 1
            except RunError as e:
                if say:
                    say(f"left out: {e}")
        if not found:
            raise RunError(f"{path}: neither a run's folder (settings.yaml, metrics.jsonl) nor one with runs of solera train in it")
    return runs
