#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
# What nvcc -O3 made of the kernels, its PTX translated to C++ and run on the emulator, started by nvcc's own host code (libsolera-ptx.so): every op against plain loops under two orders of the
# threads and with host and device memory kept apart, and the planted mistakes that are still there after compilation. Level full: more orders.
. "$top_srcdir/tests/system/lib.sh"
skip () { echo "1..0 # SKIP $1"; exit 0; }
plugin=$top_builddir/libsolera-ptx.so
[ -n "$CUDA_DIR" ] || skip "configure found no CUDA toolkit"
[ -f "$plugin" ] && [ -x "$top_builddir/tests/cuda/planted-ptx" ] || skip "no PTX emulation in this build (no python3 or objcopy, or a build with sanitizers)"

# one that is not known stops the translation, with its file and line
cat >"$t/odd.ptx" <<'END'
.version 9.0
.target sm_90
.address_size 64
.visible .entry odd()
{
	.reg .b32 	%r<3>;
	mov.u32 	%r1, %tid.x;
	NEW
	ret;
}
END
translate () { sed "s/NEW/$1/" "$t/odd.ptx" >"$t/new.ptx"; run python3 -B "$top_srcdir/kernels/emu/ptx2c.py" "$t/new.ptx"; }
translate 'add.s32 %r2, %r1, 1;'; is 0 $rc "a kernel that is understood"
for new in 'max.bf16 %r2, %r1, %r1;' 'add.f16 %r2, %r1, %r1;' 'fma.rz.f32 %r2, %r1, %r1, %r1;' 'dp4a.s32.s32 %r2, %r1, %r1, %r1;' 'add.sat.s32 %r2, %r1, 1;' 'add.s32 %r2, %q1, 1;' 'ld.acquire.gpu.global.u32 %r2, [%r1];' 'call foo, ();' '.align 4;'; do
  translate "$new"; [ $rc -ne 0 ]; ok $? "$new: exit $rc"; has 'new.ptx:8: not known to ptx2c'
done

run "$solera" selftest ptx; is 0 $rc "solera selftest ptx"
# under each order (and, with guard, every access of the host to device memory faults)
orders="fwd:0 rev:1"
[ "$SOLERA_TESTS" != full ] || orders="fwd:0 rev:1 rand:1:0 rand:2:1 rand:3:0"
for o in $orders; do
  for p in device products head sample attention rows norm flat decode; do
    SOLERA_DEVICE=ptx SOL_EMU_SCHED=${o%:*} SOL_EMU_GUARD=${o##*:}; export SOLERA_DEVICE SOL_EMU_SCHED SOL_EMU_GUARD
    run "$top_builddir/tests/cuda/test_$p"
    points=$(grep -c '^ok' "$t/log")
    [ $rc -eq 0 ] && [ "$points" -gt 0 ] && ! grep -q '^not ok\|^1\.\.0' "$t/log"; ok $? "test_$p on ptx, ${o%:*}: $points points, exit $rc"
  done
done
unset SOLERA_DEVICE SOL_EMU_SCHED SOL_EMU_GUARD

SOLERA_PLANTED=ptx "$top_builddir/tests/cuda/test_emulator" >"$t/planted" 2>"$t/log"
while read -r line; do
  case $line in
    ok\ *) ok 0 "in PTX: ${line#ok * - }" ;;
    not\ ok\ *) ok 1 "in PTX: ${line#not ok * - }" ;;
    1..0*) ok 1 "planted mistakes: $line" ;;
  esac
done <"$t/planted"
grep -q '^1\.\.[1-9]' "$t/planted"; ok $? "all planted mistakes are tried"
finish
