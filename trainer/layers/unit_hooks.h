// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a stage tells about its layers as it runs them, so that parameters can be gathered before
// they are read and gradients reduced once they are complete (trainer/parallel/data_parallel.h).
#pragma once

#include <optional>

#include "trainer/layers/context.h"

namespace argosy {

// `layer` is TensorSpec::layer: -1 the embedding, num_layers the head, beyond it modules for
// multi-token prediction, each with its head and behind another pass of the embedding. `next` runs
// after it in the same pass of the same stage. A head adds to the gradient of its table in forward
// already (planner/spec/work.h); a block that is computed again in backward is not announced again.
class UnitHooks {
 public:
  virtual ~UnitHooks() = default;
  virtual void before_forward(int layer, std::optional<int> next, Keep keep) = 0;
  virtual void after_forward(int layer, Keep keep) = 0;
  virtual void before_backward(int layer, std::optional<int> next) = 0;
  // The micro-batch has added all that it adds in backward.
  virtual void after_backward(int layer) = 0;
};

}  // namespace argosy
