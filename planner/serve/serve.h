// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Serving a model: which tensor/pipeline split decodes at what rate, what fits, what a million
// tokens cost. Each generated token streams the weights that it uses and the cache of its sequence
// from memory: bandwidth sets the limit, long before arithmetic does.
//
// Letters: u users (sequences) of one replica, C tokens of a sequence that are in the cache, P
// tokens of a prompt. With pp stages the users go round in pp groups, so that every stage works.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/questions/sensitivity.h"
#include "planner/serve/decode_model.h"
#include "planner/spec/cluster.h"
#include "planner/spec/model.h"

namespace argosy {

// A way to store numbers: "fp32", "bf16", "fp16", "fp8", "int8", "int4".
struct Storage {
  std::string name = "bf16";
  double bytes = 2;  // of an element
};
Storage storage_from_string(std::string_view text, std::string_view where);

// What somebody who waits for an answer is usually promised: a token each 40 ms (MLPerf Inference
// 5.0, Llama 2 70B interactive). People read about 5 a second (MLPerf 4.0: 200 ms).
inline constexpr double kChatTokensPerS = 25;

struct ServeJob {
  ModelSpec model;
  ClusterSpec cluster;  // with the devices to use
  Storage weights, cache;
  int64_t users = 0;                 // of a replica; 0: what is cheapest
  int64_t context_tokens = 2048;     // C
  int64_t prompt_tokens = 512;       // P
  double tokens_per_s_per_user = 0;  // asked for; 0: whatever it is
  int64_t tp = 0, pp = 0;            // 0: searched
};

struct ServePlan {
  int64_t tp = 1, pp = 1, replicas = 1, users = 1;
  double token_s = 0;        // between two tokens of a user
  double first_token_s = 0;  // of a prompt that finds the replica idle
  double tokens_per_s_per_user = 0, tokens_per_s_per_device = 0;
  // Of generated tokens, as if nothing else were done; of a prompt's, which a replica reads while
  // it generates nothing.
  double usd_per_million_tokens = 0, usd_per_million_prompt_tokens = 0;
  double weight_s = 0, cache_s = 0, communication_s = 0;      // of token_s: their part
  int64_t weight_bytes = 0, cache_bytes = 0, peak_bytes = 0;  // of the fullest device
  std::string shortage;  // why not; empty: it fits and is fast enough

  int64_t devices() const { return tp * pp; }  // of a replica
};

struct ServeResult {
  std::vector<ServePlan> plans;  // feasible ones, cheapest first
  // Where neither users nor their rate are given and the cheapest is slower than that: the cheapest
  // with kChatTokensPerS for each.
  std::optional<ServePlan> for_chats;
  int64_t candidates = 0;
  int64_t num_too_large = 0, num_too_slow = 0;
  ServePlan nearest;        // of those that fit the fastest, else the smallest
  double weight_bytes = 0;  // of the whole model
  double cache_bytes_per_token = 0;
  // One user's sequences: users * context. With one key/value head: what multi-query attention
  // would leave of it.
  double cache_bytes = 0, multi_query_cache_bytes = 0;
  int64_t devices_for_weights = 0;           // memory alone
  int64_t devices_for_streamed_weights = 0;  // with the token table on the host
  int64_t devices_needed = 0;                // smallest tp*pp that holds weights and cache; 0: none
  double bandwidth_tokens_per_s =
      0;  // one user, all devices stream at their peak: nothing is faster
  bool is_beyond_bandwidth = false;  // the rate asked for exceeds it
  double largest_parameters = 0;     // of this shape that fits and reaches the rate; 0: not asked
};

// One split, costed whether it fits or not.
ServePlan serve_plan(const ServeJob& job, const DecodeModel& model, int64_t tp, int64_t pp,
                     int64_t users);

// All splits of up to the cluster's devices. Throws ConfigError if tp or pp are given and cannot
// be.
ServeResult search_serve(const ServeJob& job, int64_t top);

// What properties of the machines are worth to a plan: the seconds of a device that a generated
// token takes, which is its price.
std::vector<Sensitivity> serve_sensitivities(const ServeJob& job, const ServePlan& plan);

}  // namespace argosy
