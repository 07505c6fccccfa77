// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One model of time for the search and for published runs: a stack says whose kernels and overlap.
#include "planner/cost/stack.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "planner/cost/compute.h"
#include "planner/cost/evaluate.h"
#include "planner/cost/search_space.h"
#include "planner/cost/step_bound.h"
#include "planner/cost/step_pass.h"
#include "planner/score/run_setup.h"
#include "planner/score/stack_run.h"
#include "planner/spec/check.h"
#include "tests/planner/plan_program.h"
#include "tests/planner/small_jobs.h"

namespace argosy {
namespace {

using Json = nlohmann::json;

constexpr const char* kStacks = ARGOSY_SOURCE_DIR "/configs/stacks";

// Frameworks that differ in everything.
std::vector<Stack> other_stacks() {
  Stack hides;
  hides.name = "hides";
  hides.facts.is_own = hides.facts.runs_own_kernels = false;
  hides.facts.fuses_experts = hides.facts.overlaps_gradients = true;
  hides.facts.overlaps_parameters = true;
  hides.facts.tensor_overlap = 0.5;
  hides.facts.expert_overlap = 0.3;
  hides.facts.gradient_bytes = 2;
  hides.numbers = {0.9, 0.5, 1, 0.8, 1.2, 1e-5};
  Stack hides_more = hides;
  hides_more.name = "hides_more";
  hides_more.numbers.link_share = 3;
  Stack waits = hides;
  waits.name = "waits";
  waits.facts = {};
  waits.facts.is_own = waits.facts.runs_own_kernels = false;
  waits.facts.fuses_attention = waits.facts.overlaps_pipeline = false;
  waits.facts.gradient_bytes = 4;
  return {hides, hides_more, waits};
}

std::vector<Candidate> sample(const Job& job, const char* fixed) {
  const SearchSpace space = search_space(job, parse_fixed(fixed));
  std::vector<Candidate> all;
  for (const MeshPoint& point : space.meshes) {
    if (!point.reason.empty()) continue;
    for (const int64_t micro_batch : point.micro_batches) {
      if (!micro_batch_reason(job, point, micro_batch).empty()) continue;
      for (const ScheduleChoice& schedule : space.schedules_of(point)) {
        if (point.mesh.pp * schedule.virtual_stages > job.model.num_layers) continue;
        for (const ZeroChoice& zero : point.zeros) {
          if (zero.stage >= 2 && splits_backward(schedule.kind)) continue;
          Candidate c;
          c.mesh = point.mesh;
          c.mesh.zero_shard = zero.shard;
          c.sequence_parallel = point.sequence_parallel;
          c.cp_kind = point.cp_kind;
          c.micro_batch = micro_batch;
          c.schedule = schedule.kind;
          c.virtual_stages = schedule.virtual_stages;
          c.zero_stage = zero.stage;
          c.recompute = all.size() % 2 == 0 ? Recompute::none : Recompute::full;
          all.push_back(c);
        }
      }
    }
  }
  return all;
}

TEST(Stack, TheBoundIsBelowEverySimulation) {
  for (const SmallModel model : {SmallModel::moe, SmallModel::tied_gpt2}) {
    Job job = small_job(model, 8, 16);
    for (const Stack& stack : other_stacks()) {
      job.stack = stack;
      LayerCostCache cache(job);
      int64_t compared = 0;
      for (const Candidate& c : sample(job, "cp=1")) {
        const std::vector<StageTime> times =
            stage_times(job, c, stage_layers(job.model, c), cache.elements(c), cache.costs(c),
                        place_all(c.mesh, job));
        const Verdict verdict = evaluate(job, c, cache);
        ASSERT_TRUE(verdict.feasible);
        EXPECT_EQ(verdict.plan.predicted.stack, stack.name);
        const double bound =
            step_bound_s(times, c.schedule, verdict.plan.num_microbatches(), c.virtual_stages);
        EXPECT_LE(bound, verdict.plan.predicted.step_s * (1 + 1e-9)) << stack.name;
        for (const StageTime& time : times) {
          EXPECT_GE(time.durations.backward_input_s, 0) << stack.name;
          EXPECT_GE(time.durations.reduce_s, 0) << stack.name;
          EXPECT_GE(time.durations.optimizer_s, 0) << stack.name;
        }
        ++compared;
      }
      EXPECT_GT(compared, 100);
    }
  }
}

// What --score predicts for a run is what the search says of the same plan.
TEST(Stack, ScoreAndSearchAgree) {
  Job job = small_job(SmallModel::llama, 8, 64);
  for (const Stack& stack : other_stacks()) {
    job.stack = stack;
    LayerCostCache cache(job);
    for (const Candidate& c : sample(job, "tp=2,micro_batch=1,schedule=1f1b")) {
      const double searched = evaluate(job, c, cache).plan.predicted.step_s;
      EXPECT_NEAR(step_seconds(make_stack_run(job, c)), searched, 1e-9 * searched) << stack.name;
    }
  }
}

TEST(Stack, OverlapSavesTimeAndTheHostCostsIt) {
  Job job = small_job(SmallModel::llama, 8, 8);
  Candidate c;
  c.mesh.tp = 2;
  c.mesh.dp = 4;
  c.sequence_parallel = true;
  const auto step_s = [&](const Stack& stack) {
    job.stack = stack;
    LayerCostCache cache(job);
    return evaluate(job, c, cache).plan.predicted.step_s;
  };
  const Stack waits = other_stacks().back();
  for (const int zero : {0, 1, 2, 3}) {
    c.zero_stage = zero;
    Stack better = waits;
    better.facts.overlaps_gradients = better.facts.overlaps_parameters = true;
    EXPECT_LT(step_s(better), step_s(waits)) << zero;
    better = waits;
    better.facts.tensor_overlap = 0.5;
    EXPECT_LT(step_s(better), step_s(waits)) << zero;
    Stack worse = waits;
    worse.numbers.host_op_s = 1;
    EXPECT_GT(step_s(worse), 1) << zero;
  }
}

// A part of a product's traffic travels while another part is multiplied, through memory that
// NVLink shares: no further than a node, and no longer than there is something to multiply.
TEST(Stack, TensorTrafficHidesBehindProductsOfANode) {
  Job job = small_job(SmallModel::llama, 16, 16);
  job.cluster = read_cluster(ARGOSY_SOURCE_DIR "/configs/clusters/h100-8192.json").cluster;
  job.stack = other_stacks().front();
  job.stack.facts.is_slowed_by_traffic = false;
  const std::vector<CollectiveWork> traffic = {
      {CollectiveKind::all_gather, Axis::tp, int64_t{1} << 26, 4}};
  const auto exposed_s = [&](int64_t tp, double overlap, double products_s) {
    Mesh mesh;
    mesh.tp = tp;
    job.stack.facts.tensor_overlap = overlap;
    return exposed_seconds(traffic, {.products_s = products_s}, place_all(mesh, job),
                           job)[static_cast<size_t>(Axis::tp)];
  };
  const double whole_s = exposed_s(8, 0, 1);
  EXPECT_DOUBLE_EQ(exposed_s(8, 0.7, 1), 0.3 * whole_s);
  EXPECT_DOUBLE_EQ(exposed_s(8, 0.7, 0.1 * whole_s), 0.9 * whole_s);
  EXPECT_DOUBLE_EQ(exposed_s(8, 0.7, 0), whole_s);
  EXPECT_DOUBLE_EQ(exposed_s(16, 0.7, 1), exposed_s(16, 0, 1));
}

// Kernels that move data hold multiprocessors: 16 channels of NCCL over NVLink, 8 between nodes, 20
// blocks of DeepEP, of 132. What is hidden still costs that share of its time, and no more than
// compute and traffic one after the other.
TEST(Stack, HiddenTrafficTakesMultiprocessors) {
  Job job = small_job(SmallModel::moe, 64, 64);
  job.cluster = read_cluster(ARGOSY_SOURCE_DIR "/configs/clusters/h100-8192.json").cluster;
  job.stack = other_stacks().front();
  job.stack.facts.tensor_overlap = job.stack.facts.expert_overlap = 0.5;
  const auto exposed_s = [&](Axis axis, const Mesh& mesh, double compute_s) {
    const CollectiveKind kind =
        axis == Axis::ep ? CollectiveKind::all_to_all : CollectiveKind::all_gather;
    const Hiding hiding = {.products_s = compute_s, .ops_s = compute_s};
    return exposed_seconds({{kind, axis, int64_t{1} << 26, 4}}, hiding, place_all(mesh, job),
                           job)[static_cast<size_t>(axis)];
  };
  struct Case {
    Axis axis;
    int64_t size;
    bool dispatches_once;
    double taken;
  };
  for (const Case& c :
       {Case{Axis::tp, 8, false, 16.0 / 132}, Case{Axis::ep, 8, false, 16.0 / 132},
        Case{Axis::ep, 64, false, 8.0 / 132}, Case{Axis::ep, 64, true, 20.0 / 132}}) {
    SCOPED_TRACE(concat(to_string(c.axis), " ", c.size));
    Mesh mesh;
    (c.axis == Axis::tp ? mesh.tp : mesh.dp) = c.size;
    if (c.axis == Axis::ep) mesh.ep = c.size;
    job.stack.facts.dispatches_once = c.dispatches_once;
    const double whole_s = exposed_s(c.axis, mesh, 0);
    const double hidden_s = 0.5 * whole_s;
    EXPECT_DOUBLE_EQ(exposed_s(c.axis, mesh, 1), whole_s - hidden_s + c.taken * hidden_s);
    // Traffic is the longer one: compute that is slowed ends before it.
    const double short_s = 0.1 * hidden_s;
    EXPECT_DOUBLE_EQ(short_s + exposed_s(c.axis, mesh, short_s), whole_s);
    job.stack.facts.is_slowed_by_traffic = false;
    EXPECT_DOUBLE_EQ(exposed_s(c.axis, mesh, 1), whole_s - hidden_s);
    job.stack.facts.is_slowed_by_traffic = true;
  }
}

// The numbers of profiles were fitted without it; the trainer's are the cluster's.
TEST(Stack, FittedNumbersHoldWhatTrafficTakes) {
  for (const StackProfile& stack : read_stacks(kStacks)) {
    EXPECT_FALSE(stack.facts.is_slowed_by_traffic) << stack.name;
  }
  EXPECT_TRUE(Stack{}.facts.is_slowed_by_traffic);
}

// Two waves for one tile too many, few tiles for many multiprocessors, and never more than all.
TEST(Tiles, WavesOfAProduct) {
  const auto share = [](int64_t rows, int64_t cols, int64_t depth) {
    OpWork op;
    op.rows = rows;
    op.cols = cols;
    op.depth = depth;
    return tile_efficiency(op, 108);
  };
  EXPECT_GT(share(256 * 12, 128 * 9, 1 << 16), 0.99);
  EXPECT_LT(share(256 * 109, 128, 512), 0.75 * share(256 * 108, 128, 512));
  EXPECT_LT(share(128, 128, 512), 0.1);
  EXPECT_GT(share(1024, 1024, 1 << 16), 0.8);  // parts of the depth on all multiprocessors
  for (int64_t rows = 1; rows < 20000; rows = rows * 3 + 1) {
    for (int64_t cols = 1; cols < 20000; cols = cols * 2 + 5) {
      EXPECT_GT(share(rows, cols, 777), 0);
      EXPECT_LE(share(rows, cols, 777), 1);
    }
  }
}

TEST(Stack, NamesAreKnown) {
  const std::vector<StackProfile> stacks = read_stacks(kStacks);
  EXPECT_EQ(stack_named(stacks, "simumax", "--stack").name, "simumax");
  EXPECT_EQ(default_stack(stacks, "an accelerator of next year"), nullptr);
  ASSERT_NE(default_stack(stacks, "H100-SXM5-80GB"), nullptr);
  expect_plan_mistake("--model gpt2-124m --cluster a100-2048 --stack cobol", "megatron-2024");
  expect_plan_mistake("--model gpt2-124m --cluster local-cpu --stack any", "argosy");
  const PlanOutput list = run_plan("--stack list");
  EXPECT_EQ(list.exit_code, 0);
  for (const char* name : {"argosy:", "any:", "megatron-2024:"}) {
    EXPECT_NE(list.out.find(name), std::string::npos) << name;
  }
}

// An accelerator has one default, and runs on its chip tell how it does.
TEST(Stack, DefaultsAreUnique) {
  std::vector<std::string> seen;
  const std::vector<StackProfile> stacks = read_stacks(kStacks);
  const StackProfile& any = stack_named(stacks, kAnyStack, "--stack");
  for (const StackProfile& stack : stacks) {
    for (const std::string& accelerator : stack.default_for) {
      EXPECT_EQ(std::count(seen.begin(), seen.end(), accelerator), 0) << accelerator;
      EXPECT_TRUE(is_fitted_on(accelerator, stack) || is_fitted_on(accelerator, any))
          << stack.name << " " << accelerator;
      seen.push_back(accelerator);
    }
  }
}

// A candidate of the job on links of 1 GB/s a device between nodes, which hold everything up, and
// the seconds that its bytes are on them at least.
struct OnTheWire {
  const char* what;
  Candidate candidate;
  double wire_s;
};
std::vector<OnTheWire> slow_candidates(const Job& job) {
  constexpr double kRate = 1e9, kOfNode = 8 * kRate;  // 8 adapters, 32 nodes
  const double layers = static_cast<double>(job.model.num_layers);
  const double sequence = 2.0 * static_cast<double>(job.seq_len * job.model.hidden_size);
  const double weights = 2 * static_cast<double>(count_parameters(job.model).total);
  Candidate whole;
  whole.mesh.dp = whole.mesh.zero_shard = 256;
  whole.recompute = Recompute::full;
  std::vector<OnTheWire> all;
  // Weights of 16 bits are gathered once a step, with ZeRO 3 in both passes; gradients are reduced.
  const double gradients = weights / 2 * static_cast<double>(gradient_wire_bytes(job));
  for (const int zero : {1, 3}) {
    whole.zero_stage = zero;
    all.push_back({zero == 1 ? "ZeRO 1" : "ZeRO 3", whole,
                   ((zero == 1 ? 1 : 2) * weights + gradients) / kOfNode * 31 / 32});
  }
  // A stage a node, each of its devices sends its part. As many micro-batches as there are stages
  // are under way: each of these rounds goes through all stages and back.
  Candidate pipeline;
  pipeline.mesh.tp = 8;
  pipeline.sequence_parallel = true;
  pipeline.mesh.pp = job.model.num_layers;
  const double rounds = static_cast<double>(job.global_batch) / layers;
  all.push_back({"messages", pipeline, rounds * 2 * (layers - 1) * sequence / 8 / kRate});
  // Two gathers and two reductions of a sequence for each pass of a layer, over two nodes.
  Candidate tensor;
  tensor.mesh.tp = tensor.mesh.dp = 16;
  tensor.sequence_parallel = true;
  const double passes = 2 * layers * static_cast<double>(job.global_batch / tensor.mesh.dp);
  all.push_back({"tensor parallelism", tensor, passes * 4 * sequence * 15 / 16 / kOfNode});
  return all;
}

// Whatever share of links a profile was fitted to.
TEST(Stack, NoProfileIsFasterThanTheWire) {
  Job job;
  job.model = read_model(ARGOSY_SOURCE_DIR "/configs/models/llama-3.1-8b.json").model;
  job.cluster = read_cluster(ARGOSY_SOURCE_DIR "/configs/clusters/h100-8192.json").cluster;
  job.cluster.num_devices = 256;
  job.cluster.tiers[1].bytes_per_s = 1e9;
  job.seq_len = 8192;
  job.global_batch = 256;
  const std::vector<StackProfile> stacks = read_stacks(kStacks);
  size_t num_above_one = 0;
  for (const StackProfile& stack : stacks) {
    job.stack.name = stack.name;
    job.stack.facts = stack.facts;
    job.stack.numbers = numbers_of(stacks, stack, "H100-SXM5-80GB");
    num_above_one += job.stack.numbers.link_share > 1 ? 1 : 0;
    LayerCostCache cache(job);
    for (const OnTheWire& slow : slow_candidates(job)) {
      const Candidate& c = slow.candidate;
      const std::vector<StageTime> times =
          stage_times(job, c, stage_layers(job.model, c), cache.elements(c), cache.costs(c),
                      place_all(c.mesh, job));
      EXPECT_GT(step_bound_s(times, c.schedule, num_microbatches(job, c)), slow.wire_s)
          << stack.name << " " << slow.what;
    }
  }
  EXPECT_GT(num_above_one, 10u);
}

// What a layer with experts keeps of a token, by DeepSeek-V3's report (arXiv:2412.19437, sections
// 3.2.2 and 3.3.3), over what the trainer keeps: saved_share of the profile. 8 bits have a scale of
// 32 bits for each 128; norms, up-projections and SwiGLU run again.
TEST(Stack, DeepSeekKeepsTheTensorsOfItsReport) {
  Job job;
  job.model = read_model(ARGOSY_SOURCE_DIR "/configs/models/deepseek-v3.json").model;
  job.cluster = read_cluster(ARGOSY_SOURCE_DIR "/configs/clusters/h100-8.json").cluster;
  job.seq_len = 4096;
  job.global_batch = 1;
  const double scaled = 1 + 4.0 / 128, hidden = 7168, latent = 1536 + 512 + 64;
  const double attention = 2 * hidden + 2 * latent + 1.5 * 128 * 128;  // inputs in 16 bits
  const double experts = scaled * 8 * (hidden + 2 * 2048), shared = scaled * 2 * 2048;
  const double kept = attention + 2 * hidden + experts + shared;
  LayerCostCache cache(job);
  const LayerCost& moe = cache.costs(Candidate())[static_cast<size_t>(LayerKind::moe)];
  const double own = static_cast<double>(moe.saved_bytes) / static_cast<double>(job.seq_len);
  const std::vector<StackProfile> stacks = read_stacks(kStacks);
  const double share = stack_named(stacks, "deepseek", "--stack").facts.saved_share;
  EXPECT_NEAR(share, kept / own, 0.005);
}

// Clusters are compared by the seconds that they take: a profile of one's own for each would make
// an H200 slower than an H100.
TEST(Stack, NewerClustersAreTimedAlike) {
  const auto step_s = [](const std::string& cluster) {
    const PlanOutput plan = run_plan("--model llama-3.1-8b --cluster " + cluster +
                                     " --devices 8 --top 1 --json --global-batch 64 "
                                     "--fix tp=1,pp=2,dp=4,zero=1,micro_batch=1,schedule=1f1b");
    EXPECT_EQ(plan.exit_code, 0) << plan.err;
    const nlohmann::json predicted = nlohmann::json::parse(plan.out)["plans"][0]["predicted"];
    EXPECT_EQ(predicted["stack"], "nemo-2025") << cluster;
    return predicted["step_s"].get<double>();
  };
  const double h100_s = step_s("h100-8"), h200_s = step_s("h200-8"), b200_s = step_s("b200-8");
  EXPECT_LE(h200_s, h100_s);
  EXPECT_LT(b200_s, 0.8 * h200_s);
  EXPECT_LE(step_s("gb200-nvl72"), b200_s);
}

TEST(Stack, PlansSayWhoseTimeTheyTell) {
  const auto stack_of = [](const std::string& arguments) {
    const PlanOutput output = run_plan(arguments + " --top 1 --json");
    EXPECT_EQ(output.exit_code, 0) << output.err;
    return Json::parse(output.out)["plans"][0]["predicted"];
  };
  const std::string gpus = "--model llama-3.1-70b --cluster h100-8192 --devices 1024 ";
  EXPECT_EQ(stack_of("--model gpt2-124m --cluster local-cpu")["stack"], "argosy");
  const Json own = stack_of(gpus + "--stack argosy"), by_default = stack_of(gpus);
  EXPECT_EQ(own["stack"], "argosy");
  EXPECT_EQ(by_default["stack"], default_stack(read_stacks(kStacks), "H100-SXM5-80GB")->name);
  EXPECT_NE(by_default["step_s"], own["step_s"]);
  // The same plan for the trainer and for a framework that keeps other bytes.
  const std::string fixed =
      gpus +
      "--fix tp=8,pp=4,micro_batch=1,zero=1,zero_shard=0,schedule=1f1b,recompute=full,"
      "sequence_parallel=1,layers=20+20+20+20 ";
  Json memory = stack_of(fixed)["memory_bytes"];
  Json of_trainer = stack_of(fixed + "--stack argosy")["memory_bytes"];
  // Which adds attention's gradients in a fixed order (planner/spec/gpu_scratch.h): 8 heads of
  // 8,192 tokens, dk and dv of all of them.
  const int64_t ordered = int64_t{8} * 8192 * 8192 * 2 + int64_t{2} * 8192 * 8 * 128 * 2;
  for (const char* key : {"workspace", "peak"}) memory[key] = memory[key].get<int64_t>() + ordered;
  EXPECT_EQ(memory, of_trainer);
  EXPECT_NE(stack_of(fixed)["memory_bytes"], stack_of(fixed + "--stack any")["memory_bytes"]);
}

}  // namespace
}  // namespace argosy
