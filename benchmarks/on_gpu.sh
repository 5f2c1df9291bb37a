#!/usr/bin/env bash
# All that has to be seen on a GPU, in about five minutes:
#
#     bash benchmarks/on_gpu.sh OUT             leaves OUT/on_gpu.log and OUT/on_gpu.json
#     bash benchmarks/on_gpu.sh --cpu OUT       tries the script itself, where there is no GPU
#
# It needs minidl's own requirements, pytest and CuPy, and no network. docs/gpu.md says more.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 -m benchmarks.gpu.run "$@"
