#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
[ -n "$PYTHON3" ] || { echo "1..0 # SKIP no Python with h5py and matplotlib"; exit 0; }
MPLCONFIGDIR=$TEST_TMPDIR/mpl; export MPLCONFIGDIR
exec "$PYTHON3" -B "$top_srcdir/tests/system/test_figures.py" "$top_srcdir/analysis" "$TEST_TMPDIR/runs"
