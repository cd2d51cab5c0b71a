#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# jobs/data/convert.py: other fields to ours; what cannot be used is left out and named
py=${PYTHON3:-python3}
command -v "$py" >/dev/null || { echo "1..0 # SKIP no Python"; exit 0; }
t=$(mktemp -d "${TMPDIR:-/tmp}/sol-convert.XXXXXX") || exit 99
trap 'rm -rf "$t"' 0
n=0
ok () { n=$((n+1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$t/out" "$t/err" 2>/dev/null | head -20; fi; }
convert () { "$py" "$top_srcdir/jobs/data/convert.py" "$@" >"$t/out" 2>"$t/err"; }

cat >"$t/in.jsonl" <<'X'
{"question": "one", "sol": "text #### 1 #### 1,234", "m": {"k": [7, "a"]}}
{"question": "two", "sol": "no mark", "m": {"k": [7, "b"]}}
{"question": "one", "sol": "#### 1234", "m": {"k": [7, "c"]}}
{"question": "one", "sol": "#### 5", "m": {"k": [7, "d"]}}
{"question": "", "sol": "#### 5", "m": {"k": [7, "e"]}}
[1]

{"question": "é", "sol": "#### 1,23", "m": {"k": [7, "a"]}}
{"question": "é", "sol": "#### 1,23", "m": {"k": [7, "f"]}}
{"question": "six", "sol": "#### $-0.5$", "m": {"k": [7, "g"]}}
X
cat >"$t/want" <<'X'
{"id": "x-a", "problem": "one", "answer": "1234"}
{"id": "x-f", "problem": "é", "answer": "1,23"}
{"id": "x-g", "problem": "six", "answer": "-0.5"}
X
convert "$t/in.jsonl" --problem question --answer sol --after '####' --thousands --id m.k.1 --prefix x-; rc=$?
[ $rc -eq 0 ] && cmp -s "$t/out" "$t/want"; ok $? "fields, a mark, nested ids, thousands commas"
grep -q ': 3 problems, 3 rows left out as bad, 3 as there before' "$t/err" && grep -q '^row 4: .*another answer' "$t/err" && grep -q '^row 2: no answer behind ####' "$t/err" && grep -q "^row 7: id 'a'" "$t/err"
ok $? "bad rows and those that were there before are named and counted"
convert "$t/in.jsonl" --problem question --answer sol --after '####' --first 1 --thousands
[ "$(cat "$t/out")" = '{"id": "1", "problem": "one", "answer": "1234"}' ]; ok $? "the first 1"
cat >"$t/in.json" <<'X'
[{"problem": "p", "answer": "a \\boxed{3} b \\boxed{\\frac{1}{2\\}}} c \\boxed{"}, {"problem": "q", "answer": 27.0}, {"problem": "r", "answer": "\\boxed{}"}]
X
convert "$t/in.json" --boxed
[ "$(cat "$t/out")" = '{"id": "1", "problem": "p", "answer": "\\frac{1}{2\\}}"}' ] && grep -q '1 problems, 2 rows' "$t/err"; ok $? "an array, and the last box that is closed"
convert "$t/in.json"
grep -q '"id": "2", "problem": "q", "answer": "27"' "$t/out" && convert "$t/in.jsonl" --problem question --answer sol --after '####' --first 1 && grep -q '"1,234"' "$t/out"; ok $? "a number as answer; commas stay where thousands are not asked for"
printf '{"problem": "p"\n' >"$t/bad.jsonl"
convert "$t/bad.jsonl"; rc=$?
[ $rc -eq 1 ] && grep -q "bad.jsonl:1: " "$t/err" && ! grep -q Traceback "$t/err"; ok $? "no JSON: file and line named, exit 1 ($rc)"
printf '{"problem": "p"}\n' >"$t/none.jsonl"
convert "$t/none.jsonl"; rc=$?
[ $rc -eq 1 ] && grep -q '"answer": expected' "$t/err" && [ ! -s "$t/out" ]; ok $? "no row left: exit 1 ($rc)"
convert "$t/absent.jsonl"; rc=$?
[ $rc -eq 1 ] && grep -q "absent.jsonl" "$t/err" && ! grep -q Traceback "$t/err"; ok $? "no file: named, exit 1 ($rc)"
if "$py" -c 'import pyarrow.parquet' 2>"$t/err"; then
  "$py" -c 'import sys, pyarrow as a, pyarrow.parquet as p; p.write_table (a.table ({"q": ["one", "two"], "e": [{"k": "1,000"}, {"k": None}]}), sys.argv[1])' "$t/in.parquet"
  convert "$t/in.parquet" --problem q --answer e.k --thousands
  [ "$(cat "$t/out")" = '{"id": "1", "problem": "one", "answer": "1000"}' ]; ok $? "parquet"
  printf 'PAR1nonsense' >"$t/bad.parquet"
  convert "$t/bad.parquet"; rc=$?
  [ $rc -eq 1 ] && grep -q "bad.parquet" "$t/err" && ! grep -q Traceback "$t/err"; ok $? "a file that is no parquet: named, exit 1 ($rc)"
else
  convert "$t/in.parquet"; rc=$?
  [ $rc -eq 1 ] && grep -q "in.parquet: .*pyarrow" "$t/err" && ! grep -q Traceback "$t/err"; ok $? "parquet without pyarrow: an error that names it, exit 1 ($rc)"
fi
for name in gsm8k gsm8k_test math500 gaokao2023en olympiadbench; do
  convert "$top_srcdir/jobs/data/$name.jsonl" --id id
  cmp -s "$t/out" "$top_srcdir/jobs/data/$name.jsonl" && grep -q ' 0 rows left out as bad, 0 as there before' "$t/err"; ok $? "$name.jsonl is in our form: no bad row, none twice"
done
echo "1..$n"
