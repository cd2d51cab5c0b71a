#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# every objective of the table trains; parameters come from the settings; a run's settings.yaml makes the same run again
. "$top_srcdir/tests/system/lib.sh"
base
"$solera" help objectives >help
names=$(sed -n 's/^  \([a-z][a-z0-9_]*\) .*/\1/p' help)
is 20 "$(echo "$names" | wc -l)" "objectives in the table"
is 20 "$(ls "$top_srcdir"/src/objective/rule_*.c | wc -l)" "each has one source file"
start=$("$solera" train small.yaml roles=solo train.updates=2 train.lr=0 out=still >log 2>&1; weights still | cut -d' ' -f2)
[ -n "$start" ]; ok $? "the weights before training"
setting () { sed -n "/^objective:/,/^[a-z]*:\$/s/^  $2: //p" "$1/settings.yaml"; } # RUN NAME
for o in $names; do
  [ -f "$top_srcdir/src/objective/rule_$o.c" ]; ok $? "$o has its source file"
  run "$solera" train small.yaml roles=solo train.updates=2 objective.name=$o out=$o; is 0 $rc "$o trains"
  is "done" "$(state $o)" "$o: its outcome"
  [ "$(weights $o | cut -d' ' -f1)" = 2 ] && [ "$(weights $o | cut -d' ' -f2)" != "$start" ]; ok $? "$o: weights have moved"
  case $o in
    m2po*) is 0.04 "$(setting $o tau)" "$o: resolved tau" ;;
    dapo) is 0.28 "$(setting $o clip_high)" "$o: resolved clip_high" ;;
    *) is auto "$(setting $o tau)" "$o: no tau" ;;
  esac
done

for a in global group_global; do
  run "$solera" train small.yaml roles=solo train.updates=2 objective.advantage=$a out=$a; is 0 $rc "advantages: $a"
  [ "$(weights $a | cut -d' ' -f2)" != "$(weights m2po | cut -d' ' -f2)" ]; ok $? "$a: other weights than with the default"
done

# the same run from what a run wrote, also on top of settings given by hand
more="roles=solo train.updates=24 train.lr=0.005 staleness.k=8"
run "$solera" train small.yaml $more objective.name=vespo objective.pos_c1=1.5 out=v; is 0 $rc "vespo with a parameter"
is 1.5 "$(setting v pos_c1)" "it is in the resolved settings"; is 3 "$(setting v pos_c2)" "beside the default of another"
run "$solera" train v/settings.yaml out=v2; is 0 $rc "settings.yaml of a run as input"
is "$(weights v)" "$(weights v2)" "the same run"
is "$(sed '/^#/d; s/^out:.*//' v/settings.yaml)" "$(sed '/^#/d; s/^out:.*//' v2/settings.yaml)" "the same settings"
run "$solera" train small.yaml $more objective.name=vespo objective.pos_c1=1.5 out=v --resume; is 0 $rc "--resume with the settings as they were first given"
run "$solera" train small.yaml $more objective.name=vespo out=v --resume; is 2 $rc "--resume without the parameter"; has 'objective\.pos_c1: 1\.5, now 2'

# a setting wins over the objective's default
run "$solera" train small.yaml $more objective.name=dapo objective.clip_high=0.2 out=dapo_as_grpo; is 0 $rc "dapo with grpo's bound"
run "$solera" train small.yaml $more objective.name=grpo out=grpo8; run "$solera" train small.yaml $more objective.name=dapo out=dapo8
is "$(weights grpo8)" "$(weights dapo_as_grpo)" "is grpo"
[ "$(weights grpo8)" != "$(weights dapo8)" ]; ok $? "and not dapo"

# a parameter that the objective does not have
printf 'model: {path: base/model}\nobjective:\n  name: grpo\n  tau: 0.04\nroles: solo\nout: no\n' >bad.yaml
run "$solera" train bad.yaml; is 2 $rc "tau for grpo"; has 'bad\.yaml:4: objective\.tau: objective\.name is grpo.*it has objective\.clip_low, objective\.clip_high'
[ ! -e no ]; ok $? "no folder is left"
finish
