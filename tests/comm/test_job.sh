#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starting alone and under mpirun, and ending a job from one rank.
n=0
check () { n=$((n+1)); if [ "$1" = "$2" ]; then echo "ok $n - $3"; else echo "not ok $n - $3"; echo "# expected '$2', found '$1'"; fi; }
job=./tests/comm/job
check "$($job 2>&1)" "rank 0 of 1" "starts without mpirun"
check "$($MPIRUN -np 3 $job 2>&1 | sort | tr '\n' ' ')" "rank 0 of 3 rank 1 of 3 rank 2 of 3 " "starts under mpirun"
timeout 30 $job abort >/dev/null 2>&1; check $? 7 "abort alone gives its exit code"
t0=$(date +%s); timeout 50 $MPIRUN -np 3 $job abort >/dev/null 2>&1; rc=$?; t=$(($(date +%s) - t0))
check $rc 7 "abort ends the whole job with its exit code"
[ $t -lt 30 ]; check $? 0 "and does so at once"
echo "1..$n"
