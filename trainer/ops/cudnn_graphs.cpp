// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/cudnn_graphs.h"

#include <cudnn_frontend.h>

#include "planner/spec/check.h"

namespace argosy::ops::detail {
namespace {

namespace fe = cudnn_frontend;
using Graph = fe::graph::Graph;
using Attributes = fe::graph::Tensor_attributes;
using GraphTensor = std::shared_ptr<Attributes>;

// Documents stand where sequences do, each as long as a sequence at most.
int64_t graph_batch(const GraphKey& key) {
  return key.documents > 0 ? key.documents : key.batch;
}

// What tells where documents lie; null without them.
struct Ragged {
  GraphTensor lengths, q, k, v, out, statistics;
};
Ragged add_ragged(Graph& graph, const GraphKey& key) {
  if (key.documents == 0) return {};
  const auto integers = [&](Uid uid, int64_t size) {
    return graph.tensor(Attributes()
                            .set_uid(uid)
                            .set_data_type(fe::DataType_t::INT32)
                            .set_dim({size, 1, 1, 1})
                            .set_stride({1, 1, 1, 1}));
  };
  return {integers(kLengths, key.documents),
          integers(kOffsetsOfQ, key.documents + 1),
          integers(kOffsetsOfK, key.documents + 1),
          integers(kOffsetsOfV, key.documents + 1),
          integers(kOffsetsOfOut, key.documents + 1),
          integers(kOffsetsOfStatistics, key.documents + 1)};
}

// Heads of rows (B*T, row_heads*size), the first of a row, as (B, heads, T, size).
struct HeadLayout {
  int64_t heads = 0, row_heads = 0, size = 0;
  GraphTensor offsets;  // of documents; null without them
};
int64_t query_row(const GraphKey& key) {
  return key.row_heads > 0 ? key.row_heads : key.num_heads;
}
int64_t kv_row(const GraphKey& key) {
  return key.row_kv_heads > 0 ? key.row_kv_heads : key.num_kv_heads;
}
HeadLayout of_queries(const GraphKey& key, const Ragged& ragged) {
  return {key.num_heads, query_row(key), key.head_dim, ragged.q};
}
HeadLayout of_keys(const GraphKey& key, const Ragged& ragged) {
  return {key.num_kv_heads, kv_row(key), key.head_dim, ragged.k};
}
HeadLayout of_values(const GraphKey& key, const Ragged& ragged) {
  return {key.num_kv_heads, kv_row(key), key.value_dim, ragged.v};
}
HeadLayout of_results(const GraphKey& key, const Ragged& ragged) {
  return {key.num_heads, query_row(key), key.value_dim, ragged.out};
}
void set_layout(Attributes& tensor, const GraphKey& key, const HeadLayout& layout) {
  const int64_t row = layout.row_heads * layout.size;
  tensor.set_dim({graph_batch(key), layout.heads, key.seq_len, layout.size})
      .set_stride({key.seq_len * row, layout.size, row, 1});
  if (layout.offsets) tensor.set_ragged_offset(layout.offsets);
}
GraphTensor operand(Graph& graph, const GraphKey& key, Uid uid, const HeadLayout& layout) {
  Attributes tensor;
  tensor.set_uid(uid).set_data_type(fe::DataType_t::BFLOAT16);
  set_layout(tensor, key, layout);
  return graph.tensor(tensor);
}
void set_result(const GraphTensor& tensor, const GraphKey& key, Uid uid, const HeadLayout& layout) {
  tensor->set_output(true).set_uid(uid).set_data_type(fe::DataType_t::BFLOAT16);
  set_layout(*tensor, key, layout);
}
// Of documents as lse is, head by head in a row; of whole sequences all rows of a head, packed: of
// some heads of a row there is one sequence.
void set_statistics(Attributes& tensor, const GraphKey& key, const GraphTensor& offsets) {
  tensor.set_uid(kStatistics)
      .set_data_type(fe::DataType_t::FLOAT)
      .set_dim({graph_batch(key), key.num_heads, key.seq_len, 1});
  if (offsets) {
    const int64_t of_row = query_row(key);
    tensor.set_stride({of_row * key.seq_len, 1, of_row, 1}).set_ragged_offset(offsets);
  } else {
    tensor.set_stride({key.num_heads * key.seq_len, key.seq_len, 1, 1});
  }
}

// A query sees its own key and those before it; in a window, as many as it has.
template <typename Options>
void set_mask(Options& options, const GraphKey& key, const Ragged& ragged) {
  options.set_attn_scale(static_cast<float>(key.scale))
      .set_diagonal_alignment(fe::DiagonalAlignment_t::TOP_LEFT)
      .set_diagonal_band_right_bound(0);
  if (key.window > 0) options.set_diagonal_band_left_bound(static_cast<int>(key.window));
  if (!ragged.lengths) return;
  options.set_padding_mask(true)
      .set_seq_len_q(ragged.lengths)
      .set_seq_len_kv(ragged.lengths)
      .set_max_total_seq_len_q(key.batch * key.seq_len)
      .set_max_total_seq_len_kv(key.batch * key.seq_len);
}

void add_forward(Graph& graph, const GraphKey& key) {
  const Ragged ragged = add_ragged(graph, key);
  fe::graph::SDPA_attributes options;
  options.set_name("attention_forward").set_generate_stats(true);
  set_mask(options, key, ragged);
  auto [out, statistics] = graph.sdpa(operand(graph, key, kQ, of_queries(key, ragged)),
                                      operand(graph, key, kK, of_keys(key, ragged)),
                                      operand(graph, key, kV, of_values(key, ragged)), options);
  set_result(out, key, kOut, of_results(key, ragged));
  statistics->set_output(true);
  set_statistics(*statistics, key, ragged.statistics);
}

void add_backward(Graph& graph, const GraphKey& key) {
  const Ragged ragged = add_ragged(graph, key);
  fe::graph::SDPA_backward_attributes options;
  options.set_name("attention_backward").set_deterministic_algorithm(key.is_deterministic);
  set_mask(options, key, ragged);
  Attributes statistics;
  set_statistics(statistics, key, ragged.statistics);
  auto [dq, dk, dv] = graph.sdpa_backward(operand(graph, key, kQ, of_queries(key, ragged)),
                                          operand(graph, key, kK, of_keys(key, ragged)),
                                          operand(graph, key, kV, of_values(key, ragged)),
                                          operand(graph, key, kOut, of_results(key, ragged)),
                                          operand(graph, key, kDout, of_results(key, ragged)),
                                          graph.tensor(statistics), options);
  set_result(dq, key, kDq, of_queries(key, ragged));
  set_result(dk, key, kDk, of_keys(key, ragged));
  set_result(dv, key, kDv, of_values(key, ragged));
}

}  // namespace

std::string text_of(const GraphKey& key) {
  return concat(key.is_backward ? "backward" : "forward", " of batch ", key.batch, ", T ",
                key.seq_len, ", heads ", key.num_heads, "/", key.num_kv_heads, " x ", key.head_dim,
                key.value_dim != key.head_dim ? concat(" (values ", key.value_dim, ")") : "",
                key.row_heads > 0 ? concat(" of ", key.row_heads, "/", key.row_kv_heads) : "",
                ", window ", key.window,
                key.documents > 0 ? concat(", documents ", key.documents) : "",
                key.is_backward && !key.is_deterministic ? ", in any order" : "");
}

void describe_graph(const GraphKey& key, Graph& graph) {
  graph.set_io_data_type(fe::DataType_t::BFLOAT16)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  if (key.is_backward) {
    add_backward(graph, key);
  } else {
    add_forward(graph, key);
  }
}

std::string build_graph(cudnnContext* handle, const GraphKey& key, BuiltGraph& built) {
  auto graph = std::make_shared<Graph>();
  describe_graph(key, *graph);
  fe::error_t status = graph->build(handle, {fe::HeurMode_t::A});
  if (status.is_bad()) return status.get_message();
  fe::error_t sized = graph->get_workspace_size(built.workspace_bytes);
  if (sized.is_bad()) return sized.get_message();
  built.graph = std::move(graph);
  return "";
}

void execute_graph(cudnnContext* handle, const BuiltGraph& built, Pointers& tensors,
                   void* workspace) {
  fe::error_t status = built.graph->execute(handle, tensors, workspace);
  if (status.is_bad()) throw Error(concat("cuDNN's attention: ", status.get_message()));
}

std::string cudnn_frontend_version() {
  return concat(CUDNN_FRONTEND_MAJOR_VERSION, ".", CUDNN_FRONTEND_MINOR_VERSION);
}

}  // namespace argosy::ops::detail
