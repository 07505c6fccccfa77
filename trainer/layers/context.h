// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What every layer needs to know about where it runs, passed down explicitly.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "comm/groups.h"
#include "comm/heartbeat.h"
#include "planner/spec/plan.h"
#include "trainer/device/device_context.h"
#include "trainer/layers/faults.h"
#include "trainer/layers/router_state.h"
#include "trainer/tensor.h"

namespace argosy {

class DeferredWeightGradients;
class UnitHooks;

// What a run decides without changing the plan's ledger.
struct LayerSettings {
  double dropout = 0;          // probability, at the sites of dropout.h
  bool document_mask = false;  // attention stays within documents and positions restart
  int32_t end_of_text = -1;    // the token that ends a document; -1: only the data know
};

// Letters used for shapes in this folder: B sequences and T tokens a sequence of the micro-batch, n
// = B*T/cp tokens of this rank before and s after the sequence-parallel split (n/tp, or n without
// it), H hidden size, D head size, hq and hk query and key/value heads of this rank, F MLP width of
// this rank, V vocabulary rows of this rank, E experts, k choices, R rows at this rank's experts.
struct LayerContext {
  DeviceContext& device;
  ProcessGroups& groups;
  const Plan& plan;
  LayerSettings settings = {};
  RouterState* router = nullptr;   // null: no bias, the auxiliary loss takes each sequence's shares
  Fault fault = Fault::none;       // set by tests alone
  Heartbeat* heartbeat = nullptr;  // where this rank says what it is doing, if anybody listens
  // In the first half of a split backward pass: where weight gradients go. Null: done at once.
  DeferredWeightGradients* deferred = nullptr;
  UnitHooks* hooks = nullptr;  // null: all parameters and gradients are there all the time

  void act(std::string what) const {
    device.begin_activity(what);
    if (heartbeat != nullptr) heartbeat->act(std::move(what));
  }
  DType compute() const { return compute_dtype(plan.precision); }
  DType statistic() const { return statistic_dtype(plan.precision); }
  bool sequence_parallel() const { return plan.sequence_parallel && plan.mesh.tp > 1; }
  int64_t hidden() const { return plan.model.hidden_size; }

  // Scratch, gone when its last view is.
  Tensor scratch(Shape shape, DType dtype) const {
    return device.empty(shape, dtype, MemoryCategory::workspace);
  }
  Tensor scratch(Shape shape) const { return scratch(shape, compute()); }
};

// Whether forward keeps what backward needs. In `discard` the same tensors are scratch.
enum class Keep { for_backward, discard };
constexpr MemoryCategory category_of(Keep keep) {
  return keep == Keep::for_backward ? MemoryCategory::activations : MemoryCategory::workspace;
}

// What a module for multi-token prediction reads and predicts instead, as far as the sequence and,
// with document masks, the document of each token go on.
struct TokensAhead {
  Tensor inputs;   // (n) int32: k tokens on from Microbatch::inputs, k from 1; -1: none is there
  Tensor targets;  // (n) int32: as far from Microbatch::targets; negative: masked
  int64_t num_targets = 0;  // of them not masked
  double loss_weight = 1;   // of their summed cross entropy in the objective
};

// One micro-batch as a stage sees it. A context-parallel rank has a part of each sequence.
struct Microbatch {
  int64_t batch = 0;                    // B
  int64_t seq_len = 0;                  // T
  int64_t local_len = 0;                // T/cp: rows of each sequence on this rank
  Tensor inputs;                        // (n) int32
  Tensor targets;                       // (n) int32, negative: masked
  int64_t num_targets = 0;              // of them not masked
  double loss_weight = 1;               // of their summed cross entropy in the objective
  std::vector<TokensAhead> ahead = {};  // [module for multi-token prediction]
  Tensor positions;            // (n) int32: where each token stands in its sequence or document
  Tensor token_ids;            // (n) int32: index of each token in the global batch
  Tensor places;               // (n, 1) int32: sequence of the micro-batch * T + place in it; with
                               // a capacity of experts alone
  Tensor step;                 // (1) int32, of the run: masks of dropout differ from step to step;
                               // with dropout alone
  Tensor attention_positions;  // the same for the rows that attention works on: (B*T) when heads
                               // are exchanged (Ulysses), else (n)
  Tensor document_begin;       // of the same rows, int32: where in the sequence a token's document
                               // begins; undefined without document masks
  Tensor document_rows;        // (D+1) int32: where each document begins among whole sequences;
                               // undefined too where a rank has parts of them
  Tensor mask;                 // (s) statistic dtype: 1 where this rank's token is to be predicted
  Tensor unmasked;             // (B) statistic dtype: predicted tokens of each sequence
  int64_t tokens() const { return batch * local_len; }  // n
};

// What flows from block to block: branch + residual, (s, H) both, not added yet. The residual may
// be undefined: then the branch is all of it.
struct Hidden {
  Tensor branch, residual;
};

inline Buffer buffer_of(const Tensor& t) {
  return {t.raw(), t.size(), t.dtype(), t.device()};
}

}  // namespace argosy
