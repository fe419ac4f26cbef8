#!/bin/sh
# Measure the models on a bare machine with an NVIDIA GPU, in less than eight minutes and without a
# network: torch with and without a CUDA graph, ONNX Runtime and TensorRT where they are present,
# and a comparison of the results with the processor in double precision.
#
#   scripts/gpu_check.sh OUT.json [--quick]      needs Python with torch, NumPy and onnx
#   PYTHON=/opt/venv/bin/python3 WHEELS=wheels scripts/gpu_check.sh OUT.json
#
# WHEELS: a folder of wheels to carry along for what is missing there, made on another machine by
#   pip download --only-binary :all: --no-deps -d wheels onnx onnxruntime-gpu
set -eu
out=${1:?usage: scripts/gpu_check.sh OUT.json [--quick]}
shift
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
path=$root
if [ -n "${WHEELS:-}" ]; then
  packages=$(mktemp -d)
  trap 'rm -rf "$packages"' EXIT
  "$python" -m pip install --quiet --no-index --no-deps --target "$packages" "$WHEELS"/*.whl
  path=$root:$packages
fi
# After seven minutes what was measured so far stands in the file.
PYTHONPATH=$path timeout 420 "$python" "$root/scripts/gpu_check.py" --json "$out" "$@"
