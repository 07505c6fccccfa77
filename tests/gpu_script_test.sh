#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
#
# tests/gpu.sh with programs that are none, on a machine that seems to have a GPU: a part that fails or crashes costs no other
# part its line, what is known is written as it comes, and few files come back.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
  echo "FAILED: $1" >&2
  cat "$work/stdout" "$work/stderr" >&2
  exit 1
}
# program PATH: its text comes from the standard input.
program() {
  mkdir -p "$(dirname "$work/$1")"
  { echo '#!/bin/bash'; cat; } >"$work/$1"
  chmod +x "$work/$1"
}

program path/nvidia-smi <<<'echo "NVIDIA H200, 580.1, 9.0"'
program path/compute-sanitizer <<<'echo clean'
program path/mpirun <<<'echo "no ranks here"; exit 1'
# It takes its time to find out, and no part before the comparisons waits for that.
program path/python-without-torch <<<'[[ $2 == "import torch"* ]] && { sleep 6; exit 1; }; exec python3 "$@"'
program pack/bin/argosy-plan <<<'while (($#)); do [[ $1 == --out ]] && echo "{}" >"$2"; shift; done'
# Trains on this very command alone; else it ends as after a fault.
program pack/bin/argosy-train <<'PROGRAM'
[[ $1 == --help ]] && exit 0
while (($#)); do
  [[ $1 == --run-dir ]] && dir=$2
  shift
done
[[ $dir == *demo-dense* ]] || kill -SEGV $$
mkdir -p "$dir"
for step in 1 2; do echo "{\"step\": $step, \"loss\": 5.0, \"grad_norm\": 1.0}"; done >"$dir/metrics.jsonl"
PROGRAM
program pack/bin/gpu_ops_bench <<<'printf "| op | GB/s |\n| copy | 4300 |\n"'
program pack/tests/cuda_device_test <<<'echo "[  PASSED  ] 3 tests."'
program pack/tests/comm_nccl_test <<<'exit 1'
program pack/tests/gpu_runs_test <<<'echo "[  PASSED  ] 3 tests of runs."'
program pack/tests/cudnn_graphs_test <<<'echo "refused: no kernel"; exit 1'
program pack/tests/cuda_ops_test <<'PROGRAM'
[[ $1 == --gtest_list_tests ]] && { printf 'Running main()\nNormCuda.\n  A\n  B\nFp8Cuda.\n  C\nAttentionCuda.\n  E\n  F\nSizes/RowsCuda.\n  D/0  # of a parameter\n'; exit; }
case "$*" in
  *NormCuda*) printf '[       OK ] NormCuda.A\n[       OK ] NormCuda.B\n' ;;
  *AttentionCuda.E*) echo '[       OK ] AttentionCuda.E' ;;
  *RowsCuda*) echo '[       OK ] Sizes/RowsCuda.D/0' ;;
  *) echo 'a fault of the device'; kill -SEGV $$ ;;
esac
PROGRAM
echo 0123abc >"$work/pack/commit"
mkdir "$work/out"

OUT=$work/out GPU_RUN=$work/run GPU_PACK=$work/pack PEER_PYTHON=$work/path/python-without-torch PATH=$work/path:$PATH \
  tests/gpu.sh 8 >"$work/stdout" 2>"$work/stderr"
code=$?
((code == 1)) || fail "exit code $code, not 1: parts failed"
# has LINE: a part of a line of the results, in both places.
has() {
  grep -qF "$1" "$work/stdout" || fail "not printed: $1"
  grep -qF "$1" "$work/out/results.md" || fail "not in results.md: $1"
}
has ', NVIDIA H200, 580.1, 9.0, 0123abc |'
has '| ops against the CPU | FAILED, exit code 1'
has '4 tests of 5 suites passed; suites that failed: Fp8Cuda AttentionCuda.F'
has 'demo-dense, 20 steps, bf16, GPU twice and against the CPU'\''s fp32 | 2 steps equal to the bit; 0.00% at most'
has '| demo-moe, 20 steps | FAILED, exit code'
has '| copy | 4300 |'
has '| two ranks on one GPU | FAILED, exit code 1'
has '| memcheck, ops | clean'
has ', checkpoints | [  PASSED  ] 3 tests of runs.'
has '| cuDNN'\''s kernels | FAILED, exit code 1'
has '| PyTorch, llama-1b-fp8 | FAILED'
has '| all parts |'
files=$(find "$work/out" -type f | wc -l)
((files == 2)) || fail "$files files in OUT, not results.md and logs.tar.gz"
# All of the list before it is looked at: tar would die of a grep that has found what it wants.
logs=$(tar -tzf "$work/out/logs.tar.gz")
[[ $logs == *ops-Sizes-RowsCuda.log* ]] || fail "a log is missing in logs.tar.gz"

# Some of the parts.
OUT=$work/out GPU_RUN=$work/run GPU_PACK=$work/pack PEER_PYTHON=$work/path/python-without-torch PATH=$work/path:$PATH \
  tests/gpu.sh 8 'memcheck, ops|device' >"$work/stdout" 2>"$work/stderr" || fail "exit code $? of parts that pass"
has '| memcheck, ops | clean'
(($(grep -c '^| ' "$work/out/results.md") == 4)) || fail "not the table's head and three lines"

# A comparison asks for gradients in any order too, as PyTorch adds them: here a quarter faster, captured steps a tenth.
program compare/argosy-plan <<<'while (($#)); do [[ $1 == --out ]] && echo "{}" >"$2"; shift; done'
program compare/argosy-train <<'PROGRAM'
rate=100
while (($#)); do
  case $1 in
    --run-dir) dir=$2 ;;
    --deterministic) [[ $2 == off ]] && rate=125 ;;
    --cuda-graphs) rate=110 ;;
  esac
  shift
done
mkdir -p "$dir"
for step in {1..13}; do
  echo "{\"step\": $step, \"loss\": 5.0, \"tokens_per_s\": $rate, \"mfu\": 0.5, \"step_s\": 0.01, \"memory_bytes\": {\"peak\": 1}}"
done >"$dir/metrics.jsonl"
PROGRAM
tests/bench/compare_torch_gpu.py --no-torch --works gpt2-124m --bin "$work/compare" --work-dir "$work/compared" --limit 100 \
  >"$work/stdout" 2>"$work/stderr" || fail "exit code $? of a comparison"
grep -qF '| - (>= 1.1) | 1.250 of its own | 1.100 | 0.500 |' "$work/stdout" || fail "not the line of a comparison"

# Stopped before its time: what came first is there.
rm -rf "$work/out" "$work/run" && mkdir "$work/out"
program pack/tests/cuda_ops_test <<<'sleep 15'
OUT=$work/out GPU_RUN=$work/run GPU_PACK=$work/pack PEER_PYTHON=$work/path/python-without-torch PATH=$work/path:$PATH \
  timeout 5 tests/gpu.sh 8 >"$work/stdout" 2>"$work/stderr"
grep -qF "CPUs near it | passed: [  PASSED  ] 3 tests." "$work/out/results.md" || fail "results.md of a run that was stopped"
echo "tests/gpu_script_test.sh: passed"
