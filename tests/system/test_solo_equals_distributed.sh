#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# exact mode: the bytes of a run do not depend on ranks, roles, micro-batches or the kernels that computed them
. "$top_srcdir/tests/system/lib.sh"
# what must be equal: weights, and everything in metrics.jsonl that is not time
facts () { # RUN [some]: some: without the means that several learners add up in another order
  weights "$1"
  if [ "${2-}" = some ]; then grep -oE '"(update|n_tokens|loss|grad_norm|lag_mean|reward_consumed|clip_share|masked_share|share_T|m2_before|m2_after|m2_all|cut)":[^,]*' "$1/metrics.jsonl"; cat "$1/fresh.jsonl"; return; fi
  sed -e 's/"time_s":[^,]*,//' -e 's/"queue_groups":[^,]*,//' -e 's/"fresh_version":[^,]*,//;s/"reward_fresh":[^,]*,//' -e 's/"tokens_per_s_[a-z]*":[^,]*,//g' -e 's/"seconds_left":[^,]*,//' -e 's/"[a-z]*_s":[^,]*,//g' "$1/metrics.jsonl"
  cat "$1/fresh.jsonl"
}
same () { # NAME TEXT [some]
  facts solo ${3-} >want
  facts "$1" ${3-} >found
  cmp -s want found; ok $? "$2: the same weights and metrics as solo" || diff want found | cut -c1-300 | sed 's/^/# /' | head -6
}
base
run "$solera" train small.yaml roles=solo out=solo
is 0 $rc "solo ends well"
is done "$(state solo)" "solo's status"
is 24 "$(lines solo/metrics.jsonl)" "lines of metrics"
[ "$(weights solo)" != "24 $(weights base | cut -d' ' -f2)" ]; ok $? "the weights have moved"
[ "$(grep -c '"grad_norm":0[,}]' solo/metrics.jsonl)" -lt 8 ]; ok $? "most updates had a gradient"

try () { # NAME RANKS TEXT SETTINGS...
  name=$1; np=$2; text=$3; some=; shift 3
  case $name in l*) some=some ;; esac
  ranks "$np" small.yaml out="$name" "$@"
  is 0 $rc "$text ends well"
  same "$name" "$text" $some
}
try r3 3 "3 ranks"
# seconds that the first update waited for its batch: of the learner, and solo, where they are the rank's own generation
first () { sed -n '1s/.*"'"$2"'":\([^,}]*\).*/\1/p' "$1/metrics.jsonl"; }
case $(first r3 wait_s) in 0|null|'') false ;; esac; ok $? "the learner's waiting is in the metrics: $(first r3 wait_s) s"
case $(first solo generate_s) in 0|null|'') false ;; esac; ok $? "solo, generation: $(first solo generate_s) s"
is "0 null" "$(first solo wait_s) $(first r3 generate_s)" "solo does not wait, a learner does not generate"
if [ "$SOLERA_TESTS" = smoke ]; then finish; fi
try r5 5 "3 actors"
try l2 4 "2 learners" learners=2
try l4 6 "4 learners" learners=4
try b2 5 "2 brokers, 2 actors" brokers=2
try mb 3 "micro-batches of 40 tokens" train.micro_batch_tokens=40
try th 3 "2 threads, 3 slots" backend.threads=2 actor.slots=3
try kv 3 "room for few keys" actor.kv_tokens=64
try ref 3 "the plain kernels" backend.name=ref

ranks 4 small.yaml out=again; is 0 $rc "a repeated run ends well"; same again "4 ranks"
run "$solera" train small.yaml roles=solo out=other seed=6
is 0 $rc "another seed"
[ "$(weights other)" != "$(weights solo)" ]; ok $? "another seed gives other weights"

# k = 0 is the plain synchronous loop: every lag is below updates_per_step, and lag 0 has ratio 1 for every token
run "$solera" train small.yaml roles=solo out=sync staleness.k=0
is 0 $rc "k=0"
has 'lag 0: .* differ in 0 of [0-9]+ tokens'
is '0 1' "$(sed 's/.*"lag_min":\([0-9]*\),.*"lag_max":\([0-9]*\),.*/\1 \2/' sync/metrics.jsonl | sort -u | awk '{a=NR==1||$1<a?$1:a; b=$2>b?$2:b} END {print a, b}')" "smallest and largest lag"
run "$MPIRUN" -n 4 "$solera" train small.yaml out=sync4 staleness.k=0
is "$(weights sync)" "$(weights sync4)" "k=0 on 4 ranks"
# groups of equal rewards are generated again: the same groups and counts whoever generates them, also after a stop
run "$solera" train small.yaml roles=solo out=again1 batch.refill=2
is 0 $rc "batch.refill"
[ "$(weights again1)" != "$(weights solo)" ]; ok $? "batch.refill gives other weights"
[ "$(grep -c '"refilled_groups":[1-9]' again1/metrics.jsonl)" -gt 8 ]; ok $? "groups were dropped"
ranks 5 small.yaml out=again3 batch.refill=2; is 0 $rc "batch.refill, 3 actors"
lags () { grep -oE '"(update|lag_[a-z]*)":[^,]*' "$1/metrics.jsonl" | grep -v histogram | cksum; }
is "$(lags solo)" "$(lags again3)" "batch.refill: lags of every update"
facts again1 >want; facts again3 >found; cmp -s want found; ok $? "batch.refill: the same weights and metrics with 3 actors"
ranks 3 small.yaml out=half batch.refill=2 train.updates=12; is 0 $rc "half of it"
ranks 5 small.yaml out=half batch.refill=2 --resume; is 0 $rc "and the rest"
is "$(weights again1)" "$(weights half)" "batch.refill: weights after a stop"
# roles from the command line, in another order of ranks
run timeout 100 "$MPIRUN" -n 2 "$solera" train small.yaml out=mpmd --role actor : -n 1 "$solera" train small.yaml out=mpmd --role learner : -n 1 "$solera" train small.yaml out=mpmd --role broker
is 0 $rc "roles by --role"
same mpmd "--role"
finish
