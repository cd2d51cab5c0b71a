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
  # files that are no plugin, or not all of one: a line each, and info goes on to the next
  mkdir odd; why () { run env SOLERA_PLUGINS=odd "$solera" info; is 0 $rc "$1"; has "^ *emu: runs no because odd/libsolera-emu.so: $2"; has '^ *ptx: runs no because'; }
  : >odd/libsolera-emu.so; why "an empty file" 'file too short'
  echo 'libsolera, in words, of more than the sixty-four bytes of a header of an ELF file' >odd/libsolera-emu.so; why "a text" 'invalid ELF header'
  echo 'int g (void) { return 1; }' >g.c; cc -shared -fPIC g.c -o odd/libsolera-emu.so; why "a library" 'no plugin of Solera'
  for part in 9 5 2; do # of twenty
    cc -shared -fPIC g.c -o whole.so; head -c $(($(wc -c <whole.so) * part / 20)) whole.so >odd/libsolera-emu.so; why "a copy that was cut short, $part of 20 parts" 'shorter than its own headers say'
  done
  echo 'struct { unsigned abi, bytes; char more[1000]; } p = { 1, 2, "" }; const void *sol_plugin (void); const void *sol_plugin (void) { return &p; }' >p.c
  cc -shared -fPIC p.c -o odd/libsolera-emu.so; why "an older plugin" 'of another version \(interface 1\.0, expected [0-9]+\.[0-9]+\): build it together with the program'
fi
run "$solera" selftest cuda; is 1 $rc "cuda without a device"; has 'cuda cannot run here: '
if "$solera" info | grep -q 'emu: runs yes'; then
  run "$solera" selftest emu; is 0 $rc "emu"; has 'passed in'
  run "$solera" selftest; is 0 $rc "all that can run"; has 'skipped: '
  run env SOL_EMU_LT=none "$solera" selftest emu; [ $rc -eq 1 ]; ok $? "products without an algorithm: exit $rc"; has 'no algorithm for a product of'
fi

# the start of a run on "cuda", here a driver that is none and the emulator: it checks every op first; auto falls back, a device by name stops, and learners must all have come to the same
if "$solera" info | grep -q 'emu: runs yes' && command -v cc >/dev/null; then
  mkdir there; echo 'int nothing;' >d.c; cc -shared -fPIC d.c -o there/libcuda.so.1; cp "$top_builddir/libsolera-emu.so" there/libsolera-cuda.so
  cat >tiny.yaml <<'END'
model: {layers: 1, width: 32, heads: 2, kv_heads: 1, mlp: 64}
task: {name: chain, steps: 1, holdout: 0.1}
rollout: {max_prompt: 8, max_tokens: 8}
sft: {batch: 8, noise: 0.3}
train: {updates: 1}
eval: {prompts: 4}
END
  run "$solera" sft tiny.yaml out=f32 model.dtype=f32 backend.name=diff; is 0 $rc "diff, where weights of float32 are rounded on the device"
  on_cuda () { run env LD_LIBRARY_PATH="there${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" SOLERA_PLUGINS=there "$@"; }
  on_cuda "$solera" sft tiny.yaml out=fine; is 0 $rc "auto with a device"; has 'on a device [0-9.]+ MiB'
  on_cuda env SOL_EMU_LT=none "$solera" sft tiny.yaml out=back; is 0 $rc "auto, and products that fail"; has 'warn backend: cuda failed its self-test: going on with cpu'; is done "$(state back)" "it trains on the host"
  on_cuda env SOL_EMU_LT=none "$solera" sft tiny.yaml out=stop backend.name=cuda; [ $rc -eq 1 ]; ok $? "cuda by name: exit $rc"; has 'no algorithm for a product of'; [ ! -e stop ]; ok $? "no folder is made"
  on_cuda timeout -k 5 120 "$MPIRUN" -n 1 "$solera" sft tiny.yaml out=stop : -n 1 env SOLERA_PLUGINS=/nonexistent "$solera" sft tiny.yaml out=stop; [ $rc -eq 1 ]; ok $? "one learner has a device, one has none: exit $rc"
  has 'learners on different backends: emu on rank 0 \(host .*\), cpu on rank 1'; [ ! -e stop ]; ok $? "no folder is made"
fi
finish
