#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# mutate.sh BUILD [waits | FILE...]: takes each barrier and wait out of the CUDA sources in turn and runs the op tests on emu: one that nothing misses is redundant, or no test looks where it matters.
# Then ("waits": only) the waits on the host's side: events recorded and waited for, streams the host waits for, in kernels/cuda and in what calls it; there test_copies, on streams that run as late as
# their order allows, and test_collectives with two ranks have to fail.
# Run by make cuda-mutate, from the build folder; minutes. A line with "redundant:" says why one that nothing misses stays.
set -u
build=$1; shift
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/env.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/sol-mutate.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
tests="test_device test_products test_head test_sample test_rows test_norm test_flat test_attention"
calls='__syncthreads \(\)|__syncwarp \(\)|cp_async_wait<[0-9A-Z_a-z]*> \(\)'
host_void='[A-Za-z_>.-]*ops->(wait|record) \([^()]*\)|q->watch \(q\)' host_status='[A-Za-z_>.-]*ops->sync \([^()]*\)'
host_cuda='cuda(EventRecord|StreamWaitEvent|StreamSynchronize|DeviceSynchronize) \([^()]*\)'
waits="$host_void|$host_status|$host_cuda"
kernels=$(ls "$top"/kernels/cuda/*.cu "$top"/kernels/cuda/*.cuh)
# who waits: not the self-test and diff, which look at others
callers=$(grep -lE "$waits" "$top"/src/*/*.c "$top"/kernels/cuda/*.cu | grep -v -e /selftest.c -e /diff.c)
case ${1-} in
  '') of_kernels=$kernels of_host=$callers ;;
  waits) of_kernels= of_host=$callers ;;
  *) of_kernels=$* of_host=$(grep -lE "$waits" "$@") ;;
esac
objects=$(cd "$build" && ls kernels/emu/*.op.o kernels/emu/*.rt.o)

# compiles the ops that a file is part of, from a copy of the sources, and links the plugin; or one file of the program, and links the tests
rebuild () { # FILE
  local f o again=
  case $1 in
    *.c)
      $HOST_COMPILE -I"$(dirname "$1")" -c "$work/one.c" -o "$work/one.o" 2>/dev/null || return 1
      for f in test_copies test_collectives; do (cd "$build" && $HOST_LINK -o "$work/$f" "tests/cuda/$f.o" "$work/one.o" $HOST_LIBS) || return 1; done
      return 0 ;;
    *.cuh) again=$(grep -lE "include \"($(basename "$1")|attention.cuh|columns.cuh|lots.cuh|cuda.cuh)\"" "$work"/kernels/cuda/*.cu) ;;
    *) again=$work/kernels/cuda/$(basename "$1") ;;
  esac
  for f in $again; do
    o=$work/$(basename "$f" .cu).op.o
    $EMU_COMPILE -I"$top/include" -x c++ -c "$f" -o "$o" 2>/dev/null || return 1
  done
  local list=
  for o in $objects; do f=$work/$(basename "$o"); [ -f "$f" ] || f=$build/$o; list="$list $f"; done
  $EMU_LINK -o "$work/libsolera-emu.so" $list $EMU_LIBS
}
missed () { # does a test fail?
  local t s
  for s in fwd rev rand:1; do
    for t in $tests; do
      SOL_EMU_SCHED=$s SOLERA_PLUGINS=$work timeout 120 "$build/tests/cuda/$t" >"$work/out" 2>&1 || return 0
      grep -q '^not ok' "$work/out" && return 0
    done
  done
  return 1
}
missed_wait () {
  local t e p=$work copies=$work/test_copies sums=$work/test_collectives
  [ -f "$copies" ] || copies=$build/tests/cuda/test_copies
  [ -f "$sums" ] || sums=$build/tests/cuda/test_collectives
  [ -f "$p/libsolera-emu.so" ] || p=$(cd "$build" && pwd)
  for e in -1 0 1; do
    TEST_TMPDIR=$work SOLERA_PLUGINS=$p SOL_EMU_EAGER=$e SOL_EMU_PATIENCE=10 timeout 60 "$MPIRUN" -n 2 "$sums" >"$work/out" 2>&1 || return 0
    grep -q '^not ok' "$work/out" && return 0
  done
  TEST_TMPDIR=$work SOLERA_PLUGINS=$p timeout 60 "$copies" >"$work/out" 2>&1 || return 0
  grep -q '^not ok' "$work/out"
}
# one line, taken out
try () { # FILE LINE HOW-THE-TESTS-ARE-RUN
  n=$((n + 1))
  local said="nothing misses"
  if ! rebuild "$1"; then said="cannot be built without"
  elif ($3) 2>/dev/null; then return; fi # a subshell: how a child died is not news
  kept=$((kept + 1))
  echo "$said $(basename "$1"):$2: $(sed -n "${2}s/^ *//p" "$1")"
}

mkdir -p "$work/kernels"; cp -r "$top/kernels/cuda" "$top/kernels/emu" "$work/kernels/"
n=0 kept=0
rebuild "$top/kernels/cuda/plugin.cu" || { echo "mutate.sh: the plugin cannot be built" >&2; exit 1; }
{ [ -n "$of_kernels" ] && missed; } || missed_wait && { echo "mutate.sh: a test fails without any mutation" >&2; cat "$work/out" >&2; exit 1; }
for file in $of_kernels; do
  copy=$work/kernels/cuda/$(basename "$file")
  for at in $(grep -nE "$calls" "$file" | grep -v 'redundant:' | grep -v '__forceinline__ void cp_async_wait' | cut -d: -f1); do
    sed -E "${at}s/($calls)/(void) 0/" "$file" >"$copy"
    try "$file" "$at" missed
    cp "$file" "$copy"; rm -f "$work"/*.op.o
  done
done
echo "$n barriers and waits taken out of kernels, $kept of them missed by no test"
all=$kept n=0 kept=0
for file in $of_host; do
  copy=$work/kernels/cuda/$(basename "$file")
  case $file in *.c) copy=$work/one.c ;; esac
  for at in $(grep -nE "$waits" "$file" | grep -v 'redundant:' | cut -d: -f1); do
    rm -f "$work/libsolera-emu.so"
    sed -E "${at}{s/$host_status/SOL_OK/;s/$host_cuda/cudaSuccess/;s/$host_void/(void) 0/}" "$file" >"$copy"
    try "$file" "$at" missed_wait
    cp "$file" "$copy"; rm -f "$work"/*.op.o "$work"/test_copies "$work"/test_collectives
  done
done
echo "$n waits taken out of the host's side, $kept of them missed by no test"
[ $((all + kept)) -eq 0 ]
