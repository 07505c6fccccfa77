// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// plan.json read back as written, and every plan that cannot be, refused with its numbers.
#include "planner/spec/plan.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "planner/spec/check.h"
#include "tests/planner/tiny_models.h"

namespace argosy {
namespace {

Mesh mesh(int64_t tp, int64_t pp, int64_t dp, int64_t ep = 1) {
  Mesh result;
  result.tp = tp;
  result.pp = pp;
  result.dp = dp;
  result.ep = ep;
  return result;
}

// Every field away from its default, numbers that need all their digits.
Plan rich_plan() {
  Plan plan = tiny_plan(tiny_mixtral(), mesh(2, 2, 2, 2), 1, 3);
  plan.cluster = "h100 \"east\"";
  plan.devices = PlannedDevices{.kind = Device::cuda, .per_node = 8};
  plan.micro_batch = 2;
  plan.global_batch = 12;
  plan.precision = Precision::bf16;
  plan.schedule = ScheduleKind::gpipe;
  plan.recompute[0] = Recompute::selective;
  plan.recompute[1] = Recompute::full;
  plan.cp_kind = ContextParallel::ulysses;
  plan.optimizer = OptimizerKind::sgd;
  plan.lora.alpha = 1.0 / 3;
  plan.lora.targets = {"q_proj", "w1"};
  plan.offload = Offload::optimizer;
  plan.predicted.host_bytes = 12345;
  plan.predicted.moe_imbalance = 1.25;
  plan.seed = ~uint64_t{0};
  plan.mesh.order = RankOrder::tp_cp_pp_dp;
  plan.predicted.fits_probability = 0.97;
  plan.predicted.step_s = 0.1;
  plan.predicted.mfu = 2.0 / 3;
  plan.predicted.tokens_per_s = 1e300;
  plan.predicted.carbon_kg = 5e-324;
  plan.predicted.memory_bytes = {1, 2, 3, 4, 5, 6};
  plan.predicted.peak_bytes = int64_t{1} << 62;
  plan.predicted.stages.resize(2);
  plan.predicted.stages[1].backward_s = 1.0 / 7;
  return plan;
}

TEST(PlanJson, ReadsBackExactly) {
  const Plan plan = rich_plan();
  const std::string text = to_json(plan);
  const Plan back = parse_plan(text, "plan.json");
  EXPECT_EQ(to_json(back), text);
  EXPECT_EQ(back.mesh, plan.mesh);
  EXPECT_EQ(back.lora, plan.lora);
  EXPECT_EQ(back.offload, plan.offload);
  EXPECT_EQ(back.predicted.host_bytes, 12345);
  EXPECT_EQ(back.predicted.moe_imbalance, 1.25);
  EXPECT_EQ(back.seed, plan.seed);
  EXPECT_EQ(back.cp_kind, plan.cp_kind);
  EXPECT_EQ(back.recompute, plan.recompute);
  EXPECT_EQ(back.cluster, plan.cluster);
  EXPECT_EQ(back.devices, plan.devices);
  EXPECT_EQ(back.mesh.order, RankOrder::tp_cp_pp_dp);
  EXPECT_EQ(back.predicted.fits_probability, 0.97);
  EXPECT_EQ(back.predicted.mfu, plan.predicted.mfu);
  EXPECT_EQ(back.predicted.carbon_kg, plan.predicted.carbon_kg);
  EXPECT_EQ(back.predicted.peak_bytes, plan.predicted.peak_bytes);
  EXPECT_EQ(back.predicted.memory_bytes, plan.predicted.memory_bytes);
  EXPECT_EQ(back.predicted.stages.at(1).backward_s, plan.predicted.stages[1].backward_s);
  EXPECT_EQ(back.layers_per_stage, plan.layers_per_stage);
  EXPECT_EQ(back.recompute, plan.recompute);
  EXPECT_EQ(back.schedule, plan.schedule);
  EXPECT_EQ(back.model.name, "tiny-mixtral");
  EXPECT_EQ(model_tensors(back.model).size(), model_tensors(plan.model).size());
}

// Plans of earlier versions do not say for which devices they were made.
TEST(PlanJson, DevicesMayBeUnknown) {
  Plan plan = rich_plan();
  plan.devices.reset();
  const std::string text = to_json(plan);
  EXPECT_EQ(text.find("\"devices\""), std::string::npos);
  EXPECT_EQ(parse_plan(text, "plan.json").devices, std::nullopt);
}

TEST(PlanJson, IsWrittenByRename) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "argosy_plan.json";
  write_plan(rich_plan(), path);
  EXPECT_EQ(to_json(read_plan(path)), to_json(rich_plan()));
  std::filesystem::remove(path);
  EXPECT_THROW(read_plan(path), ConfigError);
}

std::string error_of(const std::string& text) {
  try {
    parse_plan(text, "p.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = to_json(rich_plan());
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(PlanJson, MistakesNameFileKeyAndValue) {
  const struct {
    const char *from, *to, *message;
  } cases[] = {
      {"argosy-plan", "other", "p.json: format: expected \"argosy-plan\", found \"other\""},
      {"\"format_version\": 1", "\"format_version\": 2",
       "p.json: format_version: expected 1, found 2"},
      {"\"cluster\"", "\"klaster\"", "p.json: cluster: expected a string, but the key is missing"},
      {"\"seed\"", "\"extra\": 1, \"seed\"", "p.json: extra: unknown key; valid: "},
      {"\"dp\": 2", "\"dp\": \"2\"",
       "p.json: mesh.dp: expected an integer of at least 1, found \"2\""},
      {"\"dp\": 2", "\"dp\": 0", "p.json: mesh.dp: expected an integer of at least 1, found 0"},
      {"\"dp\": 2", "\"dp\": 4294967296",
       "p.json: mesh: dp=4294967296, but a degree is at most 10000000"},
      {"\"dp\": 2", "\"dp\": 5", "p.json: plan: global_batch=12 is not a multiple"},
      {"tp-cp-pp-dp", "pp-tp", "p.json: mesh.order: 'pp-tp'; valid: tp-cp-dp-pp, tp-cp-pp-dp"},
      {"\"bf16\"", "\"fp12\"", "p.json: precision: 'fp12' is not a precision; valid: fp64, fp32"},
      {"\"gpipe\"", "\"zigzag\"",
       "p.json: schedule: 'zigzag' is not a schedule; valid: gpipe, 1f1b"},
      {"\"full\"", "\"some\"",
       "p.json: recompute: 'some' is not a recomputation; valid: none, selective, full"},
      {"\"sgd\"", "\"lion\"", "p.json: optimizer: 'lion' is not an optimizer; valid: adamw, sgd"},
      {"\"lora\",", "\"sft\",",
       "p.json: task: 'sft' is not a task; valid: pretrain, finetune, lora"},
      {"\"cuda\"", "\"gpu\"", "p.json: devices.kind: 'gpu'"},
      {"\"per_node\": 8", "\"per_node\": 0", "p.json: devices.per_node: expected an integer of"},
      {"\"rank\"", "\"r\"", "p.json: lora.rank: expected an integer, but the key is missing"},
      {"\"seed\": 18446744073709551615", "\"seed\": -1", "p.json: seed: expected an integer that"},
      {"\"mfu\"", "\"mfv\"", "p.json: predicted.mfu: expected a number, but the key is missing"},
      {"\"workspace\"", "\"worksheet\"", "p.json: predicted.memory_bytes.workspace: expected"},
      {"\"send_gradient_s\"", "\"send_s\"",
       "p.json: predicted.stages[0].send_gradient_s: expected"},
      {"\"vocab_size\": 13", "\"vocab_size\": -13", "p.json: model: vocab_size: expected"},
      {"\"q_proj\"", "\"q_project\"", "p.json: lora: target 'q_project' matches no Linear"},
      {"{", "[", "p.json: not valid JSON at line "},
  };
  for (const auto& each : cases) {
    const std::string error = error_of(replaced(each.from, each.to));
    EXPECT_TRUE(error.starts_with(each.message)) << each.message << "\n  " << error;
  }
  EXPECT_TRUE(error_of("[]").starts_with("p.json: expected an object")) << error_of("[]");
}

// 28 heads, 7 of keys and values, 6,000 wide: whatever fails first, the list holds what passes all.
TEST(PlanValidate, ValidDegreesPassEveryRule) {
  Plan plan = tiny_plan(tiny_llama(), mesh(1, 1, 1));
  plan.model.num_heads = 28;
  plan.model.num_kv_heads = 7;
  plan.model.ffn_size = 6000;
  plan.model.vocab_size = 1000;
  const auto error = [&plan](int64_t tp) {
    plan.mesh.tp = tp;
    try {
      validate(plan);
    } catch (const ConfigError& refusal) {
      return std::string(refusal.what());
    }
    return std::string();
  };
  for (const int64_t tp : {8, 7, 4, 2}) {
    EXPECT_TRUE(error(tp).ends_with("; valid tp: 1")) << error(tp);
  }
  plan.model.ffn_size = 5600;
  for (const int64_t tp : {8, 4, 2}) {
    EXPECT_TRUE(error(tp).ends_with("; valid tp: 1, 7, 14, 28")) << error(tp);
  }
  EXPECT_EQ(error(14), "");
  plan.model.vocab_size = 10;
  EXPECT_TRUE(error(14).ends_with("tp=14 exceeds vocab_size=10; valid tp: 1, 7")) << error(14);
  // An exchange of heads deals both tokens and heads: 7 of the sequence's divisors, of 1 and 7.
  plan.mesh.tp = 1;
  plan.cp_kind = ContextParallel::ulysses;
  plan.seq_len = 42;
  for (const int64_t cp : {3, 4}) {
    plan.mesh.cp = cp;
    EXPECT_NE(error(1).find("; valid cp: 1, 7; or cp_kind=ring"), std::string::npos) << error(1);
  }
}

TEST(PlanValidate, EveryRuleNamesItsNumbers) {
  const struct {
    ModelSpec model;
    std::function<void(Plan&)> change;
    const char* message;
  } cases[] = {
      {tiny_llama(), [](Plan& p) { p.mesh.tp = 3; },
       "tp=3 does not divide num_attention_heads=4; valid tp: 1, 2, 4"},
      {tiny_llama(), [](Plan& p) { p.mesh.tp = 0; }, "tp=0"},
      {tiny_llama(),
       [](Plan& p) {
         p.model.ffn_size = 9;
         p.mesh.tp = 2;
       },
       "tp=2 does not divide intermediate_size=9; valid tp: 1"},
      {tiny_llama(),
       [](Plan& p) {
         p.model.num_heads = 6;
         p.model.num_kv_heads = 3;
         p.mesh.tp = 2;
       },
       "tp=2 and num_key_value_heads=3: one must divide the other"},
      {tiny_llama(),
       [](Plan& p) {
         p.model.vocab_size = 1;
         p.mesh.tp = 2;
       },
       "tp=2 exceeds vocab_size=1"},
      {tiny_llama(), [](Plan& p) { p.mesh.dp = p.mesh.ep = 2; },
       "ep=2, but tiny-llama has no experts"},
      {tiny_llama(),
       [](Plan& p) {
         p.mesh.cp = 2;
         p.seq_len = 6;
       },
       "cp=2: 2*cp=4 does not divide seq_len=6; valid seq_len: multiples of 4"},
      {tiny_llama(),
       [](Plan& p) {
         p.mesh.cp = 2;
         p.seq_len = 8;
         p.model.sliding_window = 4;
       },
       "cp=2 with cp_kind=ring and the window of 4 tokens"},
      {tiny_llama(),
       [](Plan& p) {
         p.mesh.cp = 3;
         p.seq_len = 9;
         p.cp_kind = ContextParallel::ulysses;
       },
       "cp=3 with cp_kind=ulysses deals out the 2 key/value heads of a rank"},
      {tiny_llama(), [](Plan& p) { p.virtual_stages = 2; },
       "schedule=1f1b with virtual_stages=2; valid: 1, or schedule=interleaved"},
      {tiny_llama(), [](Plan& p) { p.zero_stage = 4; }, "zero_stage=4; valid: 0, 1, 2, 3"},
      {tiny_llama(), [](Plan& p) { p.lora.base_bits = 4; },
       "base_bits=4 with task=pretrain; valid: 16, or task=lora"},
      {tiny_llama(),
       [](Plan& p) {
         p.task = Task::lora;
         p.lora = {2, 4.0, {"q_proj"}, 8};
       },
       "lora: base_bits=8; valid: 16 (the precision of the run) and 4"},
      {tiny_llama(),
       [](Plan& p) {
         p.task = Task::lora;
         p.lora = {2, 4.0, {"q_proj"}, 4};
         p.precision = Precision::fp8;
       },
       "base_bits=4 with precision=fp8; valid: precision=bf16, fp32 or fp64"},
      {tiny_llama(), [](Plan& p) { p.micro_batch = 0; }, "micro_batch=0; valid: at least 1"},
      {tiny_llama(), [](Plan& p) { p.global_batch = -2; }, "global_batch=-2; valid: at least 1"},
      {tiny_llama(), [](Plan& p) { p.seq_len = 0; }, "seq_len=0; valid: at least 1"},
      {tiny_llama(),
       [](Plan& p) {
         p.mesh.dp = 2;
         p.micro_batch = 3;
         p.global_batch = 8;
       },
       "global_batch=8 is not a multiple of dp*micro_batch=2*3=6"},
      {tiny_llama(),
       [](Plan& p) {
         p.mesh.tp = 2;
         p.sequence_parallel = true;
         p.seq_len = 7;
       },
       "tp=2 does not divide the 7 tokens of a micro-batch"},
      {tiny_gpt2(), [](Plan& p) { p.seq_len = 17; },
       "seq_len=17 exceeds the 16 learned positions of tiny-gpt2"},
      {tiny_llama(),
       [](Plan& p) {
         p.layers_per_stage = {1, 2};
       },
       "layers_per_stage has 2 entries; valid: pp*virtual_stages=1*1=1"},
      {tiny_llama(), [](Plan& p) { p.layers_per_stage = {2}; },
       "layers_per_stage sums up to 2; valid: num_hidden_layers=3"},
      {tiny_llama(),
       [](Plan& p) {
         p.mesh.pp = 2;
         p.layers_per_stage = {3, 0};
       },
       "layers_per_stage[1]=0"},
      {tiny_llama(), [](Plan& p) { p.recompute.pop_back(); },
       "recompute has 2 entries; valid: num_hidden_layers=3"},
      {tiny_llama(), [](Plan& p) { p.task = Task::lora; }, "task=lora with lora rank=0"},
      {tiny_llama(),
       [](Plan& p) {
         p.lora.rank = 2;
         p.lora.targets = {"q_proj"};
       },
       "task=pretrain with lora rank=2"},
      {tiny_mixtral(), [](Plan& p) { p.mesh.tp = 2; },
       "tp=2 with experts needs sequence_parallel=1"},
      {tiny_mixtral(), [](Plan& p) { p.mesh.dp = p.mesh.ep = 3; },
       "ep=3 does not divide the number of experts=4; valid ep: 1, 2, 4"},
      {tiny_mixtral(), [](Plan& p) { p.mesh.ep = 4; }, "etp*ep = 1*4 = 4 must divide"},
      {tiny_mixtral(), [](Plan& p) { p.mesh.dp = p.mesh.etp = 4; },
       "etp=4 does not divide the expert's intermediate size="},
      {tiny_llama(), [](Plan& p) { p.mesh.dp = p.mesh.etp = 2; }, "etp=2, but"},
      {tiny_qwen2_moe(),
       [](Plan& p) {
         p.model.moe.shared_ffn_size = 5;
         p.mesh.tp = 2;
         p.sequence_parallel = true;
       },
       "tp=2 does not divide shared_expert_intermediate_size=5"},
  };
  for (const auto& each : cases) {
    Plan plan = tiny_plan(each.model, mesh(1, 1, 1));
    ASSERT_NO_THROW(validate(plan));
    each.change(plan);
    try {
      validate(plan);
      ADD_FAILURE() << "no error: " << each.message;
    } catch (const ConfigError& error) {
      EXPECT_NE(std::string(error.what()).find(each.message), std::string::npos) << error.what();
    }
  }
}

TEST(Stages, LaterOnesAreLongerExceptTheLast) {
  EXPECT_EQ(default_layers_per_stage(12, 4), (std::vector<int64_t>{3, 3, 3, 3}));
  EXPECT_EQ(default_layers_per_stage(13, 4), (std::vector<int64_t>{3, 3, 4, 3}));
  EXPECT_EQ(default_layers_per_stage(14, 4), (std::vector<int64_t>{3, 4, 4, 3}));
  EXPECT_EQ(default_layers_per_stage(15, 4), (std::vector<int64_t>{4, 4, 4, 3}));
  EXPECT_EQ(default_layers_per_stage(3, 1), (std::vector<int64_t>{3}));
  EXPECT_THROW(default_layers_per_stage(3, 4), ConfigError);
  EXPECT_THROW(default_layers_per_stage(3, 0), ConfigError);
}

TEST(Stages, LayersAndStagesAgree) {
  Plan plan = tiny_plan(tiny_llama(), mesh(1, 1, 1));
  plan.layers_per_stage = {1, 3, 2};
  EXPECT_EQ(layers_of_stage(plan, 1), (Range{1, 4}));
  for (int64_t layer = 0; layer < 6; ++layer) {
    const Range layers = layers_of_stage(plan, stage_of_layer(plan, layer));
    EXPECT_TRUE(layer >= layers.begin && layer < layers.end);
  }
}

}  // namespace
}  // namespace argosy
