# SPDX-License-Identifier: Apache-2.0
# lib.sh: sourced by the tests of whole commands. A small chain task on a small model: seconds, yet rewards differ inside groups, so weights really move.
solera=$top_builddir/solera
t=$TEST_TMPDIR
n=0
cd "$t" || exit 99
ok () { # STATUS TEXT
  n=$((n+1))
  if [ "$1" -eq 0 ]; then echo "ok $n - $2"; return 0; fi
  echo "not ok $n - $2"
  tail -n 15 "$t/log" 2>/dev/null | tr '\r' '\n' | sed 's/^/# log: /'
  return 1
}
is () { [ "$1" = "$2" ]; ok $? "$3: expected '$1', found '$2'"; } # EXPECTED FOUND TEXT
has () { grep -qE -- "$1" "$t/log"; ok $? "says '$1'"; }         # PATTERN in the last command's output
refused () { # EXIT PATTERN COMMAND...
  code=$1; pattern=$2; shift 2
  run "$@"
  is "$code" $rc "exit of: $(echo "$*" | sed 's,^[^ ]*/,,' | cut -c1-80)"
  has "$pattern"
}
run () { "$@" >"$t/log" 2>&1; rc=$?; }                            # one command; exit status in $rc
ranks () { np=$1; shift; run timeout -k 5 "${LIMIT-120}" "$MPIRUN" -n "$np" "$solera" train "$@"; }
weights () { w=$("$solera" info "$1" 2>/dev/null | sed -n 's/.*weights: step \([0-9]*\) xxh3 \([0-9a-f]*\).*/\1 \2/p'); echo "${w:-none in $1}"; } # never equal where there are none
state () { sed -n 's/.*"state": *"\([a-z]*\)".*/\1/p' "$1/status.json" 2>/dev/null; }
lines () { if [ -f "$1" ]; then wc -l <"$1"; else echo 0; fi; }
finish () { echo "1..$n"; exit 0; }
wait_for () { # SECONDS COMMAND...: until it succeeds
  until=$(($(date +%s) + $1)); shift
  while [ "$(date +%s)" -le "$until" ]; do "$@" && return 0; sleep 0.05; done
  return 1
}

base () { # t/base: supervised; each test makes its own
  cat >"$t/base.yaml" <<'END'
model: {layers: 1, width: 32, heads: 2, kv_heads: 1, mlp: 64}
task: {name: chain, steps: 1, holdout: 0.1}
rollout: {max_prompt: 8, max_tokens: 8}
sft: {batch: 32, noise: 0.3}
train: {updates: 200, lr: 0.01, warmup: 10, decay: linear, beta2: 0.99}
eval: {prompts: 64}
END
  cat >"$t/small.yaml" <<'END'
seed: 5
model: {path: base/model}
task: {name: chain, steps: 1, holdout: 0.1}
rollout: {max_prompt: 8, max_tokens: 8}
batch: {prompts: 8, group: 4, updates_per_step: 2}
actor: {slots: 8}
staleness: {mode: exact, k: 4}
objective: {name: m2po}
learner: {leaves: 8}
train: {updates: 24, lr: 1.0e-3, weight_decay: 0}
watchdog_s: 60
END
  run "$solera" sft base.yaml out=base
  is 0 $rc "the base model is trained"
}
