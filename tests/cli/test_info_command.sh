#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# solera info: this program and machine, in both forms
solera=$top_builddir/solera
t=$(mktemp -d "${TMPDIR:-/tmp}/sol-info.XXXXXX") || exit 99
trap 'rm -rf "$t"' 0
n=0
ok () { n=$((n+1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$t/out" "$t/err" | head -60; fi; }
OMPI_MCA_mpi_show_handle_leaks=0 "$solera" info >"$t/out" 2>"$t/err"; ok $? "solera info"
for part in '^solera:' '  version: [0-9]' '  compiler: ' '  flags: ' '^libraries:' '  hdf5: [0-9]' '^mpi:' '  library: ..*' '  osc: sm,pt2pt' 'OMPI_MCA_mpi_show_handle_leaks' \
            '^cpu:' '  features:' '  kernels: \(portable\|avx2\|avx512\)$' '^backends:' '  cpu: runs yes on ' '  ref: runs yes on ' '  cuda: runs \(no because ..*\|yes on ..*\)'; do
  grep -q "$part" "$t/out"; ok $? "it has $part"
done
SOLERA_ISA=portable "$solera" info >"$t/out" 2>"$t/err"; ok $? "solera info, portable"
"$solera" info --json >"$t/out" 2>"$t/err"; ok $? "solera info --json"
if [ -n "$PYTHON3" ]; then
  "$PYTHON3" -c 'import json,sys; f=json.load(sys.stdin); assert f["solera"]["version"] and f["backends"]["cpu"]["runs"] is True and f["mpi"]["ranks"]==1 and isinstance(f["cpu"]["features"],list)' <"$t/out" 2>"$t/err"
  ok $? "it is JSON with these facts"
else n=$((n+1)); echo "ok $n - JSON # SKIP no python3"; fi
"$solera" info "$t/nowhere" >"$t/out" 2>"$t/err"; [ $? -eq 1 ]; ok $? "a missing path fails"
grep -q 'no such file' "$t/err"; ok $? "and says so"
"$solera" info "$t" >"$t/out" 2>"$t/err"; [ $? -eq 1 ]; ok $? "an unknown folder fails"
grep -q 'settings.yaml' "$t/err"; ok $? "and says what was expected"
"$solera" info a b >"$t/out" 2>"$t/err"; [ $? -eq 2 ]; ok $? "two paths are wrong use"
echo "1..$n"
