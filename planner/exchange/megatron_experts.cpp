// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/megatron_experts.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "planner/exchange/megatron_stages.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

// A flag that has a number n or a list of 0 and 1, a value a layer: of_every says what n means.
template <typename OfEvery>
std::vector<bool> read_pattern(MegatronFlags& flags, const char* flag, int64_t num_layers,
                               int64_t fallback, const OfEvery& of_every) {
  const std::string text = flags.text(flag, std::to_string(fallback));
  if (const std::optional<int64_t> every = whole_number(text); every && *every >= 1) {
    std::vector<bool> pattern;
    for (int64_t layer = 0; layer < num_layers; ++layer) pattern.push_back(of_every(layer, *every));
    return pattern;
  }
  std::optional<std::vector<bool>> pattern = layer_pattern(text, num_layers);
  if (!pattern) {
    refuse_flag(concat(flag, " ", text),
                concat("a number, or a list for the ", num_layers, " layers as ([0]*3+[1]*",
                       std::max<int64_t>(1, num_layers - 3), ")"));
  }
  return *std::move(pattern);
}

}  // namespace

int64_t MegatronExperts::num_dense_layers() const {
  return std::count(layer_is_moe.begin(), layer_is_moe.end(), false);
}

bool MegatronExperts::is_dense_first() const {
  return std::is_sorted(layer_is_moe.begin(), layer_is_moe.end());
}

MegatronExperts read_megatron_experts(MegatronFlags& flags, int64_t num_layers, int64_t ffn_size) {
  MegatronExperts experts;
  if (!flags.has("--num-experts")) {
    experts.idle_flags = flags.take_all(
        {"--moe-router-topk", "--moe-ffn-hidden-size", "--moe-shared-expert-intermediate-size",
         "--moe-shared-expert-gate", "--moe-router-num-groups", "--moe-router-group-topk",
         "--moe-expert-capacity-factor", "--moe-layer-freq"});
    return experts;
  }
  experts.num_experts = flags.count("--num-experts", 1);
  experts.top_k = flags.count("--moe-router-topk", experts.top_k);
  experts.ffn_size = flags.count("--moe-ffn-hidden-size", ffn_size);
  const char* const shared = "--moe-shared-expert-intermediate-size";
  if (flags.has(shared)) experts.shared_ffn_size = flags.count(shared, 1);
  experts.has_shared_gate = flags.take("--moe-shared-expert-gate") && experts.shared_ffn_size > 0;
  experts.rescales_weights = !flags.take("--moe-router-pre-softmax");
  const std::string score = flags.text("--moe-router-score-function", "softmax");
  if (score != "softmax" && score != "sigmoid") {
    refuse_flag("--moe-router-score-function " + score, "softmax, sigmoid");
  }
  experts.is_sigmoid = score == "sigmoid";
  experts.num_groups = flags.count("--moe-router-num-groups", 1);
  experts.top_groups = flags.count("--moe-router-group-topk", experts.num_groups);
  experts.routed_scaling = flags.number("--moe-router-topk-scaling-factor", 1);
  experts.capacity_factor = flags.number("--moe-expert-capacity-factor", 0);
  experts.layer_is_moe =
      read_pattern(flags, "--moe-layer-freq", num_layers, 1,
                   [](int64_t layer, int64_t every) { return layer % every == 0; });
  return experts;
}

MegatronWindow read_megatron_window(MegatronFlags& flags, int64_t num_layers) {
  MegatronWindow window;
  const char* const flag = "--window-size";
  if (!flags.has(flag)) {
    flags.take("--window-attn-skip-freq");
    return window;
  }
  std::string text = flags.text(flag, "");
  std::erase_if(text, [](char c) { return c == ' ' || c == '(' || c == ')'; });
  const size_t comma = text.find(',');
  std::optional<int64_t> before, behind;
  if (comma != std::string::npos) {
    before = whole_number(text.substr(0, comma));
    behind = whole_number(text.substr(comma + 1));
  }
  if (!before || !behind || *behind != 0 || *before < -1 || *before > INT32_MAX) {
    refuse_flag(concat(flag, " ", text), "(N,0): N tokens before each that it sees");
  }
  window.keys = *before + 1;  // -1: all
  // Every n-th layer sees all keys; in a list those with a 0 do.
  window.layer_has_it =
      read_pattern(flags, "--window-attn-skip-freq", num_layers, num_layers + 1,
                   [](int64_t layer, int64_t every) { return (layer + 1) % every != 0; });
  return window;
}

}  // namespace argosy
