#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# level: full, timeout: 3000. The demonstration's effect with three seeds: bounds with slack around what docs/demo.md reports. A run's bytes depend on its settings alone, so this is
# repeatable; but any change of the arithmetic changes the chaotic trajectories, so medians are bounded, not runs.
. "$top_srcdir/tests/system/lib.sh"
[ -n "$PYTHON3" ] || { echo "1..0 # SKIP no Python with h5py"; exit 0; }
export PYTHON3
for seed in 0 1 2; do
  run sh "$top_srcdir/jobs/demo.sh" "$solera" "$t/seed$seed" $seed
  is 0 $rc "the demonstration with seed $seed ends well"
done
"$PYTHON3" -B - "$top_srcdir/analysis" "$t" "$n" <<'END'
import glob, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from solera_run import Run
n = int(sys.argv[3])
def ok(good, text):
    global n
    n += 1
    print(f"{'' if good else 'not '}ok {n} - {text}")
runs = {k: [Run(f"{s}/{k}") for s in sorted(glob.glob(sys.argv[2] + "/seed*"))] for k in ("grpo_s0", "grpo_s256", "grpo_no_tr_s256", "m2po_s256")}
def median(name, update): return float(np.median([r.pass_at(update) for r in runs[name]]))
def low(name, value, at, bound): ok(value >= bound, f"{name} at {at}: {value:.3f} >= {bound}")
low("grpo s=0", median("grpo_s0", 320), 320, 0.9)
low("m2po s=256", median("m2po_s256", 320), 320, 0.7)
gain = median("m2po_s256", 160) - median("grpo_s256", 160)
low("m2po over grpo, s=256", gain, 160, 0.15)
fell = [r.collapse()[0] for r in runs["grpo_no_tr_s256"]]
ok(sum(fell) >= 2, f"without a trust region {sum(fell)} of 3 collapse")
ok(not any(r.collapse()[0] for k in ("grpo_s0", "grpo_s256") for r in runs[k]), "with clipping none does")
fell = [r.collapse()[0] for r in runs["m2po_s256"]]
ok(sum(fell) <= 1, f"with m2po {sum(fell)} of 3, at most 1")
clip = {k: float(np.median([np.nanmean(r.metric("clip_share")[:256]) for r in v])) for k, v in runs.items()}
ok(0 < clip["m2po_s256"] < clip["grpo_s256"], f"masked {100 * clip['m2po_s256']:.2f} % < clipped {100 * clip['grpo_s256']:.2f} %")
print(f"1..{n}")
END
