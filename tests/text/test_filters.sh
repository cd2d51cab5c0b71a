#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# solera tokenize and solera verify: one row out for every row in, a bad row in its place, exit status 1 at the end
solera=$top_builddir/solera
t=$(mktemp -d "${TMPDIR:-/tmp}/sol-filter.XXXXXX") || exit 99
trap 'rm -rf "$t"' 0
n=0
ok () { n=$((n+1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$t/out" "$t/err" 2>/dev/null | head -20; fi; }
data=$top_srcdir/tests/data
mkdir "$t/model" && cp "$data"/smollm2/*.json "$t/model" && gzip -dc "$data/smollm2/tokenizer.json.gz" >"$t/model/tokenizer.json" || exit 99

sed 's/.*"text": \(".*"\), "ids".*/{"text": \1}/' "$data/smollm2/tokenizer_golden.jsonl" >"$t/in"
sed 's/.*"ids": \(\[.*\]\)}/{"ids":\1}/; s/ //g' "$data/smollm2/tokenizer_golden.jsonl" | sed 's/^.*{"ids"/{"ids"/' >"$t/want"
"$solera" tokenize "$t/model" <"$t/in" >"$t/out" 2>"$t/err"
[ $? -eq 0 ] && cmp -s "$t/out" "$t/want" && [ "$(wc -l <"$t/out")" -eq 60 ]; ok $? "tokenize: the ids of the reference, exit 0"
"$solera" tokenize "$t/model" --decode <"$t/want" >"$t/out" 2>"$t/err"
[ $? -eq 0 ] && [ "$(sed -n 1p "$t/out")" = '{"text":"Hello, world!"}' ] && [ "$(wc -l <"$t/out")" -eq 60 ]; ok $? "tokenize --decode: and back"

printf '%s\n' '{"text":"a"}' 'nonsense' '{"text":5}' '' '[]' '{"text":"b"}' >"$t/in"
"$solera" tokenize "$t/model" <"$t/in" >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 1 ] && [ "$(wc -l <"$t/out")" -eq 6 ] && [ "$(grep -c '^{"error":"' "$t/out")" -eq 4 ] && [ "$(sed -n 6p "$t/out")" = '{"ids":[82]}' ]; ok $? "tokenize: bad rows in their places, exit 1 ($rc)"
printf '%s\n' '{"ids":[81]}' '{"ids":[-1]}' '{"ids":[49152]}' '{"ids":["x"]}' '{"ids":[1.5]}' '{"ids":{}}' '{"ids":[]}' >"$t/in"
"$solera" tokenize "$t/model" --decode <"$t/in" >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 1 ] && [ "$(grep -c '^{"error":"' "$t/out")" -eq 5 ] && [ "$(sed -n 7p "$t/out")" = '{"text":""}' ]; ok $? "tokenize --decode: bad rows in their places, exit 1 ($rc)"
printf '{"text":"a\377b"}\n{"text":"a\\ufffdb"}\n' >"$t/in"
"$solera" tokenize "$t/model" <"$t/in" >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 1 ] && sed -n 1p "$t/out" | grep -q 'byte 11 is not UTF-8' && "$solera" tokenize "$t/model" --replace <"$t/in" >"$t/out" 2>"$t/err" && [ "$(sed -n 1p "$t/out")" = "$(sed -n 2p "$t/out")" ]
ok $? "tokenize: bytes that are no text are an error that says where, or replaced by U+FFFD"
mkdir "$t/bos" && sed 's/"post_processor": null/"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"x": {"ids": [33, 34]}}}/' \
  "$data/tiny_tokenizer/tokenizer.json" >"$t/bos/tokenizer.json"
[ "$(echo '{"text":"!<|im_end|>"}' | "$solera" tokenize "$t/bos" --special)" = "$(echo '{"text":"!\"!<|im_end|>"}' | "$solera" tokenize "$t/bos")" ] &&
  [ "$(echo '{"text":"!<|im_end|>"}' | "$solera" tokenize "$t/bos" | "$solera" tokenize "$t/bos" --decode --special)" = '{"text":"!"}' ]
ok $? "tokenize --special: tokens of the post-processor are added; with --decode special ones are left out"
"$solera" tokenize "$t/none" </dev/null >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 1 ] && grep -q "$t/none/tokenizer.json" "$t/err"; ok $? "tokenize: a missing model is named, exit 1 ($rc)"
"$solera" tokenize </dev/null >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 2 ]; ok $? "tokenize: no model, exit 2 ($rc)"

"$solera" verify <"$data/verify_cases.jsonl" >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 0 ] && [ "$(wc -l <"$t/out")" -eq "$(wc -l <"$data/verify_cases.jsonl")" ] && ! grep -v '^{"equal":\(true\|false\),"extracted":' "$t/out"; ok $? "verify: a verdict for every row, exit 0 ($rc)"
printf '%s\n' '{"prediction":"so \\boxed{1/2}","gold":"0.5","form":"response"}' '{"prediction":"1/2","gold":"0.5"}' '{"prediction":"1/2","form":"answer"}' '{"prediction":"","gold":"1","form":"response"}' >"$t/in"
"$solera" verify <"$t/in" >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 1 ] && [ "$(sed -n 1p "$t/out")" = '{"equal":true,"extracted":"1/2"}' ] && [ "$(grep -c '^{"error":"' "$t/out")" -eq 2 ] && [ "$(sed -n 4p "$t/out")" = '{"equal":false,"extracted":null}' ]
ok $? "verify: bad rows in their places, exit 1 ($rc)"

printf '%s\n' '{"prediction":"so 5","gold":"5","form":"response"}' '{"prediction":"so 5","gold":"5","form":"marked"}' '{"prediction":"#### 5","gold":"5","form":"marked"}' '{"prediction":"#### 5","gold":"5","form":"boxed"}' '{"prediction":"5","gold":"5","form":"odd"}' >"$t/in"
[ "$("$solera" verify <"$t/in" | cut -c1-13 | tr -d '\n')" = '{"equal":true{"equal":fals{"equal":true{"equal":fals{"error":"\"f' ]; ok $? "verify: forms marked and boxed"

# a grader of our own: right is the response that its row wants; "dies" only once
cat >"$t/grade" <<'END'
while IFS= read -r l; do
  id=${l#*:}; id=${id%%,*}
  case $l in *'"response":"dies"'*) [ -e "$1" ] || { : >"$1"; echo so long >&2; exit 9; };; *'"response":"hangs"'*) sleep 60;; esac
  case $l in *'"prompt":"p"'*'"response":"yes"'*'"answer":"a","row":{'*'"column":[1,2]'*) r=1;; *) r=-0.5;; esac
  echo "{\"note\":\"$2\",\"reward\":$r,\"id\":$id}"
done
END
printf '%s\n' '{"prompt":"p","prediction":"yes","gold":"a","column":[1,2]}' '{"gold":"a"}' '{"prediction":"dies","gold":"a"}' '{"prediction":"yes","gold":"b","form":"cut"}' >"$t/in"
"$solera" verify --command sh "$t/grade" -- "$t/died" --so <"$t/in" >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 1 ] && [ "$(sed -n 1p "$t/out")" = '{"equal":true,"reward":1,"note":"--so"}' ] && sed -n 2p "$t/out" | grep -q '^{"error":"expected a string \\"prediction' &&
  [ "$(sed -n 3,4p "$t/out" | sort -u)" = '{"equal":false,"reward":-0.5,"note":"--so"}' ] && grep -q 'started again (1): it ended with exit status 9; last line on its standard error: "so long"' "$t/err"
ok $? "verify --command: a program grades, and is started again when it dies ($rc)"
printf '%s\n' '{"prediction":"x","gold":"a"}' '{"prediction":"hangs","gold":"a"}' '{"prediction":"x","gold":"a"}' >"$t/in"
"$solera" verify --limit 0.3 --command sh "$t/grade" "$t/died" <"$t/in" >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 0 ] && [ "$(sed -n 2p "$t/out")" = '{"equal":false,"reward":0,"stopped":true}' ] && [ "$(sed 2d "$t/out" | sort -u)" = '{"equal":false,"reward":-0.5}' ]; ok $? "verify --command: no answer within --limit ($rc)"
"$solera" verify --command sh -- -c 'echo no disk >&2; exit 4' <"$t/in" >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 1 ] && grep -q 'the verifier "sh -c echo no disk >&2; exit 4" failed 3 times in a row, the last time: it ended with exit status 4; last line on its standard error: "no disk"' "$t/err" && [ ! -s "$t/out" ]
ok $? "verify --command: a program that always dies ends it, and is quoted ($rc)"
"$solera" verify --command "$t/nowhere" <"$t/in" >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 1 ] && grep -q "the verifier $t/nowhere cannot be started: No such file or directory" "$t/err"; ok $? "verify --command: a program that is not there ($rc)"
"$solera" verify --limit soon </dev/null >"$t/out" 2>"$t/err"; rc=$?
[ $rc -eq 2 ] && grep -q "limit: expected seconds" "$t/err" && { "$solera" verify rows </dev/null >"$t/out" 2>"$t/err"; [ $? -eq 2 ]; }; ok $? "verify: bad options ($rc)"
if command -v python3 >/dev/null; then
  sed -n 's/^{.*"answer": \("[^"]*"\), \("numbers".*\)}$/{"prediction": \1, "gold": "x", \2}/p' "$top_srcdir/jobs/data/countdown.jsonl" >"$t/in"
  sed 's/"prediction": "/&0 + /' "$t/in" >"$t/in2"
  "$solera" verify --command python3 "$top_srcdir/jobs/verifier/countdown.py" <"$t/in" >"$t/out" 2>"$t/err" && [ "$(grep -c '^{"equal":true,"reward":1,' "$t/out")" -eq 400 ] &&
    "$solera" verify --command python3 "$top_srcdir/jobs/verifier/countdown.py" <"$t/in2" >"$t/out" 2>"$t/err" && [ "$(grep -c '^{"equal":false,"reward":0.1,' "$t/out")" -eq 400 ]
  ok $? "jobs/verifier/countdown.py: the reference answers of jobs/data/countdown.jsonl are right, with a number more they are not"
else n=$((n+1)); echo "ok $n - jobs/verifier/countdown.py # SKIP no python3"; fi
echo "1..$n"
