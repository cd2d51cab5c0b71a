# SPDX-License-Identifier: Apache-2.0
# grid.sh: sourced by study.sh. `grid NAME` prints the runs of a grid (of several: full,smollm2) in the order in which they are made, one a line:
#   NAME RANKS COMMAND JOB.yaml [key=value ...]
# NAME is seedN/PART/RUN, the folder under the study's. @ in a value is the study's folder; a run whose model.path is @/X/model needs the run X. 1 rank is solo.
# The base models come first, then all of seed 1, then all of seed 2 and so on, so what is there when a study is stopped is whole for some seeds.

METHODS="grpo m2po grpo_no_tr gspo tis m2po_clip dapo decoupled_ppo icepop dppo_tv"          # at every staleness
OTHERS="m2po_tis m2po_k3 m2po_all cispo seq_tis topr opsm sapo vespo gmpo dr_grpo"                               # at s = 256 only
STALENESS="0 256 64 16 128 4"

bases () { local seed; for seed in $1; do echo "seed$seed/base 1 sft jobs/chain_base.yaml seed=$seed $BASE_SETTINGS"; done; }
rl () { # SEED PART NAME RANKS key=value...
  local seed=$1 name=seed$1/$2/$3 ranks=$4; shift 4
  echo "$name $ranks train jobs/study/chain.yaml model.path=@/seed$seed/base/model seed=$seed $UPDATES $* $SETTINGS"
}
main_part () { # SEED METHODS STALENESS
  local s m
  for s in $3; do for m in $2; do rl "$1" main "${m}_s$s" 1 "objective.name=$m" "staleness.k=$s"; done; done
}
tau_part () { # SEED VALUES STALENESS: tau = 0.04 is in the main part
  local s t
  for s in $3; do for t in $2; do rl "$1" tau "m2po_s${s}_tau$t" 1 objective.name=m2po "staleness.k=$s" "objective.tau=$t"; done; done
}
other_part () { local m; for m in $2; do rl "$1" other "${m}_s256" 1 "objective.name=$m" staleness.k=256; done; }
long_part () { local m; for m in $2; do rl "$1" long "${m}_s256" 1 "objective.name=$m" staleness.k=256 train.updates=1600; done; }
# experiments that are not the paper's: what might keep M2PO steady over 1,600 updates at s = 256, and whether a penalty does without a gate. Beside them stand M2PO and GRPO of the long part
beyond_part () { # SEED
  local long="staleness.k=256 train.updates=1600"
  rl "$1" beyond m2po_tau0.01 1 objective.name=m2po objective.tau=0.01 $long
  rl "$1" beyond m2po_tis 1 objective.name=m2po_tis $long
  rl "$1" beyond m2po_kl0.05 1 objective.name=m2po kl.coef=0.05 $long
  rl "$1" beyond m2po_entropy0.003 1 objective.name=m2po entropy.coef=0.003 $long
  rl "$1" beyond m2po_cosine 1 objective.name=m2po train.decay=cosine $long
  rl "$1" beyond grpo_no_tr_kl0.05 1 objective.name=grpo_no_tr kl.coef=0.05 $long
}
# lags that differ from group to group, against one lag for all (main part): mean 128, mean 64 with a tail, and half fresh and half 256
mixed_part () { # SEED METHODS
  local m t
  for t in uniform:0:256 geometric:0.0588:512 file:jobs/study/half.lags; do
    for m in $2; do rl "$1" mixed "${m}_$(basename "${t//:/-}" .lags)" 1 "objective.name=$m" staleness.k=0 "staleness.trace=$t"; done
  done
}
# the same weights whatever the micro-batch and the number of ranks: learner.leaves is fixed, all else is the same
same_part () { # SEED
  local n common="objective.name=m2po staleness.k=64 train.updates=64 learner.leaves=8 eval.every=0"
  for n in 256 1024 4096 65536; do rl "$1" same "micro$n" 1 $common "train.micro_batch_tokens=$n"; done
  for n in 1 2 4; do rl "$1" same "learners$n" $((n + 2)) $common "learners=$n"; done
  rl "$1" same actors3 5 $common learners=1
}

grid () { local g; for g in ${1//,/ }; do one_grid "$g" || return $?; done; } # names separated by commas: one after the other
one_grid () {
  local seed UPDATES=
  case $1 in
  full)
    bases "1 2 3 4 5"
    for seed in 1 2 3 4 5; do
      main_part "$seed" "$METHODS" "$STALENESS"
      tau_part "$seed" "0.0025 0.01 0.02 0.08 0.16 0.64 2.56" 256
      other_part "$seed" "$OTHERS"
      mixed_part "$seed" "grpo m2po grpo_no_tr tis"
      long_part "$seed" "m2po grpo tis m2po_clip"
      [ "$seed" -gt 1 ] || same_part 1
    done ;;
  beyond)
    bases "1 2 3 4 5"
    for seed in 1 2 3 4 5; do
      long_part "$seed" "m2po grpo"
      beyond_part "$seed"
    done ;;
  small)
    UPDATES=train.updates=320
    bases "1 2 3"
    for seed in 1 2 3; do
      main_part "$seed" "grpo m2po grpo_no_tr gspo tis" "0 256 64"
      tau_part "$seed" "0.01 0.16" 256
      [ "$seed" -gt 1 ] || same_part 1
    done ;;
  smollm2)
    for seed in 1 2 3; do
      for run in grpo:0 grpo:16 m2po:16 grpo_no_tr:16; do
        echo "seed$seed/smollm2/${run%:*}_s${run#*:} 1 train jobs/study/smollm2.yaml model.path=${SMOLLM2-models/smollm2} seed=$seed objective.name=${run%:*} staleness.k=${run#*:} $SETTINGS"
      done
    done ;;
  *)
    [ -f "$1" ] || { echo "study: GRID is '$1': expected full, small, smollm2, beyond or a file of runs" >&2; return 2; }
    grep -v '^ *\(#\|$\)' "$1" ;;
  esac
}
