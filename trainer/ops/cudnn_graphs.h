// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Attention as graphs of cuDNN. The library's frontend, which is slow to compile, is included by
// cudnn_graphs.cpp alone.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

struct cudnnContext;
namespace cudnn_frontend::graph {
class Graph;
}

namespace argosy::ops::detail {

// Names of the graph's tensors.
enum Uid : int64_t {
  kQ = 1,
  kK,
  kV,
  kOut,
  kStatistics,
  kDout,
  kDq,
  kDk,
  kDv,
  kLengths,
  kOffsetsOfQ,
  kOffsetsOfK,
  kOffsetsOfV,
  kOffsetsOfOut,
  kOffsetsOfStatistics
};

struct GraphKey {
  bool is_backward = false;
  int64_t batch = 0, seq_len = 0, num_heads = 0, num_kv_heads = 0, head_dim = 0, value_dim = 0;
  int64_t window = 0;
  double scale = 0;
  int64_t documents = 0;  // 0: whole sequences
  bool is_deterministic = true;
  // Of a row in memory, whose first heads these are; 0: there are no others.
  int64_t row_heads = 0, row_kv_heads = 0;
  auto operator<=>(const GraphKey&) const = default;
};

std::string text_of(const GraphKey& key);  // for messages

struct BuiltGraph {
  std::shared_ptr<cudnn_frontend::graph::Graph> graph;  // null: the library refused
  int64_t workspace_bytes = 0;
};
// Puts the operations into an empty graph. Apart from its building, so that a test can build it for
// a GPU that is not there.
void describe_graph(const GraphKey& key, cudnn_frontend::graph::Graph& graph);
// The library's words where it refused; empty: built.
std::string build_graph(cudnnContext* handle, const GraphKey& key, BuiltGraph& built);

using Pointers = std::unordered_map<int64_t, void*>;  // of tensors, by Uid
// On the handle's stream. Throws Error when the library fails.
void execute_graph(cudnnContext* handle, const BuiltGraph& built, Pointers& tensors,
                   void* workspace);

std::string cudnn_frontend_version();

}  // namespace argosy::ops::detail
