#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""What data parallelism costs inside a node: GPT-2 124M on the same cores as N ranks of one thread and as one rank of N
threads, in turn, four micro-batches a rank's share (gradient accumulation 4). Prints medians and their ratio as Markdown.

    cmake --build build --target argosy-plan argosy-train
    tests/bench/ranks_or_threads.py [--precisions fp32,bf16] [--ranks 2] [--samples 3]

Run it on a quiet machine: the slower rank of a pair decides, so that other jobs cost two ranks more than two threads.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile

from compare_torch import GPT2, clean_environment, write_tokens

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEQ_LEN, ACCUMULATION, STEPS = 256, 4, 4


def make_plan(args, folder, precision, ranks):
    """`ranks` data-parallel ranks; the global batch, cut into micro-batches of one sequence, is the same for all."""
    path = folder / f"{precision}-{ranks}.json"
    fixed = (f"tp=1,pp=1,dp={ranks},cp=1,ep=1,etp=1,zero=0,recompute=none,schedule=1f1b,"
             f"micro_batch={args.ranks // ranks}")
    command = [args.build / "bin/argosy-plan", "--model", folder / "config.json", "--cluster",
               ROOT / "configs/clusters/local-cpu.json", "--devices", ranks, "--seq-len", SEQ_LEN, "--global-batch",
               args.ranks * ACCUMULATION, "--precision", precision, "--fix", fixed, "--out", path]
    subprocess.run([str(c) for c in command], check=True, capture_output=True)
    return path


def step_s(args, folder, plan, ranks):
    """Median of a run's steps; the first, which touches memory, does not count."""
    environment = {**clean_environment(), "OMP_NUM_THREADS": str(args.ranks // ranks), "OMP_PROC_BIND": "true",
                   "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    with tempfile.TemporaryDirectory(dir=folder) as run_dir:
        command = [args.build / "bin/argosy-launch", "--plan", plan, "--", "--data", folder / "tokens.bin", "--steps", STEPS,
                   "--run-dir", run_dir, "--checkpoint-every", 0]
        subprocess.run([str(c) for c in command], check=True, capture_output=True, env=environment)
        lines = (pathlib.Path(run_dir) / "metrics.jsonl").read_text().splitlines()
    return statistics.median(json.loads(line)["step_s"] for line in lines[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--ranks", type=int, default=2, help="ranks of one thread, and threads of one rank")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    args = parser.parse_args()
    print(f"| precision | 1 rank x {args.ranks} threads | {args.ranks} ranks x 1 thread | ranks' share of the threads' rate |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "config.json").write_text(json.dumps(GPT2))
        write_tokens(folder / "tokens.bin", GPT2["vocab_size"])
        for precision in args.precisions.split(","):
            plans = {ranks: make_plan(args, folder, precision, ranks) for ranks in (1, args.ranks)}
            samples = {ranks: [] for ranks in plans}
            for _ in range(args.samples):
                for ranks, plan in plans.items():
                    samples[ranks].append(step_s(args, folder, plan, ranks))
            one, many = (statistics.median(samples[ranks]) for ranks in plans)
            print(f"| {precision} | {one * 1e3:.0f} ms | {many * 1e3:.0f} ms | {one / many:.1%} |", flush=True)


if __name__ == "__main__":
    main()
