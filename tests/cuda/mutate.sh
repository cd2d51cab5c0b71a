#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# mutate.sh BUILD [FILE...]: takes each barrier and wait out of the CUDA sources in turn and runs the op tests on emu: one that nothing misses is redundant, or no test looks where it matters.
# Run by make cuda-mutate, from the build folder; minutes. A line with "redundant:" says why a barrier that nothing misses stays.
set -u
build=$1; shift
top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/sol-mutate.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
tests="test_device test_products test_head test_sample test_rows test_norm test_flat test_attention"
calls='__syncthreads \(\)|__syncwarp \(\)|cp_async_wait<[0-9A-Z_a-z]*> \(\)'
[ $# -gt 0 ] || set -- "$top"/kernels/cuda/*.cu "$top"/kernels/cuda/*.cuh
objects=$(cd "$build" && ls kernels/emu/*.op.o kernels/emu/*.rt.o)

# compiles the ops that a file is part of, from a copy of the sources, and links the plugin
rebuild () { # FILE
  local f o again=
  case $1 in *.cuh) again=$(grep -lE "include \"($(basename "$1")|attention.cuh|columns.cuh|lots.cuh|cuda.cuh)\"" "$work"/kernels/cuda/*.cu) ;; *) again=$work/kernels/cuda/$(basename "$1") ;; esac
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

mkdir -p "$work/kernels"; cp -r "$top/kernels/cuda" "$top/kernels/emu" "$work/kernels/"
n=0 kept=0
rebuild "$top/kernels/cuda/plugin.cu" || { echo "mutate.sh: the plugin cannot be built" >&2; exit 1; }
missed && { echo "mutate.sh: a test fails without any mutation" >&2; exit 1; }
for file in "$@"; do
  copy=$work/kernels/cuda/$(basename "$file")
  for at in $(grep -nE "$calls" "$file" | grep -v 'redundant:' | grep -v '__forceinline__ void cp_async_wait' | cut -d: -f1); do
    sed -E "${at}s/($calls)/(void) 0/" "$file" >"$copy"
    n=$((n + 1))
    if rebuild "$file" && ! (missed) 2>/dev/null; then # a subshell: how a child died is not news
      kept=$((kept + 1))
      echo "nothing misses $(basename "$file"):$at: $(sed -n "${at}s/^ *//p" "$file")"
    fi
    cp "$file" "$copy"; rm -f "$work"/*.op.o
  done
done
echo "$n barriers and waits taken out, $kept of them missed by no test"
[ $kept -eq 0 ]
