// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// As torchtitan/distributed/pipeline_parallel.py, v0.2, cuts models.
#include "planner/exchange/torchtitan_pipeline.h"

#include <algorithm>

#include "planner/exchange/torchtitan_words.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

constexpr int64_t kMostLayersPerStage = 1'000'000;  // no sum overflows

// What each stage has: equal shares of the layers and of the `first` and `last` ones that stand for
// embedding and head, earlier stages the larger ones (generate_llm_fqn_per_model_part there).
std::vector<int64_t> layers_of_stages(int64_t num_layers, int64_t num_stages, int64_t first,
                                      int64_t last) {
  const int64_t all = num_layers + first + last;
  std::vector<int64_t> layers(static_cast<size_t>(num_stages), all / num_stages);
  for (int64_t i = 0; i < all % num_stages; ++i) ++layers[static_cast<size_t>(i)];
  layers.front() -= first;
  layers.back() -= last;
  return layers;
}

class PipelineReader {
 public:
  PipelineReader(JsonObject& parallelism, const TorchtitanPipeline& facts)
      : parallelism_(parallelism), facts_(facts) {}

  void read(PeerRun& run) {
    if (!parallelism_.text("pipeline_parallel_schedule_csv", "").empty()) {
      parallelism_.fail("pipeline_parallel_schedule_csv", "is not supported yet; expected \"\"");
    }
    if (parallelism_.has("module_fqns_per_model_part")) {
      parallelism_.value("module_fqns_per_model_part");
      parallelism_.fail("module_fqns_per_model_part",
                        "is not supported yet; expected pipeline_parallel_layers_per_stage");
    }
    const std::string name = parallelism_.text("pipeline_parallel_schedule", "1F1B");
    const std::optional<ScheduleKind> kind = schedule_of_torchtitan(name);
    if (!kind) {
      parallelism_.fail("pipeline_parallel_schedule",
                        concat("expected one of ", torchtitan_schedule_names()));
    }
    if (splits_backward(*kind) && facts_.is_sharded) {
      parallelism_.fail("pipeline_parallel_schedule",
                        "a split backward pass with sharded gradients is not supported yet; "
                        "expected 1F1B or Interleaved1F1B, or data_parallel_shard_degree 1");
    }
    const bool is_multi = *kind == ScheduleKind::interleaved || *kind == ScheduleKind::zb_v;
    const int64_t first = less_layers("first"), last = less_layers("last");
    const int64_t num_stages = read_num_stages(name, is_multi, first + last);
    const std::vector<int64_t> layers =
        layers_of_stages(facts_.num_layers, num_stages, first, last);
    if (*std::min_element(layers.begin(), layers.end()) < 1) {
      parallelism_.fail("pipeline_parallel_degree",
                        concat("expected fewer stages: ", facts_.num_layers, " layers on ",
                               num_stages, " stages leave one without a layer"));
    }
    add_fix(run, "schedule", std::string(to_string(*kind)));
    if (is_multi) add_fix(run, "virtual_stages", num_stages / facts_.pp);
    add_fix(run, "layers", joined(layers));
  }

  void ignore() {
    for (const char* key :
         {"pipeline_parallel_schedule", "pipeline_parallel_schedule_csv",
          "pipeline_parallel_layers_per_stage", "pipeline_parallel_first_stage_less_layers",
          "pipeline_parallel_last_stage_less_layers", "module_fqns_per_model_part"}) {
      parallelism_.ignore(key);
    }
  }

 private:
  int64_t less_layers(const char* end) {
    const std::string key = concat("pipeline_parallel_", end, "_stage_less_layers");
    const int64_t count = parallelism_.integer(key, 1);
    if (count < 0 || count > facts_.num_layers) {
      parallelism_.fail(key, concat("expected 0 to ", facts_.num_layers));
    }
    return count;
  }

  // Of all ranks.
  int64_t read_num_stages(const std::string& schedule, bool is_multi, int64_t less) {
    const char* const key = "pipeline_parallel_layers_per_stage";
    if (!parallelism_.has(key)) return facts_.pp * (is_multi ? 2 : 1);
    const int64_t per_stage = parallelism_.positive_integer(key);
    if (per_stage > kMostLayersPerStage) parallelism_.fail(key, "expected layers of one stage");
    const int64_t stages = (facts_.num_layers + less + per_stage - 1) / per_stage;
    const int64_t per_rank = stages / facts_.pp;
    if (stages % facts_.pp != 0 || (per_rank > 1) != is_multi) {
      parallelism_.fail(
          key, concat("which gives ", stages, " stages on ", facts_.pp, " ranks, expected ",
                      is_multi ? "two or more" : "one", " on each with ", schedule));
    }
    return stages;
  }

  JsonObject& parallelism_;
  TorchtitanPipeline facts_;
};

}  // namespace

void read_torchtitan_pipeline(JsonObject& parallelism, const TorchtitanPipeline& facts,
                              PeerRun& run) {
  PipelineReader reader(parallelism, facts);
  if (facts.pp > 1) {
    reader.read(run);
  } else {
    reader.ignore();
  }
}

}  // namespace argosy
