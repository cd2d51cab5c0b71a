#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh PROGRAM: run a test at every rank count that its source asks for on the first line,
#   /* ranks: 1 3 5 */    through mpirun; without that line it runs alone, without mpirun
# as one TAP stream. A run that dies, hangs or prints no plan is a failed point, never silence.
prog=$1; src=$srcdir/${prog#./}.c; k=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/sol-test.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' 0
TEST_TMPDIR=$tmp; export TEST_TMPDIR
ranks=$(sed -n '1s,^/\* ranks: \([0-9 ]*\)\*/.*,\1,p' "$src")
for n in ${ranks:-0}; do
  if [ "$n" -eq 0 ]; then timeout -k 5 "${TEST_TIMEOUT:-240}" "$prog" >"$tmp/out" 2>"$tmp/err"; rc=$?
  else timeout -k 5 "${TEST_TIMEOUT:-240}" "$MPIRUN" -np "$n" "$prog" >"$tmp/out" 2>"$tmp/err"; rc=$?; fi
  if grep -q '^1\.\.0' "$tmp/out"; then k=$((k+1)); echo "ok $k # SKIP $(sed -n 's/^1\.\.0 *# *SKIP *//p' "$tmp/out")"; continue; fi
  [ "$n" -eq 0 ] && tag= || tag="n=$n "
  while IFS= read -r line; do
    case $line in
      ok\ *|not\ ok\ *) k=$((k+1)); echo "$line" | sed "s/ok [0-9]* - /ok $k - $tag/" ;;
      1..*) ;;
      *) echo "# $line" ;;
    esac
  done <"$tmp/out"
  sed 's/^/# stderr: /' "$tmp/err" | tail -n 60
  if ! grep -q '^1\.\.' "$tmp/out" || { [ $rc -ne 0 ] && ! grep -q '^not ok' "$tmp/out"; }; then
    k=$((k+1)); echo "not ok $k - ${tag}run to its end (exit $rc)"
  fi
done
echo "1..$k"
