// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The whole model against an independent implementation (tests/golden): logits, loss and every
// gradient, in fp64 and fp32. Catches a wrong formula that all our layouts would agree on.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "comm/self/self_communicator.h"
#include "trainer/microbatches.h"
#include "trainer/parallel/pipeline.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

struct Golden {
  const char* file;
  Precision precision;
  double tolerance;  // of the largest element of a tensor
};

std::ostream& operator<<(std::ostream& out, const Golden& golden) {
  return out << golden.file << " " << to_string(golden.precision);
}

nlohmann::json read_golden(const std::string& name) {
  std::ifstream file(std::string(ARGOSY_SOURCE_DIR) + "/tests/golden/" + name + ".json");
  return nlohmann::json::parse(file);
}

Plan plan_for(const nlohmann::json& golden, Precision precision) {
  Plan plan;
  plan.model = parse_model(golden["config"].dump(), "golden", "golden").model;
  plan.model.moe.aux_loss_coef = 0;  // the golden loss is the cross entropy alone
  plan.cluster = "local-cpu";
  plan.micro_batch = plan.global_batch = static_cast<int64_t>(golden["tokens"].size());
  plan.seq_len = static_cast<int64_t>(golden["tokens"][0].size());
  plan.precision = precision;
  plan.layers_per_stage = {plan.model.num_layers};
  plan.recompute.assign(static_cast<size_t>(plan.model.num_layers), Recompute::none);
  validate(plan);
  return plan;
}

std::vector<int32_t> flat(const nlohmann::json& rows) {
  std::vector<int32_t> values;
  for (const auto& row : rows) {
    for (const auto& value : row) values.push_back(value.get<int32_t>());
  }
  return values;
}

template <typename T>
std::vector<double> to_doubles(const Tensor& tensor) {
  return {tensor.data<T>(), tensor.data<T>() + tensor.size()};
}
std::vector<double> values_of(const Tensor& tensor) {
  return tensor.dtype() == DType::fp64 ? to_doubles<double>(tensor) : to_doubles<float>(tensor);
}

// The formula of tests/golden/README.md.
void fill(const Tensor& tensor, const nlohmann::json& parameter) {
  const double base = parameter["base"], amplitude = parameter["amplitude"];
  const double phase = 1.7 * (parameter["ordinal"].get<double>() + 1);
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const double index = static_cast<double>(i);
    const auto value =
        static_cast<float>(base + amplitude * std::sin(phase + 0.37 * index * index));
    if (tensor.dtype() == DType::fp64) {
      tensor.data<double>()[i] = value;
    } else {
      tensor.data<float>()[i] = value;
    }
  }
}

// `smallest_scale`: a gradient that is zero in exact arithmetic (GPT-2's key bias) is a sum of
// terms of the size of the others, and rounded like them.
void expect_close(const std::string& what, const std::vector<double>& actual,
                  const std::vector<double>& expected, double tolerance, double smallest_scale) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double scale = smallest_scale, worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    scale = std::max(scale, std::abs(expected[i]));
    const double difference = std::abs(actual[i] - expected[i]);
    if (!(difference <= worst)) worst = difference;
  }
  EXPECT_LE(worst, tolerance * scale) << what;
}

class GoldenModel : public testing::TestWithParam<Golden> {};

TEST_P(GoldenModel, LogitsLossAndGradients) {
  const nlohmann::json golden = read_golden(GetParam().file);
  const Plan plan = plan_for(golden, GetParam().precision);
  const auto world = make_self_communicator();
  DeviceContext device(Device::cpu);
  Trainer trainer(device, *world, plan, {});
  const LayerContext& ctx = trainer.context();
  ParameterStore& store = trainer.parameters();

  std::map<std::string, const LocalTensor*> locals;
  for (const LocalTensor& local : store.layout().tensors)
    locals[store.spec_of(local).name] = &local;
  const auto part = [&](const Tensor& flat_tensor, const LocalTensor& local) {
    const int64_t size = local.box.size();
    return flat_tensor.flat(local.offset, local.offset + size, Shape{size});
  };
  ASSERT_EQ(golden["parameters"].size(), locals.size());
  for (const auto& parameter : golden["parameters"]) {
    const LocalTensor& local = *locals.at(parameter["name"].get<std::string>());
    fill(part(store.values(local.domain), local), parameter);
  }

  const Microbatch microbatch = make_microbatch(
      ctx, {flat(golden["tokens"]), flat(golden["targets"])}, plan.micro_batch, plan.seq_len);
  const double tolerance = GetParam().tolerance;
  expect_close("logits", values_of(trainer.stages().front().logits(ctx, microbatch)),
               golden["logits"].get<std::vector<double>>(), tolerance, 1e-3);

  std::vector<Microbatch> microbatches = {microbatch};
  const std::vector<double> counts = count_all_targets(plan, microbatches);
  const double num_targets = counts.front();
  if (golden.contains("mtp_losses"))
    weigh_tokens_ahead(counts, golden["mtp_loss_scaling_factor"], &microbatches);
  const PipelineResult result = run_pipeline(
      ctx, trainer.stages(), build_schedule(plan.schedule, 1, 1), microbatches, Keep::for_backward);
  std::vector<double> losses = values_of(result.loss_sums);
  for (size_t i = 0; i < losses.size(); ++i) losses[i] /= counts[i];
  std::vector<double> expected = golden.value("mtp_losses", std::vector<double>());
  expected.insert(expected.begin(), golden["loss"].get<double>());
  expect_close("losses", losses, expected, tolerance, 0);
  for (const auto& parameter : golden["parameters"]) {
    const auto name = parameter["name"].get<std::string>();
    const LocalTensor& local = *locals.at(name);
    std::vector<double> gradient = values_of(part(store.grads(local.domain), local));
    for (double& value : gradient) value /= num_targets;
    expect_close("gradient of " + name, gradient, parameter["gradient"].get<std::vector<double>>(),
                 tolerance, 1e-3 * golden["grad_norm"].get<double>());
  }
}

// The files have 10 significant digits.
INSTANTIATE_TEST_SUITE_P(
    Models, GoldenModel,
    testing::Values(
        Golden{"llama", Precision::fp64, 1e-8}, Golden{"llama", Precision::fp32, 1e-5},
        Golden{"qwen2", Precision::fp64, 1e-8}, Golden{"qwen2", Precision::fp32, 1e-5},
        Golden{"qwen3", Precision::fp64, 1e-8}, Golden{"qwen3", Precision::fp32, 1e-5},
        Golden{"gpt2", Precision::fp64, 1e-8}, Golden{"gpt2", Precision::fp32, 1e-5},
        Golden{"mixtral", Precision::fp64, 1e-8}, Golden{"mixtral", Precision::fp32, 1e-5},
        Golden{"qwen2_moe", Precision::fp64, 1e-8}, Golden{"qwen2_moe", Precision::fp32, 1e-5},
        Golden{"olmoe", Precision::fp64, 1e-8}, Golden{"olmoe", Precision::fp32, 1e-5},
        Golden{"glm4_moe", Precision::fp64, 1e-8}, Golden{"glm4_moe", Precision::fp32, 1e-5},
        Golden{"deepseek_v3", Precision::fp64, 1e-8}, Golden{"deepseek_v3", Precision::fp32, 1e-5},
        Golden{"deepseek_v3_half_pairs", Precision::fp64, 1e-8},
        Golden{"deepseek_v3_half_pairs", Precision::fp32, 1e-5},
        Golden{"deepseek_v3_mtp", Precision::fp64, 1e-8},
        Golden{"deepseek_v3_mtp", Precision::fp32, 1e-5},
        Golden{"glm4_moe_mtp", Precision::fp64, 1e-8},
        Golden{"glm4_moe_mtp", Precision::fp32, 1e-5}, Golden{"gpt_oss", Precision::fp64, 1e-8},
        Golden{"gpt_oss", Precision::fp32, 1e-5}),
    [](const auto& test) {
      return std::string(test.param.file) + "_" + std::string(to_string(test.param.precision));
    });

}  // namespace
}  // namespace argosy
