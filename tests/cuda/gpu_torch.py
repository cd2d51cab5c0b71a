#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gpu_torch.py KERNELS MODELS OUT [cpu]: PyTorch at what gpu_bench and gpu_models measured (their lines of JSON): scaled_dot_product_attention forward and backward, the fused AdamW, and a training
step of the same model. Prints a line each with both times, and writes lines of JSON to OUT. What cannot run is named and does not stop the others. cpu: to test this script."""
import json
import re
import sys
import time

import torch
import torch.nn.functional as F

DEVICE = "cpu" if len(sys.argv) > 4 and sys.argv[4] == "cpu" else "cuda"
WIDTHS = {  # width, heads, kv heads, head size, mlp, vocabulary
    "Qwen2.5-0.5B": (896, 14, 2, 64, 4864, 151936),
    "Qwen2.5-1.5B": (1536, 12, 2, 128, 8960, 151936),
    "Qwen2.5-7B": (3584, 28, 4, 128, 18944, 152064),
    "0.5B in small": (64, 2, 1, 32, 96, 1200),
    "1.5B in small": (64, 2, 1, 64, 112, 1200),
    "7B in small": (96, 3, 1, 32, 128, 1100),
}
UNTIED = ("Qwen2.5-7B", "7B in small")


def lines(path):
    try:
        with open(path) as f:
            return [json.loads(line) for line in f]
    except OSError:
        return []


def sync():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def seconds(call, least=0.02):
    """of one call: the best of three rounds of at least 20 ms each, after a round that warms up"""
    call()
    sync()
    best, n = float("inf"), 1
    for i in range(4):
        t = time.perf_counter()
        for _ in range(n):
            call()
        sync()
        once = (time.perf_counter() - t) / n
        if i:
            best = min(best, once)
        else:
            n = min(1000, int(least / once) + 2)
    return best


def say(out, what, model, shape, ours, theirs):
    print(f"{what:<20} {model:<14} {shape:<26} {1e3 * ours:10.3f} ms, PyTorch {1e3 * theirs:10.3f} ms: {theirs / ours:.2f} times its speed", flush=True)
    print(json.dumps({"what": what, "model": model, "shape": shape, "seconds": ours, "torch_seconds": theirs, "speed": theirs / ours}), file=out, flush=True)


def sdpa(q, k, v):
    """k, v have fewer heads than q: by the option where this PyTorch has it, else repeated"""
    try:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    except TypeError:
        r = q.shape[1] // k.shape[1]
        return F.scaled_dot_product_attention(q, k.repeat_interleave(r, 1), v.repeat_interleave(r, 1), is_causal=True)


def attention(out, row):
    found = re.fullmatch(r"(\d+)x(\d+) H(\d+)/(\d+) D(\d+)", row["shape"])
    if not found:  # shared prompts: no counterpart
        return
    n, t, h, kv, d = map(int, found.groups())
    q, k, v, do = (torch.randn(n, heads, t, d, device=DEVICE, dtype=torch.bfloat16, requires_grad=True) for heads in (h, kv, kv, h))
    if row["op"] == "attention":
        with torch.no_grad():
            theirs = seconds(lambda: sdpa(q, k, v))
    else:
        o = sdpa(q, k, v)
        theirs = seconds(lambda: torch.autograd.grad(o, (q, k, v), do, retain_graph=True))
    say(out, row["op"], row["model"], row["shape"], row["seconds"], theirs)


def adamw(out, row):
    n = int(row["shape"].split()[0])
    p = torch.nn.Parameter(torch.randn(n, device=DEVICE))
    p.grad = torch.randn(n, device=DEVICE)
    o = torch.optim.AdamW([p], lr=1e-6, betas=(0.9, 0.95), weight_decay=0.01, **({"fused": True} if DEVICE == "cuda" else {}))
    say(out, "adamw", "any", row["shape"], row["seconds"], seconds(o.step))


class Layer(torch.nn.Module):
    def __init__(self, c, h, kv, d, mlp):
        super().__init__()
        self.h, self.kv, self.d = h, kv, d
        self.q, self.k, self.v = (torch.nn.Linear(c, heads * d) for heads in (h, kv, kv))
        self.o = torch.nn.Linear(h * d, c, bias=False)
        self.gate, self.up, self.down = torch.nn.Linear(c, mlp, bias=False), torch.nn.Linear(c, mlp, bias=False), torch.nn.Linear(mlp, c, bias=False)
        self.norm1, self.norm2 = (torch.nn.Parameter(torch.ones(c)) for _ in range(2))

    def turn(self, x, heads, cos, sin):
        x = x.view(*x.shape[:2], heads, self.d).transpose(1, 2)
        a, b = x.chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)

    def forward(self, x, cos, sin):
        y = norm(x, self.norm1)
        q, k = self.turn(self.q(y), self.h, cos, sin), self.turn(self.k(y), self.kv, cos, sin)
        v = self.v(y).view(*y.shape[:2], self.kv, self.d).transpose(1, 2)
        x = x + self.o(sdpa(q, k, v).transpose(1, 2).reshape(*y.shape[:2], -1))
        y = norm(x, self.norm2)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


def norm(x, w):
    return (x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-6) * w).to(x.dtype)


class Model(torch.nn.Module):
    def __init__(self, c, h, kv, d, mlp, vocab, layers, tied):
        super().__init__()
        self.d = d
        self.embed = torch.nn.Embedding(vocab, c)
        self.layers = torch.nn.ModuleList(Layer(c, h, kv, d, mlp) for _ in range(layers))
        self.norm = torch.nn.Parameter(torch.ones(c))
        self.head = self.embed.weight if tied else torch.nn.Parameter(torch.empty(vocab, c))
        for p in self.parameters():
            if p.dim() > 1:
                torch.nn.init.normal_(p, std=0.02)

    def forward(self, ids):
        angle = torch.arange(ids.shape[1], device=ids.device)[:, None] * 1e6 ** (-torch.arange(0, self.d, 2, device=ids.device) / self.d)
        cos, sin = angle.cos().bfloat16(), angle.sin().bfloat16()
        x = self.embed(ids).bfloat16()
        for layer in self.layers:
            x = layer(x, cos, sin)
        return F.linear(norm(x, self.norm), self.head)


def training(out, row):
    """float32 weights, bf16 by autocast, fused AdamW, no torch.compile: the usual step"""
    with torch.device(DEVICE):
        m = Model(*WIDTHS[row["model"]], row["layers"], row["model"] not in UNTIED)
    o = torch.optim.AdamW(m.parameters(), lr=1e-5, betas=(0.9, 0.95), weight_decay=0.01, **({"fused": True} if DEVICE == "cuda" else {}))
    ids = torch.randint(WIDTHS[row["model"]][-1], (row["sequences"], row["length"] + 1), device=DEVICE)

    def step():
        with torch.autocast(DEVICE, dtype=torch.bfloat16):
            logits = m(ids[:, :-1])
        F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        o.step()
        o.zero_grad(set_to_none=True)

    say(out, "training step", row["model"], f"{row['sequences']}x{row['length']}, {row['layers']} layers", row["seconds"], seconds(step))


def main():
    jobs = [(attention, r) for r in lines(sys.argv[1]) if r["op"] in ("attention", "attention_backward") and "seconds" in r]
    jobs += [(adamw, r) for r in lines(sys.argv[1]) if r["op"] == "adamw" and "seconds" in r]
    jobs += [(training, r) for r in lines(sys.argv[2]) if r["run"] == "training" and "seconds" in r]
    bad = not jobs
    if not jobs:
        print("FAILED PyTorch's side: nothing was measured that it could be held against")
    with open(sys.argv[3], "w") as out:
        for job, row in jobs:
            try:
                job(out, row)
            except torch.OutOfMemoryError if hasattr(torch, "OutOfMemoryError") else torch.cuda.OutOfMemoryError:
                print(f"{job.__name__} {row['model']}: PyTorch's does not fit")
            except Exception as e:  # the others go on
                bad = True
                print(f"FAILED PyTorch's {job.__name__}, {row['model']}: {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}")
            if DEVICE == "cuda":
                torch.cuda.empty_cache()
    return bad


if __name__ == "__main__":
    sys.exit(main())
