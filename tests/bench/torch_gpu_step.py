#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""The PyTorch side of compare_torch_gpu.py: training steps on one GPU of the model that a config.json describes.

As fast as PyTorch gets without code of one's own: torch.compile, fused AdamW, bf16 autocast over fp32 weights, attention by
cuDNN or flash kernels, experts by grouped products over sorted tokens. LoRA jobs keep the base in bf16. The models are
torch_step.py's; with --loss the same loss as Argosy's comes out of the same weights, which a run without a GPU can check.

    torch_gpu_step.py --config C.json --seq-len T --batches 8,16,32        tunes eagerly, compiles the best, prints JSON
    torch_gpu_step.py --config C.json --seq-len T --batches 8 --start      the seconds of the first step alone
    torch_gpu_step.py --config C.json --seq-len T --loss CHECKPOINT --tokens FILE
"""

import time

START = time.time()  # PyTorch's own import belongs to its start

import argparse
import json
import os
import pathlib
import statistics
import struct
import sys

import torch
from torch import nn
from torch.nn import functional as F

import torch_step

WARMUP_STEPS = 3
# A model of more layers is compiled block by block: as a whole it would take minutes.
MOST_LAYERS_AT_ONCE = 12


def process_start():
    """Of this process, in time.time()'s seconds, as the kernel knows it."""
    ticks = int(pathlib.Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    uptime = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")


class GroupedMixture(nn.Module):
    """Mixtral's mixture, dropless: tokens sorted by expert, one grouped product each for gate, up and down."""

    def __init__(self, hidden, width, num_experts, top_k):
        super().__init__()
        self.router, self.top_k = nn.Linear(hidden, num_experts, bias=False), top_k
        self.gate = nn.Parameter(torch.empty(num_experts, width, hidden))
        self.up = nn.Parameter(torch.empty(num_experts, width, hidden))
        self.down = nn.Parameter(torch.empty(num_experts, hidden, width))

    @staticmethod
    def product(rows, weights, ends):
        """rows (R, in) of experts that end at `ends`, weights (E, out, in) -> (R, out)."""
        if rows.is_cuda:
            grouped = getattr(F, "grouped_mm", None) or torch._grouped_mm
            return grouped(rows.to(torch.bfloat16), weights.to(torch.bfloat16).transpose(-2, -1), offs=ends)
        begins = [0, *ends.tolist()]
        return torch.cat([rows[b:e] @ w.T for b, e, w in zip(begins, begins[1:], weights)])

    def forward(self, x):
        rows = x.reshape(-1, x.shape[-1])
        weights, chosen = F.softmax(self.router(rows).float(), dim=-1).topk(self.top_k, dim=-1)
        weights = weights / weights.sum(-1, keepdim=True)
        expert, order = chosen.flatten().sort(stable=True)
        token = order // self.top_k
        counts = (expert[:, None] == torch.arange(self.gate.shape[0], device=x.device)).sum(0)
        ends = counts.cumsum(0).to(torch.int32)
        sorted_rows = rows[token]
        inner = F.silu(self.product(sorted_rows, self.gate, ends)) * self.product(sorted_rows, self.up, ends)
        outer = self.product(inner, self.down, ends).float() * weights.flatten()[order, None]
        return torch.zeros_like(rows, dtype=torch.float32).index_add(0, token, outer).to(x.dtype).view_as(x)


class LoraLinear(nn.Module):
    """y = x W^T + alpha/rank (x A^T) B^T; W frozen."""

    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base, self.scale = base, alpha / rank
        self.a = nn.Parameter(torch.empty(rank, base.in_features, dtype=torch.float32))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank, dtype=torch.float32))
        nn.init.kaiming_uniform_(self.a, a=5**0.5)

    def forward(self, x):
        return self.base(x) + self.scale * F.linear(F.linear(x, self.a), self.b)


# Argosy's targets as attributes of torch_step's modules; q, k and v are one product there.
LORA_MODULES = {"q": "qkv", "k": "qkv", "v": "qkv", "o": "out", "gate": "gate", "up": "up", "down": "down"}


def add_lora(model, rank, alpha, targets):
    model.requires_grad_(False)
    model.to(torch.bfloat16)
    names = {LORA_MODULES[target] for target in targets}
    for module in list(model.modules()):
        for name in names:
            if isinstance(getattr(module, name, None), nn.Linear):
                setattr(module, name, LoraLinear(getattr(module, name), rank, alpha))


def attend(q, k, v):
    """Causal attention with grouped queries inside of the kernel."""
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1])


def make_model(config, length, device, lora=None):
    torch_step.Mixture = GroupedMixture
    torch_step.attend = attend
    torch.manual_seed(1)
    with torch.device(device):
        model = torch_step.Model(config, length)
        for parameter in model.parameters():
            if parameter.dim() == 3:
                nn.init.normal_(parameter, 0, config["initializer_range"])
        if lora:
            add_lora(model, **lora)
    # Tables of RoPE are no buffers of the model: the device context above made them where it is.
    return model.to(device)


def set_attention(device):
    """cuDNN's attention where it is, else flash: PyTorch's own order differs between versions."""
    if device != "cuda":
        return None
    from torch.nn.attention import SDPBackend, sdpa_kernel
    return sdpa_kernel([SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION],
                       set_priority=True)


class Job:
    def __init__(self, config, length, device, lora):
        self.config, self.length, self.device = config, length, device
        self.model = make_model(config, length, device, lora)
        trainable = [p for p in self.model.parameters() if p.requires_grad]
        self.trainable = trainable
        groups = [{"params": [p for p in trainable if p.dim() >= 2], "weight_decay": 0.1},
                  {"params": [p for p in trainable if p.dim() < 2], "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=3e-4, betas=(0.9, 0.95), eps=1e-8,
                                           fused=device == "cuda")
        self.forward = self.model

    def compile(self):
        if len(self.model.blocks) <= MOST_LAYERS_AT_ONCE:
            self.forward = torch.compile(self.model)
            return
        for block in self.model.blocks:
            block.compile()
        self.model.finish = torch.compile(self.model.finish)

    def tokens(self, batch):
        return torch.randint(0, self.config["vocab_size"], (batch, self.length + 1), device=self.device)

    def step(self, tokens):
        begin = time.perf_counter()
        with torch.autocast(self.device, dtype=torch.bfloat16):
            loss = self.forward(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())
        loss.backward()
        nn.utils.clip_grad_norm_(self.trainable, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        value = loss.item()  # waits for all of the step
        return time.perf_counter() - begin, value

    def free(self):
        self.optimizer.zero_grad(set_to_none=True)
        if self.device == "cuda":
            torch.cuda.empty_cache()


def median_step(job, batch, steps):
    """(seconds of the median step, last loss)."""
    for _ in range(WARMUP_STEPS):
        job.step(job.tokens(batch))
    results = [job.step(job.tokens(batch)) for _ in range(steps)]
    return statistics.median(seconds for seconds, _ in results), results[-1][1]


def tune(job, batches, problems):
    """The micro-batch of the highest eager rate; those that do not fit are left out."""
    rates = {}
    for batch in batches:
        try:
            rates[batch] = batch * job.length / median_step(job, batch, 3)[0]
        except torch.OutOfMemoryError as error:
            problems.append(f"micro-batch {batch}: {str(error).splitlines()[0]}")
            job.free()
    if not rates:
        raise SystemExit("no micro-batch fits: " + "; ".join(problems))
    return max(rates, key=rates.get), rates


def measure(job, args):
    """Compiled, unless --eager; the eager figures are printed before, for whoever has no time to wait for the compiler."""
    problems = []
    batch, rates = tune(job, args.batches, problems)

    def result(is_compiled, tokens_per_s, loss):
        found = {"version": torch.__version__, "parameters": sum(p.numel() for p in job.model.parameters()),
                 "micro_batch": batch, "tokens_per_s": tokens_per_s, "loss": loss, "is_compiled": is_compiled,
                 "eager_tokens_per_s": rates, "problems": problems}
        if job.device == "cuda":
            found["memory_bytes"] = torch.cuda.max_memory_allocated()
        return found

    if not args.eager:
        _, loss = job.step(job.tokens(batch))
        print(json.dumps(result(False, rates[batch], loss)), flush=True)
        job.compile()
    seconds, loss = median_step(job, batch, args.steps)
    return result(not args.eager, batch * job.length / seconds, loss)


def first_step(job, args):
    if not args.eager:
        job.compile()
    _, loss = job.step(job.tokens(args.batches[0]))
    return {"start_s": time.time() - process_start(), "loss": loss}


# --- the same loss from the same weights ---


def read_checkpoint(folder):
    """{name: tensor} of the parameters of an Argosy checkpoint in fp32."""
    folder = pathlib.Path(folder)
    lines = (folder / "manifest.json").read_text().splitlines()
    manifest = json.loads("\n".join(lines[:-1]))
    tensors = {}
    for stored in manifest["tensors"]:
        if stored["kind"] != "parameter":
            continue
        rows, cols = stored["shape"]
        whole = torch.empty(rows, cols)
        for extent in stored["extents"]:
            (row0, row1), (col0, col1) = extent["rows"], extent["cols"]
            with open(folder / manifest["shards"][extent["shard"]]["file"], "rb") as file:
                file.seek(extent["offset"])
                data = bytearray(file.read(extent["bytes"]))
            dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[stored["dtype"]]
            whole[row0:row1, col0:col1] = torch.frombuffer(data, dtype=dtype).view(row1 - row0, col1 - col0)
        tensors[stored["name"]] = whole if cols > 1 else whole.flatten()
    return tensors


def load_gpt2(model, t):
    model.tokens.weight.copy_(t["transformer.wte.weight"])
    model.positions.weight.copy_(t["transformer.wpe.weight"])
    for i, block in enumerate(model.blocks):
        at = f"transformer.h.{i}."
        for kind in ("weight", "bias"):
            getattr(block.norm1, kind).copy_(t[f"{at}ln_1.{kind}"])
            getattr(block.norm2, kind).copy_(t[f"{at}ln_2.{kind}"])
            getattr(block.attention.qkv, kind).copy_(torch.cat([t[f"{at}attn.c_attn.{p}.{kind}"] for p in "qkv"]))
            getattr(block.attention.out, kind).copy_(t[f"{at}attn.c_proj.{kind}"])
            getattr(block.mlp.up, kind).copy_(t[f"{at}mlp.c_fc.{kind}"])
            getattr(block.mlp.down, kind).copy_(t[f"{at}mlp.c_proj.{kind}"])
    model.norm.weight.copy_(t["transformer.ln_f.weight"])
    model.norm.bias.copy_(t["transformer.ln_f.bias"])


def load_llama(model, t):
    model.tokens.weight.copy_(t["model.embed_tokens.weight"])
    for i, block in enumerate(model.blocks):
        at = f"model.layers.{i}."
        block.norm1.weight.copy_(t[at + "input_layernorm.weight"])
        block.norm2.weight.copy_(t[at + "post_attention_layernorm.weight"])
        block.attention.qkv.weight.copy_(torch.cat([t[f"{at}self_attn.{p}_proj.weight"] for p in "qkv"]))
        block.attention.out.weight.copy_(t[at + "self_attn.o_proj.weight"])
        if isinstance(block.mlp, GroupedMixture):
            at += "block_sparse_moe."
            block.mlp.router.weight.copy_(t[at + "gate.weight"])
            for name, role in (("gate", "w1"), ("down", "w2"), ("up", "w3")):
                experts = [t[f"{at}experts.{e}.{role}.weight"] for e in range(block.mlp.gate.shape[0])]
                getattr(block.mlp, name).copy_(torch.stack(experts))
        else:
            for name in ("gate", "up", "down"):
                getattr(block.mlp, name).weight.copy_(t[f"{at}mlp.{name}_proj.weight"])
    model.norm.weight.copy_(t["model.norm.weight"])
    if "lm_head.weight" in t:
        model.head.weight.copy_(t["lm_head.weight"])


def loss_of_checkpoint(config, args):
    """fp32 on the CPU; the tokens are one sequence in llm.c's format."""
    model = make_model(config, args.seq_len, "cpu")
    with torch.no_grad():
        (load_gpt2 if config["model_type"] == "gpt2" else load_llama)(model, read_checkpoint(args.loss))
        data = pathlib.Path(args.tokens).read_bytes()
        tokens = torch.tensor(struct.unpack_from(f"<{args.seq_len + 1}H", data, 1024)).unsqueeze(0)
        loss = model(tokens[:, :-1], tokens[:, 1:]).item()
    return {"loss": loss, "parameters": sum(p.numel() for p in model.parameters())}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--seq-len", type=int, required=True)
    parser.add_argument("--batches", type=lambda text: [int(b) for b in text.split(",")], default=[1])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--eager", action="store_true", help="do not compile")
    parser.add_argument("--start", action="store_true", help="the first step alone")
    parser.add_argument("--lora", help="RANK,ALPHA,TARGET,TARGET,...")
    parser.add_argument("--loss", help="folder of an Argosy checkpoint")
    parser.add_argument("--tokens", help="with --loss")
    return parser.parse_args()


def read_config(path):
    """A config.json, which may have comments."""
    lines = pathlib.Path(path).read_text().splitlines()
    return json.loads("\n".join(line for line in lines if not line.lstrip().startswith("//")))


def main():
    args = parse_arguments()
    config = read_config(args.config)
    if args.loss:
        print(json.dumps(loss_of_checkpoint(config, args)))
        return
    lora = None
    if args.lora:
        rank, alpha, *targets = args.lora.split(",")
        lora = {"rank": int(rank), "alpha": float(alpha), "targets": targets}
    torch.backends.cuda.matmul.allow_tf32 = True
    attention = set_attention(args.device)
    if attention:
        attention.__enter__()
    job = Job(config, args.seq_len, args.device, lora)
    print(json.dumps(first_step(job, args) if args.start else measure(job, args)))


if __name__ == "__main__":
    sys.exit(main())
