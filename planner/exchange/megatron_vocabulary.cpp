// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/megatron_vocabulary.h"

#include "planner/spec/check.h"
#include "planner/spec/integers.h"

namespace argosy {

namespace {

constexpr int64_t kVocabUnit = 128;  // Megatron's default of --make-vocab-size-divisible-by
constexpr int64_t kMostVocabUnit = 1'000'000;  // no product overflows

// Tokenizers that have one vocabulary; others come with their files, which nobody reads here.
constexpr struct {
  const char* name;
  int64_t size;
} kTokenizers[] = {{"GPT2BPETokenizer", 50257}, {"Llama2Tokenizer", 32000}};

int64_t size_of_tokenizer(MegatronFlags& flags, std::vector<std::string>& warnings) {
  const std::string tokenizer =
      flags.text("--tokenizer-type", flags.has("--merge-file") ? "GPT2BPETokenizer" : "");
  for (const auto& known : kTokenizers) {
    if (tokenizer != known.name) continue;
    warnings.push_back(concat("no --vocab-size: ", known.size, " tokens, as ", tokenizer, " has"));
    return known.size;
  }
  refuse_flag(concat("a vocabulary that only the tokenizer knows", tokenizer.empty() ? "" : ", ",
                     tokenizer, tokenizer.empty() ? "" : ","),
              "--vocab-size N among the flags; tokenizers are not read");
}

}  // namespace

int64_t read_megatron_vocabulary(MegatronFlags& flags, int64_t tp,
                                 std::vector<std::string>& warnings) {
  if (flags.has("--padded-vocab-size")) {
    flags.take("--vocab-size");
    return flags.required("--padded-vocab-size");
  }
  const char* const flag = "--make-vocab-size-divisible-by";
  const int64_t unit = flags.count(flag, kVocabUnit);
  if (unit > kMostVocabUnit) {
    refuse_flag(concat(flag, " ", unit), concat("at most ", kMostVocabUnit));
  }
  const int64_t size = flags.has("--vocab-size") ? flags.required("--vocab-size")
                                                 : size_of_tokenizer(flags, warnings);
  const bool is_bare = flags.take("--no-pad-vocab-size") || flags.take("--disable-pad-vocab-size");
  return is_bare ? size : round_up(size, unit * tp);
}

}  // namespace argosy
