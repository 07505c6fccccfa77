#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""Writes tokenizers/: small tokenizers of every kind, and what Hugging Face's library makes of texts by them.

Needs Python's `tokenizers` (the files here: 0.23.3). A tokenizer is a file NAME.json as a model's folder has it as
tokenizer.json; cases.json has for each the tokens of each text, without and with those around a whole text, and what
the tokens are decoded to.
"""

import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = pathlib.Path(__file__).parent / "tokenizers"
VOCAB_SIZE = 420

CORPUS = """
The ship left the harbour at dawn, and the harbour's bell rang twice. We're told that it'll be back in 12 or 13 days.
A planner says how to split a model over a cluster; a trainer trains the model by that plan. It's 2048 devices, 1.5 days.
    def split(model, cluster):
        return [rank for rank in cluster.ranks if rank.fits(model)]
Der Hafen liegt am Fluss, das Schiff f\u00e4hrt um f\u00fcnf Uhr. Na\u00efve caf\u00e9, \u00e9t\u00e9, \u00e0 la carte.
\u0427\u0430\u0439\u043a\u0430 \u043b\u0435\u0442\u0438\u0442 \u043d\u0430\u0434 \u043c\u043e\u0440\u0435\u043c. \u8239\u304c\u6e2f\u3092\u51fa\u308b\u3002 \u8239\u958b\u4e86\u3002
\t the the the  then there those   \n\n\n that\r\nthis ... !!! ?? -- == (( )) [1] {2} <3>
""" * 4

# What users' texts are made of; marks of the tokenizers' own are among them.
TEXTS = [
    "",
    "ship",
    "The ship left the harbour.",
    "  two  blanks   and\ta tab \n\n  lines\r\n end ",
    "it's IT'S We'LL they've 'quoted'",
    "12345 1 22 333 4444 3.14159 1,000,000 x2y2",
    "def f(x):\n\treturn x**2 + 1  # squared\n",
    "na\u00efve caf\u00e9 d\u00e9j\u00e0 vu",
    "nai\u0308ve cafe\u0301",  # the same letters as pairs of characters
    "\u8239\u304c\u6e2f\u3092\u51fa\u308b\u3002\u65e5\u672c\u8a9e 123",
    "\u0427\u0430\u0439\u043a\u0430, \u043c\u043e\u0440\u0435!",
    "\U0001f6a2 sails \U0001f468\u200d\U0001f469\u200d\U0001f467 family",
    "zero\u200bwidth no\u00a0break \u3000wide",
    "a<|end|>b <|end|> c<|end|><|end|>",
    "<s>hello</s> <s> world",
    "<|start|>user\nhello<|end|>\n<|start|>assistant\n",
    "left <left> right <right> word sub wordsub sub.",
    "\u2581visible\u2581 blank \u2581",
    "\u00bd \u2167 \u0665 \u00b2",
    "~`!@#$%^&*()_+-={}[]|\\:\";'<>?,./",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "\n", " ", "   ", "\n \n", "the the the\u0000nul",
]

LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def special(content, **how):
    return AddedToken(content, special=True, normalized=False, **how)


def train(tokenizer, added=(), alphabet=True, **options):
    options["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet() if alphabet else []
    options["special_tokens"] = options.get("special_tokens", [])
    trainer = trainers.BpeTrainer(vocab_size=VOCAB_SIZE, show_progress=False, **options)
    tokenizer.train_from_iterator(CORPUS.splitlines(keepends=True), trainer)
    tokenizer.add_tokens(list(added))
    return tokenizer


def surround(tokenizer, before, behind=""):
    ends = [(name, tokenizer.token_to_id(name)) for name in (before, behind) if name]
    return processors.TemplateProcessing(single=f"{before} $A {behind}".strip(), special_tokens=ends)


def splits(*patterns):
    steps = [pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in patterns]
    return pre_tokenizers.Sequence(steps + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def byte_level(pre_tokenizer, normalizer=None, added=("<|end|>",), **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return train(tokenizer, [special(name) for name in added])


def like_gpt2():
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))


def like_llama3():
    tokenizer = byte_level(splits(rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|{LETTERS}|\p{{N}}{{1,3}}|{REST}"),
                           added=("<s>", "<|start|>", "<|end|>"), ignore_merges=True)
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), surround(tokenizer, "<s>")])
    return tokenizer


def like_qwen2():
    return byte_level(splits(rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|{LETTERS}|\p{{N}}|{REST}"), normalizers.NFC(),
                      added=("<|start|>", "<|end|>"))


def without_some_bytes():
    """As SmolLM2's: bytes that its text never had are no tokens."""
    tokenizer = Tokenizer(models.BPE(unk_token="<|end|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return train(tokenizer, alphabet=False, special_tokens=["<|end|>"])


def like_deepseek():
    return byte_level(splits(r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                             r"[!-/:-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
                      added=("<\uff5cend\uff5c>",))


def like_llama2():
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    ends = [special(name) for name in ("<unk>", "<s>", "</s>")]
    train(tokenizer, alphabet=False, special_tokens=ends + bytes_)
    # Byte tokens are no added ones in such files.
    kept = json.loads(tokenizer.to_str())
    kept["added_tokens"] = [token for token in kept["added_tokens"] if token["content"] not in bytes_]
    tokenizer = Tokenizer.from_str(json.dumps(kept))
    tokenizer.post_processor = surround(tokenizer, "<s>", "</s>")
    return tokenizer


def like_mistral():
    kept = json.loads(like_llama2().to_str())
    kept["normalizer"] = None
    kept["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False}
    return Tokenizer.from_str(json.dumps(kept))


def with_metaspace():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    train(tokenizer, alphabet=False, special_tokens=["<unk>"])
    return tokenizer


def with_odd_steps():
    """Every behavior of a split, and added tokens that look at what stands beside them."""
    tokenizer = byte_level(pre_tokenizers.Sequence([
        pre_tokenizers.Split("(", behavior="merged_with_next"), pre_tokenizers.Split(".", behavior="merged_with_previous"),
        pre_tokenizers.Split(Regex("[a-z]+"), behavior="contiguous"), pre_tokenizers.Split("\t", behavior="removed"),
        pre_tokenizers.Split(Regex(r"\S+|\s"), behavior="removed", invert=True),
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True)]),
        normalizers.Sequence([normalizers.NFKD(), normalizers.Replace(Regex("[!?]+"), "!")]))
    tokenizer.add_tokens([AddedToken("<left>", lstrip=True), AddedToken("<right>", rstrip=True, special=True),
                          AddedToken("sub", single_word=True), AddedToken("caf\u00e9", normalized=True), special("<|end|><|end|>")])
    return tokenizer


def main():
    FOLDER.mkdir(exist_ok=True)
    cases = {}
    for make in (like_gpt2, like_llama3, like_qwen2, without_some_bytes, like_deepseek, like_llama2, like_mistral, with_metaspace, with_odd_steps):
        name, tokenizer = make.__name__, make()
        (FOLDER / f"{name}.json").write_text(tokenizer.to_str() + "\n", encoding="utf-8")
        cases[name] = []
        for text in TEXTS:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            cases[name].append({"text": text, "ids": ids, "whole": tokenizer.encode(text).ids, "decoded": tokenizer.decode(ids)})
    lines = ",\n".join(f'"{name}": [\n' + ",\n".join(json.dumps(case) for case in of) + "]" for name, of in cases.items())
    (FOLDER / "cases.json").write_text("{" + lines + "}\n")


if __name__ == "__main__":
    main()
