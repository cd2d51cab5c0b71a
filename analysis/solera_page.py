# SPDX-License-Identifier: Apache-2.0
"""The shell of the report: style for light and dark, the script that shows values under the pointer, tables. One file, nothing from a network: the page's own policy forbids it."""
from html import escape

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

LIGHT = """--page:#f7f7f5;--card:#fff;--ink:#1d2125;--soft:#5d666f;--rule:#dfe2e4;--mark:#fff0c2;--bad:#b42318;--good:#1e7a34;--warn:#8a5a00;
--c0:#2563c9;--c1:#d9480f;--c2:#2b8a3e;--c3:#9c36b5;--c4:#c2255c;--c5:#0b7285;--c6:#8d6708;--c7:#5f6b7a;"""
DARK = """--page:#15181b;--card:#1e2226;--ink:#e6e8ea;--soft:#a2abb3;--rule:#363c42;--mark:#5a4a12;--bad:#ff8a80;--good:#7ad592;--warn:#f0c060;
--c0:#74a7ff;--c1:#ff9a62;--c2:#69cf7d;--c3:#d48ae8;--c4:#ff85ab;--c5:#4fc3d9;--c6:#e0b84c;--c7:#a9b4c2;"""

STYLE = ":root{color-scheme:light;" + LIGHT + "}@media(prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;" + DARK + "}}:root[data-theme=dark]{color-scheme:dark;" + DARK + """}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI","Liberation Sans",Arial,sans-serif}
main{max-width:1320px;margin:0 auto;padding:20px 24px 60px}
h1{font-size:1.5rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:36px 0 10px}h3{font-size:1rem;margin:18px 0 8px;overflow-wrap:anywhere}
p{margin:6px 0 10px;max-width:90ch}a{color:var(--c0)}small,.soft{color:var(--soft)}
header{display:flex;gap:16px;align-items:start;justify-content:space-between}
button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:4px 10px;cursor:pointer;white-space:nowrap}
nav{margin:10px 0 0;display:flex;flex-wrap:wrap;gap:2px 16px}header>div{min-width:0}
.banner{border-left:4px solid var(--warn);background:var(--card);padding:8px 14px;margin:12px 0;overflow-wrap:anywhere}.banner.bad{border-color:var(--bad)}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,380px),1fr));gap:14px}
.chart summary{font-size:.8rem;font-weight:400;color:var(--soft)}.chart details{margin:4px 0 0}
.chart,.card{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 12px;min-width:0}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,135px),1fr));gap:4px 14px;margin:0}
.facts dt{color:var(--soft);font-size:.82rem}.facts dd{margin:0 0 6px;font-weight:600;overflow-wrap:anywhere}
.runs{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr));gap:14px}
.card h3:first-child{margin-top:0}.runs.one{grid-template-columns:1fr}.swatch{display:inline-block;width:.8em;height:.8em;border-radius:3px;margin-right:.5em}
figcaption{font-weight:600;font-size:.92rem;margin-bottom:4px}figcaption small{font-weight:400;display:block}
.plot{position:relative}.plot>svg{display:block;width:100%;height:auto;touch-action:pan-y}.plot>svg:focus-visible{outline:2px solid var(--c0)}
.plot svg text{font-size:11px;fill:var(--soft)}
.rule{stroke:var(--rule);stroke-width:1;fill:none}.axis{stroke:var(--soft);fill:none}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.d1{stroke-dasharray:4 3}.d2{stroke-dasharray:1.5 2.5}.d3{stroke-dasharray:7 2 1.5 2}.faint{fill:none;stroke-width:.8;opacity:.3}.band{opacity:.16}
.cursor path{stroke:var(--soft);stroke-width:1}.cursor circle{stroke:var(--card);stroke-width:1.5}
.legend{list-style:none;margin:4px 0 0;padding:0;font-size:.8rem;display:flex;flex-wrap:wrap;gap:2px 14px}.legend li{overflow-wrap:anywhere}.key{width:18px;height:8px;margin-right:5px}
.tip{position:absolute;pointer-events:none;background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:5px 8px;font-size:.78rem;box-shadow:0 2px 8px #0003;z-index:2;max-width:min(70%,300px)}
.tip b{display:block}.tip span{display:block;overflow-wrap:anywhere}.tip i{display:inline-block;width:.7em;height:.7em;border-radius:2px;margin-right:.4em}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:8px}
table{border-collapse:collapse;width:100%;font-size:.86rem;font-variant-numeric:tabular-nums}th,td{padding:4px 10px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{color:var(--soft);font-weight:600;text-align:right}tr:last-child td{border-bottom:0}td.t,th.t{text-align:left}td.w{white-space:normal;overflow-wrap:anywhere;min-width:12em}
.mono{font-family:ui-monospace,"DejaVu Sans Mono","Liberation Mono",monospace;white-space:pre-wrap}mark{background:var(--mark);color:inherit;border-radius:3px;padding:0 1px}
.meter{display:inline-block;height:.65em;background:var(--c0);border-radius:2px;vertical-align:middle;margin-right:6px}.figure{display:inline-block;min-width:3.4em}
.stack{display:flex;height:26px;border-radius:6px;overflow:hidden;margin:4px 0 8px}.stack span{min-width:0}
.phases{display:flex;flex-wrap:wrap;gap:2px 16px;list-style:none;margin:0;padding:0;font-size:.84rem}
details{margin:10px 0}summary{cursor:pointer;font-weight:600;margin-bottom:6px;overflow-wrap:anywhere}.bad{color:var(--bad)}.good{color:var(--good)}
@media(max-width:520px){main{padding:14px 12px 40px}header{flex-direction:column}}
@media print{.chart summary{font-size:.8rem;font-weight:400;color:var(--soft)}.chart details{margin:4px 0 0}
.chart,.card{break-inside:avoid}button{display:none}}
""" + "".join(f".s{i}{{stroke:var(--c{i})}}.f{i}{{fill:var(--c{i})}}.b{i}{{background:var(--c{i})}}" for i in range(8)) + ".b8{background:color-mix(in srgb,var(--c0) 45%,var(--card))}.b9{background:var(--rule)}"

SCRIPT = r"""
"use strict";
const NS = "http://www.w3.org/2000/svg";
function show (v) { return v === null || v === undefined ? "–" : Number.isInteger (v) ? v.toLocaleString ("en").replace (/,/g, "\u202f") : String (Number (v.toPrecision (4))); }
function nearest (x, at) {
  let low = 0, high = x.length - 1;
  while (high - low > 1) { const m = (low + high) >> 1; if (x[m] < at) low = m; else high = m; }
  return Math.abs (x[low] - at) <= Math.abs (x[high] - at) ? low : high;
}
function add (parent, name, text) { const e = document.createElement (name); if (text !== undefined) e.textContent = text; parent.append (e); return e; }
function chart (figure) {
  const d = JSON.parse (figure.querySelector ("script").textContent), a = d.axes;
  const svg = figure.querySelector (".plot > svg"), tip = figure.querySelector (".tip"), cursor = svg.querySelector (".cursor");
  const px = x => a.left + (x - a.x0) / (a.x1 - a.x0) * a.width;
  const py = y => { if (a.log) { if (!(y > 0)) return null; y = Math.log10 (y); } return Math.min (Math.max (a.top + (a.y1 - y) / (a.y1 - a.y0) * a.height, a.top), a.top + a.height); };
  let index = 0;
  const longest = d.series.reduce ((m, s) => s.x.length > m.x.length ? s : m, d.series[0]);
  function hide () { tip.hidden = true; cursor.replaceChildren (); }
  function at (x, height) {
    index = nearest (longest.x, x);
    const x0 = longest.x[index];
    cursor.replaceChildren (); tip.replaceChildren ();
    const line = document.createElementNS (NS, "path");
    line.setAttribute ("d", `M${px (x0)} ${a.top}V${a.top + a.height}`); cursor.append (line);
    add (tip, "b", (d.x || "") + " " + (d.labels ? d.labels[index] : show (x0)));
    let some = d.series.filter (s => s === longest || Math.abs (s.x[nearest (s.x, x0)] - x0) <= (a.x1 - a.x0) / 50);
    const far = s => { const y = s.y[nearest (s.x, x0)], v = y === null ? null : py (y); return v === null ? 1e9 : Math.abs (v - height); };
    const left_out = some.length - 10;
    if (left_out > 0) some = [...some].sort ((s, t) => far (s) - far (t)).slice (0, 10).sort ((s, t) => d.series.indexOf (s) - d.series.indexOf (t));
    for (const s of some) {
      const i = nearest (s.x, x0), y = s.y[i];
      const row = add (tip, "span"); add (row, "i").className = "b" + s.color;
      row.append (s.name + ": " + show (y) + (s.low && s.low[i] !== null ? ` (${show (s.low[i])} to ${show (s.high[i])})` : ""));
      const v = y === null ? null : py (y);
      if (v === null) continue;
      const dot = document.createElementNS (NS, "circle");
      dot.setAttribute ("cx", px (s.x[i])); dot.setAttribute ("cy", v); dot.setAttribute ("r", 4); dot.setAttribute ("class", "f" + s.color); cursor.append (dot);
    }
    if (left_out > 0) add (tip, "span", `and ${left_out} farther from the pointer`);
    tip.hidden = false;
    const box = svg.getBoundingClientRect (), left = px (x0) / a.view[0] * box.width;
    tip.style.left = Math.max (0, left + 12 + tip.offsetWidth > box.width ? left - 12 - tip.offsetWidth : left + 12) + "px";
    tip.style.top = "8px";
  }
  svg.addEventListener ("pointermove", e => {
    const box = svg.getBoundingClientRect (), u = (e.clientX - box.left) / box.width * a.view[0];
    if (u < a.left - 8 || u > a.left + a.width + 8) hide (); else at (a.x0 + (u - a.left) / a.width * (a.x1 - a.x0), (e.clientY - box.top) / box.height * a.view[1]);
  });
  svg.addEventListener ("pointerleave", hide);
  svg.addEventListener ("blur", hide);
  svg.addEventListener ("keydown", e => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (!step) return;
    e.preventDefault (); at (longest.x[Math.min (Math.max (tip.hidden ? 0 : index + step, 0), longest.x.length - 1)], a.top + a.height / 2);
  });
}
document.querySelectorAll ("figure.chart").forEach (chart);
const button = document.getElementById ("theme"), dark = matchMedia ("(prefers-color-scheme: dark)");
button.addEventListener ("click", () => {
  const now = document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
});
button.hidden = false;
"""


def page(title, nav, body):
    links = "".join(f'<a href="#{name}">{escape(text)}</a>' for name, text in nav)
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>'
            f'<header><div><h1>{escape(title)}</h1><nav>{links}</nav></div><button id="theme" hidden>light / dark</button></header>\n{body}\n</main><script>{SCRIPT}</script></body></html>\n')


def section(name, title, body):
    return f'<section id="{name}"><h2>{escape(title)}</h2>{body}</section>\n' if body else ""


def table(head, rows, text=(0,), wide=()):
    """head: names; rows: lists of cells (escaped here; Raw ones are HTML already); text: numbers of columns that are text; wide: that may wrap"""
    def cell(tag, i, value):
        kind = " ".join((["t"] if i in text else []) + (["w"] if i in wide else []))
        return f"<{tag}{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{value if isinstance(value, Raw) else escape(str(value))}</{tag}>"
    top = "".join(cell("th", i, h) for i, h in enumerate(head))
    lines = "".join("<tr>" + "".join(cell("td", i, c) for i, c in enumerate(r)) + "</tr>" for r in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def facts(pairs):
    return '<dl class="facts">' + "".join(f"<div><dt>{escape(k)}</dt><dd>{v if isinstance(v, Raw) else escape(str(v))}</dd></div>" for k, v in pairs) + "</dl>"


class Raw(str):
    """text that is HTML already"""
