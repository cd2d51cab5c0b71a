#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sanitized.sh CXX asan|tsan TEST...: runs tests of ops with the plugin whose kernels that sanitizer watches (plugins-asan, plugins-tsan of the build). The programs themselves are not instrumented,
# so the sanitizer's library comes first by LD_PRELOAD.
cxx=$1 kind=$2; shift 2
. "$(dirname "$0")/../../tests/env.sh"
lib=$($cxx -print-file-name=lib$kind.so)
case $lib in /*) ;; *) echo "$cxx has no lib$kind.so"; exit 77 ;; esac
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' 0
TEST_TMPDIR=$tmp SOLERA_PLUGINS=$(pwd)/plugins-$kind top_builddir=$(pwd)
ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=report_thread_leaks=0:halt_on_error=1:atexit_sleep_ms=0
export TEST_TMPDIR SOLERA_PLUGINS top_builddir ASAN_OPTIONS TSAN_OPTIONS
bad=0
for t; do
  case $t in */test_emulator*) continue ;; esac
  if LD_PRELOAD=$lib "./$t" >"$tmp/out" 2>&1 && ! grep -q '^not ok' "$tmp/out"; then echo "$kind: $t: $(grep -c '^ok' "$tmp/out") points"
  else echo "$kind: $t FAILED"; grep -v '^ok' "$tmp/out" | head -n 40; bad=1; fi
done
exit $bad
