# SPDX-License-Identifier: Apache-2.0
# What every .sbatch of this folder sources. A job asks SLURM for USR1 some time before its end (--signal=B:USR1@120): the run then finishes its update, writes a
# checkpoint and leaves, and the job queues itself again; every start passes --resume, which starts where there is nothing yet.
#   SOLERA   the program (build/solera, else the one in PATH)
#   LAUNCH   what starts the ranks (srun --mpi=pmix; under a plain shell: mpirun)
SOLERA=${SOLERA-$([ -x build/solera ] && echo build/solera || command -v solera)}
if [ -n "${SLURM_JOB_ID-}" ]; then LAUNCH=${LAUNCH-srun --mpi=pmix}; else LAUNCH=${LAUNCH-mpirun -n 4}; fi
# mpirun kills this long after it has passed TERM or INT on: time for a checkpoint. Idle ranks yield their core.
export OMPI_MCA_odls_base_sigkill_timeout=${OMPI_MCA_odls_base_sigkill_timeout-20} OMPI_MCA_mpi_yield_when_idle=${OMPI_MCA_mpi_yield_when_idle-1}
if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi

# solera_job COMMAND JOB.yaml [key=value ...] out=FOLDER: run it; returns its exit status
solera_job () {
  local folder=${*: -1} pid rc warned=
  folder=${folder#out=}
  echo "$(date '+%F %T') start ${SLURM_RESTART_COUNT-0}: $LAUNCH $SOLERA $*"
  $LAUNCH "$SOLERA" "$@" --resume &
  pid=$!
  trap 'warned=new; kill -USR1 $pid 2>/dev/null' USR1
  while wait "$pid"; rc=$?; [ "$warned" = new ] && [ $rc -gt 128 ]; do warned=old; done # the signal ends wait, not the run
  trap - USR1
  if [ -n "$warned" ] && [ -n "${SLURM_JOB_ID-}" ] && grep -q '"state": *"stopped"' "$folder/status.json"; then
    echo "$(date '+%F %T') stopped with a checkpoint; queued again"
    scontrol requeue "$SLURM_JOB_ID"
  fi
  return $rc
}
