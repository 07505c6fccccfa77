// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Text token by token against the memory that it has to read: every weight once, but for the table
// of tokens where the head has its own, and the cache. Random weights; turns of a token and of a
// plain loop over as many bytes alternate, so that both see the same machine. Prints medians and
// their ratio:
//   OMP_NUM_THREADS=1 build/bin/decode_bench configs/models/gpt2-124m.json [tokens]
#include <cstdio>
#include <cstdlib>

#include "comm/self/self_communicator.h"
#include "planner/spec/kv_cache.h"
#include "tests/bench/machine.h"
#include "trainer/decoder.h"
#include "trainer/verify.h"

namespace argosy::bench {
namespace {

constexpr int64_t kPromptTokens = 32;

Plan plan_of(const char* model, Precision precision, int64_t num_tokens) {
  Plan plan;
  plan.model = read_model(model).model;
  plan.cluster = "local-cpu";
  plan.micro_batch = plan.global_batch = 1;
  plan.seq_len = kPromptTokens + num_tokens;
  plan.precision = precision;
  plan = single_rank(plan);
  validate(plan);
  return plan;
}

// Elements of weights that a token reads, of a dense model.
int64_t read_elements(const Plan& plan) {
  int64_t elements = 0;
  for (const TensorSpec& tensor : model_tensors(plan.model)) {
    const bool is_looked_up = tensor.role == TensorRole::position_embedding ||
                              (tensor.role == TensorRole::embedding && !plan.model.tied_head);
    if (!is_looked_up) elements += tensor.size();
  }
  return elements;
}

void run(const char* model, Precision precision, int64_t num_tokens) {
  const Plan plan = plan_of(model, precision, num_tokens);
  const auto world = make_self_communicator();
  DeviceContext device(Device::cpu);
  ProcessGroups groups(*world, plan.mesh, plan.model.num_kv_heads);
  RouterState router = make_router_state(device, plan, AuxLossScope::sequence);
  const LayerContext ctx{device, groups, plan, {}, &router};
  ParameterStore store(device, plan, 0, Gradients::none);
  store.initialize(1);
  Stage stage(ctx, store, 0);
  Decoder decoder(ctx, stage);

  const int64_t element_bytes = size_in_bytes(ctx.compute());
  const int64_t cached = (kPromptTokens + num_tokens / 2) * kv_elements_per_token(plan.model);
  const int64_t bytes = (read_elements(plan) + cached) * element_bytes;
  Reference reference(device, {.read_bytes = bytes}, 1, 0, 0);
  std::vector<int32_t> tokens(static_cast<size_t>(kPromptTokens), 1);
  const double prompt_s = seconds_of([&] { decoder.next_logits(tokens); });
  std::vector<double> token_s, read_s;
  for (int64_t i = 0; i < num_tokens; ++i) {
    tokens.push_back(static_cast<int32_t>(i % plan.model.vocab_size));
    token_s.push_back(seconds_of([&] { decoder.next_logits(tokens); }));
    read_s.push_back(seconds_of([&] { reference.run(); }));
  }
  const double token = median(token_s), read = median(read_s);
  std::printf(
      "%s %s: prompt %.1f tokens/s, generated %.1f tokens/s; %.0f MB, a token %.2f ms, "
      "reading %.2f ms (%.1f GB/s), ratio %.2f\n",
      plan.model.name.c_str(), std::string(to_string(precision)).c_str(),
      static_cast<double>(kPromptTokens) / prompt_s, 1 / token, static_cast<double>(bytes) / 1e6,
      token * 1e3, read * 1e3, static_cast<double>(bytes) / read / 1e9, token / read);
}

}  // namespace
}  // namespace argosy::bench

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "decode_bench MODEL.json [tokens]\n");
    return 2;
  }
  const int64_t num_tokens = argc == 3 ? std::atoll(argv[2]) : 40;
  for (const argosy::Precision precision : {argosy::Precision::fp32, argosy::Precision::bf16})
    argosy::bench::run(argv[1], precision, num_tokens);
  return 0;
}
