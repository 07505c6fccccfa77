#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""Trains the same models with Argosy and with PyTorch on one GPU, one after the other, and prints Markdown with the ratios
to reach.

    tests/bench/compare_torch_gpu.py --bin build/cuda/bin --limit 300      what does not fit the seconds is not begun
    tests/bench/compare_torch_gpu.py --works gpt2-124m,llama-1b
    tests/bench/compare_torch_gpu.py --dry-run                             everything but the GPU: plans of each work, the
                                                                           peer's models, and equal losses of equal weights

Both do the same step: forward, backward, gradient norm clipped to 1, AdamW, random tokens, bf16 products over fp32 weights
(LoRA: a bf16 base). Each is given the micro-batch at which it is fastest. Medians of the steps behind the warm-up. MFU is
Argosy's, against the matrix rate that it measured at its start. Argosy runs twice more at the same micro-batch: with its
steps captured as CUDA graphs, and with attention's gradients in any order (--deterministic off), as PyTorch adds them.
"""

import argparse
import json
import math
import os
import pathlib
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEER = pathlib.Path(__file__).with_name("torch_gpu_step.py")
DATA_TOKENS = 1 << 20
STEPS, WARMUP_STEPS = 13, 3
RUN_SHARE = 0.4  # of the time that is left: the most that one run of a work may take
GRAPH_WARMUP_STEPS = 4  # three op by op, and the one before which a step is captured
LORA_RANK, LORA_ALPHA = 16, 16.0

# What a work is, by value: the first that a short run still measures. Micro-batches are tried in this order; the ratio to
# reach is the issue's, MFU that of models of a billion parameters and more.
WORKS = {
    "gpt2-124m": {"model": "gpt2-124m", "seq_len": 1024, "batches": [32, 64, 16], "ratio": 1.10},
    "llama-1b": {"model": "llama-1b", "seq_len": 4096, "batches": [4, 8, 2], "ratio": 1.05, "mfu": 0.65, "start": 5.0},
    "moe-1b-active": {"model": "moe-1b-active", "seq_len": 4096, "batches": [4, 2, 8], "ratio": 1.20, "graphs": False},
    "gpt2-1.5b": {"model": "gpt2-1.5b", "seq_len": 1024, "batches": [16, 8, 32], "ratio": 1.10, "mfu": 0.65},
    "llama-8b-lora": {"model": "llama-3.1-8b", "seq_len": 4096, "batches": [2, 4, 1], "ratio": 1.05, "lora": True,
                      "mfu": 0.65},
    # Argosy alone, beside its own bf16: MFU is against the rate of bf16.
    "llama-1b-fp8": {"model": "llama-1b", "seq_len": 4096, "batches": [4, 8], "precision": "fp8"},
}
# Small twins of the works' models, for --dry-run: the losses of equal weights must be equal.
TWINS = {
    "gpt2": {"model_type": "gpt2", "vocab_size": 300, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 2,
             "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "initializer_range": 0.2,
             "tie_word_embeddings": True},
    "llama": {"model_type": "llama", "vocab_size": 300, "hidden_size": 32, "intermediate_size": 48,
              "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu",
              "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "initializer_range": 0.2,
              "tie_word_embeddings": False},
}
TWINS["mixtral"] = {**TWINS["llama"], "model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2,
                    "router_aux_loss_coef": 0.0, "sliding_window": None}
TWIN_LENGTH = 64
DRY_RUN_LIMIT_S = 900  # of one program: generous, for busy machines
TWIN_TOLERANCE = 1e-5  # fp32 sums in other orders


class CannotRun(Exception):
    pass


def say(text):
    print(text, file=sys.stderr, flush=True)


class Deadline:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return self.end - time.monotonic()


def run(command, log, deadline, environment=None, takes_part=False):
    """Standard output of a program; its last words if it fails or is late. takes_part: what a late one has printed will do."""
    if deadline.left() < 5:
        raise CannotRun("the time is over")
    with open(log, "w") as errors:
        try:
            result = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=errors, text=True,
                                    timeout=deadline.left(), env={**os.environ, **(environment or {})})
        except subprocess.TimeoutExpired as late:
            part = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""  # bytes, whatever was asked
            if takes_part and part.endswith("\n"):
                return part
            raise CannotRun(f"the time was over; {log}")
    if result.returncode == 0:
        return result.stdout
    words = (result.stdout + pathlib.Path(log).read_text()).strip().splitlines()
    raise CannotRun(f"exit code {result.returncode}: {words[-1] if words else 'no message'}")


def write_tokens(path, vocab_size, count=DATA_TOKENS):
    """Random tokens as llm.c's .bin; wider numbers for vocabularies beyond 16 bits."""
    wide = vocab_size > 1 << 16
    magic, version, letter = (20240801, 7, "I") if wide else (20240520, 1, "H")
    header = struct.pack("<3i", magic, version, count).ljust(1024, b"\0")
    rng = random.Random(1)
    path.write_bytes(header + struct.pack(f"<{count}{letter}", *(rng.randrange(vocab_size) for _ in range(count))))


def read_config(path):
    lines = pathlib.Path(path).read_text().splitlines()
    return json.loads("\n".join(line for line in lines if not line.lstrip().startswith("//")))


class Work:
    def __init__(self, name, args):
        self.name, self.args = name, args
        self.facts = WORKS[name]
        self.folder = args.work_dir / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = ROOT / "configs/models" / f"{self.facts['model']}.json"
        self.seq_len = self.facts["seq_len"]
        self.vocab_size = read_config(self.config)["vocab_size"]

    def data(self):
        path = self.args.work_dir / f"tokens-{self.vocab_size}.bin"
        if not path.exists():
            write_tokens(path, self.vocab_size)
        return path

    def plan(self, batch, deadline):
        path = self.folder / f"plan-{batch}.json"
        fixed = ("tp=1,pp=1,dp=1,cp=1,zero=0,recompute=none,schedule=1f1b,"
                 f"micro_batch={batch}")
        command = [self.args.bin / "argosy-plan", "--model", self.config, "--cluster",
                   ROOT / "configs/clusters/h200-8.json", "--devices", 1, "--seq-len", self.seq_len, "--global-batch",
                   batch, "--precision", self.facts.get("precision", "bf16"), "--fix", fixed, "--out", path]
        if self.facts.get("lora"):
            command += ["--task", "lora", "--lora-rank", LORA_RANK]
        run(command, self.folder / "plan.log", deadline)
        return path


def argosy_steps(work, batch, steps, deadline, *options):
    """metrics.jsonl of a run, and the seconds from the start of the program to its first step."""
    plan = work.plan(batch, deadline)
    run_dir = work.folder / f"run-{batch}"
    shutil.rmtree(run_dir, ignore_errors=True)
    begin = time.time()
    command = [work.args.bin / "argosy-train", "--plan", plan, "--data", work.data(), "--steps", steps, "--run-dir",
               run_dir, "--checkpoint-every", 0, "--device", "cuda", *options]
    process_log = work.folder / f"argosy-{batch}.log"
    text = run(command, process_log, deadline)
    (work.folder / f"argosy-{batch}.out").write_text(text)
    metrics = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    seconds = time.time() - begin
    # Everything before the first step's end: all of the run without the later steps.
    start_s = seconds - sum(m["step_s"] for m in metrics[1:])
    return metrics, start_s


def measure_argosy(work, deadline, problems):
    best = None
    for batch in work.facts["batches"]:
        try:
            # One that hangs leaves time for the others and for the peer.
            metrics, start_s = argosy_steps(work, batch, STEPS, Deadline(RUN_SHARE * deadline.left()))
        except CannotRun as error:
            problems.append(f"{work.name}: Argosy, micro-batch {batch}: {error}")
            continue
        rates = [m["tokens_per_s"] for m in metrics[WARMUP_STEPS:]]
        mfus = [math.nan if m["mfu"] is None else m["mfu"] for m in metrics[WARMUP_STEPS:]]  # null: the peak is in doubt
        result = {"tokens_per_s": statistics.median(rates), "micro_batch": batch, "start_s": start_s,
                  "mfu": math.nan if any(map(math.isnan, mfus)) else statistics.median(mfus), "loss": metrics[-1]["loss"],
                  "memory_bytes": sum(metrics[-1]["memory_bytes"].values())}
        say(f"    Argosy, micro-batch {batch}: {result['tokens_per_s']:,.0f} tokens/s, MFU {result['mfu']:.1%}")
        if best is None or result["tokens_per_s"] > best["tokens_per_s"]:
            best = result
    if best is None:
        raise CannotRun("Argosy ran at no micro-batch")
    return best


def measure_option(work, own, warmup_steps, deadline, problems, *option):
    """(tokens/s with the option over those without, last loss); None where it does not run."""
    try:
        metrics, _ = argosy_steps(work, own["micro_batch"], STEPS, deadline, *option)
    except CannotRun as error:
        problems.append(f"{work.name}: Argosy {' '.join(option)}: {error}")
        return None
    ratio = statistics.median(m["tokens_per_s"] for m in metrics[warmup_steps:]) / own["tokens_per_s"]
    say(f"    Argosy {' '.join(option)}: {ratio:.3f} of its tokens/s without")
    return ratio, metrics[-1]["loss"]


def measure_graphs(work, own, deadline, problems):
    """Tokens/s with captured steps over those without; None where there are none."""
    if not work.facts.get("graphs", True):
        return None
    found = measure_option(work, own, GRAPH_WARMUP_STEPS, deadline, problems, "--cuda-graphs", "on")
    if found and found[1] != own["loss"]:
        problems.append(f"{work.name}: loss {found[1]!r} with CUDA graphs, {own['loss']!r} without")
    return found and found[0]


def measure_any_order(work, own, deadline, problems):
    """Tokens/s with attention's gradients in any order over those in a fixed one."""
    found = measure_option(work, own, WARMUP_STEPS, deadline, problems, "--deterministic", "off")
    return found and found[0]


def peer_environment():
    """Without the libraries that Argosy's programs brought along, where gpu.sh says what there was before."""
    path = os.environ.get("PEER_LIBRARY_PATH")
    return {} if path is None else {"LD_LIBRARY_PATH": path}


def measure_torch(work, deadline, *options):
    command = [work.args.python, PEER, "--config", work.config, "--seq-len", work.seq_len, "--batches",
               ",".join(str(b) for b in work.facts["batches"]), *options]
    if work.facts.get("lora"):
        targets = json.loads(work.plan(work.facts["batches"][0], deadline).read_text())["lora"]["targets"]
        command += ["--lora", ",".join([str(LORA_RANK), str(LORA_ALPHA), *targets])]
    return json.loads(run(command, work.folder / "torch.log", deadline, peer_environment(), takes_part=True).splitlines()[-1])


def row(work, own, peer, start, graphs, any_order):
    facts = work.facts
    ratio = own["tokens_per_s"] / peer["tokens_per_s"] if peer else None
    def goal(value, wanted, text):
        return f"{text} ({'reached' if value >= wanted else 'MISSED'}, >= {wanted:g})"
    cells = [f"{work.name}, T={work.seq_len}", f"{own['tokens_per_s']:,.0f} (mb {own['micro_batch']})"]
    cells.append(f"{peer['tokens_per_s']:,.0f} (mb {peer['micro_batch']}{'' if peer['is_compiled'] else ', eager'})" if peer else "-")
    cells.append(goal(ratio, facts["ratio"], f"{ratio:.2f}") if peer and peer["is_compiled"] else f"- (>= {facts['ratio']})" if "ratio" in facts else "-")
    cells.append("-" if not any_order else f"{ratio * any_order:.2f}" if ratio else f"{any_order:.3f} of its own")
    cells.append(f"{graphs:.3f}" if graphs else "-")
    mfu = own["mfu"]
    cells.append(goal(mfu, facts["mfu"], f"{mfu:.3f}") if "mfu" in facts else f"{mfu:.3f}")
    peer_gib = f" / {peer['memory_bytes'] / 2**30:.1f}" if peer else ""
    cells.append(f"{own['memory_bytes'] / 2**30:.1f}{peer_gib}")
    if start:
        times = start["start_s"] / own["start_s"]
        cells.append(goal(times, facts["start"], f"{own['start_s']:.1f} s / {start['start_s']:.1f} s = {times:.1f}x"))
    else:
        cells.append(f"{own['start_s']:.1f} s")
    return cells


def compare(work, deadline, problems, has_torch):
    own = measure_argosy(work, deadline, problems)
    # Seconds: before the peer, which may take all that is left.
    graphs = measure_graphs(work, own, deadline, problems)
    any_order = measure_any_order(work, own, deadline, problems)
    peer = start = None
    if has_torch and "ratio" in work.facts:
        try:
            peer = measure_torch(work, deadline)
            say(f"    PyTorch {peer['version']}, micro-batch {peer['micro_batch']}: {peer['tokens_per_s']:,.0f} tokens/s")
            if abs(peer["loss"] - own["loss"]) > 0.05 * own["loss"]:
                problems.append(f"{work.name}: losses differ: {own['loss']:.3f} and PyTorch's {peer['loss']:.3f}")
            problems += [f"{work.name}: PyTorch, {problem}" for problem in peer["problems"]]
            if not peer["is_compiled"]:
                problems.append(f"{work.name}: PyTorch was not compiled in time: its figure is that of eager steps")
            if "start" in work.facts:
                start = measure_torch(work, deadline, "--start")
        except CannotRun as error:
            problems.append(f"{work.name}: PyTorch: {error}")
    return row(work, own, peer, start, graphs, any_order)


HEADER = ["work", "Argosy tokens/s", "PyTorch tokens/s", "ratio", "ratio, gradients in any order", "with CUDA graphs", "MFU", "peak GiB, both", "process start to first step"]


def print_table(rows, problems):
    print("| " + " | ".join(HEADER) + " |")
    print("|" + "---|" * len(HEADER))
    for cells in rows:
        print("| " + " | ".join(cells) + " |")
    for problem in problems:
        print(f"\nNot measured: {problem}")
    sys.stdout.flush()


# --- without a GPU ---


def check_plans(works):
    """Each work has a plan for each of its micro-batches."""
    for work in works:
        for batch in work.facts["batches"]:
            plan = json.loads(work.plan(batch, Deadline(DRY_RUN_LIMIT_S)).read_text())
            if plan["micro_batch"] != batch or plan["seq_len"] != work.seq_len:
                raise CannotRun(f"{work.name}: the plan has micro-batch {plan['micro_batch']}")
        say(f"    {work.name}: plans of micro-batches {work.facts['batches']}")


def check_twin(name, args, train):
    folder = args.work_dir / f"twin-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config, data, plan = folder / "config.json", folder / "tokens.bin", folder / "plan.json"
    config.write_text(json.dumps(TWINS[name]))
    write_tokens(data, TWINS[name]["vocab_size"], TWIN_LENGTH + 1)
    log, deadline = folder / "log", Deadline(DRY_RUN_LIMIT_S)
    run([args.bin / "argosy-plan", "--model", config, "--cluster", ROOT / "configs/clusters/local-cpu.json", "--devices",
         1, "--seq-len", TWIN_LENGTH, "--global-batch", 1, "--precision", "fp32", "--out", plan], log, deadline)
    run([train, "--plan", plan, "--data", data, "--steps", 1, "--lr", 0, "--weight-decay", 0, "--run-dir",
         folder / "run"], log, deadline, {"OMP_NUM_THREADS": "1"})
    own = json.loads((folder / "run/metrics.jsonl").read_text().splitlines()[0])
    peer = json.loads(run([args.python, PEER, "--config", config, "--seq-len", TWIN_LENGTH, "--loss",
                           folder / "run/checkpoints/step_00000001", "--tokens", data], log, deadline))
    manifest = (folder / "run/checkpoints/step_00000001/manifest.json").read_text().splitlines()[:-1]
    parameters = sum(t["shape"][0] * t["shape"][1] for t in json.loads("\n".join(manifest))["tensors"]
                     if t["kind"] == "parameter")
    if parameters != peer["parameters"]:
        raise CannotRun(f"{name}: {parameters} parameters, PyTorch's model has {peer['parameters']}")
    if abs(own["loss"] - peer["loss"]) > TWIN_TOLERANCE * own["loss"]:
        raise CannotRun(f"{name}: loss {own['loss']}, PyTorch's from the same weights {peer['loss']}")
    say(f"    {name}: {parameters} parameters and loss {own['loss']:.6f}, PyTorch's {peer['loss']:.6f}")


def check_peer_runs(args):
    """The peer's steps, tuning and LoRA on the CPU."""
    folder = args.work_dir / "twin-mixtral"
    base = [args.python, PEER, "--config", folder / "config.json", "--seq-len", 16, "--device", "cpu", "--eager", "--steps", 2]
    for options in (["--batches", "1,2"], ["--batches", "1", "--lora", "4,8,q,k,v,o"], ["--batches", "1", "--start"]):
        result = json.loads(run(base + options, folder / "log", Deadline(DRY_RUN_LIMIT_S)).splitlines()[-1])
        say(f"    PyTorch on the CPU, {' '.join(options)}: loss {result['loss']:.4f}")


def dry_run(works, args):
    check_plans(works)
    try:
        run([args.python, "-c", "import torch"], args.work_dir / "torch.log", Deadline(DRY_RUN_LIMIT_S))
    except CannotRun as error:
        print(f"compare_torch_gpu.py: plans checked; PyTorch's models not: {args.python}: {error}")
        return
    train = args.bin / "argosy-train"
    for name in TWINS:
        check_twin(name, args, train)
    check_peer_runs(args)
    print(f"compare_torch_gpu.py: plans of {len(works)} works, {len(TWINS)} models equal to PyTorch's, its steps run")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", default=",".join(WORKS), help=f"some of {','.join(WORKS)}")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/cuda/bin")
    parser.add_argument("--python", default="python3", help="one that has torch")
    parser.add_argument("--limit", type=float, default=600, help="seconds; what is not begun by then is not measured")
    parser.add_argument("--work-dir", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "argosy-compare-gpu")
    parser.add_argument("--no-torch", action="store_true", help="Argosy alone")
    parser.add_argument("--dry-run", action="store_true", help="all that needs no GPU")
    args = parser.parse_args()
    for name in args.works.split(","):
        if name not in WORKS:
            parser.error(f"--works {name}; valid: {','.join(WORKS)}")
    for name in ("argosy-plan", "argosy-train"):
        if not (args.bin / name).exists():
            parser.error(f"{args.bin / name} is not there: build it, or name its folder with --bin")
    args.bin = args.bin.resolve()
    args.work_dir.mkdir(parents=True, exist_ok=True)
    return args


def main():
    args = parse_arguments()
    works = [Work(name, args) for name in args.works.split(",")]
    if args.dry_run:
        try:
            dry_run(works, args)
        except CannotRun as error:
            print(f"compare_torch_gpu.py: {error}", file=sys.stderr)
            return 1
        return 0
    deadline, rows, problems = Deadline(args.limit), [], []
    for work in works:
        say(work.name)
        try:
            rows.append(compare(work, deadline, problems, not args.no_torch))
        except CannotRun as error:
            problems.append(f"{work.name}: {error}")
    print_table(rows, problems)
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
