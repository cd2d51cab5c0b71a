#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes countdown.jsonl: three numbers from 1 to 9, and a target from 10 to 50 that two of + - * make of them. --rows N, --seed S."""
import argparse, json, random

p = argparse.ArgumentParser(description=__doc__)
p.add_argument("--rows", type=int, default=400)
p.add_argument("--seed", type=int, default=1)
a = p.parse_args()
r, seen = random.Random(a.seed), set()
while len(seen) < a.rows:
    n = [r.randint(1, 9) for _ in range(3)]
    answer = "(%d %s %d) %s %d" % (n[0], r.choice("+-*"), n[1], r.choice("+-*"), n[2])
    target = eval(answer)
    key = (tuple(sorted(n)), target)
    if not 10 <= target <= 50 or key in seen:
        continue
    seen.add(key)
    n.sort()
    problem = "Use the numbers %d, %d and %d, each once, with + - * / and brackets, to make %d. Write one expression." % (*n, target)
    print(json.dumps({"id": "countdown-%d" % len(seen), "problem": problem, "answer": answer, "numbers": n, "target": target}))
