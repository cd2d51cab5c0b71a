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
"$solera" score "$t/nowhere" <"$t/in" >"$t/out" 2>"$t/err"; [ $? -eq 1 ] && [ ! -s "$t/out" ] && grep -q 'nowhere/config.json' "$t/err"; ok $? "a missing model folder is named"
echo "1..$n"
