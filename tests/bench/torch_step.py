#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""The PyTorch side of compare_torch.py: one training step of the model that a Hugging Face config.json describes.

Builds gpt2, llama and mixtral models of random weights from torch alone, as their papers and transformers define them,
runs warm-up steps on random tokens, then answers each line of standard input with one timed step as a line of JSON.
Works with PyTorch 1.13 and newer, and takes what the version at hand has: fused attention, fused AdamW, torch.compile.
"""

import argparse
import json
import math
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

HAS_FUSED_ATTENTION = hasattr(F, "scaled_dot_product_attention")


def attend(q, k, v):
    """Causal attention of (B, heads, T, D); k and v have q's heads or fewer."""
    groups = q.shape[1] // k.shape[1]
    if groups > 1:
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    if HAS_FUSED_ATTENTION:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    length = q.shape[2]
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    scores = (q @ k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
    return F.softmax(scores.masked_fill(future, float("-inf")), dim=-1) @ v


class RmsNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)).to(x.dtype) * self.weight


class Attention(nn.Module):
    def __init__(self, hidden, heads, kv_heads, head_dim, bias, rope):
        super().__init__()
        self.sizes = [heads * head_dim, kv_heads * head_dim, kv_heads * head_dim]
        self.head_dim, self.rope = head_dim, rope
        self.qkv = nn.Linear(hidden, sum(self.sizes), bias=bias)
        self.out = nn.Linear(heads * head_dim, hidden, bias=bias)

    def rotate(self, x):
        cos, sin = (table.to(x.dtype) for table in self.rope)
        first, second = x.chunk(2, dim=-1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)

    def forward(self, x):
        batch, length, _ = x.shape
        q, k, v = (part.view(batch, length, -1, self.head_dim).transpose(1, 2)
                   for part in self.qkv(x).split(self.sizes, dim=-1))
        if self.rope is not None:
            q, k = self.rotate(q), self.rotate(k)
        return self.out(attend(q, k, v).transpose(1, 2).reshape(batch, length, -1))


class GeluMlp(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.up, self.down = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)

    def forward(self, x):
        return self.down(F.gelu(self.up(x), approximate="tanh"))


class SwigluMlp(nn.Module):
    def __init__(self, hidden, width):
        super().__init__()
        self.gate, self.up = nn.Linear(hidden, width, bias=False), nn.Linear(hidden, width, bias=False)
        self.down = nn.Linear(width, hidden, bias=False)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Mixture(nn.Module):
    """Mixtral's: softmax over the router, the top k normalised, a loop over experts."""

    def __init__(self, hidden, width, num_experts, top_k):
        super().__init__()
        self.router, self.top_k = nn.Linear(hidden, num_experts, bias=False), top_k
        self.experts = nn.ModuleList(SwigluMlp(hidden, width) for _ in range(num_experts))

    def forward(self, x):
        rows = x.reshape(-1, x.shape[-1])
        weights, chosen = F.softmax(self.router(rows).float(), dim=-1).topk(self.top_k, dim=-1)
        weights = (weights / weights.sum(-1, keepdim=True)).to(rows.dtype)
        result = torch.zeros_like(rows)
        for index, expert in enumerate(self.experts):
            row, slot = torch.where(chosen == index)
            result.index_add_(0, row, (expert(rows[row]) * weights[row, slot, None]).to(result.dtype))
        return result.view_as(x)


class Block(nn.Module):
    def __init__(self, norm, attention, mlp):
        super().__init__()
        self.norm1, self.attention, self.norm2, self.mlp = norm(), attention, norm(), mlp

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Model(nn.Module):
    def __init__(self, config, length):
        super().__init__()
        is_gpt2 = config["model_type"] == "gpt2"
        hidden = config["n_embd" if is_gpt2 else "hidden_size"]
        heads = config["n_head" if is_gpt2 else "num_attention_heads"]
        layers = config["n_layer" if is_gpt2 else "num_hidden_layers"]
        kv_heads = config.get("num_key_value_heads", heads)
        head_dim, vocab = hidden // heads, config["vocab_size"]
        self.tokens = nn.Embedding(vocab, hidden)
        self.positions = nn.Embedding(config["n_positions"], hidden) if is_gpt2 else None

        def norm():
            return nn.LayerNorm(hidden) if is_gpt2 else RmsNorm(hidden, config["rms_norm_eps"])

        def mlp():
            if is_gpt2:
                return GeluMlp(hidden)
            if config["model_type"] == "mixtral":
                return Mixture(hidden, config["intermediate_size"], config["num_local_experts"],
                               config["num_experts_per_tok"])
            return SwigluMlp(hidden, config["intermediate_size"])

        rope = None
        if not is_gpt2:
            frequencies = config["rope_theta"] ** (-torch.arange(0, head_dim, 2) / head_dim)
            angles = torch.outer(torch.arange(length), frequencies)
            rope = (angles.cos(), angles.sin())
        self.blocks = nn.ModuleList(
            Block(norm, Attention(hidden, heads, kv_heads, head_dim, is_gpt2, rope), mlp()) for _ in range(layers))
        self.norm, self.head = norm(), nn.Linear(hidden, vocab, bias=False)
        if config["tie_word_embeddings"]:
            self.head.weight = self.tokens.weight
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, 0, config["initializer_range"])

    def forward(self, inputs, targets):
        x = self.tokens(inputs)
        if self.positions is not None:
            x = x + self.positions(torch.arange(inputs.shape[1], device=inputs.device))
        for block in self.blocks:
            x = block(x)
        return self.finish(x, targets)

    def finish(self, x, targets):
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


def make_optimizer(model, fused):
    decay = [p for p in model.parameters() if p.dim() >= 2]
    other = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": other, "weight_decay": 0.0}]
    options = {"lr": 3e-4, "betas": (0.9, 0.95), "eps": 1e-8}
    if fused:
        try:
            return torch.optim.AdamW(groups, fused=True, **options), "fused AdamW"
        except (RuntimeError, TypeError):  # 1.13 has it for CUDA alone
            pass
    return torch.optim.AdamW(groups, **options), "AdamW"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--seq-len", type=int, required=True)
    parser.add_argument("--precision", choices=["fp32", "bf16"], required=True)
    parser.add_argument("--threads", type=int, default=0, help="0: PyTorch's own choice")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--fused", action="store_true", help="fused AdamW where there is one")
    parser.add_argument("--warmup", type=int, default=2)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    with open(args.config) as file:
        config = json.load(file)
    model = Model(config, args.seq_len)
    loss_of = torch.compile(model) if args.compile else model
    optimizer, update = make_optimizer(model, args.fused)

    def step():
        tokens = torch.randint(0, config["vocab_size"], (args.batch, args.seq_len + 1))
        begin = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            loss = loss_of(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        value = loss.item()
        return {"step_s": time.perf_counter() - begin, "loss": value,
                "rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}

    for _ in range(args.warmup):
        first = step()
    print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads(), "update": update,
                      "parameters": sum(p.numel() for p in model.parameters()), **first}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(step()), flush=True)


if __name__ == "__main__":
    main()
