#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# one row out for every row in, also for empty and wrong ones, and all filters say the same of them
. "$top_srcdir/tests/env.sh"
solera=$top_builddir/solera data=$top_srcdir/tests/data
t=$(mktemp -d "${TMPDIR:-/tmp}/sol-filters.XXXXXX") || exit 99
trap 'rm -rf "$t"' 0
n=0
ok () { n=$((n+1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$t/out" "$t/err" | cut -c1-200 | head -40; fi; }
cp -r "$data/tiny_models/llama-gqa" "$t/model" && chmod -R u+w "$t/model" && gunzip -c "$data/smollm2/tokenizer.json.gz" >"$t/model/tokenizer.json" && cp "$data/smollm2/tokenizer_config.json" "$t/model"
printf '\nnot json\n[1]\n{"ids":[1,2,3],"text":"a\\u0000b","prompt":"","prediction":"1","gold":"1","form":"answer","d":[0.1],"A":[1],"lp":[-1],"seq":[0]}\n{}' >"$t/in"
for c in "score $t/model" "generate $t/model rollout.max_tokens=2" "tokenize $t/model" "tokenize $t/model --decode" verify "objective m2po"; do
  name=${c%% *}
  $solera $c <"$t/in" >"$t/out" 2>"$t/err"; [ $? -eq 1 ]; ok $? "$name: exit status 1 after a bad row"
  [ "$(wc -l <"$t/out")" -eq 5 ]; ok $? "$name: five rows in, five rows out"
  [ "$(sed -n 1,3p "$t/out" | tr -d '\n')" = '{"error":"an empty line"}{"error":"not JSON near byte 1 of 8"}{"error":"expected an object"}' ]; ok $? "$name: what is wrong, in its place"
  sed -n 5p "$t/out" | grep -q '^{"error":"expected '; ok $? "$name: a row without what is asked for"
  case $name in
    generate) sed -n 4p "$t/out" | grep -q '"error":"an empty prompt"'; ok $? "$name: an empty prompt" ;;
    *) sed -n 4p "$t/out" | grep -q '"error"'; [ $? -eq 1 ]; ok $? "$name: the good row is answered" ;;
  esac
done
# a full disk and an input that cannot be read are errors, not silence
printf '{"ids":[1,2,3],"text":"a","prompt":"a","prediction":"1","gold":"1","form":"answer","d":[0.1],"A":[1],"lp":[-1],"seq":[0]}\n' >"$t/in"
for c in "score $t/model" "generate $t/model rollout.max_tokens=2" "tokenize $t/model" "tokenize $t/model --decode" verify "objective m2po"; do
  $solera $c <"$t/in" >/dev/full 2>"$t/err"; [ $? -eq 1 ] && grep -q 'output: writing failed: No space' "$t/err"; ok $? "${c%% *}: a full disk"
  $solera $c <"$t" >"$t/out" 2>"$t/err"; [ $? -eq 1 ] && grep -q 'input: reading failed: Is a dir' "$t/err"; ok $? "${c%% *}: an input that cannot be read"
done
for c in help "info $t/model" --version; do $solera $c >/dev/full 2>"$t/err"; [ $? -ne 0 ]; ok $? "$c: a full disk"; done
# a prompt for which there is no room: its place, its length and the settings are named (the model's context is 256)
printf '{"problem":"a","answer":"1"}\n\n{"problem":"%s","answer":"2"}\n' "$(seq -s ' ' 400 430)" >"$t/p.jsonl"
printf '{"prompt":"a"}\n{"prompt":"%s"}\n' "$(seq -s ' ' 400 430)" >"$t/in"
refused () { [ $? -eq 1 ] && grep -qE "$1" "$t/out" "$t/err"; ok $? "refused: $1"; }
"$solera" generate "$t/model" rollout.max_tokens=200 <"$t/in" >"$t/out" 2>"$t/err"; refused '"error":"the prompt has [0-9]+ tokens and 200 may come \(rollout.max_tokens\): expected at most 256 together'
sed -n 1p "$t/out" | grep -q '"responses"'; ok $? "the short prompt beside it is answered"
"$solera" generate "$t/model" rollout.max_prompt=9 <"$t/in" >"$t/out" 2>"$t/err"; refused '"error":"the prompt has [0-9]+ tokens: expected at most 9 \(rollout.max_prompt\)'
cp -r "$t/model" "$t/small" && cp "$data"/tiny_tokenizer/*.json "$t/small/" # no more tokens than the model has
e="eval $t/small task.name=jsonl task.path=$t/p.jsonl task.holdout=0 task.split=all"
"$solera" $e rollout.max_tokens=200 out="$t/rows" >"$t/out" 2>"$t/err"; refused 'p.jsonl:3: prompt [01]: [0-9]+ tokens and 200 new ones \(rollout.max_tokens\): expected at most 256 together'
"$solera" $e rollout.max_prompt=9 >"$t/out" 2>"$t/err"; refused 'p.jsonl:3: prompt [01]: expected at most 9 tokens \(rollout.max_prompt\), found [0-9]+'
s="$e model.path=$t/small sft.batch=4 train.updates=2 train.warmup=0 out=$t/never"
"$solera" sft ${s#eval * } rollout.max_tokens=200 >"$t/out" 2>"$t/err"; [ $? -eq 2 ] && grep -q 'rollout.max_prompt is 1024, rollout.max_tokens is 200: expected at most 256 together, the context of ' "$t/err" && [ ! -e "$t/never" ]; ok $? "sft: settings beyond the context leave no folder"
"$solera" score "$t/nowhere" <"$t/in" >"$t/out" 2>"$t/err"; [ $? -eq 1 ] && [ ! -s "$t/out" ] && grep -q 'nowhere/config.json' "$t/err"; ok $? "a missing model folder is named"
echo "1..$n"
