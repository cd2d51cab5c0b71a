#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# solera eval: several data sets by name, the same bytes on any number of ranks, --resume after a kill, a protocol, the weights of a run
. "$top_srcdir/tests/system/lib.sh"
data=$top_srcdir/tests/data
cp -r "$data/tiny_models/llama-gqa" m && chmod -R u+w m && cp "$data"/tiny_tokenizer/*.json m/ && sed -i 's/"max_position_embeddings": 256/"max_position_embeddings": 1024/' m/config.json
problems () { i=1; while [ $i -le "$2" ]; do printf '{"id":"%s-%d","problem":"%d+1","answer":"%d"}\n' "$1" $i $i $((i%7)); i=$((i+1)); done; }
mkdir named && problems one 12 >named/one.jsonl && problems two 7 >two.jsonl
unset SOLERA_DATA
e="$solera eval m rollout.max_tokens=40 rollout.samples=3 seed=4"
all () { cat "$1"/responses.*.jsonl | cksum; }
figures () { "$solera" info "$1/evals.h5" 2>&1 | grep -v '^path:\|  seconds:\|  time:'; } # all but when and how long

# data sets by name and by path, in one table; the same bytes on any number of ranks
export SOLERA_DATA="$t/named"
run $e --data one,./two.jsonl out=r1; is 0 $rc "two data sets"
has '^one +12 +3 '; has '^two +7 +3 '; has '^mean .*\(of 2 data sets\)'; has '^m: temperature 1, top-p 1, at most 40 tokens, seed 4$'
is "36 21" "$(lines r1/responses.one.jsonl) $(lines r1/responses.two.jsonl)" "a line a response"
is "one-1 one-12" "$(sed -n '1s/.*"id":"\([^"]*\)".*/\1/p;$s/.*"id":"\([^"]*\)".*/\1/p' r1/responses.one.jsonl | tr '\n' ' ' | sed 's/ $//')" "problems in the order of the file"
[ ! -e r1/parts ]; ok $? "no parts are left"
for np in 2 3; do
  run "$MPIRUN" -n $np $e --data one,./two.jsonl out=r$np; is 0 $rc "on $np ranks"
  is "$(all r1)" "$(all r$np)" "responses on $np ranks"
  is "$(figures r1)" "$(figures r$np)" "evals.h5 on $np ranks"
done
run $e --data one --first 5 out=five; is 0 $rc "--first"
is "$(head -n 15 r1/responses.one.jsonl | cksum)" "$(cksum <five/responses.one.jsonl)" "the first problems are answered as they are among all"
figures five >log; has '^  problems: 5$'; has '^  version: -1$'; has '^  median_tokens: [0-9.]+$'
if [ -n "$PYTHON3" ]; then # what the lines say is what the figures are made of
  run $e --data one --json; "$PYTHON3" -c '
import json, statistics, sys
f, r = json.loads (open (sys.argv[1]).readline ()), [json.loads (x) for x in open (sys.argv[2])]
n, t = len (r), sorted (x["tokens"] for x in r)
assert list (r[0]) == ["index", "sample", "id", "prompt_id", "response", "extracted", "expected", "correct", "form", "finish", "tokens", "logprob"], r[0]
assert f["responses"] == n and f["correct"] == sum (x["correct"] for x in r) and abs (f["mean_tokens"] - sum (t) / n) < 1e-3 and f["median_tokens"] == statistics.median (t)
for k, v in ("eos", "ended_share"), ("stop", "stopped_share"), ("length", "truncated_share"): assert abs (f[v] - sum (x["finish"] == k for x in r) / n) < 1e-5, k
assert all (x["tokens"] == 40 for x in r if x["finish"] == "length") and all (x["logprob"] < 0 for x in r) and {x["finish"] for x in r} >= {"eos", "length"}
' log r1/responses.one.jsonl 2>err; ok $? "figures and lines agree $(tail -n 1 err)"
fi

# --pass: the estimator without bias for k < n, from the same responses; avg@n and pass@n as they were
run $e --data one --pass 2; is 0 $rc "--pass"; has '^data set .* pass@2 '
if [ -n "$PYTHON3" ]; then
  printf 'import json, sys\nfor l in sys.stdin:\n  q = json.loads (l)\n  print (json.dumps ({"id": q["id"], "reward": len (q["response"]) %% 2}), flush=True)\n' >odd.py
  run $e --data one task.verifier=command "task.verifier_command=['$PYTHON3', odd.py]" --pass 2 --json out=pass; "$PYTHON3" -c '
import json, math, sys
f, c = json.loads (open (sys.argv[1]).readline ()), {}
for x in open (sys.argv[2]): r = json.loads (x); c[r["index"]] = c.get (r["index"], 0) + r["correct"]
want = sum (1 - math.comb (3 - k, 2) / math.comb (3, 2) for k in c.values ()) / len (c)
assert 0 < want < 1 and set (c.values ()) - {0, 3} and abs (f["pass"] - want) < 1e-6 and f["pass_k"] == 2 and f["samples"] == 3 and abs (f["avg"] - sum (c.values ()) / 36) < 1e-6, (f, c)
' log pass/responses.one.jsonl 2>err; ok $? "pass@2 of 3 responses $(tail -n 1 err)"
  "$solera" info pass/evals.h5 >log 2>&1; has '^  pass_k: 2$'
fi
refused 2 '--pass: expected at most the 3 responses to a problem of one \(rollout\.samples\), found 4' $e --data one --pass 4 out=absent
refused 2 '--pass: expected a whole number from 1 to 4096, found .0' $e --data one --pass 0 out=absent

# task.answer: where an answer may stand
grep -q '"form":"end"' r1/responses.one.jsonl && run $e --data one task.answer=marked out=marked && [ "$(grep -c '"form":"none"' marked/responses.one.jsonl)" -eq 36 ]; ok $? "task.answer=marked: what stands at the end is no answer"
refused 2 'task\.answer is boxed .*, but task\.name is chain' "$solera" eval m task.answer=boxed
refused 2 'task\.answer is boxed .*, but task\.verifier is command' $e --data one task.answer=boxed task.verifier=command task.verifier_command=cat

# what is wrong is said at once, and leaves no folder
refused 2 'no data set nix: looked in .*/named \(\$SOLERA_DATA\), .*; there are: .*gsm8k_test.*one' $e --data one,nix out=absent
refused 2 'no data set \./nix\.jsonl: there is no such file' $e --data ./nix.jsonl out=absent
refused 2 'two data sets are named one' $e --data one,named/one.jsonl out=absent
refused 2 'an empty name' $e --data one,,two out=absent
refused 2 'task\.path=x and --data both say' $e --data one task.path=x out=absent
refused 2 '--first: expected a whole number' $e --data one --first 0 out=absent
refused 2 'eval\.prompts=3 and --first 5 both say' $e --data one --first 5 eval.prompts=3 out=absent
refused 2 '--resume needs .*out=' $e --data one --resume
printf '{"problem":"1","answer":"1"}\n{"problem":"2"}\n' >bad.jsonl
refused 1 'bad\.jsonl:2: expected a string "answer"' "$MPIRUN" -n 2 $e --data one,./bad.jsonl out=absent
is 1 "$(grep -c 'bad.jsonl:2' log)" "it is said once"
refused 1 'nothing: expected a model folder .* found nothing there' "$solera" eval nothing --data one out=absent
[ ! -e absent ]; ok $? "a refused evaluation leaves no folder"
run $e --data nix,one --skip-missing; is 0 $rc "--skip-missing"; has '^nix +left out: there is no file'; has '^mean .*\(of 1 data set, without what was left out\)'

# a stop in the middle, and on: as if nothing had been
problems long 120 >long.jsonl
L="m rollout.max_tokens=200 rollout.samples=2 --data ./long.jsonl,one actor.slots=1"
run "$solera" eval $L out=whole; is 0 $rc "an uninterrupted evaluation"
begun () { [ "$(cat "$1"/parts/long.*.jsonl 2>/dev/null | wc -l)" -ge 6 ]; }
"$solera" eval $L out=killed >"$t/log" 2>&1 &
job=$!; wait_for 30 begun killed; kill -9 $job; wait $job 2>/dev/null
before=$(cat killed/parts/long.*.jsonl | wc -l)
[ "$before" -lt 240 ] && [ ! -e killed/responses.long.jsonl ] && [ ! -e killed/evals.h5 ]; ok $? "killed after $before of 240 responses"
printf '{"index":119,"sample":0,"id":"long-' >>killed/parts/long.0.jsonl # cut off in the middle of a write
refused 2 'killed exists: go on with --resume' "$solera" eval $L out=killed
refused 2 'evaluation\.json: long: rollout\.temperature is 1 .*, now 0\.5 was asked for' "$solera" eval $L out=killed --resume rollout.temperature=0.5
refused 2 'evaluation\.json: --data is long,one .*, now one was asked for' "$solera" eval m rollout.max_tokens=200 rollout.samples=2 --data one out=killed --resume
cp -r m m2; printf '\1' | dd of=m2/model.safetensors bs=1 seek=8000 conv=notrunc 2>/dev/null
refused 2 'checksum of the model.s weights is ' "$solera" eval m2 ${L#m } out=killed --resume
run "$MPIRUN" -n 2 "$solera" eval $L out=killed --resume; is 0 $rc "--resume on two ranks"
has 'parts/long\.0\.jsonl:[0-9]+: no whole response'; has "long: $((before/2)) of 120 problems are answered already"
is "$(all whole)" "$(all killed)" "responses after kill -9 and --resume"
is "$(figures whole)" "$(figures killed)" "evals.h5 after kill -9 and --resume"
run "$solera" eval $L out=killed --resume; is 0 $rc "--resume of a finished evaluation"
is "$(figures whole)" "$(figures killed)" "it adds no row"
mkdir killed/parts; mv killed/responses.long.jsonl killed/parts/long.0.jsonl # killed when the rows stood, but parts were not removed yet
run "$solera" eval $L out=killed --resume; is 0 $rc "--resume of what was killed at its very end"
is "$(figures whole)" "$(figures killed)" "no row stands twice"; is "$(all whole)" "$(all killed)" "and the responses are the same"
has '^long +120 +2 '
"$solera" eval $L out=term >"$t/log" 2>&1 &
job=$!; wait_for 30 begun term; kill -TERM $job; wait $job; is 1 $? "exit after TERM"
has 'stopped: [0-9]+ of 120 problems of long are answered and kept in term; the same command with --resume goes on'
run "$solera" eval $L out=term --resume; is 0 $rc "--resume after TERM"
is "$(all whole)" "$(all term)" "responses after TERM and --resume"
sed -i '5s/"tokens"/"token"/' term/responses.long.jsonl
refused 1 'responses\.long\.jsonl: expected 120 problems' "$solera" eval $L out=term --resume
refused 2 'give one of them' "$solera" eval $L out=term --resume --force
run $e --data one out=term --force; is 0 $rc "--force"; [ ! -e term/responses.long.jsonl ] && [ -e term/responses.one.jsonl ]; ok $? "responses of the evaluation before are gone"
mkdir mine && echo mine >mine/file
refused 2 'no evaluation\.json' $e --data one out=mine --resume

# the protocol of a paper, with files of its names
mkdir bench && for b in aime24 aime25 amc23 amc24 math500 gaokao2023en minerva olympiadbench; do problems $b 2 >bench/$b.jsonl; done
export SOLERA_DATA="$t/bench"
p="$solera eval m --preset m2po rollout.max_tokens=16"
run $p out=paper; is 0 $rc "--preset m2po"
has '^m, preset m2po: temperature 1, top-p 1, '; has '^aime24 +2 +16 '; has '^aime25 +2 +16 '; has '^math500 +2 +4 '; has '^mean .*of 8 data sets'
figures paper >log; has '^rows: 8$'; is 8 "$(grep -c '  preset: m2po' log)" "rows with the preset's name"
refused 2 'rollout\.temperature is 0\.6 on the command line, but --preset m2po has 1' $p rollout.temperature=0.6
refused 2 'rollout\.samples is 2 on the command line, but --preset m2po has 16' $p rollout.samples=2
refused 2 "no protocol is named 'mpo'; there are: m2po" "$solera" eval m --preset mpo
printf 'rollout: {temperature: 0.5, max_tokens: 16}\ntask: {wording: boxed, prompt: raw}\n' >job.yaml
run "$solera" eval m job.yaml --preset m2po --data amc23 --json; is 0 $rc "the protocol stands over a job's file"; has '"temperature":1,'; has '"samples":4,'
run $p --data amc23 rollout.top_p=0.7 --first 1 --json; is 0 $rc "top-p is not the protocol's"; has '"top_p":0\.7,'
rm bench/amc24.jsonl
refused 2 'no data set amc24: .*make it from rawsh/2024_AMC12 by .*convert\.py DOWNLOAD --problem problem --answer answer >FOLDER/amc24\.jsonl' $p out=absent
run $p --skip-missing --first 1; is 0 $rc "--preset --skip-missing"; has '^amc24 +left out'; has '^mean .*of 7 data sets, without'
unset SOLERA_DATA

# weights of a run: its newest or best checkpoint, or a checkpoint, with their version; the row goes to the run
base
run "$solera" train small.yaml roles=solo out=runs/a train.lr=5.0e-3 eval.every=4 eval.prompts=20 rollout.samples=3 checkpoint.every=4 checkpoint.keep_last=100 checkpoint.best=avg; is 0 $rc "a run"
best=$(sed 's/u0*//' runs/a/checkpoints/best)
[ "$best" -lt 24 ]; ok $? "the best ($best) is not the newest"
rows () { "$solera" info runs/a/evals.h5 | sed -n 's/^rows: //p'; }
was=$(rows)
avg () { sed -n "s/.*\"avg\":\([^,]*\),.*/\1/p" log; }
in_training () { sed -n "s/{\"version\":$1,.*\"avg\":\([^,]*\),.*/\1/p" runs/a/evals.jsonl | xargs printf '%.6f'; }
run "$solera" eval runs/a --json task.split=heldout; is 0 $rc "eval of a run"
has '"version":24,'; is "$(in_training 24)" "$(avg)" "pass rate of its newest weights, as in training"
run "$solera" eval runs/a --best --json task.split=heldout; has "\"version\":$best,"; is "$(in_training "$best")" "$(avg)" "pass rate of its best weights"
run "$solera" eval runs/a/checkpoints/u00000008 --json task.split=heldout; has '"version":8,'; is "$(in_training 8)" "$(avg)" "pass rate of a checkpoint"
is $((was+3)) "$(rows)" "rows of the run's evals.h5"
run "$solera" eval runs/a task.split=heldout out=apart; is 0 $rc "eval of a run with out="; is $((was+3)) "$(rows)" "its row is in out"
figures apart >log; has '^  version: 24$'
refused 2 '--best: m is no run' "$solera" eval m --best
refused 2 '--best: base names no best' "$solera" eval base --best
refused 2 'a model without a tokenizer' "$solera" eval base --data ./two.jsonl
finish
