#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# solera plan: verdicts and exit statuses, device files and what is wrong in them, both forms, the tables of docs/scale.md, and the bytes that a run says itself
. "$top_srcdir/tests/env.sh"
solera=`cd "$top_builddir" && pwd`/solera
t=$(mktemp -d "${TMPDIR:-/tmp}/sol-plan.XXXXXX") || exit 99
trap 'rm -rf "$t"' 0
cd "$top_srcdir" || exit 99
n=0
ok () { n=$((n+1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$t/out" "$t/err" | cut -c1-240 | head -30; fi; }
run () { "$solera" plan "$@" >"$t/out" 2>"$t/err"; rc=$?; }
is () { [ "$rc" -eq "$1" ]; ok $? "$2: exit $rc, expected $1"; }
has () { grep -qE -- "$1" "$t/out"; ok $? "standard output has '$1'"; }
err () { grep -qE -- "$1" "$t/err"; ok $? "standard error has '$1'"; }
small="jobs/chain.yaml model.path= actors=2"

run $small --device h100; is 0 "a small run"; has '^verdict: fits$'; has 'a batch takes .* response tokens/s, .* updates an hour, limited by (generation|training)'; has '^  learners \(1\), on its device: [0-9]+: weights'
run $small; is 0 "without a device"; has '^verdict: fits$'; has 'on its host: [0-9]+: weights'
run $small batch.refill=3 --device h100; has 'batch.refill is 3, so decoding may take up to 4 times as long'
run $small
grep -q 'time on paper' "$t/out"; [ $? -eq 1 ]; ok $? "then no time"
run jobs/plan/qwen2.5-32b.yaml --device h100 actors=8 learners=8; is 1 "a model that fits nowhere"; has '^verdict: lacks memory$'
has "a learner's device: [0-9]+ bytes are missing; the largest part is gradients"; has 'weights and gradients are whole on every learner'; has 'training [0-9.]+ s with room for it, which is not there: 4 updates of'
run jobs/plan/qwen2.5-7b.yaml --device h100 actors=8 learners=8; is 1 "groups that are too long"; has '^verdict: short groups only$'; has 'bytes are missing once groups have full length'
run jobs/plan/qwen2.5-7b.yaml --gpus 8,16 --device h200; is 0 "two numbers of devices"; has '^\|  8 \|'; has '^\| 16 \|'
run $small --gpus 4 --device a100; is 0 "one number of devices"; has '^4 devices on 1 host: '
run $small roles=solo --device h100; is 0 "one rank"; has '1 rank, all roles in turn'

# the lines that start it: as many hosts as the plan has, in the order of ranks; mpirun puts the ranks there
run $small --device h100; has '^  mpirun -n 4 --bind-to none solera train jobs/chain.yaml model.path= brokers=1 learners=1 actors=2$'
run $small roles=solo --device h100; has '^  solera train jobs/chain.yaml model.path= roles=solo$'
cat >"$t/three.yaml" <<'EOF'
name: three
memory_gb: 80
bf16_tflops: 100
hbm_gb_s: 1000
link_gb_s: 100
network_gb_s: 10
pcie_gb_s: 20
devices: 3
EOF
run jobs/chain.yaml model.path= "out=it's" learner.leaves=0 learners=4 actors=3 brokers=4 --device "$t/three.yaml"; is 0 "three hosts"
sed -n 's/^  set -- host1 host2 host3 .*/set -- one two three/p; /^  {/p; s/^  mpirun/$RUN/p' "$t/out" >"$t/start.sh"
want="one two three one one one one two two two three"
(cd "$t" && RUN='echo mpirun' sh start.sh >line)
[ "$(cat "$t/line")" = "mpirun -n 11 --map-by seq --hostfile ranks.txt --bind-to none solera train jobs/chain.yaml model.path= out=it's learner.leaves=0 brokers=4 learners=4 actors=3" ]; ok $? "the line as a shell reads it"
[ "$(paste -sd ' ' "$t/ranks.txt")" = "$want" ]; ok $? "brokers go round, learners fill hosts, actors follow: $(paste -sd ' ' "$t/ranks.txt")"
. "$top_srcdir/tests/system/pretended_hosts.sh"
if hosts_can; then
  mkdir "$t/bin"; printf '#!/bin/sh\necho $OMPI_COMM_WORLD_RANK $(hostname)\n' >"$t/bin/solera"; chmod +x "$t/bin/solera"
  got=$(cd "$t" && PATH=$t/bin:$PATH RUN=$MPIRUN; export PATH RUN; several_hosts timeout 60 sh start.sh 2>"$t/err" | sort -n | cut -d' ' -f2 | paste -sd ' ')
  [ "$got" = "$want" ]; ok $? "mpirun starts them there: $got"
else n=$((n+1)); echo "ok $n - mpirun starts them there # SKIP host names cannot be set apart here"; fi

# what is wrong
run $small --device h1000; is 2 "an unknown device"; err "expected a100, h100, h200 or a device file, found 'h1000'"
run jobs/plan/qwen2.5-7b.yaml --device h100; is 2 "no actors"; err 'actors is 0.*--gpus'
run $small --device h100 --gpus 8,x; is 2 "a list with a word"; err '--gpus: expected .*8,x'
run $small --device h100 --gpus 1; is 2 "one device"; err '--gpus: expected .* from 2'
run $small learners=3 learner.leaves=8 --device h100; is 2 "leaves on a device"; err 'learner.leaves is 8 with 3 learners'
run jobs/plan/qwen2.5-7b.yaml actors=1 model.path="$t/nowhere" --device h100; is 2 "a missing model"; err 'nowhere/config.json'
run jobs/plan/qwen2.5-7b.yaml actors=1 rollout.max_tokens=200000; is 2 "beyond the context"; err 'the context of jobs/plan/qwen2.5-7b'
run jobs/plan/qwen2.5-7b.yaml batch.prompts=3; is 2 "settings that contradict each other"; err 'batch.prompts is 3 \(command line\)'
cat >"$t/dev.yaml" <<'EOF'
name: mine
memory_gb: 1.5
bf16_tflops: 100
hbm_gb_s: 1000
link_gb_s: 100
network_gb_s: 10
pcie_gb_s: 20
devices: 4
EOF
run $small --device "$t/dev.yaml"; is 0 "a device file"; has '^backend: mine on paper$'; has 'rates: 50 TFLOP/s \(0.5 of 100\), 700 GB/s'
refused () { printf '%b\n' "$1" >>"$t/bad.yaml"; run $small --device "$t/bad.yaml"; is 2 "$2"; err "$3"; cp "$t/dev.yaml" "$t/bad.yaml"; }
cp "$t/dev.yaml" "$t/bad.yaml"
refused 'launch_su: 3' "an unknown key" "bad.yaml:9: unknown key 'launch_su'; the nearest is 'launch_us'"
refused 'memory_gb: 3' "a key twice" "bad.yaml:9: duplicate key 'memory_gb': first given in line 2"
refused 'launch_us: fast' "no number" "bad.yaml:9: launch_us: expected a number from 0 to 1e\+06, found 'fast'"
refused 'compute_share: 1.5' "a share over 1" "bad.yaml:9: compute_share: expected a number from 0.001 to 1, found '1.5'"
refused 'launch_us: [3]' "a list" "bad.yaml:9: launch_us: expected a single value, found a sequence"
refused 'reserve_gb: 2' "nothing left" "bad.yaml:9: reserve_gb is 2: expected less than memory_gb, 1.5"
refused 'launch_us: "3' "no YAML" "bad.yaml:[0-9]+: not valid YAML"
sed 's/^devices: .*/devices: 2.5/' "$t/dev.yaml" >"$t/bad.yaml"; run $small --device "$t/bad.yaml"; is 2 "half a device"; err "bad.yaml:[0-9]+: devices: expected a whole number from 1 to 4096, found '2.5'"
sed 's/^memory_gb: .*/memory_gb: 0.5/' "$t/dev.yaml" >"$t/bad.yaml"; run $small --device "$t/bad.yaml"; is 2 "less than is kept by default"; err "bad.yaml:2: memory_gb is 0.5: expected more than reserve_gb, 1 when it is not given"
grep -v hbm "$t/dev.yaml" >"$t/bad.yaml"; run $small --device "$t/bad.yaml"; is 2 "a key that is missing"; err 'bad.yaml: hbm_gb_s is missing: bandwidth of its memory'
printf '# nothing\n' >"$t/bad.yaml"; run $small --device "$t/bad.yaml"; is 2 "an empty file"; err 'bad.yaml: memory_gb is missing'

# JSON: the same bytes; parts add up
run jobs/plan/qwen2.5-7b.yaml actors=8 learners=8 --device h100 --json; is 1 "as JSON"
if [ -n "$PYTHON3" ]; then
  "$PYTHON3" - "$t/out" <<'EOF' 2>"$t/err"
import json, sys
p = json.load(open(sys.argv[1]))
plan = p["plans"][0]
assert p["model"]["weights"] == 7615616512 and p["device"]["memory_gb"] == 80 and plan["devices"] == 16
for role in ("actor", "learner", "broker"):
    for place in ("device", "host"):
        assert sum(plan[role][place]["parts"].values()) == plan[role][place]["total"]
l = plan["learner"]
assert l["room"] == 79_000_000_000 and l["device"]["total"] + l["device"]["grows"] - l["room"] == l["missing"] and l["fit"] == "short groups only"
# of 7615616512 weights: bf16 published, float32 gradient, an eighth of master and moments
w = 7615616512
parts = l["device"]["parts"]
assert 2 * w < parts["weights"] < 2 * w + 1e8 and 4 * w < parts["gradients"] < 4 * w + 1e6 and abs(parts["master weights"] - w / 2) < 3e5 and parts["moments"] == 2 * parts["master weights"]
assert plan["batch_seconds"] == max(plan["generation"]["seconds"], plan["training"]["seconds"])
EOF
  ok $? "JSON whose parts add up"
else n=$((n+1)); echo "ok $n - JSON # SKIP no python3"; fi

# the page
sh docs/scale.sh "$solera" <docs/scale.md >"$t/scale.md" 2>"$t/err"; diff docs/scale.md "$t/scale.md" >"$t/out"; ok $? "docs/scale.md is what solera plan says (make scale-doc)"
[ "$(grep -c '^| *[0-9]* | *[0-9]* |' "$t/scale.md")" -eq 20 ]; ok $? "it has five tables of four rows"
for key in $(sed -n 's/^  { "\([a-z0-9_]*\)", "[^"]*", AT.*/\1/p' src/config/accelerator.c); do grep -q "^| \`$key\` |" docs/scale.md || { echo "# $key"; false; break; }; done; ok $? "it has every key of a device file"

# what a run says at its start is what the plan says
run $small roles=solo train.updates=4 staleness.k=0 rollout.max_prompt=8 actor.slots=8; is 0 "a run to compare with"
mib=$(sed -n 's/^  solo (1), on its host: \([0-9]*\):.*/\1/p' "$t/out" | awk '{ printf "%.1f", $1 / 1048576 }')
"$solera" train $small roles=solo train.updates=4 staleness.k=0 rollout.max_prompt=8 actor.slots=8 checkpoint.every=0 out="$t/run" >"$t/out" 2>"$t/err"; grep -q "memory: solo, 1 rank, $mib MiB: " "$t/run/log.txt"; ok $? "the run's log has its $mib MiB"
echo "1..$n"
