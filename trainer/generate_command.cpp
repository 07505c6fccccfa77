// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/generate_command.h"

#include <algorithm>
#include <cmath>
#include <ostream>
#include <vector>

#include "checkpoint/exchange.h"
#include "checkpoint/hf/model_folder.h"
#include "planner/spec/philox.h"
#include "trainer/chat/training_segments.h"
#include "trainer/data/conversations.h"
#include "trainer/device/host_copy.h"
#include "trainer/layers/stage.h"
#include "trainer/microbatches.h"
#include "trainer/model_checkpoint.h"
#include "trainer/run_setup.h"
#include "trainer/run_tokenizer.h"
#include "trainer/start_point.h"
#include "trainer/tokenizer/utf8.h"
#include "trainer/verify.h"

namespace argosy {

namespace {

// Where weights come from, and the network on one rank, a sequence at a time.
struct Source {
  std::filesystem::path folder;
  Restore restore = Restore::weights;
  Plan plan;
};

// Each token looks at its whole window anew: longer ones take longer.
constexpr int64_t kMostWindow = 2048;

// A plan for a network that no plan of ours has trained.
Plan plan_of_hf(const std::filesystem::path& folder) {
  Plan plan;
  plan.model = read_model(folder).model;
  plan.cluster = "local-cpu";
  plan.micro_batch = plan.global_batch = 1;
  plan.seq_len = kMostWindow;
  if (plan.model.max_positions > 0) {
    plan.seq_len = std::min(plan.seq_len, plan.model.max_positions);
  }
  return single_rank(plan);
}

Source find_source(const TrainOptions& options) {
  const std::filesystem::path from = options.init.empty() ? options.run_dir : options.init;
  if (from.empty()) throw ConfigError("--generate needs --run-dir or --init: whose weights?");
  if (!options.init_adapter.empty()) {
    throw ConfigError(
        "--init-adapter: not supported with --generate; valid: --run-dir of a LoRA job, "
        "or weights with their adapter merged");
  }
  Source source;
  if (is_hf_folder(from)) {
    source = {from, Restore::base, plan_of_hf(from)};
  } else {
    std::vector<std::string> skipped;
    source.folder = resolve_checkpoint(from, &skipped);
    source.plan = parse_plan(read_manifest(source.folder).plan_json,
                             (source.folder / "manifest.json").string());
  }
  source.plan = single_rank(apply_options(source.plan, options));
  source.plan.micro_batch = source.plan.global_batch = 1;
  source.plan.moe_capacity_factor = 0;  // every token is wanted
  validate(source.plan);
  return source;
}

// Probabilities of the k likeliest tokens at a temperature; logits: (V).
std::vector<double> distribution(const std::vector<double>& logits, double temperature,
                                 int64_t top_k) {
  std::vector<double> sorted = logits;
  const size_t keep =
      top_k > 0 ? std::min(static_cast<size_t>(top_k), logits.size()) : logits.size();
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(keep - 1),
                   sorted.end(), std::greater<>());
  const double threshold = sorted[keep - 1],
               maximum = *std::max_element(logits.begin(), logits.end());
  std::vector<double> weights(logits.size(), 0.0);
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= threshold) weights[i] = std::exp((logits[i] - maximum) / temperature);
  }
  return weights;
}

int32_t sample(const std::vector<double>& logits, const TrainOptions& options, uint64_t index) {
  const auto likeliest = std::max_element(logits.begin(), logits.end()) - logits.begin();
  if (options.temperature == 0) return static_cast<int32_t>(likeliest);
  const std::vector<double> weights = distribution(logits, options.temperature, options.top_k);
  double total = 0;
  for (const double weight : weights) total += weight;
  double rest = uniform(options.seed.value_or(0), hash_name("generate"), index) * total;
  for (size_t i = 0; i < weights.size(); ++i) {
    rest -= weights[i];
    if (rest < 0) return static_cast<int32_t>(i);
  }
  return static_cast<int32_t>(likeliest);  // rounding at the very end of the range
}

// Logits of the token after `tokens`.
std::vector<double> next_logits(const LayerContext& ctx, Stage& stage,
                                const std::vector<int32_t>& tokens) {
  const int64_t length = std::min<int64_t>(static_cast<int64_t>(tokens.size()), ctx.plan.seq_len);
  const std::vector<int32_t> window(tokens.end() - length, tokens.end());
  const std::vector<int32_t> no_targets(window.size(), -1);
  const Tensor logits = stage.logits(ctx, make_microbatch(ctx, {window, no_targets}, 1, length))
                            .rows(length - 1, length);
  return copy_to_doubles(logits);
}

// What a user says, up to where the answer begins.
std::string chat_text(const std::string& prompt, const TokenizerFolder& folder) {
  ChatInputs inputs;
  inputs.messages = {{{"role", "user"}, {"content", prompt}}};
  inputs.tokens = folder.specials;
  return naming("--chat", [&] { return chat_prompt(chat_template_of(folder), inputs); });
}

// The prompt as the tokens that a text begins with.
std::vector<int32_t> prompt_tokens(const TrainOptions& options, const TokenizerFolder& folder,
                                   int64_t vocab_size) {
  std::vector<int32_t> tokens;
  if (!options.chat) tokens = folder.tokenizer.rules().prefix;  // else the template has it
  const std::string text = options.chat ? chat_text(options.prompt, folder) : options.prompt;
  naming("--generate", [&] { TextEncoder(folder.tokenizer).append(text, tokens); });
  if (tokens.empty()) throw ConfigError("--generate: nothing of the prompt is a token");
  for (const int32_t token : tokens) {
    if (token < vocab_size) continue;
    throw ConfigError(concat("--generate: the prompt is read as token ", token,
                             ", the model's vocab_size is ", vocab_size,
                             "; valid: --tokenizer of that model"));
  }
  return tokens;
}

// Writes text as it becomes known: a character may be the tokens of several steps.
class TextWriter {
 public:
  TextWriter(const Tokenizer& tokenizer, const std::vector<int32_t>& prompt, std::ostream& out)
      : tokenizer_(tokenizer), out_(out), num_written_(tokenizer.decode(prompt).size()) {}

  void write(const std::vector<int32_t>& tokens) { write_until(tokens, /*is_end=*/false); }
  void end(const std::vector<int32_t>& tokens) { write_until(tokens, /*is_end=*/true); }

 private:
  void write_until(const std::vector<int32_t>& tokens, bool is_end) {
    const std::string text = tokenizer_.decode(tokens);
    const size_t known = is_end ? text.size() : text.size() - unfinished_bytes(text);
    if (known <= num_written_) return;
    out_ << text.substr(num_written_, known - num_written_) << std::flush;
    num_written_ = known;
  }

  const Tokenizer& tokenizer_;
  std::ostream& out_;
  size_t num_written_;  // bytes of the text, the prompt's among them
};

}  // namespace

int run_generate(const TrainOptions& options, DeviceContext& device, Communicator& world,
                 std::ostream& out) {
  require_one_rank(world, "--generate");
  if (options.prompt.empty()) throw ConfigError("--generate: the prompt is empty");
  const Source source = find_source(options);
  const Plan& plan = source.plan;
  const TokenizerFolder folder = read_found_tokenizer(options, find_tokenizer(options));
  std::vector<int32_t> tokens = prompt_tokens(options, folder, plan.model.vocab_size);

  ProcessGroups groups(world, plan.mesh, plan.model.num_kv_heads);
  RouterState router = make_router_state(device, plan, AuxLossScope::sequence);
  const LayerContext ctx{device, groups, plan, {}, &router};
  ParameterStore store(device, plan, 0);
  Stage stage(ctx, store, 0);
  restore_checkpoint(ctx, source.folder, source.restore, store, nullptr);

  if (!options.chat) out << options.prompt << std::flush;
  TextWriter writer(folder.tokenizer, tokens, out);
  for (int64_t i = 0; i < options.max_new_tokens; ++i) {
    const int32_t token =
        sample(next_logits(ctx, stage, tokens), options, static_cast<uint64_t>(i));
    if (token == folder.end_of_text) break;
    tokens.push_back(token);
    writer.write(tokens);
  }
  writer.end(tokens);
  out << '\n';
  return kExitDone;
}

}  // namespace argosy
