// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Decisions and options by the names that each format has for them.
#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <span>
#include <string_view>

#include "planner/import_setup.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

struct Word {
  std::string_view ours;
  const char* theirs;
};

constexpr Word kMegatron[] = {{"tp", "--tensor-model-parallel-size"},
                              {"pp", "--pipeline-model-parallel-size"},
                              {"cp", "--context-parallel-size"},
                              {"ep", "--expert-model-parallel-size"},
                              {"etp", "--expert-tensor-parallel-size"},
                              {"micro_batch", "--micro-batch-size"},
                              {"sequence_parallel", "--sequence-parallel"},
                              {"recompute_layers", "--recompute-num-layers"},
                              {"virtual_stages", "--num-layers-per-virtual-pipeline-stage"},
                              {"zero_shard", "--num-distributed-optimizer-instances"},
                              {"moe_capacity_factor", "--moe-expert-capacity-factor"},
                              {"offload", "--optimizer-cpu-offload"},
                              {"seq_len", "--seq-length"},
                              {"precision", "--bf16, --fp8-format"},
                              {"--seq-len", "--seq-length"},
                              {"--global-batch", "--global-batch-size"},
                              {"--tokens", "--train-samples"}};
constexpr Word kDeepSpeed[] = {{"tp", "tensor_parallel.autotp_size"},
                               {"pp", "pipeline.stages"},
                               {"cp", "sequence_parallel_size"},
                               {"micro_batch", "train_micro_batch_size_per_gpu"},
                               {"zero_shard", "zero_optimization.mics_shard_size"},
                               {"offload", "zero_optimization.offload_optimizer"},
                               {"precision", "bf16.enabled, fp16.enabled"},
                               {"--global-batch", "train_batch_size"}};
constexpr Word kTorchtitan[] = {{"tp", "tensor_parallel_degree"},
                                {"pp", "pipeline_parallel_degree"},
                                {"cp", "context_parallel_degree"},
                                {"ep", "expert_parallel_degree"},
                                {"etp", "expert_tensor_parallel_degree"},
                                {"micro_batch", "local_batch_size"},
                                {"zero_shard", "data_parallel_shard_degree"},
                                {"seq_len", "seq_len"},
                                {"precision", "mixed_precision_param, converters"},
                                {"--seq-len", "seq_len"},
                                {"--global-batch", "global_batch_size"}};

std::span<const Word> words_of(PeerFormat format) {
  switch (format) {
    case PeerFormat::megatron:
      return kMegatron;
    case PeerFormat::deepspeed:
      return kDeepSpeed;
    case PeerFormat::torchtitan:
      return kTorchtitan;
  }
  return {};
}

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

// Where `word` stands alone; npos: nowhere.
size_t find_word(std::string_view text, std::string_view word, size_t from = 0) {
  for (size_t at = text.find(word, from); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    const bool begins = at == 0 || !is_word_character(text[at - 1]);
    if (begins && (end == text.size() || !is_word_character(text[end]))) return at;
  }
  return std::string_view::npos;
}

void replace_words(std::string& text, std::string_view word, std::string_view by) {
  for (size_t at = find_word(text, word); at != std::string::npos;
       at = find_word(text, word, at + by.size())) {
    text.replace(at, word.size(), by);
  }
}

}  // namespace

std::string in_words_of(const ImportSetup& setup, const PlanOptions& given,
                        const std::string& of_options) {
  std::string message = of_options;
  constexpr std::string_view kDevices = "another --devices";
  const PeerLaunch& launch = setup.launch;
  if (const size_t at = message.find(kDevices);
      at != std::string::npos && given.devices == 0 && launch.num_devices > 0) {
    message.replace(at, kDevices.size(),
                    concat("other numbers of ranks in the script (", launch.said, ")"));
  }
  const struct {
    std::string_view option, stands_for;
    bool is_typed;
  } kOptions[] = {{"--fix: ", "", !given.fix.empty()},
                  {"--precision: ", "precision: ", false},
                  {"--seq-len: ", "--seq-len: ", given.seq_len > 0},
                  {"--devices: ", "the ranks that it starts: ", given.devices > 0}};
  for (const auto& option : kOptions) {
    if (option.is_typed || !message.starts_with(option.option)) continue;
    std::string text = concat(option.stands_for, message.substr(option.option.size()));
    std::string names;
    for (const Word& word : words_of(setup.format)) {
      if (word.ours.starts_with("--")) {
        const bool is_typed =
            word.ours == "--global-batch" ? given.global_batch > 0 : given.seq_len > 0;
        if (!is_typed) replace_words(text, word.ours, word.theirs);
      } else if (find_word(text, word.ours) != std::string::npos && word.ours != word.theirs) {
        append_listed(names, word.ours, ": ", word.theirs);
      }
    }
    return concat(setup.where, ": ", text, names.empty() ? "" : concat(" (", names, ")"));
  }
  return message;
}

}  // namespace argosy
