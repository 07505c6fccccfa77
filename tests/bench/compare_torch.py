#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""Trains the same models with Argosy and with PyTorch, in turn on the same cores, and prints ratios as Markdown.

    cmake --build build --target argosy-plan argosy-train step_bound
    tests/bench/compare_torch.py                        # the subset that matters: about half an hour
    tests/bench/compare_torch.py --works all --kinds tuned,box
    tests/bench/compare_torch.py --works gpt2-b4-t256 --precisions bf16 --peers pypi --samples 3
    tests/bench/compare_torch.py --works moe-b4-t512 --precisions bf16 --one-at-a-time   # what is too large together

Peers: Debian's PyTorch (apt-get install --no-install-recommends python3-torch) and a newer one in a virtual environment
of its own (python3 -m venv ~/.cache/argosy/torch && ~/.cache/argosy/torch/bin/pip install torch), eager and compiled. Kinds: `tuned` gives PyTorch huge
pages, memory that stays mapped, OpenBLAS' AVX-512 kernels, fixed threads and fused AdamW; `box` is how it comes. What
cannot run is listed with its reason. README.md beside this file has results.

Every sample waits until the clock is near the fastest seen (other load or throttling), contenders take turns, medians
count. The bound is step_bound's: this build's matrix products and AdamW alone, in the same turns.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import random
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEER = pathlib.Path(__file__).with_name("torch_step.py")
DATA_TOKENS = 1 << 21
SLOW_CLOCK = 0.93  # of the fastest probe of this run: below it a sample waits
CLOCK_PATIENCE_S = 60
STEPS_A_SAMPLE = 3
TUNED_MALLOC = ("glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=34359738368:"
                "glibc.malloc.trim_threshold=34359738368:glibc.malloc.mmap_max=0")

GPT2 = {"model_type": "gpt2", "vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12,
        "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "initializer_range": 0.02,
        "tie_word_embeddings": True}
CHARACTERS = {**GPT2, "vocab_size": 256, "n_positions": 256, "n_embd": 384, "n_layer": 6, "n_head": 6}
LLAMA = {"model_type": "llama", "vocab_size": 32000, "hidden_size": 768, "intermediate_size": 2304,
         "num_hidden_layers": 16, "num_attention_heads": 12, "num_key_value_heads": 4, "hidden_act": "silu",
         "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "initializer_range": 0.02,
         "tie_word_embeddings": False}
MIXTURE = {**LLAMA, "model_type": "mixtral", "intermediate_size": 1152, "num_local_experts": 8,
           "num_experts_per_tok": 2, "router_aux_loss_coef": 0.0, "sliding_window": None}
# name: (config, sequences, tokens of each)
WORKS = {
    "gpt2-b4-t64": (GPT2, 4, 64),
    "gpt2-b4-t256": (GPT2, 4, 256),
    "gpt2-b1-t1024": (GPT2, 1, 1024),
    "char-b16-t256": (CHARACTERS, 16, 256),
    "llama-b4-t512": (LLAMA, 4, 512),
    "moe-b4-t512": (MIXTURE, 4, 512),
}
SUBSET = "gpt2-b4-t256,char-b16-t256"


def say(text):
    print(text, file=sys.stderr, flush=True)


class CannotRun(Exception):
    pass


def clean_environment():
    """Without what this shell says about threads, memory and BLAS."""
    foreign = ("OMP_", "OPENBLAS_", "GLIBC_TUNABLES", "MKL_", "ONEDNN_", "LD_PRELOAD")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}


def steady(steps):
    """Of what a contender did in its turn: the first step, which finds caches full of another's data, does not count."""
    return {**steps[-1], "step_s": statistics.median(step["step_s"] for step in steps[1:])}


class Responder:
    """A process that answers a line with a line of JSON."""

    def __init__(self, name, command, environment, log):
        self.name = name
        self.log = log
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
                                        stderr=open(log, "w"), text=True, start_new_session=True)

    def read(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        code = self.process.wait()
        errors = pathlib.Path(self.log).read_text().strip().splitlines()
        why = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if code == -signal.SIGILL:
            why += " (an instruction that this machine hides; ONEDNN_MAX_CPU_ISA or --torch-preload may help)"
        raise CannotRun(f"{why}: {errors[-1] if errors else 'no message'}")

    def ask(self, command):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: read() says how
        return self.read()

    def steady_step(self):
        return steady([self.ask("step") for _ in range(STEPS_A_SAMPLE)])

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)  # compiled PyTorch has workers
        self.process.wait()


class Clock:
    def __init__(self, bound):
        self.bound, self.fastest = bound, 0.0

    def wait(self):
        begin = time.monotonic()
        while True:
            now = self.bound.ask("clock")["clock"]
            self.fastest = max(self.fastest, now)
            if now >= SLOW_CLOCK * self.fastest:
                return
            if time.monotonic() - begin > CLOCK_PATIENCE_S:
                say(f"    clock {now / self.fastest:.0%} of the fastest for {CLOCK_PATIENCE_S} s: measuring all the same")
                return
            time.sleep(0.3)


class Argosy:
    """A fresh process a sample."""

    name = "Argosy"

    def __init__(self, work, args):
        self.work, self.args = work, args

    def sample(self):
        run_dir = self.work.folder / "run"
        shutil.rmtree(run_dir, ignore_errors=True)
        command = [args_bin(self.args, "argosy-train"), "--plan", self.work.plan, "--data", self.work.data, "--steps",
                   STEPS_A_SAMPLE, "--run-dir", run_dir, "--checkpoint-every", "0"]
        environment = {**clean_environment(), "OMP_NUM_THREADS": str(self.args.threads), "OMP_PROC_BIND": "true",
                       "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        with open(self.work.folder / "argosy.log", "w") as log:
            process = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise CannotRun((self.work.folder / "argosy.log").read_text().strip().splitlines()[-1])
        steps = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
        return {**steady(steps), "rss_bytes": usage.ru_maxrss * 1024}

    def close(self):
        pass


def torch_name(label, compiled):
    return f"{label}{' compiled' if compiled else ''}"


class Torch:
    def __init__(self, work, args, python, label, kind, compiled):
        self.name = torch_name(label, compiled)
        environment = clean_environment()
        environment["TORCHINDUCTOR_CACHE_DIR"] = str(args.work_dir / "inductor")
        command = [python, str(PEER), "--config", str(work.config), "--batch", str(work.batch), "--seq-len",
                   str(work.seq_len), "--precision", work.precision]
        if compiled:
            command.append("--compile")
        if kind == "tuned":
            command += ["--threads", str(args.threads), "--fused"]
            environment.update(OMP_NUM_THREADS=str(args.threads), OMP_PROC_BIND="true", GLIBC_TUNABLES=TUNED_MALLOC)
            if "avx512f" in cpu_flags():
                environment["OPENBLAS_CORETYPE"] = "SkylakeX"
            if args.torch_preload:
                environment["LD_PRELOAD"] = args.torch_preload
            if args.blas_dir and label.startswith("Debian"):
                environment["LD_LIBRARY_PATH"] = args.blas_dir
        self.responder = Responder(self.name, command, environment, work.folder / "torch.log")
        ready = self.responder.read()
        self.detail = f"{ready['version']}, {ready['threads']} threads, {ready['update']}"
        self.parameters = ready["parameters"]

    def sample(self):
        return self.responder.steady_step()

    def close(self):
        self.responder.close()


class Bound:
    name = "bound"

    def __init__(self, work, args):
        self.responder = bound_responder(work, args)
        self.responder.ask("step")  # touches its memory

    def sample(self):
        return self.responder.steady_step()

    def close(self):
        self.responder.close()


class OneAtATime:
    """A contender that is started for each sample and ended behind it, so that no other is in memory meanwhile."""

    def __init__(self, name, start):
        self.name, self.start, self.detail = name, start, ""

    def sample(self):
        contender = self.start()
        try:
            self.detail = getattr(contender, "detail", "")
            return contender.sample()
        finally:
            contender.close()

    def close(self):
        pass


def bound_responder(work, args):
    environment = {**clean_environment(), "OMP_NUM_THREADS": str(args.threads), "OMP_PROC_BIND": "true"}
    return Responder("bound", [str(args_bin(args, "step_bound")), str(work.plan)], environment,
                     work.folder / "bound.log")


class Work:
    def __init__(self, name, precision, args):
        config, self.batch, self.seq_len = WORKS[name]
        self.name, self.precision = name, precision
        self.folder = args.work_dir / f"{name}-{precision}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config, self.plan = self.folder / "config.json", self.folder / "plan.json"
        self.config.write_text(json.dumps(config))
        self.data = args.work_dir / f"tokens-{config['vocab_size']}.bin"
        if not self.data.exists():
            write_tokens(self.data, config["vocab_size"])
        fixed = f"tp=1,pp=1,dp=1,cp=1,ep=1,etp=1,zero=0,recompute=none,schedule=1f1b,micro_batch={self.batch}"
        command = [args_bin(args, "argosy-plan"), "--model", self.config, "--cluster",
                   ROOT / "configs/clusters/local-cpu.json", "--devices", 1, "--seq-len", self.seq_len,
                   "--global-batch", self.batch, "--precision", precision, "--fix", fixed, "--out", self.plan]
        result = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        if result.returncode != 0:
            raise CannotRun(f"argosy-plan: {(result.stderr or result.stdout).strip().splitlines()[-1]}")

    @property
    def tokens(self):
        return self.batch * self.seq_len


def write_tokens(path, vocab_size):
    """Random tokens as llm.c's .bin: 256 int32 of header, then uint16."""
    header = struct.pack("<3i", 20240520, 1, DATA_TOKENS).ljust(1024, b"\0")
    rng = random.Random(1)
    tokens = struct.pack(f"<{DATA_TOKENS}H", *(rng.randrange(vocab_size) for _ in range(DATA_TOKENS)))
    path.write_bytes(header + tokens)


def args_bin(args, name):
    return args.build / "bin" / name


def cpu_flags():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return line.split()
    return []


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            fields = line.split(":")[1].strip()
            kinds = [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in cpu_flags()]
            return f"{fields} ({', '.join(kinds)})"
    return platform.machine()


def openblas_folder():
    """Where Debian's libopenblas0-* put it, or None."""
    return next((str(path.parent) for path in sorted(pathlib.Path("/usr/lib").glob("*/openblas-*/libblas.so.3"))), None)


def peers_of(args):
    """(python, label, compiled) of each."""
    peers = []
    for peer in args.peers.split(","):
        python = {"debian": args.debian_python, "pypi": args.pypi_python, "pypi-compiled": args.pypi_python}[peer]
        peers.append((python, "Debian PyTorch" if peer == "debian" else "PyPI PyTorch", peer.endswith("compiled")))
    return peers


def starts_of(work, kind, args):
    """(name, what starts it) of each contender."""
    starts = [("Argosy", lambda: Argosy(work, args)), ("bound", lambda: Bound(work, args))]

    def start_torch(python, label, compiled):
        if not shutil.which(python):
            raise CannotRun(f"{python} is not there")
        return Torch(work, args, python, label, kind, compiled)

    for python, label, compiled in peers_of(args):
        starts.append((torch_name(label, compiled),
                       lambda python=python, label=label, compiled=compiled: start_torch(python, label, compiled)))
    return starts


def measure(work, kind, args, problems):
    """{contender: {"step_s", "rss_bytes", "loss", "detail"}}, medians; what could not run goes to `problems`."""
    responder = bound_responder(work, args)
    clock = Clock(responder)
    contenders, samples = [], {}
    for name, start in starts_of(work, kind, args):
        begin = time.monotonic()
        try:
            contenders.append(OneAtATime(name, start) if args.one_at_a_time else start())
            detail = getattr(contenders[-1], "detail", "")
            if detail:
                say(f"    {name}: {detail}, ready in {time.monotonic() - begin:.0f} s")
        except CannotRun as error:
            problems.append(f"{work.name} {work.precision} {kind}: {name}: {error}")
            say(f"    {problems[-1]}")
    try:
        for turn in range(args.samples):
            for contender in list(contenders):
                clock.wait()
                try:
                    samples.setdefault(contender, []).append(contender.sample())
                except CannotRun as error:
                    problems.append(f"{work.name} {work.precision} {kind}: {contender.name}: {error}")
                    contenders.remove(contender)
            say(f"    turn {turn + 1}/{args.samples}: " + ", ".join(
                f"{c.name} {samples[c][-1]['step_s'] * 1e3:.0f} ms" for c in contenders))
    finally:
        for contender in contenders:
            contender.close()
        responder.close()
    results = {}
    for contender, values in samples.items():
        results[contender.name] = {"step_s": statistics.median(v["step_s"] for v in values),
                                   "rss_bytes": max((v.get("rss_bytes", 0) for v in values)),
                                   "loss": values[-1].get("loss"), "detail": getattr(contender, "detail", "")}
    return results


def row(work, kind, results):
    """One line of the table: tokens/s, ratios and shares."""
    def rate(name):
        return work.tokens / results[name]["step_s"]

    own = results["Argosy"]
    peers = [name for name in results if name not in ("Argosy", "bound")]
    cells = [work.name, work.precision, kind, f"{rate('Argosy'):.0f} ({own['step_s'] * 1e3:.0f} ms)",
             f"{rate('bound'):.0f}", f"{rate('Argosy') / rate('bound'):.0%}"]
    cells.append("; ".join(f"{name} {rate(name):.0f} ({rate('Argosy') / rate(name):.2f}x)" for name in peers) or "-")
    if not peers:
        return cells + ["-", f"{own['rss_bytes'] / 2**30:.2f}", "-"]
    best = max(peers, key=rate)
    memory = min((results[name]["rss_bytes"] for name in peers))
    return cells + [f"{rate('Argosy') / rate(best):.2f}", f"{own['rss_bytes'] / 2**30:.2f}",
                    f"{memory / 2**30:.2f} ({own['rss_bytes'] / memory:.2f})"]


def check_losses(work, results, problems):
    """All start from random weights and see random tokens: losses that differ mean different work."""
    losses = {name: result["loss"] for name, result in results.items() if result["loss"] is not None}
    if max(losses.values()) > 1.05 * min(losses.values()):
        problems.append(f"{work.name} {work.precision}: losses differ: {losses}")


def report(rows, details, problems, args):
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True,
                            text=True).stdout.strip()
    print(f"{datetime.date.today()}, {cpu_name()}, {args.threads} threads, commit {commit}; medians of "
          f"{args.samples} samples in turns{', each of a process of its own' if args.one_at_a_time else ''}.")
    for detail in sorted(details):
        print(f"{detail}.")
    print()
    print("| work | precision | kind | Argosy tok/s | bound tok/s | of the bound | PyTorch tok/s (Argosy is so many "
          "times as fast) | ratio to the best | peak GiB | least PyTorch GiB (Argosy's share) |")
    print("|" + "---|" * 10)
    for cells in rows:
        print("| " + " | ".join(cells) + " |")
    for problem in problems:
        print(f"\nNot measured: {problem}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", default=SUBSET, help=f"all, or some of {','.join(WORKS)} (default {SUBSET})")
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--kinds", default="tuned", help="tuned, box or both (default tuned)")
    parser.add_argument("--peers", default="debian,pypi,pypi-compiled", help="some of debian,pypi,pypi-compiled")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--one-at-a-time", action="store_true", help="start each contender anew for each of its "
                        "samples: for works that do not fit into memory together; takes longer")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--work-dir", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "argosy-compare")
    parser.add_argument("--debian-python", default="/usr/bin/python3")
    parser.add_argument("--pypi-python", default=str(pathlib.Path.home() / ".cache/argosy/torch/bin/python"))
    parser.add_argument("--blas-dir", default=openblas_folder(), help="folder of OpenBLAS' libblas.so.3 for Debian's "
                        "tuned PyTorch, where the system's is the reference BLAS")
    parser.add_argument("--torch-preload", help="library for LD_PRELOAD of tuned PyTorch")
    args = parser.parse_args()
    if args.works == "all":
        args.works = ",".join(WORKS)
    valid = {"works": list(WORKS), "precisions": ["fp32", "bf16"], "kinds": ["tuned", "box"],
             "peers": ["debian", "pypi", "pypi-compiled"]}
    for option, values in valid.items():
        for value in getattr(args, option).split(","):
            if value not in values:
                parser.error(f"--{option} {value}; valid: {', '.join(values)}")
    for name in ("argosy-plan", "argosy-train", "step_bound"):
        if not args_bin(args, name).exists():
            parser.error(f"{args_bin(args, name)} is not built: cmake --build {args.build} --target {name}")
    args.work_dir.mkdir(parents=True, exist_ok=True)
    return args


def main():
    args = parse_arguments()
    rows, details, problems = [], set(), []
    for kind in args.kinds.split(","):
        for name in args.works.split(","):
            for precision in args.precisions.split(","):
                say(f"{name} {precision} {kind}")
                try:
                    work = Work(name, precision, args)
                    results = measure(work, kind, args, problems)
                except CannotRun as error:
                    problems.append(f"{name} {precision} {kind}: {error}")
                    continue
                if "Argosy" not in results or "bound" not in results:
                    continue
                check_losses(work, results, problems)
                rows.append(row(work, kind, results))
                details.update(f"{kind}: {n}: {r['detail']}" for n, r in results.items() if r["detail"])
                say("    " + " | ".join(rows[-1]))
    report(rows, details, problems, args)
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
