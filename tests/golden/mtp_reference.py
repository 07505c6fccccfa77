# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""Multi-token prediction (DeepSeek-V3, arXiv:2412.19437, section 2.2) around a model of transformers,
which leaves those modules out. Written from the paper, with two facts that it leaves open as
Megatron-LM and vLLM have them: the embedding stands first in the projection's input, and what a
module reads is what the head before it reads, behind that head's norm.

make_golden.py, which imports this, makes the conversions to fp32 inside the library go to fp64.
"""

import torch

IGNORED = -100


class Module(torch.nn.Module):
    """h' = M [norm(Emb(t_{i+k})); norm(h_i)], a block as the model's last, a norm."""

    def __init__(self, causal_lm, number):
        super().__init__()
        config, last = causal_lm.config, causal_lm.model.layers[-1]
        norm, size = type(causal_lm.model.norm), config.hidden_size
        self.enorm, self.hnorm = (norm(size, eps=config.rms_norm_eps) for _ in range(2))
        self.eh_proj = torch.nn.Linear(2 * size, size, bias=False)
        self.block = type(last)(config, config.num_hidden_layers + number)
        self.final_norm = norm(size, eps=config.rms_norm_eps)

    def forward(self, hidden, embeddings, mask, positions):
        x = self.eh_proj(torch.cat([self.enorm(embeddings), self.hnorm(hidden)], dim=-1))
        x = self.block(x, attention_mask=mask, position_embeddings=positions)
        return self.final_norm(x[0] if isinstance(x, tuple) else x)


class WithModules(torch.nn.Module):
    """The objective: cross entropy of the next tokens + factor / modules * each module's mean."""

    def __init__(self, causal_lm, factor):
        super().__init__()
        self.main, self.factor = causal_lm, factor
        count = causal_lm.config.num_nextn_predict_layers
        self.further = torch.nn.ModuleList(Module(causal_lm, i) for i in range(count))

    def named_parameters(self, *args, **kwargs):
        """Under the names of released files: modules count on from the layers."""
        yield from self.main.named_parameters()
        first = self.main.config.num_hidden_layers
        for i, module in enumerate(self.further):
            for name, parameter in module.named_parameters():
                name = name.replace("final_norm.", "shared_head.norm.").removeprefix("block.")
                yield f"model.layers.{first + i}.{name}", parameter

    def losses(self, tokens, targets):
        """logits of the next tokens; the means, the model's first and then each module's."""
        model = self.main.model
        length = tokens.shape[1]
        hidden = model(input_ids=tokens, use_cache=False).last_hidden_state  # behind the final norm
        logits = self.main.lm_head(hidden)
        means = [cross_entropy(logits, targets)]
        positions = model.rotary_emb(hidden, torch.arange(length)[None])
        mask = torch.full((length, length), -torch.inf).triu(1)[None, None]
        for k, module in enumerate(self.further, start=1):
            # Behind the end there is nothing to embed and nothing to predict.
            ahead = torch.zeros_like(hidden)
            ahead[:, :-k] = model.embed_tokens(tokens[:, k:])
            hidden = module(hidden, ahead, mask, positions)
            predicted = torch.full_like(targets, IGNORED)
            predicted[:, :-k] = targets[:, k:]
            means.append(cross_entropy(self.main.lm_head(hidden), predicted))
        return logits, means

    def objective(self, means):
        return means[0] + self.factor / len(self.further) * sum(means[1:])


def cross_entropy(logits, targets):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(),
                                             ignore_index=IGNORED)
