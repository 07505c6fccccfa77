// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Arguments as in transformers/training_args.py; a minus in their names is an underscore.
#include "planner/exchange/deepspeed_launch.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <optional>

#include "planner/exchange/shell_script.h"
#include "planner/exchange/shell_tokens.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"
#include "planner/spec/number_text.h"

namespace argosy {

namespace {

constexpr const char* kMicroBatch = "--per_device_train_batch_size";
// Names that programs around the Trainer have for the tokens of a sequence.
constexpr const char* kLengths[] = {"--cutoff_len",  "--model_max_length", "--max_seq_length",
                                    "--max_seq_len", "--block_size",       "--max_length"};

// A flag as it stands in a text, whatever follows.
bool has_flag(std::string_view text, std::string_view flag) {
  for (size_t at = text.find(flag); at != std::string_view::npos; at = text.find(flag, at + 1)) {
    const size_t end = at + flag.size();
    if (end == text.size() || std::string_view(" =\t\r\n'\"\\)").find(text[end]) != text.npos) {
      return true;
    }
  }
  return false;
}

class Arguments {
 public:
  Arguments(const std::vector<std::string>& words, std::string where) : where_(std::move(where)) {
    std::string* value = nullptr;
    for (const std::string& word : words) {
      if (is_flag(word)) {
        const size_t equals = word.find('=');
        std::string name = word.substr(0, equals);
        std::replace(name.begin() + 2, name.end(), '-', '_');
        value = &values_[name];
        *value = equals == std::string::npos ? "" : word.substr(equals + 1);
      } else if (value != nullptr && value->empty()) {
        *value = word;
      }
    }
  }

  std::string text(const std::string& flag) const {
    const auto found = values_.find(flag);
    return found == values_.end() ? "" : found->second;
  }
  std::optional<int64_t> count(const std::string& flag) const {
    if (!values_.contains(flag)) return std::nullopt;
    const std::string value = text(flag);
    const std::optional<int64_t> count = number_in<int64_t>(value);
    if (count.value_or(0) < 1) {
      throw ConfigError(
          concat(where_, ": ", flag, " ", value, "; valid: a whole number of at least 1"));
    }
    return count;
  }
  // --bf16 alone, --bf16 true.
  std::optional<bool> boolean(const std::string& flag) const {
    if (!values_.contains(flag)) return std::nullopt;
    const std::string value = text(flag);
    return value.empty() || value == "1" || value[0] == 't' || value[0] == 'T' || value[0] == 'y';
  }

 private:
  std::string where_;
  std::map<std::string, std::string> values_;
};

template <typename Value>
void fill(Json& config, const char* key, const std::optional<Value>& value) {
  if (value && config.contains(key) && config[key] == Json("auto")) config[key] = *value;
}

// What the file leaves to the arguments.
void fill_in(const Arguments& arguments, Json& config) {
  if (!config.is_object()) return;
  const std::optional<int64_t> micro_batch = arguments.count(kMicroBatch);
  std::optional<int64_t> steps = arguments.count("--gradient_accumulation_steps");
  if (micro_batch && !steps) steps = 1;  // the Trainer's default
  fill(config, "train_micro_batch_size_per_gpu", micro_batch);
  fill(config, "gradient_accumulation_steps", steps);
  const std::optional<bool> bf16 = arguments.boolean("--bf16"), fp16 = arguments.boolean("--fp16");
  for (const auto& [section, is_on, other] :
       {std::tuple("bf16", bf16, fp16), {"fp16", fp16, bf16}}) {
    if (!config.contains(section) || !config[section].is_object()) continue;
    fill(config[section], "enabled", is_on || !other ? is_on : std::optional<bool>(false));
  }
  const char* const recompute = "activation_checkpointing";
  if (arguments.boolean("--gradient_checkpointing").value_or(false) &&
      !config.contains(recompute)) {
    config[recompute] = Json::object();
  }
}

}  // namespace

bool is_deepspeed_command(std::string_view text) {
  const bool is_started = has_flag(text, "--deepspeed") || has_flag(text, "--deepspeed_config");
  return is_started && !has_flag(text, "--num-layers") && !has_flag(text, "--micro-batch-size");
}

DeepSpeedLaunch read_deepspeed_launch(std::string_view text, const std::string& where) {
  const Arguments arguments(read_shell_command(text, where + ": ").words, where);
  DeepSpeedLaunch launch;
  for (const char* flag : {"--deepspeed_config", "--deepspeed"}) {
    if (launch.file.empty()) launch.file = arguments.text(flag);
  }
  if (launch.file.empty()) {
    throw ConfigError(concat(where,
                             ": --deepspeed names no file; valid: --deepspeed FILE or "
                             "--deepspeed_config FILE, or the ds_config.json itself"));
  }
  std::string config;
  try {
    config = read_text_file(launch.file);
  } catch (const ConfigError& error) {
    throw ConfigError(concat(where, ": ", error.what(),
                             "; valid: the ds_config.json itself, or argosy-plan started in the "
                             "folder that the path is from"));
  }
  Json json = parse_json(config, concat(where, ": ", launch.file));
  fill_in(arguments, json);
  launch.config_json = json.dump(2);
  for (const char* flag : kLengths) {
    if (launch.seq_len == 0) launch.seq_len = arguments.count(flag).value_or(0);
  }
  return launch;
}

void refuse_trainer_command(std::string_view text, const std::string& where) {
  for (const char* flag : {kMicroBatch, "--model_name_or_path"}) {
    if (!has_flag(text, flag)) continue;
    throw ConfigError(
        concat(where, ": starts a program with Hugging Face's arguments (", flag,
               ") and without --deepspeed FILE, so that nothing says how the model "
               "is split; valid: a setup with --deepspeed FILE, its ds_config.json, "
               "or --model, --seq-len, --global-batch and --fix instead of --import"));
  }
}

}  // namespace argosy
