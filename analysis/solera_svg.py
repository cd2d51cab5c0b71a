# SPDX-License-Identifier: Apache-2.0
"""Charts of the report as inline SVG: drawn here, so that they show without a script; the values that the page's script shows under the pointer lie beside them as JSON. Colours are CSS classes."""
import json
import math
from html import escape
from typing import NamedTuple

import numpy as np

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 460, 236, 50, 10, 8, 34
MOST = 500    # points of a line: longer ones are means of neighbours
COLORS = 8    # classes c0 to c7
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Series(NamedTuple):
    """a line: x, y (NaN: a gap), its colour, dashes (0: none, 1 to 3), band (low, high) or None, the single values behind a smoothed line or None"""
    name: str
    x: np.ndarray
    y: np.ndarray
    color: int = 0
    dashed: int = 0
    band: "tuple | None" = None
    faint: "np.ndarray | None" = None
    listed: bool = True  # in the legend


def thin(values):
    """at most MOST values: means over neighbours, NaN left out"""
    values = np.asarray(values, dtype=float)
    width = -(-len(values) // MOST) if len(values) else 1
    if width == 1:
        return values
    padded = np.concatenate([values, np.full(-len(values) % width, np.nan)]).reshape(-1, width)
    known = ~np.isnan(padded)
    n = known.sum(axis=1)
    return np.divide(np.where(known, padded, 0).sum(axis=1), n, out=np.full(len(n), np.nan), where=n > 0)


def thinned(s):
    return s._replace(x=thin(s.x), y=thin(s.y), band=s.band and tuple(thin(b) for b in s.band), faint=None if s.faint is None else thin(s.faint))


def ticks(low, high, count=5):
    """round numbers in [low, high]"""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def number(v):
    """a number for people: four digits"""
    if v is None or not np.isfinite(v):
        return "–"
    if v == int(v) and abs(v) < 1e7:
        return f"{int(v):,}".replace(",", "\u202f")
    return f"{v:.4g}"


class Axes:
    """ranges of a chart and where a value lies in it"""
    def __init__(self, series, log, low=None, high=None):
        x = np.concatenate([s.x for s in series])
        y = np.concatenate([s.y for s in series] + [b for s in series if s.band for b in s.band] + [s.faint for s in series if s.faint is not None])
        y = y[np.isfinite(y)]
        self.log = bool(log and (y > 0).any())
        if self.log:
            y = np.log10(y[y > 0])
        self.x0, self.x1 = (float(x.min()), float(x.max())) if len(x) else (0.0, 1.0)
        self.x1 += self.x1 == self.x0
        self.y0, self.y1 = (float(y.min()), float(y.max())) if len(y) else (0.0, 1.0)
        if self.log:
            self.y0 = max(self.y0, self.y1 - 8)  # what is smaller than 10^-8 of the largest would only squeeze the rest
        margin = 0.04 * (self.y1 - self.y0) or 0.1 * abs(self.y1) or 0.5
        self.y0, self.y1 = self.y0 - margin if low is None else low, self.y1 + margin if high is None else high
        if self.y1 <= self.y0:
            self.y1 = self.y0 + 1

    def px(self, x):
        return LEFT + (x - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)

    def py(self, y):
        """NaN where y cannot be drawn"""
        y = np.asarray(y, dtype=float)
        if self.log:
            y = np.log10(y, out=np.full(y.shape, np.nan), where=y > 0)
        return np.clip(TOP + (self.y1 - y) / (self.y1 - self.y0) * (HEIGHT - TOP - BOTTOM), TOP, HEIGHT - BOTTOM)

    def y_ticks(self):
        """(value, text)"""
        if not self.log:
            return [(v, f"{v:.10g}") for v in ticks(self.y0, self.y1)]
        first, last = math.ceil(self.y0), math.floor(self.y1)
        if last > first:
            step = max(1, -(-(last - first) // 5))
            return [(10.0 ** k, "10" + str(k).translate(SUPERSCRIPT)) for k in range(first, last + 1, step)]
        return [(10.0 ** v, f"{10.0 ** v:.2g}" if v > -3.2 else f"{10.0 ** v:.0e}") for v in ticks(self.y0, self.y1, 4)]


def path(axes, x, y):
    """d of an SVG path; a gap where y is NaN"""
    px, py, parts, pen = axes.px(np.asarray(x, dtype=float)), axes.py(y), [], "M"
    for a, b in zip(px, py):
        if np.isnan(b):
            pen = "M"
            continue
        parts.append(f"{pen}{a:.1f} {b:.1f}")
        pen = "L"
    return "".join(parts)


def band(axes, s):
    known = np.isfinite(s.band[0]) & np.isfinite(s.band[1])
    if not known.any():
        return ""
    x, low, high = s.x[known], s.band[0][known], s.band[1][known]
    up = path(axes, x, high)
    return f'<path class="band f{s.color % COLORS}" d="{up}{path(axes, x[::-1], low[::-1]).replace("M", "L")}Z"/>'


def frame(axes, x_label):
    out = []
    for v, text in axes.y_ticks():
        y = float(axes.py(v))
        out.append(f'<path class="rule" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/><text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{text}</text>')
    for v in ticks(axes.x0, axes.x1, 6):
        out.append(f'<text x="{axes.px(v):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{v:g}</text>')
    out.append(f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    out.append(f'<text class="label" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x_label)}</text>')
    return "".join(out)


def plain(values, digits=6):
    """JSON list of numbers, null where unknown"""
    return [None if not np.isfinite(v) else float(f"{v:.{digits}g}") for v in values]


def line_class(s):
    return f"line s{s.color % COLORS}" + (f" d{min(int(s.dashed), 3)}" if s.dashed else "")


def legend(series):
    series = [s for s in series if s.listed]
    if len(series) < 2:
        return ""
    items = "".join(f'<li><svg class="key" viewBox="0 0 18 8"><path class="{line_class(s)}" d="M0 4H18"/></svg>{escape(s.name)}</li>' for s in series)
    legend_of = f'<ul class="legend">{items}</ul>'
    return legend_of if len(series) <= COLORS else f"<details><summary>{len(series)} lines</summary>{legend_of}</details>"


def figure(title, note, series, axes, body, x_label, labels=None):
    """<figure>: caption, drawing, legend, and the values for the pointer"""
    data = {"axes": {"x0": axes.x0, "x1": axes.x1, "y0": axes.y0, "y1": axes.y1, "log": axes.log, "left": LEFT, "top": TOP, "width": WIDTH - LEFT - RIGHT, "height": HEIGHT - TOP - BOTTOM,
                     "view": [WIDTH, HEIGHT]}, "x": x_label, "labels": labels,
            "series": [{"name": s.name, "color": s.color % COLORS, "x": plain(s.x), "y": plain(s.y), "low": plain(s.band[0]) if s.band else None, "high": plain(s.band[1]) if s.band else None}
                       for s in series]}
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return (f'<figure class="chart"><figcaption>{escape(title)}{f"<small>{escape(note)}</small>" if note else ""}</figcaption><div class="plot">'
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" tabindex="0">{frame(axes, x_label)}{body}<g class="cursor"></g></svg><div class="tip" hidden></div></div>'
            f'{legend(series)}<script type="application/json">{text}</script></figure>')


def line_chart(title, series, x_label="optimizer update", note="", log=False, low=None, high=None):
    """a chart of lines; "" where no series has a value"""
    series = [thinned(s) for s in series if len(s.x) and np.isfinite(s.y).any()]
    if not series:
        return ""
    axes = Axes(series, log, low, high)
    body = "".join(band(axes, s) for s in series if s.band)
    body += "".join(f'<path class="faint s{s.color % COLORS}" d="{path(axes, s.x, s.faint)}"/>' for s in series if s.faint is not None)
    body += "".join(f'<path class="{line_class(s)}" d="{path(axes, s.x, s.y)}"/>' for s in series)
    if max(len(s.x) for s in series) == 1:
        body += "".join(f'<circle class="f{s.color % COLORS}" cx="{axes.px(s.x[0]):.1f}" cy="{float(axes.py(s.y[0])):.1f}" r="3"/>' for s in series)
    return figure(title, note, series, axes, body, x_label)


def bar_chart(title, edges, counts, color=0, x_label="", name="", note=""):
    """a histogram: counts [n] over edges [n+1] of whole numbers"""
    middle = (edges[:-1] + edges[1:]) / 2
    s = Series(name or title, middle, np.asarray(counts, dtype=float), color)
    axes = Axes([s._replace(x=np.asarray(edges, dtype=float), y=np.append(s.y, 0.0))], False, 0.0)
    body = ""
    for a, b, y in zip(edges[:-1], edges[1:], s.y):
        if y > 0:
            top, left, width = float(axes.py(y)), axes.px(a), axes.px(b) - axes.px(a)
            gap = min(1.0, 0.15 * width)
            body += f'<rect class="f{color % COLORS}" x="{left + gap / 2:.1f}" y="{top:.1f}" width="{max(width - gap, 0.4):.1f}" height="{HEIGHT - BOTTOM - top:.1f}"/>'
    labels = [f"{a}" if b == a + 1 else f"{a} to {b - 1}" for a, b in zip(edges[:-1], edges[1:])]
    return figure(title, note, [s], axes, body, x_label, labels)
