#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A verifier of one's own: which expression reaches the target? (docs/verifier.md, "A program of your own"; jobs/countdown.yaml)
Right is any + - * / of the numbers of the problem's line, each used once: no reference answer could list them all. 0.1 for an expression with another value."""
import ast, json, operator, sys
from fractions import Fraction

OPS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}

def value(node, used):
    if isinstance(node, ast.BinOp) and type(node.op) in OPS:
        return OPS[type(node.op)](value(node.left, used), value(node.right, used))
    if isinstance(node, ast.Constant) and type(node.value) is int:
        used.append(node.value)
        return Fraction(node.value)
    raise ValueError("something else than + - * / of whole numbers")

def grade(response, row):
    text, used = response.strip().split("\n")[-1].split("=")[0][:200], []
    try:
        got = value(ast.parse(text.strip(), mode="eval").body, used)
    except (ValueError, SyntaxError, ZeroDivisionError, RecursionError, MemoryError) as why:
        return 0, "no expression: %s" % why
    right = got == row["target"] and sorted(used) == sorted(row["numbers"])
    return (1 if right else 0.1), "%s of %s" % (got, used)

for line in sys.stdin:
    q = json.loads(line)
    reward, note = grade(q["response"], q["row"])
    print(json.dumps({"id": q["id"], "reward": reward, "note": note}), flush=True)
