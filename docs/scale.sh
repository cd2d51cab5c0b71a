#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# scale.sh PROGRAM <docs/scale.md >new: the page with every block between "<!-- solera plan ... -->" (a table) or "<!-- text: solera plan ... -->" and "<!-- end -->" made anew by that command. Run it in the folder that holds jobs/.
#   make scale-doc
set -eu
program=$1 skip=
while IFS= read -r line; do
  [ "$line" = '<!-- end -->' ] && skip=
  [ -n "$skip" ] || printf '%s\n' "$line"
  case $line in
    '<!-- solera plan '*' -->' | '<!-- text: solera plan '*' -->')
      skip=1; fence=; arguments=${line#*'solera '}; arguments=${arguments%' -->'}
      case $line in *text:*) fence='```' ;; esac
      printf '%s\n' "$fence"
      # words, not patterns; a plan that does not fit exits with 1 and is an answer all the same
      set -f; status=0
      # shellcheck disable=SC2086
      "$program" $arguments || status=$?
      [ "$status" -le 1 ] || exit 1
      printf '%s\n' "$fence" ;;
  esac
done
