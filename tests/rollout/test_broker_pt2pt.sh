#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
# The broker where one-sided calls are made of messages (OMPI's pt2pt, as between hosts), so that the broker must be inside MPI for anything to move.
OMPI_MCA_osc=pt2pt; export OMPI_MCA_osc
n=0
for test in "test_broker few" test_broker_load; do
  $MPIRUN -np 4 "$top_builddir/tests/rollout/"$test >"$TEST_TMPDIR/log" 2>"$TEST_TMPDIR/err"; rc=$?
  n=$((n+1))
  if [ $rc -eq 0 ] && grep -q '^1\.\.' "$TEST_TMPDIR/log" && ! grep -q '^not ok' "$TEST_TMPDIR/log"; then echo "ok $n - $test"; else echo "not ok $n - $test (exit $rc)"; fi
  grep '^not ok' "$TEST_TMPDIR/log" | sed 's/^/# /'
  tail -n 20 "$TEST_TMPDIR/err" | sed 's/^/# /'
done
echo "1..$n"
