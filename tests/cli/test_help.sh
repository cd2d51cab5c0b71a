#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# the command line's outside: help, version, exit statuses, and the files made from the tables
solera=$top_builddir/solera
t=$(mktemp -d "${TMPDIR:-/tmp}/sol-help.XXXXXX") || exit 99
trap 'rm -rf "$t"' 0
n=0
ok () { n=$((n+1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$t/out" "$t/err" | head -20; fi; }
run () { "$solera" "$@" >"$t/out" 2>"$t/err"; rc=$?; }
is () { [ "$rc" -eq "$1" ]; ok $? "$2: exit $rc, expected $1"; }
has () { grep -qF -- "$1" "$t/out"; ok $? "standard output has '$1'"; }
err () { grep -qF -- "$1" "$t/err"; ok $? "standard error has '$1'"; }

run; is 2 "no command"; has "usage: solera COMMAND"
run help; is 0 help; has "solera help COMMAND"
run --help; is 0 --help; has "usage: solera COMMAND"
run --version; is 0 --version; grep -q '^solera [0-9]' "$t/out"; ok $? "a version"
run hlep; is 2 "a misspelt command"; err "the nearest is 'help'"
run frobnicate; is 2 "an unknown command"; err "solera help lists them"
run help frobnicate; is 2 "help of an unknown command"
run help help; is 0 "help of a command"; has "usage: solera help"; has "--markdown"
run help --help; is 0 "--help of a command"; has "usage: solera help"
run help -h; is 0 "-h of a command"
run help settings; is 0 "all settings"; has "staleness.k"; has "exact, bounded or free; default exact"; has "watchdog_s"; has "default 600 s"
run help objectives; is 0 "all objectives"; has "m2po_tis"; has "from arXiv 2602.04879"; has "max_length (rollout.max_tokens, 64): longest response allowed"
[ "$(grep -c '^      from .' "$t/out")" -ge 20 ]; ok $? "every objective says where it is from"
run help --mna; is 2 "a misspelt option"; err "the nearest is '--man'"
run help --man=x; is 2 "a value where none is taken"; err "--man takes no value"
run help seed=3; is 2 "settings where none are taken"; err "takes no settings"
run help help help; is 2 "too many arguments"; err "unexpected argument"
"$solera" help >/dev/full 2>"$t/err"; rc=$?; is 1 "a full disk"

run help --markdown; is 0 --markdown
diff -u "$top_srcdir/docs/settings.md" "$t/out" >"$t/err"; ok $? "docs/settings.md is up to date (make settings-doc)"
[ "$(grep -c '^| `' "$t/out")" -gt 70 ]; ok $? "it has a row for every setting"
awk '/^\| `/ { s = $0; gsub (/\\\|/, "", s); if (gsub (/\|/, "", s) != 7) exit 1 }' "$t/out"; ok $? "every row has six cells"

run help --man; is 0 --man
has ".TH SOLERA 1"; has ".SS help"; has ".B staleness.k"; has ".B seq_tis"
if command -v groff >/dev/null 2>&1; then
  groff -man -Tutf8 -ww -z "$t/out" >"$t/err" 2>&1; [ ! -s "$t/err" ]; ok $? "groff takes the page without a warning"
else n=$((n+1)); echo "ok $n - groff # SKIP not installed"; fi

run help --bash; is 0 --bash
cp "$t/out" "$t/completion"
if command -v bash >/dev/null 2>&1; then
  # completes these words: prints what would be offered
  complete_words () {
    bash -c 'compopt () { :; }; . "$0"; shift 0; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _solera; echo "${COMPREPLY[*]}"' "$t/completion" "$@" >"$t/out" 2>"$t/err"
  }
  complete_words solera he; grep -qx 'help' "$t/out"; ok $? "bash completes a command"
  complete_words solera help --m; grep -q -- '--man --markdown' "$t/out"; ok $? "bash completes options"
  complete_words solera help sett; grep -qx 'settings' "$t/out"; ok $? "bash completes help's words"
  complete_words solera train staleness.mode = b; grep -qx 'bounded' "$t/out"; ok $? "bash completes a choice"
  complete_words solera train staleness.mode =; grep -qx 'exact bounded free' "$t/out"; ok $? "bash offers all choices"
  complete_words solera train stats.write = t; grep -qx 'true' "$t/out"; ok $? "bash completes true"
  [ ! -s "$t/err" ]; ok $? "bash says nothing else"
else n=$((n+1)); echo "ok $n - bash # SKIP not installed"; fi
echo "1..$n"
