#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare_verifiers.py [--json] RESPONSES.jsonl...: regrades responses with the Python library Math-Verify and lists every response on which the two verdicts differ.

RESPONSES.jsonl is what `solera eval ... out=FOLDER` writes (FOLDER/responses.NAME.jsonl); of each line `response`, `expected` and `correct` are used. Math-Verify's verdict is
verify (parse ("$" + expected + "$"), parse (response)). Exit status: 0 done, whatever differs; 2 a file is not of this form; 77 Math-Verify is not installed (pip install math-verify)."""
import argparse
import importlib.metadata
import json
import logging
import sys

NOT_INSTALLED = 77
NEEDED = {"response": str, "expected": str, "correct": bool}


class BadLine(Exception):
    pass


def rows(path):
    with open(path, encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            try:
                row = json.loads(line)
            except ValueError as why:
                raise BadLine(f"{path}:{n}: {why}")
            for key, kind in NEEDED.items():
                if not isinstance(row, dict) or not isinstance(row.get(key), kind):
                    raise BadLine(f'{path}:{n}: expected an object with "{key}" ({kind.__name__}), found {line.strip()[:80]}')
            yield n, row


def version():
    try:
        return importlib.metadata.version("math-verify")
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def tell(path, n, row, theirs):
    end = row["response"][-160:]
    print(f'{path}:{n}: problem {row.get("id", "?")}, response {row.get("sample", "?")}: expected {row["expected"]!r}, taken {row.get("extracted")!r} ({row.get("form", "?")}, {row.get("finish", "?")}); '
          f'Solera {"right" if row["correct"] else "wrong"}, Math-Verify {"right" if theirs else "wrong"}\n    ...{end!r}')


def compare(path, grade, as_json):
    """one file: the counts (responses, right by Solera, right by Math-Verify, differences)"""
    count = [0, 0, 0, 0]
    for n, row in rows(path):
        theirs = grade(row["expected"], row["response"])
        count = [c + d for c, d in zip(count, (1, row["correct"], theirs, theirs != row["correct"]))]
        if theirs != row["correct"]:
            if as_json:
                print(json.dumps({"file": path, "line": n, "math_verify": theirs, **row}))
            else:
                tell(path, n, row, theirs)
    return count


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("files", nargs="+", metavar="RESPONSES.jsonl")
    p.add_argument("--json", action="store_true", help="differences as JSON lines: the response's own with file, line and math_verify")
    a = p.parse_args()
    try:
        from math_verify import parse, verify
    except ImportError as why:
        print(f"compare_verifiers.py: Math-Verify is not installed ({why}): pip install math-verify", file=sys.stderr)
        return NOT_INSTALLED
    logging.disable(logging.CRITICAL)  # it logs every answer that it cannot read

    def grade(expected, response):
        return bool(verify(parse("$" + expected + "$"), parse(response)))

    table = []
    try:
        for path in a.files:
            table.append((path, *compare(path, grade, a.json)))
    except (BadLine, OSError, UnicodeDecodeError) as why:
        print(f"compare_verifiers.py: {why}", file=sys.stderr)
        return 2
    out = sys.stderr if a.json else sys.stdout
    print(f"\n| responses (Math-Verify {version()}) | number | right by Solera | by Math-Verify | differences |\n|---|---|---|---|---|", file=out)
    for row in table:
        print("| " + " | ".join(map(str, row)) + " |", file=out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
