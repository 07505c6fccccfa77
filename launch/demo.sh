#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
#
# From a model and a cluster to a trained model, on this machine's own cores: the cores are measured, a plan is made, four
# MPI ranks train a small Mixture-of-Experts model on a dictionary, the planner learns from that run, the run goes on under
# another layout, and LoRA fine-tunes the result on text of another kind. Everything that it makes lies in runs/demo.
#   launch/demo.sh [--no-install]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

# What is trained and how long; each can be set from outside, as in: STEPS=500 launch/demo.sh
STEPS=${STEPS:-160}                  # of the first layout
RESUMED_STEPS=${RESUMED_STEPS:-200}  # in total, the rest under the second layout
LORA_STEPS=${LORA_STEPS:-50}
FIRST_LAYOUT=${FIRST_LAYOUT:-tp=1,pp=2,dp=2,ep=2}
SECOND_LAYOUT=${SECOND_LAYOUT:-tp=2,pp=1,dp=2,ep=2}
LORA_LAYOUT=${LORA_LAYOUT:-tp=1,pp=1,dp=4,ep=4}
JOB=(--model configs/models/demo-moe.json --devices 4 --seq-len 256 --global-batch 16 --precision fp32)
LORA_JOB=(--task lora --lora-rank 8)

install=yes
[[ ${1-} == --no-install ]] && install=no
bin=build/bin
demo=runs/demo
data=$demo/data
cluster=$demo/here.json  # this machine, as measured

heading() { printf '\n== %s\n' "$*"; }

# Prints a command as one can type it, then runs it.
run() {
  printf '$ %s\n' "$*"
  "$@"
}

# Any user may do this; root is kept from changing to a user who may not write here.
download() { apt-get -q -o APT::Sandbox::User=root download "$1"; }

# file_of_package PACKAGE PATH: prints where PATH (no leading /) of a Debian package is: on the system if it is installed,
# else unpacked below runs/demo, so that nothing is installed for the sake of its text.
file_of_package() {
  local package=$1 path=$2 unpacked=$PWD/$demo/packages
  if [[ -e /$path ]]; then
    echo "/$path"
    return
  fi
  if [[ ! -e $unpacked/$path ]]; then
    if [[ $install != yes ]]; then
      echo "Missing: Debian package $package (its text is read, it need not be installed)" >&2
      return 1
    fi
    mkdir -p "$unpacked"
    (cd "$unpacked" && { download "$package" || { apt_get update && download "$package"; }; }) >&2
    dpkg-deb -x "$unpacked/$package"_*.deb "$unpacked"
  fi
  echo "$unpacked/$path"
}

# Paragraphs of the dictionary as lines of plain text: unwrapped; without sources, pronunciation and the braces of links.
dictionary_text() {
  gzip -dc <"$1" | iconv -c -f utf-8 -t ascii//TRANSLIT | awk '
    BEGIN { RS = "" }
    /00-database|GCIDE|GNU|MICRA|original data|^===/ { next }   # notices
    { gsub(/[ \t\n]+/, " ")
      gsub(/ ?\[(1913 Webster|PJC|WordNet|Webster|Century Dict|RP|AS|RDH|DP)[^]]*\]/, "")
      gsub(/ \\[^\\]*\\/, ""); gsub(/[{}]/, ""); sub(/^ /, "")
      if (length($0) > 40) print }'
}

# The sources of the Python manual: technical English with code and reStructuredText markup.
manual_text() {
  find "$1" -name '*.rst.txt' -print0 | sort -z | xargs -0 cat | iconv -c -f utf-8 -t ascii//TRANSLIT
}

# hold_out PREFIX LINES: stdin into PREFIXtrain.txt and, every 50th block of so many lines, the first 256 KB of
# PREFIXeval.txt.
hold_out() {
  awk -v prefix="$1" -v lines="$2" '
    int(NR / lines) % 50 == 49 { if (size < 256000) print >(prefix "eval.txt"); size += length($0) + 1; next }
    { print >(prefix "train.txt") }'
}

prepare_text() {
  local dictionary manual
  mkdir -p "$data"
  if [[ ! -e $data/complete ]]; then
    dictionary=$(file_of_package dict-gcide usr/share/dictd/gcide.dict.dz)
    dictionary_text "$dictionary" | hold_out "$data/" 1
    manual=$(file_of_package python3.11-doc usr/share/doc/python3.11/html/_sources)
    manual_text "$manual" | hold_out "$data/lora_" 100
    touch "$data/complete"
  fi
  wc -c "$data"/*.txt
  echo "A few lines of it:"
  sed -n '50001,50004p' "$data/train.txt" | cut -c 1-110
}

build() {
  run cmake --preset release
  run cmake --build --preset release --parallel "$(build_jobs)" \
    --target argosy-plan argosy-train argosy-launch argosy-checkpoint
}

# make_plan LAYOUT OUT [options of argosy-plan]
make_plan() { run "$bin/argosy-plan" "${JOB[@]}" --cluster "$cluster" --fix "$1" --out "$2" "${@:3}"; }

# train PLAN RUN_DIR STEPS [options of argosy-train]
train() { run "$bin/argosy-launch" --plan "$1" -- --run-dir "$2" --steps "$3" "${@:4}"; }

# sample RUN_DIR PROMPT: a continuation by its newest checkpoint, on one rank.
sample() { run "$bin/argosy-train" --run-dir "$1" --generate "$2" --max-new-tokens 300; }

# Corrections for the next plan. A run on a busy machine teaches nothing, and the plan is then as the machine was measured.
learn() {
  run "$bin/argosy-plan" --learn "$demo/pretrain" --cluster "$cluster" || echo "Nothing was learned: the next plan is not corrected."
}

# Exit code 0 as long as every weight of the first checkpoint is in the second, bit for bit; adapters are left out.
prove_base_unchanged() {
  run "$bin/argosy-checkpoint" diff "$1" "$2" --kind parameter --ignore lora
  echo "The base weights are the same, bit for bit."
}

# numbers TEXT FILE: those that directly follow TEXT.
numbers() { grep -o "$1 *[0-9.e+-]*" "$2" | grep -o '[0-9.e+-]*$'; }
first_and_last() { numbers "$1" "$2" | sed -n '1p;$p' | xargs printf '%.4f -> %.4f\n'; }
average() { numbers "$1" "$2" | awk -v scale="$3" '{ sum += $1 } END { if (NR) printf "%.1f", scale * sum / NR; else printf "?" }'; }
median() { sort -g | awk '{ all[NR] = $1 } END { printf "%.0f", 1000 * all[int((NR + 1) / 2)] }'; }
# planned_and_measured PLAN FIRST LAST: milliseconds of a step in the plan, and in the median of these steps of the run.
planned_and_measured() {
  echo "$(numbers '"step_s":' "$1" | median) ms planned, $(numbers '"step_s":' $demo/pretrain/metrics.jsonl |
    sed -n "$2,$3p" | median) ms measured"
}

summary() {
  local pretrain=$demo/pretrain lora=$demo/lora
  echo "loss of pre-training:  $(first_and_last '"loss":' $pretrain/metrics.jsonl)"
  echo "held-out loss:         $(first_and_last 'held-out loss' $pretrain/events.jsonl)"
  echo "held-out loss, LoRA:   $(first_and_last 'held-out loss' $lora/events.jsonl)"
  echo "tokens/s:              $(average '"tokens_per_s":' $pretrain/metrics.jsonl 1)"
  echo "MFU:                   $(average '"mfu":' $pretrain/metrics.jsonl 100)%"
  echo "a step, first layout:  $(planned_and_measured $demo/first.json 1 "$STEPS")"
  echo "a step, second layout: $(planned_and_measured $demo/second.json $((STEPS + 1)) "$RESUMED_STEPS")"
  echo "reports:               $pretrain/report.html $lora/report.html"
  echo "checkpoints:           $pretrain/checkpoints $lora/checkpoints"
}

main() {
  heading "1/8 Packages and build"
  ensure_packages "$install" "${build_packages[@]}"
  build
  heading "2/8 Text: a dictionary, and the Python manual for LoRA"
  prepare_text
  rm -rf "$demo/pretrain" "$demo/lora" "${cluster%.json}".*
  mkdir -p "$demo/pretrain" "$demo/lora"

  heading "3/8 Measure this machine"
  run "$bin/argosy-plan" --calibrate --out "$cluster"
  heading "4/8 Plan"
  make_plan "$FIRST_LAYOUT" "$demo/first.json"
  heading "5/8 Train on 4 ranks: $FIRST_LAYOUT"
  train "$demo/first.json" "$demo/pretrain" "$STEPS" \
    --config configs/runs/demo-pretrain.cfg --data "$data/train.txt" --eval-data "$data/eval.txt"
  sample "$demo/pretrain" "Ship, n. A large vessel"

  heading "6/8 Learn from the run, and resume it under another layout: $SECOND_LAYOUT"
  learn
  make_plan "$SECOND_LAYOUT" "$demo/second.json"
  train "$demo/second.json" "$demo/pretrain" "$RESUMED_STEPS" --resume auto \
    --config configs/runs/demo-pretrain.cfg --data "$data/train.txt" --eval-data "$data/eval.txt"

  heading "7/8 LoRA on the Python manual: $LORA_LAYOUT"
  make_plan "$LORA_LAYOUT" "$demo/lora.json" "${LORA_JOB[@]}"
  train "$demo/lora.json" "$demo/lora" "$LORA_STEPS" --init "$demo/pretrain" \
    --config configs/runs/demo-lora.cfg --data "$data/lora_train.txt" --eval-data "$data/lora_eval.txt"
  prove_base_unchanged "$demo/pretrain" "$demo/lora"

  heading "8/8 Done in $((SECONDS / 60)) min $((SECONDS % 60)) s"
  summary
}

main
