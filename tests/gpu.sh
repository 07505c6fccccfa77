#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
#
# Everything that only a GPU can tell, in one go, the most valuable first; prints one table for tests/gpu_results.md.
#   tests/gpu.sh [MINUTES [PARTS]]  on a machine with a GPU: builds for it, or takes what --pack left; runs, measures (8);
#                              PARTS: a regular expression of the parts' names, for what a run before had no time for
#   tests/gpu.sh --pack        on another machine with CUDA's compiler: builds for Hopper and collects programs and libraries in
#                              build/gpu-pack, to be copied to the GPU's: no minute of a GPU goes into compiling
#   tests/gpu.sh --dry-run     all that needs no GPU: syntax, plans of each part, the models that PyTorch is given
# Each part has its own time limit; one that is late is stopped, and what is not begun in time is not begun. A part that
# fails is a line of the table, with the last lines of its log below. Exit code 1 if one failed. What there is so far is
# always in build/gpu-run (or $GPU_RUN): results.md and the parts' logs; if OUT names a folder, copies go there after each
# part: results.md and one archive of the logs.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

self=$PWD/tests/gpu.sh
export GPU_PACK=${GPU_PACK:-$PWD/build/gpu-pack}
pack=$GPU_PACK
export GPU_RUN=${GPU_RUN:-$PWD/build/gpu-run}
out=$GPU_RUN
gpu="no GPU was asked"
peer_python=${PEER_PYTHON:-python3}
rows=()
notes=()
failed=0
only=
export PYTHONPYCACHEPREFIX=$out/pycache # nothing is written beside the sources
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
# Ranks may not read each other's memory by process_vm_readv() everywhere: a container forbids it, and vader asks too late.
export OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_vader_single_copy_mechanism=none

add_row() { rows+=("| $1 | $2 |"); }

# What is known so far, so that a run that is stopped has not been for nothing.
publish() {
  print_table >"$out/results.md"
  [[ -n ${OUT:-} ]] || return 0
  cp "$out/results.md" "$OUT/results.md"
  (cd "$out" && find . -maxdepth 1 \( -name '*.log' -o -name '*.md' -o -name measured.json \) -print0 | tar -czf "$OUT/logs.tar.gz" --null -T -)
}

# Programs: of the pack if there is one, else built here.
use_programs() {
  if [[ -x $pack/bin/argosy-train ]]; then bin=$pack/bin tests=$pack/tests; else bin=$PWD/build/cuda/bin tests=$PWD/build/cuda/tests; fi
}

# part SECONDS NAME COMMAND...: runs it with its output in a log, within its limit and what is left of the time. False if it
# fails or is late; the row is then written here, else by the caller from $part_s and $log.
part() {
  local limit=$1 name=$2 left=$((limit_s - SECONDS)) start=$SECONDS code=0
  shift 2
  [[ -z $only || $name == build || $name =~ $only ]] || { log=/dev/null; return 1; }
  publish
  log=$out/${name//[^a-zA-Z0-9]/_}.log
  if ((left < 10)); then
    add_row "$name" "NOT RUN: the time is over"
    failed=1
    return 1
  fi
  echo "[$SECONDS s] $name" >&2
  timeout -k 5 "$((limit < left ? limit : left))" "$@" >"$log" 2>&1 || code=$?
  part_s=$((SECONDS - start))
  ((code == 0)) && return 0
  failed=1
  if ((code == 124 || code == 137)); then
    add_row "$name" "STOPPED after $part_s s (its limit is $limit s)"
  else
    add_row "$name" "FAILED, exit code $code, $part_s s"
  fi
  notes+=("$name: $(grep -vE '^ *$' "$log" | tail -12 | cut -c1-400)")
  return 1
}

# --- parts: each is run as `tests/gpu.sh --part NAME`, so that a time limit can end it ---

build() {
  ensure_cudnn_frontend yes || true # configuring says what lacks then
  cmake --preset cuda "-DCMAKE_CUDA_ARCHITECTURES=$1" &&
    cmake --build --preset cuda --parallel "$(nproc)" --target cuda_tests argosy-plan argosy-train gpu_ops_bench
}

# The repository's own text: something to learn in 20 steps. A dense twin of the demo's model.
prepare_demo() {
  mkdir -p "$out/demo"
  cat README.md CONTRIBUTING.md */README.md trainer/*/README.md >"$out/demo/text.txt"
  python3 - "$out/demo/demo-dense.json" <<'PYTHON'
import json, sys
lines = open("configs/models/demo-moe.json").read().splitlines()
config = json.loads("\n".join(line for line in lines if not line.startswith("//")))
for key in ("num_local_experts", "num_experts_per_tok", "router_aux_loss_coef", "sliding_window", "architectures"):
    del config[key]
config["model_type"] = "llama"
json.dump(config, open(sys.argv[1], "w"))
PYTHON
  cp configs/models/demo-moe.json "$out/demo/"
}

# demo_plan MODEL PRECISION DEVICES FIX: prints where the plan is.
demo_plan() {
  local name="$1-$2-${4//[^a-z0-9]/_}" cluster=h200-8
  [[ $2 == fp32 ]] && cluster=local-cpu # H200s are planned in bf16; the trainer takes the plan for any device
  "$bin/argosy-plan" --model "$out/demo/$1.json" --cluster "configs/clusters/$cluster.json" --devices "$3" --seq-len 256 \
    --global-batch 16 --precision "$2" --fix "$4" --out "$out/demo/$name.json" >"$out/demo/$name.log" 2>&1 ||
    { tail -3 "$out/demo/$name.log" >&2; return 1; }
  echo "$out/demo/$name.json"
}

one_rank="tp=1,pp=1,dp=1,cp=1,ep=1,etp=1,zero=0,micro_batch=8,recompute=none,schedule=1f1b"

# demo_run PLAN RUN_DIR STEPS OPTIONS...
# The learning rate is one at which bf16 stays within 0.15% of fp32 on the CPU (dense, 20 steps; 2.5% at 3e-4, 4.6% at 1e-3:
# single steps whose gradient's norm jumps), so that a larger difference is the GPU's.
demo_run() {
  local plan=$1 dir=$2 steps=$3
  shift 3
  "$bin/argosy-train" --plan "$plan" --data "$out/demo/text.txt" --steps "$steps" --run-dir "$dir" --lr 1e-4 "$@"
}

# Losses of both runs, step by step: largest relative difference, an error beyond LIMIT. Limit 0: equal to the bit, and norms.
compare_losses() {
  python3 - "$@" <<'PYTHON'
import json, sys
first, second, limit = sys.argv[1], sys.argv[2], float(sys.argv[3])
read = lambda path: {step["step"]: step for step in map(json.loads, open(path + "/metrics.jsonl"))}
a, b = read(first), read(second)
steps = sorted(a.keys() & b.keys())
if not steps: sys.exit(f"no common steps of {first} and {second}")
if limit == 0:
    other = [s for s in steps if any(a[s][key] != b[s][key] for key in ("loss", "grad_norm"))]
    if other: sys.exit(f"the runs differ from step {other[0]} on: {a[other[0]]['loss']!r}, {b[other[0]]['loss']!r}")
    print(f"{len(steps)} steps equal to the bit")
else:
    worst = max(abs(a[s]["loss"] - b[s]["loss"]) / b[s]["loss"] for s in steps)
    print(f"{100 * worst:.2f}% at most over {len(steps)} steps (loss {a[steps[0]]['loss']:.3f} to {a[steps[-1]]['loss']:.3f})")
    if worst > limit: sys.exit(f"more than {100 * limit:g}%")
PYTHON
}

# 20 steps: the GPU in bf16 against the CPU in fp32, and the GPU twice.
part_steps() {
  local model=$1 plan reference run=$out/steps-$1
  prepare_demo
  rm -rf "$run"-*
  plan=$(demo_plan "$model" bf16 1 "$one_rank") && reference=$(demo_plan "$model" fp32 1 "$one_rank") || return 1
  demo_run "$plan" "$run-gpu" 20 --device cuda --checkpoint-every 0 &&
    demo_run "$plan" "$run-again" 20 --device cuda --checkpoint-every 0 &&
    OMP_NUM_THREADS=$(nproc) demo_run "$reference" "$run-cpu" 20 --device cpu --checkpoint-every 0 || return 1
  compare_losses "$run-gpu" "$run-again" 0 && compare_losses "$run-gpu" "$run-cpu" 0.01
}

# Steps that are captured, against the same op by op.
part_graphs() {
  local plan run=$out/graphs
  prepare_demo
  rm -rf "$run"-*
  plan=$(demo_plan demo-dense bf16 1 "$one_rank") || return 1
  demo_run "$plan" "$run-off" 20 --device cuda --checkpoint-every 10 &&
    demo_run "$plan" "$run-on" 20 --device cuda --checkpoint-every 10 --cuda-graphs on | tee "$run.txt" || return 1
  compare_losses "$run-on" "$run-off" 0 && grep -h 'graphs of' "$run.txt"
}

# Four steps on the GPU, two on the CPU, two on the GPU, against eight on the GPU.
part_checkpoint() {
  local plan run=$out/checkpoint
  prepare_demo
  rm -rf "$run" "$run-whole"
  plan=$(demo_plan demo-moe bf16 1 "$one_rank") || return 1
  demo_run "$plan" "$run-whole" 8 --device cuda --checkpoint-every 0 &&
    demo_run "$plan" "$run" 4 --device cuda &&
    demo_run "$plan" "$run" 6 --device cpu --resume auto &&
    demo_run "$plan" "$run" 8 --device cuda --resume auto && compare_losses "$run" "$run-whole" 0.01
}

# Layouts, several ranks on this GPU, each against one rank: losses, gradients and parameters.
layouts=(
  "demo-dense tp=2" "demo-dense tp=2,sequence_parallel=0" "demo-dense pp=2" "demo-dense pp=2,schedule=zb-h1" "demo-dense dp=2,zero=1"
  "demo-dense dp=2,zero=2" "demo-dense dp=2,zero=3" "demo-dense cp=2" "demo-moe dp=2,ep=2" "demo-moe tp=2,etp=2"
  "demo-dense tp=2,dp=2,zero=1" "demo-moe pp=2,dp=2,ep=2")
layout_plan() { # MODEL FIX: prints ranks and the plan's place
  local degrees=$2 ranks=1 axis
  for axis in tp pp dp cp; do
    [[ $degrees =~ (^|,)$axis=([0-9]+) ]] && ranks=$((ranks * BASH_REMATCH[2])) || degrees+=",$axis=1"
  done
  [[ $degrees == *ep=* ]] || degrees+=",ep=1"
  [[ $degrees == *etp=* ]] || degrees+=",etp=1"
  [[ $degrees == *zero=* ]] || degrees+=",zero=0"
  [[ $degrees == *schedule=* ]] || degrees+=",schedule=1f1b"
  echo "$ranks $(demo_plan "$1" fp32 "$ranks" "$degrees,micro_batch=4,recompute=none")"
}
part_layouts() {
  local line ranks plan passed=0 bad=()
  prepare_demo
  for line in "${layouts[@]}"; do
    read -r ranks plan < <(layout_plan ${line})
    echo "== $line: $ranks ranks"
    if [[ -n $plan ]] && timeout -k 2 30 "$mpirun" --bind-to none -np "$ranks" "$bin/argosy-train" --plan "$plan" --data "$out/demo/text.txt" \
      --verify 2 --device cuda --share-gpus; then
      passed=$((passed + 1))
    else
      bad+=("$line")
    fi
  done
  echo "$passed of ${#layouts[@]} layouts equal one rank${bad[*]:+; not: ${bad[*]}}"
  ((${#bad[@]} == 0))
}

# The ops' tests, a suite a process and several at a time: after a fault of the GPU every later call of a process fails.
# Attention's tests are processes of their own, as cuDNN compiles a kernel for each shape.
part_ops() {
  local suites suite bad=()
  mapfile -t suites < <("$tests/cuda_ops_test" --gtest_list_tests | awk '
    /^[A-Z][A-Za-z0-9\/]*\./ { suite = $1; if (suite != "AttentionCuda.") print suite "*"; next }
    suite == "AttentionCuda." && /^  / { print suite $1 }')
  ((${#suites[@]} > 0)) || { echo "$tests/cuda_ops_test lists no tests"; return 1; }
  printf '%s\n' "${suites[@]}" | OMP_NUM_THREADS=3 xargs -P 6 -I SUITE bash -c \
    'log=${2%.\*} log=$3/ops-${log//\//-}; timeout -k 2 60 "$1" --gtest_filter="$2" >"$log.log" 2>&1; echo "$?" >"$log.code"' bash "$tests/cuda_ops_test" SUITE "$out"
  for suite in "${suites[@]%.\*}"; do
    suite=${suite//\//-}
    [[ $(cat "$out/ops-$suite.code") == 0 ]] && continue
    bad+=("$suite")
    echo "== $suite: exit code $(cat "$out/ops-$suite.code")"
    grep -hE '^\[  FAILED|Failure|failed|terminate|what' "$out/ops-$suite.log" | head -8 | cut -c1-300
  done
  echo "$(cat "$out"/ops-*.log | grep -cE '^\[       OK') tests of ${#suites[@]} suites passed${bad[*]:+; suites that failed: ${bad[*]}}"
  ((${#bad[@]} == 0))
}

# Ranks that share a GPU talk over the loopback. Few channels and nothing else looked for: a communicator is made in a
# fraction of the time, and there are many.
nccl_on_one_gpu() {
  (($(nvidia-smi -L | wc -l) > 1)) && return
  export NCCL_NET=Socket NCCL_SOCKET_IFNAME=lo NCCL_IB_DISABLE=1 NCCL_NVLS_ENABLE=0 NCCL_MNNVL_ENABLE=0 NCCL_MAX_CTAS=2
}

# ranks_of_nccl RANKS FILTER
ranks_of_nccl() {
  "$mpirun" --bind-to none -np "$1" "$tests/comm_nccl_test" --gtest_filter="$2" --gtest_brief=1
}

part_measure() { # argosy-train --measure: what a planner needs to know of this GPU
  "$mpirun" -np 1 "$bin/argosy-train" --measure "$out/measured.json" --measure-seconds 15 --device cuda &&
    "$bin/argosy-plan" --model configs/models/llama-1b.json --cluster "$out/measured.json" --devices 1 --seq-len 4096 --global-batch 4
}

# sanitize SECONDS TOOL WHAT FILTER: the op tests of FILTER under compute-sanitizer.
sanitize() {
  local sanitizer name="$2, $3" options=()
  # Libraries try calls that may fail, and go on: that is no fault. Our own calls are checked by the program.
  [[ $2 == memcheck ]] && options=(--report-api-errors no)
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null) || {
    add_row "$name" "NOT RUN: compute-sanitizer is not installed (NVIDIA's package cuda-sanitizer of the toolkit's version)"
    failed=1
    return 1
  }
  part "$1" "$name" "$sanitizer" --tool "$2" "${options[@]}" --error-exitcode 3 "$tests/cuda_ops_test" --gtest_filter="$4" --gtest_brief=1 &&
    add_row "$name" "clean, $part_s s"
}

last_line() { grep -vE '^ *$' "$log" | tail -1 | cut -c1-200; }

# --- modes ---

run_all() {
  local smi architecture model
  if ! smi=$(nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader 2>&1); then
    echo "tests/gpu.sh: no GPU here: ${smi:-nvidia-smi is not installed}" >&2
    exit 1
  fi
  gpu=$(head -1 <<<"$smi")
  architecture=$(sed 's/.*, *//; s/\.//' <<<"$gpu")
  rm -rf "$out"
  mkdir -p "$out"
  # Before the bundle's libraries come on the path: is it there, and does it see the GPU? Beside the first parts, since its
  # import reads gigabytes from a disk that nobody has read yet.
  export PEER_LIBRARY_PATH=${LD_LIBRARY_PATH-}
  timeout 120 "$peer_python" -c 'import torch; assert torch.cuda.is_available()' >"$out/torch.log" 2>&1 &
  torch_check=$!
  # shellcheck source=/dev/null
  [[ -e $pack/bundle/activate ]] && source "$pack/bundle/activate"
  # Programs of another machine may lack a library here; then they are built.
  if [[ -x $pack/bin/argosy-train ]] && ! timeout 60 "$pack/bin/argosy-train" --help >"$out/pack.log" 2>&1; then
    add_row "programs of --pack" "do not run here, built instead: $(tail -1 "$out/pack.log" | cut -c1-160)"
    export GPU_PACK=/nonexistent
    pack=$GPU_PACK
  fi
  use_programs
  if [[ $bin != "$pack/bin" ]]; then
    find_nvcc >/dev/null || exit 1
    part 400 "build" "$self" --part build "$architecture" || { publish; print_table; exit 1; }
    add_row "build" "$part_s s for sm_$architecture on $(nproc) cores"
  fi
  mpirun=$(command -v mpirun) && export mpirun

  nccl_on_one_gpu
  local start_s=$SECONDS
  part 40 "device" "$tests/cuda_device_test" --gtest_brief=1 && add_row "the device's clock, copies beside ops, CPUs near it" "passed: $(last_line)"
  part 75 "ops against the CPU" "$self" --part ops && add_row "ops against the CPU" "$(last_line), $part_s s"
  for model in demo-dense demo-moe; do
    part 60 "$model, 20 steps" "$self" --part steps "$model" && add_row "$model, 20 steps, bf16, GPU twice and against the CPU's fp32" "$(tail -2 "$log" | paste -sd ';' | sed 's/;/; /')"
  done
  part 90 "bandwidth of ops" "$bin/gpu_ops_bench" && { add_row "matrix products and memory-bound ops" "table below, $part_s s"; tables+=("$log"); }
  local nccl_works=no
  part 40 "two ranks on one GPU" "$self" --part nccl 2 '*all_reduce*' && {
    nccl_works=yes
    add_row "two NCCL ranks on one GPU" "an all-reduce in $part_s s"
    conformance 50 2
  }
  compare 120 gpt2-124m
  compare 145 llama-1b
  part 40 "CUDA graphs" "$self" --part graphs && add_row "demo-dense, 20 steps, captured against op by op" "$(tail -2 "$log" | paste -sd ';' | sed 's/;/; /')"
  [[ $nccl_works == yes ]] && {
    part 110 "layouts over NCCL" "$self" --part layouts && add_row "layouts over NCCL, ranks share the GPU" "$(last_line), $part_s s"
    conformance 70 4
  }
  compare 125 moe-1b-active
  part 40 "checkpoint GPU, CPU, GPU" "$self" --part checkpoint && add_row "checkpoint from GPU to CPU to GPU" "$(last_line)"
  part 60 "runs in one process" "$tests/gpu_runs_test" --gtest_brief=1 && add_row "the demo's models, 20 steps twice, against fp32, checkpoints" "$(last_line), $part_s s"
  compare 150 gpt2-1.5b
  # What takes longest, attention and experts, in parts of their own. Racecheck looks at shared memory: the other ops have none.
  local slow_ops='AttentionCuda.*:MatmulCuda.Group*'
  sanitize 60 memcheck "ops" "-$slow_ops"
  sanitize 60 racecheck "ops with shared memory" 'NormCuda.*:RowsCuda.*:RouterCuda.*:ElementwiseCuda.*:Fp8*Cuda.*:TrainingCuda.Cross*'
  sanitize 60 memcheck "attention and experts" "$slow_ops"
  sanitize 60 racecheck "attention and experts" "$slow_ops"
  part 60 "measure" "$self" --part measure && add_row "argosy-train --measure" "$(last_line)"
  part 40 "cuDNN's kernels" "$tests/cudnn_graphs_test" --gtest_brief=1 && add_row "cuDNN's kernels for attention, as of an H200" "$(last_line), $part_s s"
  compare 150 llama-8b-lora
  compare 70 llama-1b-fp8
  add_row "all parts" "$((SECONDS - start_s)) s of GPU time"
  publish
  print_table
  exit "$failed"
}

# conformance SECONDS RANKS
conformance() {
  part "$1" "NCCL conformance, $2 ranks" "$self" --part nccl "$2" '*' && add_row "NCCL conformance, $2 ranks on one GPU" "passed in $part_s s"
}

# compare SECONDS WORK: Argosy beside PyTorch; each prints a line of one table.
compare() {
  local limit=$1 work=$2
  if [[ -n $torch_check ]]; then
    wait "$torch_check" || compare_options=(--no-torch)
    torch_check=
  fi
  part "$limit" "PyTorch, $work" tests/bench/compare_torch_gpu.py --works "$work" --bin "$bin" --python "$peer_python" \
    --work-dir "$out/compare" --limit "$((limit - 5))" "${compare_options[@]}"
  # Also of a comparison that failed: what it has measured before.
  if grep -qE '^\| ' <(grep -v '^| work' "$log"); then comparisons+=("$log"); fi
}

tables=()
comparisons=()
compare_options=()
torch_check=
print_table() {
  echo
  echo "| $(date -u +%F), $gpu, $(cat "$pack/commit" 2>/dev/null || git describe --always --dirty 2>/dev/null || echo 'commit unknown') | |"
  echo "|---|---|"
  printf '%s\n' "${rows[@]}"
  if ((${#comparisons[@]} > 0)); then
    echo
    grep -hE '^\| work|^\|---' "${comparisons[0]}" | head -2
    grep -hE '^\| ' "${comparisons[@]}" | grep -vE '^\| work'
    grep -hE '^Not measured' "${comparisons[@]}"
  fi
  for table in "${tables[@]}"; do
    echo
    cat "$table"
  done
  for note in "${notes[@]}"; do printf '\n%s\n' "$note"; done
}

# megabytes ARGUMENTS...: of what du is given.
megabytes() { du -cm --apparent-size "$@" | tail -1 | cut -f1; }

make_pack() {
  local start=$SECONDS pack_tests=(cuda_ops_test cuda_device_test comm_nccl_test gpu_runs_test cudnn_graphs_test)
  find_nvcc >/dev/null || exit 1
  ensure_cudnn_frontend yes || exit 1
  set -e
  # Any server that has a Hopper GPU has AVX-512; it need not be this machine's CPU.
  cmake --preset cuda -B build/gpu -DCMAKE_CUDA_ARCHITECTURES=90 -DARGOSY_CPU_ARCH=x86-64-v4
  cmake --build build/gpu --parallel "$(build_jobs)" --target argosy-plan argosy-train gpu_ops_bench "${pack_tests[@]}"
  rm -rf "$pack"
  mkdir -p "$pack/bin" "$pack/tests"
  cp build/gpu/bin/{argosy-plan,argosy-train,gpu_ops_bench} "$pack/bin/"
  cp "${pack_tests[@]/#/build/gpu/tests/}" "$pack/tests/"
  strip "$pack"/bin/* "$pack"/tests/*
  launch/bundle.sh "$pack/bundle" --runtime
  git describe --always --dirty >"$pack/commit"
  echo "tests/gpu.sh: build/gpu-pack has $(megabytes "$pack") MB, the repository's files $(git ls-files -z | megabytes --files0-from=-) MB more; $((SECONDS - start)) s"
}

dry_run() {
  local bad=0 line ranks plan
  bin=${GPU_BIN:-$PWD/build/bin}
  if [[ ! -x $bin/argosy-train ]]; then
    echo "tests/gpu.sh: $bin/argosy-train is not built (cmake --build build --target argosy-plan argosy-train); GPU_BIN names another folder" >&2
    exit 1
  fi
  mkdir -p "$out"
  bash -n "$self" && python3 -m py_compile tests/bench/{compare_torch_gpu,torch_gpu_step}.py || bad=1
  prepare_demo
  for model in demo-dense demo-moe; do
    for precision in bf16 fp32; do demo_plan "$model" "$precision" 1 "$one_rank" || bad=1; done
  done
  for line in "${layouts[@]}"; do
    read -r ranks plan < <(layout_plan ${line})
    if [[ -n $plan ]]; then echo "$line: $ranks ranks, $plan"; else echo "$line: no plan"; bad=1; fi
  done
  # The comparisons of runs, on the CPU: one run twice is equal, bf16 is near fp32.
  local run=$out/dry
  rm -rf "$run"-*
  plan=$(demo_plan demo-moe fp32 1 "$one_rank") && demo_run "$plan" "$run-a" 2 --checkpoint-every 0 >"$run.log" 2>&1 &&
    demo_run "$plan" "$run-b" 2 --checkpoint-every 0 >"$run.log" 2>&1 && compare_losses "$run-a" "$run-b" 0 && compare_losses "$run-a" "$run-b" 0.01 || bad=1
  tests/bench/compare_torch_gpu.py --dry-run --bin "$bin" --python "$peer_python" --work-dir "$out/compare" || bad=1
  ((bad == 0)) && echo "tests/gpu.sh --dry-run: passed" || echo "tests/gpu.sh --dry-run: FAILED"
  exit "$bad"
}

case ${1-8} in
  --pack) make_pack ;;
  --dry-run) dry_run ;;
  --part)
    use_programs
    case $2 in
      build) build "$3" ;;
      nccl) ranks_of_nccl "$3" "$4" ;;
      *) "part_$2" "${@:3}" ;;
    esac
    ;;
  *[!0-9]*)
    echo "tests/gpu.sh: '$1'; valid: minutes, --pack, --dry-run" >&2
    exit 2
    ;;
  *)
    limit_s=$((60 * ${1:-8})) only=${2-}
    run_all
    ;;
esac
