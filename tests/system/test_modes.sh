#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 480. every staleness mode: runs end, lags keep their bounds, files agree with each other; kill -9 and --resume outside exact mode lose and double nothing; roles from the command line
. "$top_srcdir/tests/system/lib.sh"
base
grown () { [ "$(lines "$1/metrics.jsonl")" -ge "$2" ]; }
agree () { # RUN MODE [GROUP]: points made by modes.py
  if [ -z "$PYTHON3" ]; then n=$((n+1)); echo "ok $n # SKIP no Python with h5py"; return; fi
  "$PYTHON3" -B "$top_srcdir/tests/system/modes.py" "$1" "$2" 4 2 8 ${3-4} $n >points 2>"$t/log"; ok $? "$1: its files can be read" >first
  if grep -q '^#' points; then n=$(sed -n 's/^#//p' points); grep -v '^#' points; else cat first; fi
}
changed () { "$PYTHON3" -c 'import h5py, sys; s = h5py.File (sys.argv[1] + "/stats.h5")["sequences"]; sys.exit (not (s["version_min"][:] < s["version_max"][:]).any ())' "$1"; }
tr="train.updates=60"
ranks 4 small.yaml $tr out=exact staleness.mode=exact; is 0 $rc "exact"
agree exact exact
ranks 4 small.yaml $tr out=bounded staleness.mode=bounded; is 0 $rc "bounded"
agree bounded bounded
ranks 5 small.yaml $tr out=bounded2 staleness.mode=bounded learners=2 brokers=2; is 0 $rc "bounded, 2 learners, 2 brokers"
agree bounded2 bounded
ranks 4 small.yaml $tr out=free staleness.mode=free; is 0 $rc "free"
agree free free
for kv in keep recompute; do
  # one place in one actor and many responses: new weights come while it generates
  for updates in 32 128 512; do # on a busy machine they may come only between responses
    ranks 3 small.yaml train.updates=$updates batch.group=64 actor.slots=1 out=flight_$kv staleness.mode=bounded staleness.in_flight=true staleness.kv=$kv --force
    if [ $rc -ne 0 ] || [ -z "$PYTHON3" ] || changed flight_$kv; then break; fi
  done
  is 0 $rc "in flight, kv: $kv"
  agree flight_$kv bounded 64
done
run "$solera" train small.yaml $tr out=solo_bounded roles=solo staleness.mode=bounded; is 0 $rc "bounded, solo"
agree solo_bounded bounded
run "$solera" train small.yaml $tr out=solo_free roles=solo staleness.mode=free; is 0 $rc "free, solo"
agree solo_free free

# kill -9 of the whole job in the middle, then --resume
for mode in bounded free; do
  "$MPIRUN" -n 4 "$solera" train small.yaml train.updates=300 checkpoint.every=10 stats.chunk=1024 staleness.mode=$mode out=kill_$mode >"$t/log" 2>&1 &
  job=$!
  wait_for 60 grown kill_$mode 40; ok $? "$mode: the run goes on"
  kill -9 $(pgrep -P $job) 2>"$t/kill"; ok $? "$mode: kill -9 of every rank"
  wait $job
  [ "$(lines kill_$mode/metrics.jsonl)" -lt 300 ]; ok $? "$mode: in the middle, after $(lines kill_$mode/metrics.jsonl) updates"
  run "$solera" info kill_$mode/stats.h5; is 0 $rc "$mode: the killed run's statistics can be read"
  has '^tokens: [1-9]'
  ranks 4 small.yaml train.updates=300 checkpoint.every=10 stats.chunk=1024 staleness.mode=$mode out=kill_$mode --resume; is 0 $rc "$mode: --resume"
  is 300 "$(lines kill_$mode/metrics.jsonl)" "$mode: lines of metrics"
  agree kill_$mode $mode
done
# exact mode: the rows of a part that went on are those of the whole
ranks 4 small.yaml train.updates=30 out=part; is 0 $rc "a shorter run"
ranks 3 small.yaml train.updates=60 out=part --resume; is 0 $rc "a longer one continues it"
is "$(weights exact)" "$(weights part)" "weights"
agree part exact

# what may not change is named, and the folder stays as it was
before=$(cat part/settings.yaml part/metrics.jsonl | cksum)
for s in seed=6 staleness.k=2 batch.group=2 objective.name=grpo train.truncated=mask staleness.mode=free; do
  run "$solera" train small.yaml train.updates=60 roles=solo out=part --resume $s; is 2 $rc "--resume with $s is refused"
  has "$(echo "${s%=*}" | sed 's/\./\\./')"
done
is "$before" "$(cat part/settings.yaml part/metrics.jsonl | cksum)" "nothing was touched"

# roles
mpmd () { run timeout -k 5 60 "$MPIRUN" "$@"; }
s="$solera train small.yaml train.updates=60"
mpmd -n 1 $s out=mpmd --role broker : -n 2 $s out=mpmd --role actor : -n 1 $s out=mpmd --role learner; is 0 $rc "--role broker : actor : learner"
is "$(weights exact)" "$(weights mpmd)" "the same weights as roles by the settings"
mpmd -n 1 $s out=some --role broker : -n 2 $s out=some; is 2 $rc "--role on some ranks only"
has "role"
mpmd -n 2 $s out=some --role actor : -n 1 $s out=some --role learner; is 2 $rc "no broker"
has "broker"
mpmd -n 2 $s out=some; is 2 $rc "two ranks are too few"
has "2 ranks|2 .*rank"
mpmd -n 1 $s out=some --role cook : -n 2 $s out=some --role actor; is 2 $rc "an unknown role"
has "cook"
[ ! -e some ]; ok $? "none of them left a folder"
finish
