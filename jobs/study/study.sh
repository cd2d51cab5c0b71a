#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# study.sh PROGRAM [FOLDER [COMMAND]]: the study of docs/study.md. Finished runs are kept, interrupted ones go on from their last checkpoint: stop it and start it again at any time.
#   run        (default) what is not finished of the grid, JOBS runs at once, then `tables`
#   list       the runs of the grid, one a line, numbered from 0
#   status     how many are finished
#   one N [K]  run N, and with K also N + K, N + 2 K, ...: what an element of a SLURM array does (study.sbatch)
#   tables     FOLDER/runs.csv, FOLDER/tables.md and the figures from what is finished so far
#   document   tables, and docs/study.md with docs/study/ written anew from them
# GRID=full|small|smollm2|beyond|FILE, or several (full,smollm2): grid.sh   JOBS=N (all cores)   SETTINGS="key=value ..." for all runs   BASE_SETTINGS="..." for the base models   LOG_EVERY=60 seconds between lines in a log
set -u
program=$(realpath "${1:?usage: study.sh PROGRAM [FOLDER [run|list|status|one N [K]|tables|document]]}") || exit 2
folder=${2-runs/study} command=${3-run} first=${4-0} stride=${5-0}
cd "$(dirname "$0")/../.." || exit 2
. tests/env.sh
export OMPI_MCA_odls_base_sigkill_timeout=${OMPI_MCA_odls_base_sigkill_timeout-20}
GRID=${GRID-full} JOBS=${JOBS-$(nproc)} SETTINGS=${SETTINGS-} BASE_SETTINGS=${BASE_SETTINGS-} LOG_EVERY=${LOG_EVERY-60}
. jobs/study/grid.sh
python=${PYTHON3-$(sed -n 's/^PYTHON3 = //p' "$(dirname "$program")/Makefile" 2>/dev/null)}
list=$(grid "$GRID") || exit 2
list=$(tr -s ' ' <<<"$list" | sed 's/ $//' | awk '!seen[$0]++') # a run that two grids have is made once
[ -n "$list" ] || { echo "study: the grid $GRID has no runs" >&2; exit 2; }
mapfile -t lines <<<"$list"
total=${#lines[@]}

say () { [ -z "$shown" ] || printf '\n'; shown=; echo "study: $*"; }
shown=
# a run is finished when it says so and was made by the very line that the grid has now; RUN.run keeps that line, RUN.weights the digest of its last checkpoint
finished () { # LINE
  local run=$folder/${1%% *}
  [ -s "$run.weights" ] && [ "$(cat "$run.run" 2>/dev/null)" = "$1" ] && grep -qs '"state": *"done"' "$run/status.json"
}
count () { local l n=0; for l in "${lines[@]}"; do ! finished "$l" || n=$((n + 1)); done; echo $n; }

# launch LOG COMMAND...: in a session of its own, so that Ctrl-C reaches only this script, which asks each run once (USR1) to write a checkpoint and end
launch () {
  local log=$1 pid rc; shift
  setsid "$@" >>"$log" 2>&1 </dev/null 9>&- & # without our lock, which a daemon of MPI would keep for a while behind a run that was killed; the run's folder has its own
  pid=$!
  trap 'stopped=yes; kill -USR1 $pid 2>/dev/null' USR1 TERM
  while wait "$pid"; rc=$?; [ $rc -gt 128 ] && kill -0 "$pid" 2>/dev/null; do :; done # the signal ends wait, not the run
  return $rc
}
# make LINE: one run, with what it needs before; exit status 0 finished, 3 stopped, 4 another process is at it, else failed. Runs in a process of its own
make_run () {
  local line=$1 name ranks verb job run need l rc start
  finished "$line" && return 0
  read -r name ranks verb job line <<<"$line"
  run=$folder/$name
  mkdir -p "$(dirname "$run")"
  need=$(sed -n 's,.*model\.path=@/\([^ ]*\)/model.*,\1,p' <<<" $line")
  if [ -n "$need" ]; then
    for l in "${lines[@]}"; do
      [ "${l%% *}" != "$need" ] || finished "$l" || (make_run "$l") || return $?
    done
  fi
  exec 9>"$run.lock"
  if [ "$verb" = sft ]; then flock 9; else flock -n 9 || return 4; fi # a base model is waited for
  finished "$1" && return 0
  if [ -e "$run.run" ] && [ "$(cat "$run.run")" != "$1" ]; then
    echo "$run was made by another line of the grid: expected '$1', found '$(cat "$run.run")'; move it away" >"$run.log"
    return 2
  fi
  echo "$1" >"$run.run"
  set -- "$program" "$verb" "$job" ${line//@/$folder} out="$run" --resume
  if [ "$verb" = train ] && [ "$ranks" -eq 1 ]; then set -- "$@" roles=solo; elif [ "$ranks" -gt 1 ]; then set -- ${MPIRUN-mpirun} -n "$ranks" "$@"; fi
  start=$EPOCHREALTIME
  launch "$run.log" "$@"
  rc=$?
  times >"$run.times" # processor time of this launch as bash counts its children, not in a pipe, which would be a process of its own
  echo "$EPOCHREALTIME $start $(tail -n 1 "$run.times")" | awk '{split($3, u, /[ms]/); split($4, s, /[ms]/); printf "wall %.2f user %.2f system %.2f\n", $1 - $2, 60 * u[1] + u[2], 60 * s[1] + s[2]}' >>"$run.cpu"
  rm -f "$run.times"
  grep -qs '"state": *"done"' "$run/status.json" || { [ -z "${stopped-}" ] || return 3; return $((rc == 0 ? 3 : 1)); }
  [ $rc -eq 0 ] || return 1
  if [ "$verb" = sft ]; then echo model >"$run.weights"
  else "$program" info "$run" 2>>"$run.log" | sed -n 's/.*weights: step \([0-9]*\) xxh3 \([0-9a-f]*\).*/\1 \2/p' >"$run.weights"; fi
  [ -s "$run.weights" ] || { echo "solera info names no weights" >>"$run.log"; return 1; }
}

clock () { printf '%d:%02d:%02d' $(($1 / 3600)) $(($1 / 60 % 60)) $(($1 % 60)); }
# what is left is estimated from the updates made since this start; one of SmolLM2 takes as long as some 190 of the chain task
work () { case $1 in *smollm2.yaml*) echo 12000 ;; *train.updates=*) local u=${1##*train.updates=}; echo "${u%% *}" ;; *) echo 640 ;; esac; }
progress () { # now: a line on a terminal every second, in a log every LOG_EVERY seconds
  local now=$SECONDS left=-
  if [ -t 1 ]; then :; elif [ $((now - spoken)) -lt "$LOG_EVERY" ] && [ $# -eq 0 ]; then return; fi
  spoken=$now
  [ $made -eq 0 ] || left=$(clock $((now * (todo - made) / made)))
  if [ -t 1 ]; then printf '\rstudy: %d of %d finished, %d failed, %d running · %s gone, %s to go \033[K' $done_ $total ${#bad[@]} $running "$(clock $now)" "$left"; shown=yes
  else echo "study: $done_ of $total finished, ${#bad[@]} failed, $running running, $(clock $now) gone, $left to go"; fi
}
collect_event () { # the end of a run, if there is one; else waits a moment
  local line rc index
  if read -t 0 -u 8; then # a line is there, and whole: a read with a limit of time may end in the middle of one
    read -r -u 8 rc index
    line=${lines[index]}
    case $rc in
      0) done_=$((done_ + 1)); made=$((made + $(work "$line"))) ;;
      3) ;;
      4) say "${line%% *}: another process is at it, skipped"; todo=$((todo - $(work "$line"))) ;;
      *) bad+=("${line%% *}"); say "FAILED: ${line%% *}: $(tail -n 1 "$folder/${line%% *}.log" 2>/dev/null)"; todo=$((todo - $(work "$line"))) ;;
    esac
  else
    sleep 0.2
  fi
  running=$(jobs -rp | wc -l) # counted, since whoever was killed says nothing
  progress
}
stop () {
  [ -n "$halt" ] || say "stopping: each run in hand writes a checkpoint"
  halt=yes
  local p; for p in $(jobs -rp); do kill -USR1 "$p" 2>/dev/null; done
}
run_all () {
  local i
  mkdir -p "$folder" && fifo=$(mktemp -u "$folder/.ended.XXXXXX") && mkfifo "$fifo" && exec 8<>"$fifo" && rm "$fifo" || exit 2
  SECONDS=0 done_=$(count) made=0 todo=0 running=0 halt= spoken=-$LOG_EVERY bad=()
  for i in "${!lines[@]}"; do finished "${lines[i]}" || todo=$((todo + $(work "${lines[i]}"))); done
  say "$total runs in $folder, $done_ of them finished before; $JOBS at once"
  trap stop TERM INT HUP USR1
  for i in "${!lines[@]}"; do
    while [ "$running" -ge "$JOBS" ] && [ -z "$halt" ]; do collect_event; done
    [ -z "$halt" ] || break
    finished "${lines[i]}" && continue
    (trap - HUP; trap '' INT; make_run "${lines[i]}"; echo "$? $i" >&8) &
    running=$((running + 1))
  done
  while [ "$running" -gt 0 ] || read -t 0 -u 8; do collect_event; done
  trap - TERM INT HUP USR1
  done_=$(count)
  progress end
  [ -z "$halt" ] || { say "stopped; the same command goes on"; exit 130; }
  [ ${#bad[@]} -eq 0 ] || say "failed: ${bad[*]} (their logs: RUN.log in $folder)"
}
tables () { # [--document]
  [ -n "$python" ] || { say "no Python with h5py and matplotlib: no tables"; return 0; }
  MPLCONFIGDIR=${MPLCONFIGDIR-$folder/.matplotlib} "$python" -B analysis/study.py "$folder" "$@"
}

case $command in
  list) i=0; for l in "${lines[@]}"; do echo "$i $l"; i=$((i + 1)); done ;;
  status) echo "study: $(count) of $total finished in $folder" ;;
  one)
    trap 'halt=yes' USR1 TERM
    halt= rc=0
    [ "$first" -lt "$total" ] || { say "run $first: expected 0 to $((total - 1))"; exit 2; }
    for ((i = first; i < total; i += stride > 0 ? stride : total)); do
      say "run $i: ${lines[i]%% *}"
      (make_run "${lines[i]}") & pid=$!
      trap 'halt=yes; kill -USR1 $pid 2>/dev/null' USR1 TERM INT
      while wait $pid; r=$?; [ $r -gt 128 ] && kill -0 $pid 2>/dev/null; do :; done
      [ -z "$halt" ] || exit 3 # stopped with a checkpoint
      case $r in 0) ;; 4) say "another process is at it, skipped" ;; *) say "FAILED: $(tail -n 1 "$folder/${lines[i]%% *}.log")"; rc=1 ;; esac
    done
    exit $rc ;;
  tables) tables ;;
  document) tables --document docs/study.md ;;
  run) run_all; tables || exit 1; [ ${#bad[@]} -eq 0 ] ;;
  *) echo "study: there is no command '$command'" >&2; exit 2 ;;
esac
