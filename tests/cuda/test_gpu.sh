#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Protects: make gpu-test and make gpu-bench (kernels/cuda/gpu.mk) run on the emulator as they will on a GPU: built from the sources without MPI, HDF5 and libyaml, every part and the JSON there;
# an op that fails is named with its shape, and the others go on; without a GPU they say so, and never that anything passed.
[ -n "$CUDA_DIR" ] || { echo "1..0 # SKIP configure found no CUDA toolkit"; exit 0; }
[ -f "$top_builddir/libsolera-emu.so" ] || { echo "1..0 # SKIP libsolera-emu.so is not built"; exit 0; }
command -v gcc >/dev/null || { echo "1..0 # SKIP no gcc"; exit 0; }
. "$top_srcdir/tests/system/lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL SOLERA_PLUGINS SOLERA_DEVICE
# quick to build rather than to run, the plugin as it is there; all op tests are built, and one runs for the others, which are tests of their own here
gpu () { run make -f "$top_srcdir/kernels/cuda/gpu.mk" GPU_BUILD="$t/gpu" CUDA_DIR="$CUDA_DIR" PLUGIN="$top_builddir/libsolera-emu.so" ISAS=portable BUILD_FLAGS=-O0 CPU_FLAGS= JOBS=2 $some "$@"; }
some=
holds () { grep -qE -- "$2" "$1"; ok $? "$(basename "$1") has '$2'"; } # FILE PATTERN

gpu DEVICE=emu gpu-files; is 0 $rc "everything is built"
is 0 "$(for p in random attention decode device flat head norm products rows sample; do [ -x "$t/gpu/test_$p" ] || echo "$p"; done | wc -l)" "every op test is built"
some=OP_TESTS=test_flat
gpu DEVICE=emu gpu-all; is 0 $rc "gpu-all on emu"
[ -s "$t/gpu/bench.json" ] || finish # not even built: the rest would say nothing new
has '^gpu-all: passed in'; has '^  op tests +[0-9]+ checks of 2 programs hold'; has 'emulated on the host, small shapes'
is 0 "$(grep -c FAILED "$t/log")" "nothing failed"
is 4 "$(grep -c 'same bits' "$t/log")" "training and decoding twice"
is 4 "$(grep -c '^  training step of .* against .* what is tolerated' "$t/log")" "training steps against the host"
memory=' alloc free host_take host_give put get copy zero sync event_create event_destroy record wait weight_bytes weight_prepare head_scratch graph_begin graph_end graph_run graph_destroy ' # no kernels, or measured under another name
kernels () { sort -u | while read -r op; do case $memory in *" $op "*) ;; *) printf '%s ' "$op" ;; esac; done; }
is "$(grep -o 'OP ([a-z_]*)' "$top_srcdir/kernels/cuda/plugin.cu" | sed 's/OP (//; s/)//; /^op$/d' | kernels)" "$(sed -n 's/.*{"op": "\([a-z_]*\)[" ].*/\1/p' "$t/gpu/bench.json" | kernels)" "every op is in the table"
if [ -n "$PYTHON3" ]; then
  "$PYTHON3" -c 'import json, sys
t, b = (json.load (open (sys.argv[1] + "/gpu/" + f)) for f in ("test.json", "bench.json"))
assert t["checks"] > 50 and len (t["steps"]) == 10 and not t["failed"] and not t["left_out"]
assert len (b["kernels"]) > 90 and all (k["seconds"] > 0 and k["of_roofline"] > 0 for k in b["kernels"])
assert len (b["models"]) == 7 and all (m["tokens_per_s"] > 0 for m in b["models"]) and b["ceilings"][0]["copy_bytes_per_s"] > 0' "$t" >"$t/log" 2>&1
  ok $? "both files are JSON and complete"
fi
find "$t/gpu/obj" -name '*.d' -exec cat {} + | tr ' ' '\n' | grep -iE '/(openmpi|mpich|hdf5|cjson|Random123)/|/(mpi|hdf5|yaml|pcre2|utf8proc|xxhash)\.h' | grep -v '/tests/cuda/bare/' >"$t/log"
is 0 "$(wc -l <"$t/log")" "no header of another library"

# a driver that says what a GPU's would, and the emulator in the place of the plugin: the way to a GPU, with products that fail
mkdir "$t/driver"
cat >"$t/driver/driver.c" <<'END'
#include <stddef.h>
#include <string.h>
int cuInit (unsigned flags) { return (int) flags; }
int cuDeviceGetCount (int *n) { *n = 1; return 0; }
int cuDeviceGet (int *d, int i) { *d = i; return 0; }
int cuDeviceGetAttribute (int *v, int a, int d) { *v = a == 75 ? 9 : d; return a != 75 && a != 76; }
int cuDeviceGetName (char *s, int n, int d) { strncpy (s, "NVIDIA \"Test\" 4 MiB", (size_t) n); return d; }
int cuDeviceTotalMem_v2 (size_t *n, int d) { *n = 4 << 20; return d; }
END
printf '#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\nexec "$1"\n' >"$t/driver/compute-sanitizer"; chmod +x "$t/driver/compute-sanitizer"
gcc -shared -fPIC "$t/driver/driver.c" -o "$t/driver/libcuda.so.1"
pretend () { LD_LIBRARY_PATH=$t/driver${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} PATH=$t/driver:$PATH gpu DEVICE=cuda SHAPES=small PYTHON=false "$@"; }
export SOL_EMU_LT=none; pretend gpu-all; unset SOL_EMU_LT; [ $rc -ne 0 ]; ok $? "products that fail: exit $rc"
has '^FAILED matmul_dw, gate 40x136x96: a device call failed'; has 'no algorithm for a product of'; has '^FAILED training step of tiny qwen2'; has '^FAILED forward'
has '^  op tests +[0-9]+ checks of 2 programs hold'; has '^  adamw '; has '^gpu-all: FAILED after .*gpu_steps diff-tiny.*gpu_bench products-7B'
has '^  memcheck +1 programs clean'; has '^  racecheck +1 programs clean'; has 'training 7B in small: left out, it needs'; has 'PyTorch +not here'
holds "$t/gpu/bench.json" '"op": "matmul", .*"failed": true'; holds "$t/gpu/bench.json" '"op": "rmsnorm", .*"of_roofline"'; holds "$t/gpu/test.json" '"name": "NVIDIA ..Test.. 4 MiB"'
is 0 "$(grep -c passed "$t/log")" "and nobody says passed"
if [ -n "$PYTHON3" ]; then
  "$PYTHON3" -c 'import json, sys
t, b = (json.load (open (sys.argv[1] + "/gpu/" + f)) for f in ("test.json", "bench.json"))
assert "gpu_steps diff-tiny" in t["failed"] and "gpu_bench products-7B" in b["failed"] and any ("failed" in k for k in b["kernels"])' "$t" >"$t/log" 2>&1
  ok $? "both files are JSON, and name what failed"
fi
# a driver that dies, a build that fails, one that takes too long, an op test that hangs: each is named, and nothing waits for ever
mkdir "$t/dies" && sed 's/return (int) flags;/__builtin_trap ();/' "$t/driver/driver.c" | gcc -shared -fPIC -x c - -o "$t/dies/libcuda.so.1"
LD_LIBRARY_PATH=$t/dies${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} gpu DEVICE=cuda gpu-test; [ $rc -ne 0 ]; ok $? "a driver that dies: exit $rc"; has '^gpu-test: FAILED: asking the driver for its devices: exit 132'
gpu DEVICE=emu GPU_BUILD="$t/wrong" BUILD_FLAGS=-Dint=nothing gpu-test; [ $rc -ne 0 ]; ok $? "a build that fails: exit $rc"; has '^gpu-test: FAILED: the build, see'; has "unknown type name 'nothing'|error:"
[ ! -e "$t/wrong/test.json" ]; ok $? "and has no result"
printf '#!/bin/sh\nsleep 60\n' >"$t/driver/slow"; chmod +x "$t/driver/slow"
gpu DEVICE=emu GPU_BUILD="$t/wrong" CC="$t/driver/slow" SECONDS_MOST=1 gpu-test; [ $rc -ne 0 ]; ok $? "a build that takes too long: exit $rc"; has '^gpu-test: FAILED: the build was not done in 1 s'
mv "$t/gpu/test_flat" "$t/gpu/test_flat.kept"; printf '#!/bin/sh\necho "ok 1 - rope 5 x 3"\nexec sleep 60\n' >"$t/gpu/test_flat"; chmod +x "$t/gpu/test_flat"
gpu DEVICE=emu OP_SECONDS=1 SECONDS_MOST=10 gpu-test; [ $rc -ne 0 ]; ok $? "an op test that hangs: exit $rc"
has '^FAILED test_flat: 0 of 1 checks, not done in 1 s'; has 'it got as far as: rope 5 x 3'; has 'training step of tiny qwen2'
mv "$t/gpu/test_flat.kept" "$t/gpu/test_flat"
printf '{"a": -nan, "b": inf, "c": 1}\n{"cut": 1, "of' >"$t/gpu/log/part"; sed -n '/^list () {/,/^}/p' "$top_srcdir/tests/cuda/gpu_run.sh" >"$t/list.sh"
is '    {"a": null, "b": null, "c": 1}' "$(. "$t/list.sh"; list "$t/gpu/log/part")" "JSON of no numbers, and of a line that was cut off"
pretend SECONDS_MOST=3 gpu-test; [ $rc -ne 0 ]; ok $? "no time: exit $rc"; has '^gpu-test: INCOMPLETE'; has 'no time was left .*test_flat.*gpu_steps-diff-7B'

# the driver's library is hidden, wherever the test runs
mkdir "$t/none" && : >"$t/none/libcuda.so.1"
LD_LIBRARY_PATH=$t/none${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} CUDA_VISIBLE_DEVICES='' gpu DEVICE=cuda gpu-test; is 0 $rc "without a GPU"
has '^gpu-test: SKIP: (no NVIDIA driver|the NVIDIA driver cannot start|no CUDA device)'; is 0 "$(grep -c passed "$t/log")" "and nothing passed"
[ ! -e "$t/gpu/test.json" ]; ok $? "no result of an earlier run stays"
gpu DEVICE=emu CUDA_DIR= gpu-bench; has '^gpu-bench: SKIP: no CUDA toolkit'
finish
