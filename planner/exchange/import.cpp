// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/import.h"

#include <cctype>

#include "planner/exchange/deepspeed_launch.h"
#include "planner/exchange/torchtitan_words.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// The first character that is neither space nor of a # comment; 0: there is none.
char first_character(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '#') {
      while (i < text.size() && text[i] != '\n') ++i;
    } else if (std::isspace(static_cast<unsigned char>(text[i])) == 0) {
      return text[i];
    }
  }
  return 0;
}

}  // namespace

void add_fix(PeerRun& run, const std::string& key, const std::string& value) {
  run.fix += concat(run.fix.empty() ? "" : ",", key, "=", value);
}

void add_fix(PeerRun& run, const std::string& key, int64_t value) {
  add_fix(run, key, std::to_string(value));
}

int64_t product_of(std::initializer_list<int64_t> counts) {
  int64_t product = 1;
  for (const int64_t count : counts) {
    if (__builtin_mul_overflow(product, count, &product)) return INT64_MAX;
  }
  return product;
}

std::string joined(const std::vector<int64_t>& counts) {
  std::string text;
  for (const int64_t count : counts) text += concat(text.empty() ? "" : "+", count);
  return text;
}

PeerFormat peer_format(std::string_view text, const std::string& where) {
  if (where.ends_with(".json")) return PeerFormat::deepspeed;
  if (where.ends_with(".toml")) return PeerFormat::torchtitan;
  const char first = first_character(text);
  if (first == '{') return PeerFormat::deepspeed;
  if (first == '[') return PeerFormat::torchtitan;
  if (is_torchtitan_command(text)) return PeerFormat::torchtitan;
  if (is_deepspeed_command(text)) return PeerFormat::deepspeed;
  refuse_trainer_command(text, where);
  if (text.find("--") != std::string_view::npos) return PeerFormat::megatron;
  throw ConfigError(concat(where,
                           ": is no setup that can be read; valid: a ds_config.json of DeepSpeed "
                           "or a script with --deepspeed FILE, a train.toml or --section.key flags "
                           "of torchtitan, flags of Megatron-LM"));
}

}  // namespace argosy
