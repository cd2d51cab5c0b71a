#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh TEST: run a test if its level is asked for; a script as it is, a program at every rank count that its source asks for on the first line,
#   /* ranks: 1 3 5 */    through mpirun; without that line it runs alone, without mpirun
# as one TAP stream. A run that dies, hangs or prints no plan is a failed point, never silence.
prog=$1; base=${prog##*/}; base=${base%.sh}; k=0
case $prog in *.sh) src=$prog ;; *) src=$srcdir/${prog#./}.c ;; esac
case $SOLERA_TESTS in
  smoke) case " $SMOKE " in *" $base "*) ;; *) echo "1..0 # SKIP not a smoke test"; exit 0 ;; esac ;;
  full) ;;
  *) if sed -n 1,3p "$src" | grep -q 'level: full'; then echo "1..0 # SKIP level full: make check-full"; exit 0; fi ;;
esac
tmp=$(mktemp -d "${TMPDIR:-/tmp}/sol-test.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' 0
TEST_TMPDIR=$tmp; export TEST_TMPDIR
run () {
  limit=$(sed -n '1,4s,.*timeout: \([0-9]*\).*,\1,p' "$src")
  timeout -k 5 "${TEST_TIMEOUT:-${limit:-480}}" "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?
}
ranks=$(sed -n '1s,^/\* ranks: \([0-9 ]*\)\*/.*,\1,p' "$src")
for n in ${ranks:-0}; do
  case $prog in
    *.sh) run sh "$prog" ;;
    *) if [ "$n" -eq 0 ]; then run "$prog"; else run "$MPIRUN" -np "$n" "$prog"; fi ;;
  esac
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
# what it cost
times >"$tmp/times"
awk -v test="$base" 'NR == 2 { for (i = 1; i <= 2; i++) { split ($i, a, /[ms]/); s += 60 * a[1] + a[2] } printf "# CPU %.1f s in %s\n", s, test }' "$tmp/times"
echo "1..$k"
