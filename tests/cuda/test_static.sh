#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What nvcc made of the kernels against tests/cuda/budget.txt: registers, stack, spills, shared memory, blocks that fit on a multiprocessor, 16-byte accesses and tensor cores where they belong,
# and no atomic additions of floats. test_static.sh table: as a table. test_static.sh write: a new budget from what is there, for review before it is committed.
here=$top_srcdir/tests/cuda objects=$top_builddir/kernels/cuda budget=$top_srcdir/tests/cuda/budget.txt
LC_ALL=C; export LC_ALL
if [ -z "$CUDA_DIR" ] || ! ls "$objects"/*.nv.o.log >/dev/null 2>&1; then echo "1..0 # SKIP no objects of nvcc in this build"; exit 0; fi
command -v c++filt >/dev/null || { echo "1..0 # SKIP no c++filt"; exit 0; }
tmp=$(mktemp -d "${TMPDIR:-/tmp}/sol-static.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' 0
${CUDA_CXX:-g++} -O1 -I"$CUDA_DIR/include" -o "$tmp/occupancy" "$here/occupancy.cpp" || { echo "not ok 1 - occupancy.cpp compiles"; echo 1..1; exit 1; }

# columns: file:kernel arch registers stack spills static threads load16 store16 mma ldmatrix cp_async float_atomics
awk -f "$here/static.awk" "$objects"/*.nv.o.log "$objects"/*.ptx >"$tmp/raw"
cut -d' ' -f2 "$tmp/raw" | c++filt | sed 's/^void //; s/^static //; s/(anonymous namespace):://g; s/(.*//; s/ //g; s/__nv_bfloat16/bf16/g; s/unsignedshort/u16/g; s/unsignedint/u32/g' >"$tmp/names"
paste -d' ' "$tmp/names" "$tmp/raw" | awk '{ $1 = $2 ":" $1; $2 = ""; $3 = ""; sub (/  +/, " "); print }' | sort -u >"$tmp/found"
# threads and dynamic shared memory that PTX does not tell come from the budget. occupancy: blocks limit arch registers static dynamic threads file:kernel ...
awk 'NR == FNR { if ($1 !~ /^#/) { threads[$1] = $2; dynamic[$1] = $3 } next }
  { t = $7 > 0 ? $7 : ($1 in threads) ? threads[$1] : 256; print $2, $3, $6, dynamic[$1] + 0, t, $0 }' "$budget" "$tmp/found" | "$tmp/occupancy" >"$tmp/all" || exit 1
# from here: 1 blocks, 2 limit, 3 arch, 4 registers, 5 static, 6 dynamic, 7 threads, 8 name, 9 arch, 10 registers, 11 stack, 12 spills, 13 static, 14 maxntid, 15 load, 16 store, 17 mma, 18 ldmatrix, 19 cp.async, 20 atomics

# a line a kernel: threads, shared memory, spills; for sm_80, 90 and 100 registers, blocks that fit, and the share of a multiprocessor's threads that these are; instructions of the PTX
table () {
  printf '%-46s %7s %7s %6s %6s  %-11s %-8s %-14s %s\n' kernel threads dynamic static spills registers blocks occupancy 'load16 store16 mma ldmatrix cp.async'
  sort -k8,8 -k3,3n "$tmp/all" | awk '
    function flush() { if (k != "") printf "%-46s %7d %7d %6d %6d  %-11s %-8s %-14s %s\n", k, threads, dynamic, static, spills, registers, blocks, share, what }
    $8 != k { flush(); k = $8; threads = $7; dynamic = $6; static = $5; spills = 0; registers = blocks = share = ""; what = $15 " " $16 " " $17 " " $18 " " $19 }
    { at = registers == "" ? "" : " "; registers = registers at $4; blocks = blocks at $1; share = share at int (100 * $1 * $7 / 2048) "%"; if ($12 > spills) spills = $12; if ($5 > static) static = $5 }
    END { flush() }'
}
case $1 in
table) table; exit 0 ;;
write)
  sed -n '/^#/p' "$budget" >"$tmp/new"
  sort -k8,8 -k3,3n "$tmp/all" | awk '
    function less(a, b) { return a == "" || b < a ? b : a }
    { k = $8; if (!(k in seen)) { seen[k] = 1; order[++n] = k }
      threads[k] = $7; dynamic[k] = $6; shared[k] = $5 > shared[k] ? $5 : shared[k] + 0; spills[k] = $12 > spills[k] ? $12 : spills[k] + 0
      registers[k] = registers[k] " " int (($4 + 7) / 8) * 8; blocks[k] = blocks[k] " " $1
      for (i = 0; i < 5; i++) want[k, i] = less(want[k, i], $(15 + i)) }
    END { for (j = 1; j <= n; j++) { k = order[j]; printf "%-46s %4d %6d %6d %4d  %s  %s  %s %s %s %s %s\n", k, threads[k], dynamic[k], shared[k], spills[k], registers[k], blocks[k], want[k, 0], want[k, 1], want[k, 2], want[k, 3], want[k, 4] } }' >>"$tmp/new"
  cat "$tmp/new" >"$budget"
  exit 0 ;;
esac

# one line for what is wrong: file, then the text
awk 'NR == FNR { if ($1 !~ /^#/ && NF) { known[$1] = 1; for (i = 2; i <= NF; i++) b[$1, i] = $i } next }
  function bad(text) { file = $8; sub (/:.*/, "", file); print file, $8 " for sm_" $3 ": " text }
  { k = $8; at = $3 == 80 ? 0 : $3 == 90 ? 1 : 2; met[k] = 1 }
  !(k in known) { bad("not in the budget"); next }
  $4 > b[k, 6 + at] { bad($4 " registers, at most " b[k, 6 + at] " expected") }
  $11 > b[k, 5] { bad("a stack frame of " $11 " bytes, at most " b[k, 5] " expected") }
  $12 > b[k, 5] { bad($12 " bytes of spills, at most " b[k, 5] " expected") }
  $5 > b[k, 4] { bad($5 " bytes of static shared memory, at most " b[k, 4] " expected") }
  $14 > 0 && $14 != b[k, 2] { bad($14 " threads a block, " b[k, 2] " expected") }
  $1 < b[k, 9 + at] { bad($1 " blocks fit on a multiprocessor, limited by " $2 "; at least " b[k, 9 + at] " expected") }
  $20 > 0 { bad($20 " atomic additions of floats") }
  { split ("16-byte loads,16-byte stores,mma.sync,ldmatrix,cp.async", what, ","); for (i = 0; i < 5; i++) if ($(15 + i) < b[k, 12 + i]) bad($(15 + i) " " what[i + 1] ", at least " b[k, 12 + i] " expected") }
  END { for (k in known) if (!(k in met)) { file = k; sub (/:.*/, "", file); print file, k ": in the budget, but there is no such kernel" } }' "$budget" "$tmp/all" >"$tmp/wrong"

n=0
for f in $(cut -d: -f1 "$tmp/found" | cat - "$tmp/wrong" | cut -d' ' -f1 | sort -u); do
  n=$((n + 1))
  if grep -q "^$f " "$tmp/wrong"; then echo "not ok $n - $f keeps to its budget"; sed -n "s/^$f /# /p" "$tmp/wrong"
  else echo "ok $n - $f keeps to its budget ($(grep -c "^$f:" "$tmp/found") kernels)"; fi
done
archs=$(cut -d' ' -f2 "$tmp/found" | sort -nu | tr '\n' ' ')
n=$((n + 1)); if [ "$archs" = "80 90 100 " ]; then echo "ok $n - for sm_80, sm_90 and sm_100"; else echo "not ok $n - for sm_80, sm_90 and sm_100, found $archs"; fi
n=$((n + 1)); if [ -s "$tmp/all" ]; then echo "ok $n - $(wc -l <"$tmp/all") kernels and architectures were looked at"; else echo "not ok $n - some kernels were found"; fi

# the plugin exports one function; neither it nor the program is linked with the driver, and the program with nothing of CUDA
needs () { readelf -d "$1" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }
check () { n=$((n + 1)); if [ "$2" = "$3" ]; then echo "ok $n - $1"; else echo "not ok $n - $1: expected '$2', found '$3'"; fi; } # TEXT EXPECTED FOUND
if command -v readelf >/dev/null && command -v nm >/dev/null; then
  check "libsolera-cuda.so exports sol_plugin and nothing else" sol_plugin "$(nm -D --defined-only "$top_builddir/libsolera-cuda.so" | awk '{ printf "%s%s", by, $3; by = " " }')"
  check "it needs cuBLASLt, and is not linked with the driver" 1 "$(needs "$top_builddir/libsolera-cuda.so" | grep -cE '^lib(cuda\.|cublasLt\.)')"
  check "solera is linked with nothing of CUDA" "" "$(needs "$top_builddir/solera" | grep -E '^lib(cuda|cublas|nccl|nv)')"
fi
table
echo "1..$n"
