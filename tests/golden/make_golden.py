#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""Writes the golden files beside it with PyTorch and Hugging Face transformers, CPU only:

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 transformers==5.23.0
    venv/bin/python tests/golden/make_golden.py

Each file holds a tiny model's config.json, tokens, targets, logits, loss and every gradient, computed
in fp64 throughout. README.md beside this file describes the format. With names of models: those alone.
"""

import json
import math
import pathlib
import sys

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from mtp_reference import WithModules

# Norms, RoPE, softmax and router convert to fp32 inside the library ("torch.float32", ".float()"),
# even in an fp64 model. Here those conversions go to fp64; check_precision proves that they do.
FP32 = torch.float32  # the real one
torch.float32 = torch.float = torch.float64
torch.Tensor.float = torch.Tensor.double
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

FOLDER = pathlib.Path(__file__).resolve().parent
BATCH, SEQ_LEN, VOCAB = 2, 12, 61
MTP_LOSS_SCALING_FACTOR = 0.3

LLAMA_LIKE = {
    "vocab_size": VOCAB, "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32,
    "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 500.0, "tie_word_embeddings": False,
    "attention_dropout": 0.0, "initializer_range": 0.02,
}
LATENT = {
    **LLAMA_LIKE, "num_key_value_heads": 4, "kv_lora_rank": 12, "qk_nope_head_dim": 6,
    "qk_rope_head_dim": 4, "v_head_dim": 5, "n_routed_experts": 8, "num_experts_per_tok": 2,
    "moe_intermediate_size": 10, "n_shared_experts": 1, "first_k_dense_replace": 1,
    "norm_topk_prob": True, "attention_bias": False, "num_nextn_predict_layers": 0,
}
CONFIGS = {
    "llama": {"model_type": "llama", **LLAMA_LIKE, "attention_bias": False, "mlp_bias": False},
    "qwen2": {
        "model_type": "qwen2", **LLAMA_LIKE, "use_sliding_window": True, "sliding_window": 4,
        "max_window_layers": 1,
    },
    "qwen3": {"model_type": "qwen3", **LLAMA_LIKE, "head_dim": 8, "attention_bias": False},
    "gpt2": {
        "model_type": "gpt2", "vocab_size": VOCAB, "n_embd": 24, "n_layer": 2, "n_head": 4,
        "n_inner": 36, "n_positions": 16, "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
        "initializer_range": 0.02, "tie_word_embeddings": True,
    },
    "mixtral": {
        "model_type": "mixtral", **LLAMA_LIKE, "intermediate_size": 14, "num_local_experts": 4,
        "num_experts_per_tok": 2, "router_aux_loss_coef": 0.0, "sliding_window": None,
    },
    "qwen2_moe": {
        "model_type": "qwen2_moe", **LLAMA_LIKE, "num_experts": 6, "num_experts_per_tok": 2,
        "moe_intermediate_size": 10, "shared_expert_intermediate_size": 14,
        "norm_topk_prob": False, "decoder_sparse_step": 1, "mlp_only_layers": [],
        "router_aux_loss_coef": 0.0, "use_sliding_window": False,
    },
    "olmoe": {
        "model_type": "olmoe", **LLAMA_LIKE, "intermediate_size": 14, "num_experts": 6,
        "num_experts_per_tok": 2, "norm_topk_prob": False, "clip_qkv": None,
        "attention_bias": False, "router_aux_loss_coef": 0.0,
    },
    # 10 of 20 elements of a head turn.
    "glm4_moe": {
        "model_type": "glm4_moe", **LLAMA_LIKE, "head_dim": 20, "partial_rotary_factor": 0.5,
        "use_qk_norm": True, "attention_bias": True, "n_routed_experts": 8,
        "num_experts_per_tok": 2, "moe_intermediate_size": 10, "n_shared_experts": 2,
        "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1, "norm_topk_prob": True,
        "routed_scaling_factor": 1.5, "num_nextn_predict_layers": 0,
    },
    # Latent attention with both ranks and yarn's factor of the scores, a dense layer and experts in
    # groups; then with queries of the input itself and pairs half a part apart.
    "deepseek_v3": {
        "model_type": "deepseek_v3", **LATENT, "q_lora_rank": 10, "n_group": 4, "topk_group": 2,
        "routed_scaling_factor": 1.5, "rope_interleave": True,
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "mscale": 0.7, "mscale_all_dim": 1.1,
                         "original_max_position_embeddings": 8, "beta_fast": 4.0,
                         "beta_slow": 1.0},
    },
    "deepseek_v3_half_pairs": {
        "model_type": "deepseek_v3", **LATENT, "q_lora_rank": None, "n_group": 1, "topk_group": 1,
        "routed_scaling_factor": 1.0, "rope_interleave": False, "num_hidden_layers": 1,
        "first_k_dense_replace": 1,
    },
    # A limit that many activations exceed; YaRN with bounds that are no whole numbers.
    "gpt_oss": {
        "model_type": "gpt_oss", **LLAMA_LIKE, "head_dim": 8, "intermediate_size": 14,
        "num_local_experts": 4, "num_experts_per_tok": 2, "router_aux_loss_coef": 0.0,
        "attention_bias": True, "sliding_window": 4, "swiglu_limit": 0.4,
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0,
                         "original_max_position_embeddings": 64, "truncate": False},
    },
}
# With modules for multi-token prediction behind the last layer (mtp_reference.py): two, of which the
# second reads the first, and one.
CONFIGS["deepseek_v3_mtp"] = {**CONFIGS["deepseek_v3"], "routed_scaling_factor": 2.0,
                              "num_nextn_predict_layers": 2}
CONFIGS["glm4_moe_mtp"] = {**CONFIGS["glm4_moe"], "num_nextn_predict_layers": 1}


def ours(model_type, name, tensor):
    """[(our name, view)]: the tensor of the library under our names, every Linear as (out, in).

    Views of a parameter and of its gradient alike: what is written to them lands in the model.
    """
    leaf = name.rsplit(".", 1)[-1]
    if model_type == "gpt2":
        linear = any(part in name for part in (".c_attn.", ".c_proj.", ".c_fc."))
        view = tensor.t() if linear and leaf == "weight" else tensor  # Conv1D is (in, out)
        if ".c_attn." not in name:
            return [(name, view)]
        width = view.shape[0] // 3
        return [(name.replace(f".{leaf}", f".{part}.{leaf}"), view[i * width:(i + 1) * width])
                for i, part in enumerate("qkv")]
    if model_type == "gpt_oss" and ".experts." in name:  # (E, H, 2I), gate and up in turn; (E, I, H)
        result = []
        for expert, part in enumerate(tensor):
            view = part.t() if part.dim() == 2 else part  # biases are (E, outputs)
            if leaf.startswith("down_proj"):
                result.append((f"{name}.{expert}", view))
            else:
                result += [(f"{name}.{expert}.gate", view[0::2]), (f"{name}.{expert}.up", view[1::2])]
        return result
    if leaf in ("gate_up_proj", "down_proj"):  # experts stacked: (E, 2I, H) and (E, H, I)
        mixtral = model_type == "mixtral"
        prefix = name.rsplit(".", 1)[0]
        gate, up, down = ("w1", "w3", "w2") if mixtral else ("gate_proj", "up_proj", "down_proj")
        if mixtral:
            prefix = prefix.replace(".mlp.", ".block_sparse_moe.")
        result = []
        for expert, matrix in enumerate(tensor):
            path = f"{prefix}.{expert}"
            if leaf == "down_proj":
                result.append((f"{path}.{down}.weight", matrix))
                continue
            half = matrix.shape[0] // 2
            result += [(f"{path}.{gate}.weight", matrix[:half]),
                       (f"{path}.{up}.weight", matrix[half:])]
        return result
    if model_type == "mixtral":
        name = name.replace(".mlp.gate.", ".block_sparse_moe.gate.")
    return [(name, tensor)]


def fill(model, model_type):
    """Weights by formula; returns [{name, shape, ordinal, base, amplitude}]."""
    entries = []
    for name, parameter in model.named_parameters():
        for our_name, view in ours(model_type, name, parameter.data):
            is_norm = "norm" in our_name or ".ln_" in our_name
            is_bias = our_name.endswith(".bias") or "_bias." in our_name
            entry = {"name": our_name, "shape": list(view.shape), "ordinal": len(entries),
                     "base": 1.0 if is_norm and not is_bias else 0.0,
                     "amplitude": 0.1 if is_norm or is_bias else 0.3}
            values = [entry["base"] + entry["amplitude"] *
                      math.sin(1.7 * (entry["ordinal"] + 1) + 0.37 * i * i)
                      for i in range(view.numel())]
            view.copy_(torch.tensor(values).to(FP32).view(view.shape))
            entries.append(entry)
    return entries


def text():
    """tokens and targets (BATCH, SEQ_LEN); targets are shifted already, -100 is masked."""
    ids = [(7 * i * i + 3 * i + 5) % VOCAB for i in range(BATCH * (SEQ_LEN + 1))]
    rows = torch.tensor(ids).view(BATCH, SEQ_LEN + 1)
    tokens, targets = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()
    targets[0, 3] = targets[1, 0] = targets[1, 11] = -100
    return tokens, targets


def loss_of(model, tokens, targets):
    """logits; the means of the next tokens and of each module; what the gradient is of."""
    if isinstance(model, WithModules):
        logits, means = model.losses(tokens, targets)
        return logits, means, model.objective(means)
    logits = model(input_ids=tokens, use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits.view(-1, VOCAB), targets.view(-1),
                                             ignore_index=-100)
    return logits, [loss], loss


def check_precision(model, tokens, targets):
    """The directional derivative by central differences equals the gradient to 1e-7: an fp32
    rounding anywhere (1e-7 of values near 1, over a step of 2e-6) would be seen at 1e-2."""
    step = 2e-6
    parameters = list(model.parameters())
    generator = torch.Generator().manual_seed(1)
    directions = [torch.randn(p.shape, generator=generator) for p in parameters]
    expected = sum((p.grad * d).sum() for p, d in zip(parameters, directions)).item()
    values = []
    with torch.no_grad():
        for move in (step, -2 * step):
            for p, d in zip(parameters, directions):
                p += move * d
            values.append(loss_of(model, tokens, targets)[2].item())
        for p, d in zip(parameters, directions):
            p += step * d
    numeric = (values[0] - values[1]) / (2 * step)
    error = abs(numeric - expected) / abs(expected)
    assert error < 1e-7, f"gradient {expected}, differences {numeric}"
    return error


def watch_router_gaps(model, gaps):
    """Collects by how much the last chosen logit leads the first one not chosen: choices must not
    hang on rounding."""
    def lead(scores, count):
        ranked = scores.sort(dim=-1, descending=True).values
        if count < ranked.shape[-1]:
            gaps.append((ranked[:, count - 1] - ranked[:, count]).min().item())

    def hook(module, _, output):
        lead(output[0], module.top_k)

    def hook_of_groups(module, _, output):
        scores = output[0].sigmoid().view(-1, module.num_group,
                                          module.num_experts // module.num_group)
        of_group = scores.topk(2, dim=-1).values.sum(dim=-1)
        lead(of_group, module.topk_group)
        best = of_group.topk(module.topk_group, dim=-1).indices
        chosen = scores.gather(1, best[..., None].expand(-1, -1, scores.shape[-1]))
        lead(chosen.flatten(1), module.top_k)

    for module in model.modules():
        if type(module).__name__.endswith("TopKRouter"):
            module.register_forward_hook(hook)
        elif type(module).__name__.endswith("TopkRouter"):
            module.register_forward_hook(hook_of_groups)


def numbers(tensor):
    """Flat, row-major, 10 significant digits, a line for each row."""
    rows = tensor.reshape(-1, tensor.shape[-1]).tolist()
    return "[" + ",\n".join(",".join(f"{x:.10g}" for x in row) for row in rows) + "]"


def write_model(name, config):
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config),
                                             attn_implementation="eager",
                                             experts_implementation="eager").double().train()
    if config.get("num_nextn_predict_layers", 0) > 0:
        model = WithModules(model, MTP_LOSS_SCALING_FACTOR).double()
    entries = fill(model, config["model_type"])
    tokens, targets = text()
    gaps = []
    watch_router_gaps(model, gaps)
    logits, (loss, *mtp_losses), objective = loss_of(model, tokens, targets)
    objective.backward()
    error = check_precision(model, tokens, targets)
    assert not gaps or min(gaps) > 1e-3, f"{name}: router gap {min(gaps)}"
    gradients = [view for key, p in model.named_parameters()
                 for _, view in ours(config["model_type"], key, p.grad)]
    norm = math.sqrt(sum(g.square().sum().item() for g in gradients))
    head = {"format": "argosy-golden-1",
            "made_with": {"torch": torch.__version__, "transformers": transformers.__version__},
            "config": config, "tokens": tokens.tolist(), "targets": targets.tolist(),
            "loss": loss.item(), "grad_norm": norm}
    if mtp_losses:
        head["mtp_loss_scaling_factor"] = MTP_LOSS_SCALING_FACTOR
        head["mtp_losses"] = [mean.item() for mean in mtp_losses]
    lines = [json.dumps(head)[:-1] + ",", f'"logits": {numbers(logits)},', '"parameters": [']
    for i, (entry, gradient) in enumerate(zip(entries, gradients)):
        comma = "," if i + 1 < len(entries) else ""
        lines.append(json.dumps(entry)[:-1] + f', "gradient": {numbers(gradient)}}}{comma}')
    lines.append("]}")
    path = FOLDER / f"{name}.json"
    path.write_text("\n".join(lines) + "\n")
    assert json.loads(path.read_text())["parameters"][-1]["name"] == entries[-1]["name"]
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB, loss {loss.item():.6f}, norm {norm:.6f}, "
          f"finite differences {error:.1e}, router gap {min(gaps) if gaps else math.nan:.1e}")


def write_rope():
    """Inverse frequencies of each kind of RoPE scaling, as config keys and numbers."""
    base = {"model_type": "llama", "hidden_size": 256, "num_attention_heads": 4, "head_dim": 64,
            "max_position_embeddings": 131072, "rope_theta": 500000.0}
    scalings = [
        {"rope_type": "linear", "factor": 4.0},
        {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
         "original_max_position_embeddings": 8192},
        {"rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": 8192,
         "beta_fast": 32.0, "beta_slow": 1.0},
    ]
    cases = []
    for scaling in scalings:
        config = AutoConfig.for_model(**base, rope_scaling=dict(scaling))
        frequencies, attention_factor = ROPE_INIT_FUNCTIONS[scaling["rope_type"]](config, "cpu")
        cases.append({"config": {**base, "rope_scaling": scaling},
                      "attention_factor": attention_factor,
                      "inverse_frequencies": frequencies.tolist()})
    head = {"format": "argosy-golden-rope-1",
            "made_with": {"torch": torch.__version__, "transformers": transformers.__version__}}
    (FOLDER / "rope.json").write_text(json.dumps({**head, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    chosen = sys.argv[1:]
    for model_name in chosen or CONFIGS:
        write_model(model_name, CONFIGS[model_name])
    if not chosen:
        write_rope()
