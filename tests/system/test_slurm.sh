#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 900. jobs/chain.sbatch on a private SLURM of three nodes (root, slurm-wlm and munge needed): it runs, it is warned, stops, is queued again and goes on
. "$top_srcdir/tests/system/lib.sh"
for p in slurmctld slurmd munged sbatch; do command -v $p >/dev/null || { echo "1..0 # SKIP no $p"; exit 0; }; done
[ "$(id -u)" -eq 0 ] || { echo "1..0 # SKIP not root"; exit 0; }
d=$(mktemp -d /tmp/sol-slurm.XXXXXX); chmod 711 "$d" # munge's user must get in
trap 'sh "$top_srcdir/tests/system/slurm_down.sh" "$d"; rm -rf "$d"' EXIT
trap 'exit 1' TERM INT
bash "$top_srcdir/tests/system/slurm_up.sh" "$d" 3 4 >"$d/up" 2>"$t/log"; ok $? "three nodes are up" || finish
. "$d/up"

base
cp -r "$top_srcdir/jobs" jobs; chmod -R u+w jobs
export SOLERA=$solera
small="model.path=base/model task.steps=1 task.holdout=0.1 rollout.max_prompt=8 rollout.max_tokens=8 batch.prompts=8 batch.group=4 batch.updates_per_step=2 staleness.k=4 train.lr=1e-3"
job_state () { scontrol show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p'; }
ended () { job_state "$1" >states; [ -s states ] && ! grep -qE 'RUNNING|PENDING|COMPLETING|CONFIGURING|REQUEUE' states; } # a controller too busy to answer says nothing about the job

id=$(OUT=a sbatch --parsable -N 2 jobs/chain.sbatch $small train.updates=20 checkpoint.every=10); ok $? "sbatch jobs/chain.sbatch"
wait_for 240 ended "$id"
cp "chain.$id.out" "$t/log"
is COMPLETED "$(job_state "$id")" "the job"
is done "$(state a)" "its run"
ranks 4 jobs/chain.yaml $small train.updates=20 checkpoint.every=10 out=b; is 0 $rc "the same by mpirun"
is "$(weights b)" "$(weights a)" "weights"

grown () { [ "$(lines "$1/metrics.jsonl")" -ge "$2" ]; }
id=$(OUT=c sbatch --parsable jobs/chain.sbatch $small train.updates=100000 checkpoint.every=0); ok $? "a long job"
wait_for 60 grown c 10; ok $? "it runs"
scancel --batch --signal=USR1 "$id" # as SLURM does two minutes before the end
stopped () { [ "$(state c)" = stopped ]; }
wait_for 60 stopped; ok $? "warned, it stops with a checkpoint"
again () { scontrol show job "$id" | grep -q 'Restarts=1'; }
wait_for 30 again; ok $? "it is queued again"
at=$(lines c/metrics.jsonl)
# SLURM holds a requeued job back for two minutes: a node takes no second start of a job in the second of its requeue. Asked early the start fails, asked again and again it waits anew
sleep 3
now () { scontrol update JobId="$id" StartTime=now 2>/dev/null; }
wait_for 30 now; ok $? "it may start"
goes_on () { [ "$(lines c/metrics.jsonl)" -gt $((at + 5)) ]; }
wait_for 200 goes_on
went=$?
{ scontrol show job "$id"; sinfo -N; tail -n 12 "$d/log/slurmctld.log"; } >"$t/log" 2>&1
ok $went "it goes on from update $at"
cp "chain.$id.out" "$t/log"
has 'start 1:'
scancel "$id"
wait_for 30 ended "$id"

cat >het.sbatch <<'END'
#!/bin/sh
#SBATCH --ntasks=1 --time=5 --output=het.%j.out
#SBATCH hetjob
#SBATCH --ntasks=1
#SBATCH hetjob
#SBATCH --ntasks=2
. jobs/slurm.sh
srun --mpi=pmix --het-group=0 $SOLERA train $ARGS --role broker : --het-group=1 $SOLERA train $ARGS --role learner : --het-group=2 $SOLERA train $ARGS --role actor
END
id=$(ARGS="jobs/chain.yaml $small train.updates=20 checkpoint.every=10 out=het" sbatch --parsable het.sbatch); ok $? "a heterogeneous job"
wait_for 240 ended "$id"
cp "het.$id.out" "$t/log"
is "$(weights b)" "$(weights het)" "weights of the heterogeneous job"

# what solera plan prints, as it prints it: 1 broker, 3 learners, 2 actors on hosts of 2 devices
sed 's/^ *//' >devices.yaml <<'END'
  memory_gb: 80
  bf16_tflops: 100
  hbm_gb_s: 1000
  link_gb_s: 100
  network_gb_s: 10
  pcie_gb_s: 20
  devices: 2
END
run "$solera" plan jobs/chain.yaml $small learner.leaves=0 learners=3 actors=2 --device devices.yaml; is 0 $rc "a plan"
{ printf '#!/bin/sh\n#SBATCH --nodes=3 --ntasks-per-node=3 --time=2 --output=placed.out\nset -- $(scontrol show hostnames)\n'
  sed -n '/^  {/p; s/^  SLURM_HOSTFILE=\(.*\) solera train .*/SLURM_HOSTFILE=\1 sh -c "echo \\$SLURM_PROCID \\$SLURMD_NODENAME"/p' "$t/log"; } >placed.sbatch
cat placed.sbatch >"$t/log"
id=$(sbatch --parsable placed.sbatch); ok $? "a job by it"
wait_for 240 ended "$id"
is "0 n1 1 n1 2 n1 3 n2 4 n2 5 n3" "$(grep -v srun: placed.out | sort -n | paste -sd ' ')" "the ranks' nodes"
finish
