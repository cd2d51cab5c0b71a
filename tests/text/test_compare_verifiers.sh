#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# analysis/compare_verifiers.py beside a stand-in for Math-Verify that says what it is told: which differences it lists, what it counts, how it ends
command -v python3 >/dev/null || { echo "1..0 # SKIP no python3"; exit 0; }
t=$(mktemp -d "${TMPDIR:-/tmp}/sol-compare.XXXXXX") || exit 99
trap 'rm -rf "$t"' 0
n=0
ok () { n=$((n+1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$t/out" "$t/err" 2>/dev/null | head -20; fi; }
compare () { PYTHONPATH=$1 python3 -B "$top_srcdir/analysis/compare_verifiers.py" "$t/r.jsonl" $2 >"$t/out" 2>"$t/err"; rc=$?; }
mkdir "$t/there" "$t/missing"
cat >"$t/there/math_verify.py" <<'END'
def parse (text): return text.strip ("$")
def verify (gold, answer): return answer.endswith (" " + gold)
END
echo 'raise ImportError ("not here")' >"$t/missing/math_verify.py"
cat >"$t/r.jsonl" <<'END'
{"index":0,"sample":0,"id":"a","response":"it is 5","extracted":"5","expected":"5","correct":true,"form":"end","finish":"eos"}
{"index":0,"sample":1,"id":"a","response":"it is 6","extracted":"6","expected":"5","correct":false,"form":"end","finish":"eos"}
{"index":1,"sample":0,"id":"b","response":"it is 1/2","extracted":"1/2","expected":"0.5","correct":true,"form":"end","finish":"stop"}
{"index":1,"sample":1,"id":"b","response":"up to 0.5","extracted":"","expected":"0.5","correct":false,"form":"none","finish":"length"}
END
compare "$t/there"
[ $rc -eq 0 ] && [ "$(grep -c ': problem ' "$t/out")" -eq 2 ] && grep -q "r.jsonl:3: problem b, response 0: expected '0.5', taken '1/2' (end, stop); Solera right, Math-Verify wrong" "$t/out" &&
  grep -q "r.jsonl:4: problem b, response 1: .*; Solera wrong, Math-Verify right" "$t/out" && grep -q "r.jsonl | 4 | 2 | 2 | 2 |" "$t/out"; ok $? "every difference is listed, both ways ($rc)"
compare "$t/there" --json
[ $rc -eq 0 ] && [ "$(wc -l <"$t/out")" -eq 2 ] && sed -n 1p "$t/out" | grep -q '"line": 3, "math_verify": false.*"id": "b"' && grep -q "| 4 | 2 | 2 | 2 |" "$t/err"; ok $? "as JSON lines ($rc)"
compare "$t/missing"
[ $rc -eq 77 ] && grep -q "Math-Verify is not installed" "$t/err" && [ ! -s "$t/out" ]; ok $? "without Math-Verify it says so ($rc)"
echo '{"response":"x","expected":"5","correct":"yes"}' >>"$t/r.jsonl"
compare "$t/there"
[ $rc -eq 2 ] && grep -q 'r.jsonl:5: expected an object with "correct" (bool)' "$t/err"; ok $? "a line of another form is named ($rc)"
echo "1..$n"
