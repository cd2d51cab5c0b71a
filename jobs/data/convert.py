#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Problems from a file of other fields (parquet, JSON, JSON lines) to ours: a line {"id", "problem", "answer"} a problem, on standard output.

    jobs/data/convert.py train.parquet --problem question --after '####' --thousands > gsm8k.jsonl
    jobs/data/convert.py test.jsonl --answer solution --boxed --id unique_id > math.jsonl

Rows that cannot be used (a field missing or empty, nothing behind the mark or in a box) and rows whose problem or id was there before are left out, each named on standard error; a problem that comes again with
another answer is named as such. Exit status 1: the file could not be read, or no row was left. Parquet needs pyarrow.
"""
import argparse
import json
import re
import sys


def fail(text):
    sys.exit(f"convert.py: {text}")


def rows_of_parquet(path):
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        fail(f"{path}: reading parquet needs the Python package pyarrow (pip install pyarrow)")
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                yield from batch.to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        fail(f"{path}: {error}")


def rows_of_json(path):
    try:
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path}: {error}")
    if text.lstrip()[:1] == "[":
        try:
            yield from json.loads(text)
        except ValueError as error:
            fail(f"{path}: {error}")
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                fail(f"{path}:{number}: {error}")


def member(row, key):
    """row[key], or row[a][b] for the key a.b"""
    for part in [key] if isinstance(row, dict) and key in row else key.split("."):
        if isinstance(row, list) and part.isdigit() and int(part) < len(row):
            row = row[int(part)]
        elif isinstance(row, dict) and part in row:
            row = row[part]
        else:
            return None
    return row


def text_of(value):
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() if isinstance(value, (str, int, float)) else ""


def boxed(text):
    """what is in the last \\boxed{} whose braces are balanced, or nothing"""
    end = len(text)
    while (start := text.rfind("\\boxed{", 0, end)) >= 0:
        depth, at = 1, start + 7
        while at < len(text) and depth:
            if text[at] == "\\":
                at += 1
            else:
                depth += (text[at] == "{") - (text[at] == "}")
            at += 1
        if not depth:
            return text[start + 7:at - 1].strip()
        end = start
    return ""


def answer_of(text, options):
    if options.after is not None:
        text = text.rpartition(options.after)[2].strip() if options.after in text else ""
    if options.boxed:
        text = boxed(text)
    if len(text) > 2 and text[0] == text[-1] == "$" and "$" not in text[1:-1]:
        text = text[1:-1].strip()
    return text.replace(",", "") if options.thousands and re.fullmatch(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", text) else text


def convert(rows, options):
    seen, ids, kept, bad, double = {}, set(), [], 0, 0
    for number, row in enumerate(rows, 1):
        if options.first and len(kept) == options.first:
            break
        problem, source = text_of(member(row, options.problem)), text_of(member(row, options.answer))
        answer = answer_of(source, options)
        name = text_of(member(row, options.id)) if options.id else str(number)
        why = None
        if not problem or not source or not name:
            key = options.problem if not problem else options.answer if not source else options.id
            why = f"\"{key}\": expected a text or a number that is not empty"
        elif not answer:
            why = "no answer " + ("in a \\boxed{}" if options.boxed else f"behind {options.after}")
        elif "\0" in problem + answer + name:
            why = "U+0000 in a text"
        if why:
            bad += 1
        elif problem in seen:
            double += 1
            why = f"the problem of row {seen[problem][0]} again" + ("" if seen[problem][1] == answer else f", with another answer: {answer!r}, there {seen[problem][1]!r}")
        elif name in ids:
            double += 1
            why = f"id {name!r} was there before"
        if why:
            print(f"row {number}: {why}: left out", file=sys.stderr)
            continue
        seen[problem] = number, answer
        ids.add(name)
        kept.append({"id": options.prefix + name, "problem": problem, "answer": answer})
    return kept, bad, double


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="NAME.parquet, or JSON: an array of objects or an object a line")
    parser.add_argument("--problem", default="problem", metavar="KEY", help="field of the problem; a.b is field b of field a, a.0 the first of list a; default problem")
    parser.add_argument("--answer", default="answer", metavar="KEY", help="field of the answer, or of the text that it stands in; default answer")
    parser.add_argument("--id", metavar="KEY", help="field of the id; default: the number of the row")
    parser.add_argument("--prefix", default="", metavar="TEXT", help="text before every id")
    parser.add_argument("--after", metavar="MARK", help="the answer is what stands behind the last MARK")
    parser.add_argument("--boxed", action="store_true", help="the answer is what stands in the last \\boxed{}")
    parser.add_argument("--thousands", action="store_true", help="an answer like 1,234 is the number 1234, no list")
    parser.add_argument("--first", type=int, metavar="N", help="the first N rows that can be used")
    options = parser.parse_args()
    if options.first is not None and options.first < 1:
        parser.error("--first: expected a number from 1")
    rows = rows_of_parquet(options.file) if options.file.endswith(".parquet") else rows_of_json(options.file)
    kept, bad, double = convert(rows, options)
    for row in kept:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{options.file}: {len(kept)} problems, {bad} rows left out as bad, {double} as there before", file=sys.stderr)
    sys.exit(0 if kept else 1)


main()
