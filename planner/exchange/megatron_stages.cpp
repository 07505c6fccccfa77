// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/megatron_stages.h"

#include <algorithm>
#include <charconv>

#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr size_t kMostItems = 1'000'000;  // of a layout or a list: a slip of the pen is no flood

// Repetitions written out: "(tt|)*2t*3" -> "tt|tt|ttt", "([0]*2+[1])*2" -> "001001". `plus` is what
// may stand between two parts, a character that is dropped.
class Repetitions {
 public:
  Repetitions(std::string_view text, std::string_view letters, char plus, char open, char close)
      : text_(text), letters_(letters), plus_(plus), open_(open), close_(close) {}

  // Nothing: it is not of this form.
  std::optional<std::string> written_out() {
    std::string all = sequence(0);
    if (is_wrong_ || at_ != text_.size()) return std::nullopt;
    return all;
  }

 private:
  static constexpr int kMostDepth = 8;

  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string fail() {
    is_wrong_ = true;
    return "";
  }

  std::string sequence(int depth) {
    std::string all;
    while (!is_wrong_ && at_ < text_.size() && text_[at_] != ')' && text_[at_] != close_) {
      if (take(plus_) || take(' ') || take(',')) continue;
      all += repeated(item(depth));
      if (all.size() > kMostItems) return fail();
    }
    return all;
  }

  std::string item(int depth) {
    if (depth > kMostDepth) return fail();
    for (const auto& [open, close] : {std::pair('(', ')'), std::pair(open_, close_)}) {
      if (!take(open)) continue;
      std::string inner = sequence(depth + 1);
      return take(close) ? inner : fail();
    }
    if (letters_.find(text_[at_]) == std::string_view::npos) return fail();
    return {text_[at_++]};
  }

  std::string repeated(const std::string& part) {
    if (!take('*')) return part;
    size_t count = 0;
    const char* const end = text_.data() + text_.size();
    const auto [rest, error] = std::from_chars(text_.data() + at_, end, count);
    if (error != std::errc() || count < 1 || count > kMostItems ||
        part.size() * count > kMostItems) {
      return fail();
    }
    at_ = static_cast<size_t>(rest - text_.data());
    std::string all;
    for (size_t i = 0; i < count; ++i) all += part;
    return all;
  }

  std::string_view text_, letters_;
  char plus_, open_, close_;
  size_t at_ = 0;
  bool is_wrong_ = false;
};

// Stages of the ranks' turns: the first and the last rank may have other numbers of layers.
std::vector<int64_t> layers_of_ranks(MegatronFlags& flags, int64_t num_layers, int64_t pp,
                                     int64_t virtual_stages) {
  const char* const first_flag = "--decoder-first-pipeline-num-layers";
  const char* const last_flag = "--decoder-last-pipeline-num-layers";
  const bool has_first = flags.has(first_flag), has_last = flags.has(last_flag);
  const int64_t first = flags.count(first_flag, 1), last = flags.count(last_flag, 1);
  const int64_t middle = num_layers - (has_first ? first : 0) - (has_last ? last : 0);
  const int64_t others = pp - (has_first ? 1 : 0) - (has_last ? 1 : 0);
  const int64_t v = virtual_stages;
  const bool divides = others > 0 && middle > 0 && middle % (others * v) == 0 &&
                       (!has_first || first % v == 0) && (!has_last || last % v == 0);
  if (!divides) {
    refuse_flag(
        concat(first_flag, " and ", last_flag, " of ", num_layers, " layers on ", pp, " ranks"),
        "numbers that leave equal stages to the other ranks");
  }
  std::vector<int64_t> layers(static_cast<size_t>(pp * v), middle / (others * v));
  for (int64_t turn = 0; turn < v; ++turn) {
    if (has_first) layers[static_cast<size_t>(turn * pp)] = first / v;
    if (has_last) layers[static_cast<size_t>(turn * pp + pp - 1)] = last / v;
  }
  return layers;
}

// Equal stages; embedding and head may count as a layer each.
std::vector<int64_t> equal_layers(MegatronFlags& flags, int64_t num_layers, int64_t num_stages) {
  const bool counts_embedding = flags.take("--account-for-embedding-in-pipeline-split");
  const bool counts_head = flags.take("--account-for-loss-in-pipeline-split");
  const int64_t counted = num_layers + (counts_embedding ? 1 : 0) + (counts_head ? 1 : 0);
  const int64_t each = counted / num_stages;
  if (counted % num_stages != 0 || each < (counts_embedding || counts_head ? 2 : 1)) {
    refuse_flag(concat("--num-layers ", num_layers,
                       counts_embedding || counts_head ? " and embedding or head" : "", " on ",
                       num_stages, " stages"),
                "a number of stages that divides the layers, or --pipeline-model-parallel-layout");
  }
  std::vector<int64_t> layers(static_cast<size_t>(num_stages), each);
  if (counts_embedding) --layers.front();
  if (counts_head) --layers.back();
  return layers;
}

MegatronStages stages_of_layout(MegatronFlags& flags, int64_t pp) {
  const char* const flag = "--pipeline-model-parallel-layout";
  const std::string layout = flags.text(flag, "");
  MegatronStages stages;
  stages.layers = layers_of_layout(layout);
  if (stages.layers.empty() || static_cast<int64_t>(stages.layers.size()) % pp != 0) {
    refuse_flag(concat(flag, " ", layout),
                "\"Et*N|(t*N|)*M...|t*NL\" with layers on every stage, m before L on the last, and "
                "a multiple of the pipeline's ranks of stages");
  }
  stages.virtual_stages = static_cast<int64_t>(stages.layers.size()) / pp;
  return stages;
}

}  // namespace

std::vector<int64_t> layers_of_layout(std::string_view layout) {
  const std::optional<std::string> all = Repetitions(layout, "EtmL|", ' ', '(', ')').written_out();
  if (!all || !all->starts_with('E') || !all->ends_with('L')) return {};
  std::string_view letters(*all);
  letters = letters.substr(1, letters.size() - 2);
  while (letters.ends_with('m')) letters.remove_suffix(1);
  std::vector<int64_t> layers = {0};
  for (const char letter : letters) {
    if (letter == '|') {
      layers.push_back(0);
    } else if (letter == 't') {
      ++layers.back();
    } else {
      return {};
    }
  }
  const bool has_empty = std::find(layers.begin(), layers.end(), 0) != layers.end();
  return has_empty ? std::vector<int64_t>{} : layers;
}

std::optional<std::vector<bool>> layer_pattern(std::string_view text, int64_t num_layers) {
  const std::optional<std::string> digits = Repetitions(text, "01", '+', '[', ']').written_out();
  if (!digits || static_cast<int64_t>(digits->size()) != num_layers) return std::nullopt;
  std::vector<bool> pattern;
  for (const char digit : *digits) pattern.push_back(digit == '1');
  return pattern;
}

MegatronStages read_megatron_stages(MegatronFlags& flags, int64_t num_layers, int64_t pp) {
  MegatronStages stages;
  stages.virtual_stages = flags.count("--num-virtual-stages-per-pipeline-rank", 1);
  const char* const per_stage_flag = "--num-layers-per-virtual-pipeline-stage";
  if (flags.has(per_stage_flag)) {
    if (num_layers == 0) refuse_flag(per_stage_flag, "with --num-layers");
    const int64_t per_stage = flags.count(per_stage_flag, 1);
    if (per_stage > num_layers || num_layers % (pp * per_stage) != 0) {
      refuse_flag(concat(per_stage_flag, " ", per_stage),
                  "a divisor of the layers of a pipeline rank");
    }
    stages.virtual_stages = num_layers / (pp * per_stage);
  }
  if (flags.has("--pipeline-model-parallel-layout")) return stages_of_layout(flags, pp);
  const bool says_ranks = flags.has("--decoder-first-pipeline-num-layers") ||
                          flags.has("--decoder-last-pipeline-num-layers");
  if (num_layers == 0 && says_ranks) {
    refuse_flag("--decoder-first-pipeline-num-layers without --num-layers",
                "--pipeline-model-parallel-layout");
  }
  if (num_layers == 0) return stages;
  if (stages.virtual_stages > num_layers / pp) {
    refuse_flag(concat("--num-layers ", num_layers, " on ", pp, " ranks with ",
                       stages.virtual_stages, " stages each"),
                "a layer or more on every stage");
  }
  stages.layers = says_ranks ? layers_of_ranks(flags, num_layers, pp, stages.virtual_stages)
                             : equal_layers(flags, num_layers, pp * stages.virtual_stages);
  return stages;
}

}  // namespace argosy
