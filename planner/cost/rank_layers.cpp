// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/rank_layers.h"

#include "planner/spec/schedule.h"

namespace argosy {

int64_t rank_of_stage(const Candidate& candidate, size_t stage) {
  return pipeline_rank_of_stage(candidate.schedule, candidate.mesh.pp, static_cast<int64_t>(stage));
}

StageLayers layers_of_rank(const Candidate& candidate, const std::vector<StageLayers>& stages,
                           int64_t pipeline_rank) {
  StageLayers all{};
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    if (rank_of_stage(candidate, stage) != pipeline_rank) continue;
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) all[kind] += stages[stage][kind];
  }
  return all;
}

std::vector<StageLayers> layers_of_ranks(const Candidate& candidate,
                                         const std::vector<StageLayers>& stages) {
  std::vector<StageLayers> ranks(static_cast<size_t>(candidate.mesh.pp));
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    StageLayers& rank = ranks[static_cast<size_t>(rank_of_stage(candidate, stage))];
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) rank[kind] += stages[stage][kind];
  }
  return ranks;
}

bool holds_copy(const ModelSpec& model, const Candidate& candidate, size_t num_stages,
                int64_t pipeline_rank) {
  return model.needs_embedding_at_end() &&
         rank_of_stage(candidate, num_stages - 1) == pipeline_rank &&
         rank_of_stage(candidate, 0) != pipeline_rank;
}

}  // namespace argosy
