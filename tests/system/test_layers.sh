#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The layer rule: a room of src/ includes only itself and the rooms before it; actor and learner never meet; kernels see only the lowest contracts.
cd "$top_srcdir" || exit 99
n=0
ok () { n=$((n+1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi; }
room_of () { # the room that owns include/solera/NAME.h
  case $1 in
    buffer|clock|elementary|file|hash|log|memory|need|random|status|stop|watch) echo base ;;
    accelerator|config|settings) echo config ;;
    backend|cuda_layout|ops|paper|plugin|tensor) echo backend ;;
    comm) echo comm ;;
    model|decoder|selftest) echo model ;;
    tokenizer|chat|verify|grader|external|json|utf8) echo text ;;
    benchmark|dataset|passk|task) echo data ;;
    rollout|broker|schedule) echo rollout ;;
    objective) echo objective ;;
    stats|stats_read|record|reuse|grid|checkpoint|trial|metrics|safetensors|convert|evals|responses) echo store ;;
    actor|eval) echo actor ;;
    learner|sft) echo learner ;;
    command) echo cli ;;
    *) return 1 ;;
  esac
}
rank () { # place in the order; cli is last
  i=0
  for r in base config backend comm model text data rollout objective store actor learner cli; do
    [ "$r" = "$1" ] && { echo $i; return; }
    i=$((i+1))
  done
  echo -1
}

bad=0
for h in include/solera/*.h; do
  h=${h##*/}
  room_of "${h%.h}" >/dev/null || { echo "# include/solera/$h belongs to no room: add it to tests/system/test_layers.sh"; bad=1; }
done
ok $bad "every public header belongs to a room"

check () { # FILE ROOM: its includes
  mine=$(rank "$2")
  sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$1" | while read -r inc; do
    case $inc in
      solera/*) h=${inc#solera/}; other=$(room_of "${h%.h}") ;;
      *) continue ;; # a private header lies in the same folder, which is checked below
    esac
    theirs=$(rank "$other")
    if [ "$theirs" -gt "$mine" ] || { [ "$2" = learner ] && [ "$other" = actor ]; }; then echo "# $1 ($2) includes $inc ($other)"; fi
  done
}
for room in base config backend comm model text data rollout objective store actor learner cli; do
  out=$(for f in src/$room/*.[ch]; do [ -f "$f" ] && check "$f" $room; done)
  [ -z "$out" ] || echo "$out"
  [ -z "$out" ]; ok $? "src/$room includes itself and rooms before it"
done
out=$(for h in include/solera/*.h; do b=${h##*/}; check "$h" "$(room_of "${b%.h}")"; done)
[ -z "$out" ] || echo "$out"
[ -z "$out" ]; ok $? "public headers obey the same order"
out=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"(\.\.|src/)' -r src include kernels | grep -v '^kernels/.*\.\./ref/\|kernels/\|^src/rollout/[a-z_]*\.h:.*"\.\./comm/comm_mpi\.h"' || true) # comm_mpi.h is comm's seam for the one other room that knows MPI
[ -z "$out" ] || echo "$out" | sed 's/^/# /'
[ -z "$out" ]; ok $? "no room opens another room's private headers"
out=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<((mpi|hdf5|yaml)\.h|cjson/)' -r include || true)
[ -z "$out" ] || echo "$out" | sed 's/^/# /'
[ -z "$out" ]; ok $? "public headers need no mpi.h, hdf5.h, yaml.h or cJSON.h"
out=$(grep -lE '<hdf5\.h>' -r src | grep -v '^src/store/' || true)
[ -z "$out" ]; ok $? "only src/store knows HDF5 $out"
out=$(grep -lE '<mpi\.h>' -r src kernels | grep -vE '^(src/(comm|rollout)/|kernels/emu/over_mpi\.)' || true)
[ -z "$out" ]; ok $? "only src/comm, src/rollout and the emulation of NCCL know MPI $out"
out=$(grep -rlE '^[[:space:]]*exit[[:space:]]*\(' src kernels | grep -vE '^src/(main\.c|base/|cli/)' || true)
[ -z "$out" ]; ok $? "nothing below the command line exits $out"
# automake names a test's log without its ending: of two tests that differ in it only, one would never run
out=$(find tests -name 'test_*.c' -o -name 'test_*.sh' | sed 's/\.[a-z]*$//' | sort | uniq -d)
[ -z "$out" ]; ok $? "every test has a name of its own $out"
echo "1..$n"
