#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slurm_down.sh FOLDER: ends the daemons that slurm_up.sh started there, and what is left of jobs (a test that was cut off leaves ranks that wait for each other)
for f in "$1"/run/slurmd.*.pid "$1/run/slurmctld.pid" "$1/munge/pid"; do
  [ -f "$f" ] || continue
  pid=$(cat "$f")
  kill "$pid" 2>/dev/null
  i=0
  while kill -0 "$pid" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null && [ $i -lt 60 ]; do sleep 0.1; i=$((i+1)); done
done
for pid in $(pgrep -x 'slurmstepd|srun|solera'); do
  tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF "SLURM_CONF=$(realpath "$1")/slurm.conf" && kill -9 "$pid"
done
exit 0
