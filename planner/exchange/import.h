// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A run that somebody else set up for another framework.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/model.h"

namespace argosy {

// Of a ramp of the batch.
struct RampStep {
  int64_t global_batch = 0;  // sequences
  double tokens = 0;
};

struct PeerRun {
  std::string model_json;    // config.json of the model; "" if the setup does not describe one
  std::string model_config;  // a name in configs/models that the setup means; "" if it names none
  int64_t seq_len = 0, global_batch = 0;  // 0: the setup does not say it
  double tokens = 0;                      // of the whole run; 0: the setup does not say it
  std::vector<RampStep> ramp;             // before the batch is global_batch
  std::string precision = "fp32", optimizer = "adamw";
  std::string fix;  // what the setup decides, as for --fix
  std::vector<std::string> warnings;
  // What the setup says, is not modelled and needs less memory than is priced: "--flag (why), ...".
  std::string unmodelled_savings;
};

void add_fix(PeerRun& run, const std::string& key, const std::string& value);
void add_fix(PeerRun& run, const std::string& key, int64_t value);
int64_t product_of(std::initializer_list<int64_t> counts);  // INT64_MAX if it is larger
std::string joined(const std::vector<int64_t>& counts);     // "3+2+3", as --fix has layers

enum class PeerFormat { megatron, deepspeed, torchtitan };

// By the file's extension (.json, .toml), else by what stands in it. Throws ConfigError if it is
// none of the formats, or Hugging Face's arguments alone. `where` is for messages, and ends in the
// file's name if there is one.
PeerFormat peer_format(std::string_view text, const std::string& where);

// ds_config.json, or a script that names it by --deepspeed. Keys are read as DeepSpeed reads them;
// "auto" of Hugging Face's Trainer leaves the value to the search, unless its arguments in the
// script say it. The model is code there, so it is the caller's. Throws ConfigError naming the key
// that cannot be priced or contradicts another.
PeerRun import_deepspeed(std::string_view text, const std::string& where, int64_t num_devices);

// train.toml, or a command line with flags as --training.seq_len=4096, which win over the file that
// --job.config_file names. `model`: the caller's, null if the setup must name one. What is left out
// has torchtitan's default. Throws ConfigError as above.
PeerRun import_torchtitan(std::string_view text, const std::string& where, int64_t num_devices,
                          const ModelSpec* model);

}  // namespace argosy
