#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
#
# On a machine with a GPU: builds the cuda preset for that GPU, runs the tests that need it, measures, and prints one table
# for tests/gpu_results.md. Logs are left in build/cuda/gpu/. A part that fails is a line of the table, and the exit code 1.
#   tests/gpu.sh [MINUTES]      what is not begun after that long is not begun (8)
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

limit_s=$((60 * ${1:-8}))
out=build/cuda/gpu
bin=build/cuda/bin
rows=()
failed=0
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1

add_row() { rows+=("| $1 | $2 |"); }

# part NAME COMMAND...: runs it with its output in a log, within what is left of the time; false if it fails or is late.
part() {
  local name=$1 log="$out/${1//[^a-z0-9]/_}.log" left=$((limit_s - SECONDS)) start=$SECONDS code=0
  shift
  if ((left < 10)); then
    add_row "$name" "NOT RUN: the time is over"
    failed=1
    return 1
  fi
  timeout "$left" "$@" >"$log" 2>&1 || code=$?
  if ((code != 0)); then
    add_row "$name" "FAILED, exit code $code, $((SECONDS - start)) s: $(grep -vE '^ *$' "$log" | tail -1 | cut -c1-160)"
    failed=1
    return 1
  fi
  part_s=$((SECONDS - start))
}

build() {
  cmake --preset cuda "-DCMAKE_CUDA_ARCHITECTURES=$architecture" &&
    cmake --build --preset cuda --parallel "$(nproc)" --target cuda_tests argosy-plan argosy-launch
}

# A short run of a plan of one GPU on random tokens; prints what the last steps reached.
train() {
  local model=$1 batch=$2 length=$3 dir=$out/$1
  rm -rf "$dir"
  mkdir -p "$dir"
  head -c 4000000 /dev/urandom | base64 -w0 >"$dir/tokens.txt"
  "$bin/argosy-plan" --model "configs/models/$model.json" --cluster configs/clusters/h200-8.json --devices 1 \
    --seq-len "$length" --global-batch "$batch" --precision bf16 --out "$dir/plan.json" &&
    "$bin/argosy-train" --plan "$dir/plan.json" --data "$dir/tokens.txt" --steps 20 --run-dir "$dir/run" --device cuda \
      --checkpoint-every 0
}

# Tokens a second and MFU in the median of the last ten steps.
rate_of_run() {
  python3 - "$1/run/metrics.jsonl" <<'PYTHON'
import json, statistics, sys
steps = [json.loads(line) for line in open(sys.argv[1])][-10:]
print(f"{statistics.median(s['tokens_per_s'] for s in steps):,.0f} tokens/s, MFU "
      f"{100 * statistics.median(s['mfu'] for s in steps):.1f}%, loss {steps[-1]['loss']:.4f}")
PYTHON
}

find_nvcc >/dev/null || exit 1
if ! gpu=$(nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader 2>&1 | head -1); then
  echo "tests/gpu.sh: no GPU here: ${gpu:-nvidia-smi is not installed}" >&2
  exit 1
fi
architecture=$(sed 's/.*, *//; s/\.//' <<<"$gpu")
mkdir -p "$out"

if part "build" build; then
  add_row "build" "$part_s s for sm_$architecture on $(nproc) cores"
  part "ops against the CPU" ctest --test-dir build/cuda --output-on-failure -L '^gpu$' -R 'ops' && add_row "ops against the CPU" "passed in $part_s s"
  part "collectives over NCCL" ctest --test-dir build/cuda --output-on-failure -R '^comm_nccl_test' && add_row "collectives over NCCL" "passed in $part_s s"
  part "memcheck of the ops" compute-sanitizer --tool memcheck --error-exitcode 3 build/cuda/tests/cuda_ops_test && add_row "memcheck of the ops" "clean in $part_s s"
  part "racecheck of the ops" compute-sanitizer --tool racecheck --error-exitcode 3 build/cuda/tests/cuda_ops_test && add_row "racecheck of the ops" "clean in $part_s s"
  part "GPT-2 124M, 20 steps" train gpt2-124m 32 1024 && add_row "GPT-2 124M, T=1024, bf16" "$(rate_of_run "$out/gpt2-124m")"
  if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    add_row "PyTorch" "installed: $(python3 -c 'import torch; print(torch.__version__)'); the comparison is not written yet"
  else
    add_row "PyTorch" "not installed: nothing to compare with"
  fi
fi

echo
echo "| $(date -u +%F), $gpu, $(git rev-parse --short HEAD) | |"
echo "|---|---|"
printf '%s\n' "${rows[@]}"
exit "$failed"
