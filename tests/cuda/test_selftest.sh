#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# solera selftest: every op of the table is run; a backend that cannot run, or an op that fails, is named
. "$top_srcdir/tests/system/lib.sh"
run "$solera" selftest cpu; is 0 $rc "cpu"
ops=$(sed -n 's/^  \([a-z_]*\) *[0-9]* calls.*/\1/p' "$t/log" | sort | tr '\n' ' ')
want="adamw add attention attention_backward bias_dw embed embed_dw gather head_backward head_finish head_partial head_target matmul matmul_dw matmul_dx rmsnorm rmsnorm_dw rmsnorm_dx rope round sample scatter scatter_add sumsq swiglu swiglu_backward "
is "$want" "$ops" "every op"
run "$solera" selftest nothing; is 2 $rc "an unknown backend"; has 'expected auto, cpu'
run env SOLERA_PLUGINS=/nonexistent "$solera" selftest emu; is 1 $rc "a plugin that is not there"; has 'libsolera-emu.so is not in /nonexistent'
if command -v cc >/dev/null; then # a plugin of which a library (as NCCL's) is not on this machine
  mkdir lacks; echo 'int f (void) { return 1; }' >f.c; echo 'int f (void); int g (void); int g (void) { return f (); }' >g.c
  cc -shared -fPIC -Wl,-soname,libabsent.so.2 f.c -o lacks/libabsent.so.2 && cc -shared -fPIC g.c lacks/libabsent.so.2 -o lacks/libsolera-emu.so && rm lacks/libabsent.so.2; ok $? "a plugin is built"
  run env SOLERA_PLUGINS=lacks "$solera" info; has '^ *emu: runs no because libabsent.so.2: cannot open shared object file'
fi
run "$solera" selftest cuda; is 1 $rc "cuda without a device"; has 'cuda cannot run here: '
if "$solera" info | grep -q 'emu: runs yes'; then
  run "$solera" selftest emu; is 0 $rc "emu"; has 'passed in'
  run "$solera" selftest; is 0 $rc "all that can run"; has 'skipped: '
  run env SOL_EMU_LT=none "$solera" selftest emu; [ $rc -eq 1 ]; ok $? "products without an algorithm: exit $rc"; has 'no algorithm for a product of'
fi
finish
