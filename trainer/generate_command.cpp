// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/generate_command.h"

#include <algorithm>
#include <cmath>
#include <ostream>
#include <vector>

#include "planner/report/units.h"
#include "planner/spec/clock.h"
#include "planner/spec/philox.h"
#include "trainer/chat/training_segments.h"
#include "trainer/data/conversations.h"
#include "trainer/decoder.h"
#include "trainer/generate_source.h"
#include "trainer/layers/stage.h"
#include "trainer/run_setup.h"
#include "trainer/run_tokenizer.h"

namespace argosy {

namespace {

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

// What a user says, up to where the answer begins.
std::string chat_text(const std::string& prompt, const TokenizerFolder& folder) {
  ChatInputs inputs;
  inputs.messages = {{{"role", "user"}, {"content", prompt}}};
  inputs.tokens = folder.specials;
  inputs.variables = variables_of(folder);
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

// The tokens of which each ends what is written: --end-of-text alone, or the tokenizer's own and
// those of the model that it belongs to.
std::vector<int32_t> end_tokens(const TrainOptions& options, const TokenizerFolder& folder,
                                const ModelSpec& model) {
  if (options.end_of_text >= 0 || folder.folder.empty()) return {folder.end_of_text};
  std::vector<int32_t> ends = end_tokens_of_config(model.config_json, "the model");
  ends.push_back(folder.end_of_text);
  return ends;
}

// Writes the text behind the prompt as it becomes known: a character may be the tokens of several
// steps.
class TextWriter {
 public:
  TextWriter(const Tokenizer& tokenizer, const std::vector<int32_t>& prompt, std::ostream& out)
      : decoder_(tokenizer), out_(out), num_prompt_bytes_(tokenizer.decode(prompt).size()) {
    for (const int32_t token : prompt) write(token);
  }

  void write(int32_t token) { write(decoder_.append(token)); }
  void end() { write(decoder_.end()); }

 private:
  void write(const std::string& text) {
    const size_t of_prompt = std::min(text.size(), num_prompt_bytes_);
    num_prompt_bytes_ -= of_prompt;
    if (of_prompt < text.size()) out_ << text.substr(of_prompt) << std::flush;
  }

  TextDecoder decoder_;
  std::ostream& out_;
  size_t num_prompt_bytes_;  // of the text that is to come
};

// What it took. The pass of the prompt gives the first token.
struct Rates {
  int64_t num_prompt_tokens = 0, num_seen = 0;  // of them in the first window
  int64_t num_tokens = 0;                       // that were chosen
  double prompt_s = 0, others_s = 0;

  void add(double pass_s) { (num_tokens++ == 0 ? prompt_s : others_s) += pass_s; }
};

std::string describe(const Rates& rates) {
  const auto part = [](const char* name, int64_t num_tokens, int64_t num_rows, double seconds,
                       const std::string& seen = "") {
    std::string text = concat(name, " ", format_counted(num_tokens, "token"), seen);
    if (num_rows <= 0 || seconds <= 0) return text;
    return concat(text, ", ", format_seconds(seconds), ", ",
                  format_fixed(static_cast<double>(num_rows) / seconds, 1), " tokens/s");
  };
  const bool is_whole = rates.num_seen == rates.num_prompt_tokens;
  const std::string seen = is_whole ? "" : concat(", the last ", rates.num_seen, " seen");
  return concat("argosy-train: ",
                part("prompt", rates.num_prompt_tokens, rates.num_seen, rates.prompt_s, seen),
                " | ", part("generated", rates.num_tokens, rates.num_tokens - 1, rates.others_s));
}

}  // namespace

int run_generate(const TrainOptions& options, DeviceContext& device, Communicator& world,
                 std::ostream& out, std::ostream& log) {
  require_one_rank(world, "--generate");
  if (options.prompt.empty()) throw ConfigError("--generate: the prompt is empty");
  GenerateSource source = find_generate_source(options);
  Plan& plan = source.plan;
  const TokenizerFolder folder = read_found_tokenizer(options, find_tokenizer(options));
  std::vector<int32_t> tokens = prompt_tokens(options, folder, plan.model.vocab_size);
  const auto num_prompt_tokens = static_cast<int64_t>(tokens.size());
  // Neither cache nor tables of positions for more than there will be.
  if (options.max_new_tokens < plan.seq_len - num_prompt_tokens) {
    plan.seq_len = num_prompt_tokens + options.max_new_tokens;
  }
  const std::vector<int32_t> ends = end_tokens(options, folder, plan.model);

  ProcessGroups groups(world, plan.mesh, plan.model.num_kv_heads);
  RouterState router = make_router_state(device, plan, AuxLossScope::sequence);
  const LayerContext ctx{device, groups, plan, {}, &router};
  ParameterStore store(device, plan, 0, Gradients::none);
  Stage stage(ctx, store, 0);
  restore_source(ctx, source, store);

  if (!options.chat) out << options.prompt << std::flush;
  Decoder decoder(ctx, stage);
  TextWriter writer(folder.tokenizer, tokens, out);
  Rates rates{.num_prompt_tokens = num_prompt_tokens,
              .num_seen = std::min(num_prompt_tokens, plan.seq_len)};
  for (int64_t i = 0; i < options.max_new_tokens; ++i) {
    const Clock::time_point begin = Clock::now();
    const int32_t token = sample(decoder.next_logits(tokens), options, static_cast<uint64_t>(i));
    rates.add(seconds_since(begin));
    if (std::find(ends.begin(), ends.end(), token) != ends.end()) break;
    tokens.push_back(token);
    writer.write(token);
  }
  writer.end();
  out << '\n' << std::flush;
  log << describe(rates) << '\n';
  return kExitDone;
}

}  // namespace argosy
