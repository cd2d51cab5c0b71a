#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# calibrate.sh PROGRAM [FOLDER [SEEDS]]: the demonstration with several seeds, each from a base model of its own, and a summary of all. What docs/demo.md reports.
#   jobs/calibrate.sh build/solera runs/calibrate "1 2 3 4 5"
set -eu
solera=$(realpath "$1"); here=$(cd "$(dirname "$0")" && pwd); out=${2-runs/calibrate}
cd "$here/.."
python=${PYTHON3-$(sed -n 's/^PYTHON3 = //p' "$(dirname "$solera")/Makefile" 2>/dev/null || true)}
for seed in ${3-1 2 3 4 5}; do PYTHON3=$python sh jobs/demo.sh "$solera" "$out/seed$seed" "$seed"; done
"${python:?a Python with matplotlib is needed}" analysis/calibrate.py "$out"
