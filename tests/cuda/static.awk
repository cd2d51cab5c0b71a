# SPDX-License-Identifier: Apache-2.0
# What nvcc made of the kernels. Reads the messages of ptxas (FILE.nv.o.log) and PTX (FILE.compute_NN.ptx); prints for each kernel and architecture
#   file mangled arch registers stack spills static threads load16 store16 mma ldmatrix cp_async float_atomics
function base(path) { sub (/.*\//, "", path); sub (/\..*/, "", path); return path }
function bytes(line, what, at) { # the number before " bytes WHAT"
  at = index (line, " bytes " what)
  if (!at) return 0
  line = substr (line, 1, at - 1)
  sub (/.*[^0-9]/, "", line)
  return line + 0
}
FNR == 1 {
  file = base(FILENAME)
  ptx = FILENAME ~ /\.ptx$/
  arch = FILENAME
  sub (/.*compute_/, "", arch); sub (/\.ptx$/, "", arch)
  key = ""
}
!ptx && /Compiling entry function/ {
  split ($0, part, "'")
  arch = part[4]
  sub (/sm_/, "", arch)
  key = file " " part[2] " " arch
  keys[++n] = key
  next
}
!ptx && key != "" && /bytes stack frame/ { stack[key] = bytes($0, "stack frame"); spill[key] = bytes($0, "spill stores") + bytes($0, "spill loads") }
!ptx && key != "" && /Used [0-9]+ registers/ {
  registers[key] = $0
  sub (/.*Used /, "", registers[key]); sub (/ registers.*/, "", registers[key])
  shared[key] = bytes($0, "smem")
  key = ""
}
ptx && /\.entry / {
  name = $0
  sub (/.*\.entry /, "", name); sub (/[^A-Za-z0-9_$].*/, "", name)
  key = file " " name " " arch
}
ptx && /^[ \t]*\.maxntid / { threads[key] = $2 + 0 }
ptx && /ld\.global[a-z0-9_.:A-Z]*\.(v4\.[a-z]*32|v2\.[a-z]*64|v8\.[a-z]*32)/ { load[key]++ }
ptx && /st\.global[a-z0-9_.:A-Z]*\.(v4\.[a-z]*32|v2\.[a-z]*64|v8\.[a-z]*32)/ { store[key]++ }
ptx && /mma\.sync/ { mma[key]++ }
ptx && /ldmatrix\.sync/ { matrix[key]++ }
ptx && /cp\.async\.c[ag]\.shared/ { copy[key]++ }
ptx && /^[ \t]*(@[%!a-z0-9]+ )?(atom|red)\.[a-z0-9_.:]*\.(f16|f16x2|bf16|bf16x2|f32|f64)/ { atomic[key]++ }
END {
  for (i = 1; i <= n; i++) {
    k = keys[i]
    print k, registers[k], stack[k] + 0, spill[k] + 0, shared[k] + 0, threads[k] + 0, load[k] + 0, store[k] + 0, mma[k] + 0, matrix[k] + 0, copy[k] + 0, atomic[k] + 0
  }
}
