// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Decoding with a cache against the whole window, computed at once.
#include <gtest/gtest.h>

#include "tests/end_to_end/text_model.h"

namespace argosy {
namespace {

using Tokens = std::vector<int32_t>;

Tokens first(const Tokens& tokens, int64_t count) {
  return {tokens.begin(), tokens.begin() + count};
}

struct Case {
  TextModelSpec model;
  Precision precision;
  double tolerance;
};

class Decoding : public testing::TestWithParam<Case> {};

// The prompt at once or in pieces, then token by token, or a few at a time.
TEST_P(Decoding, LogitsAreThoseOfTheWholeWindow) {
  DeviceContext device(Device::cpu);
  TextModel model(device, GetParam().model, GetParam().precision);
  const Tokens text = text_of(16);
  for (const int64_t most_rows : {512, 3, 1}) {
    for (const int64_t step : {1, 4}) {
      Decoder decoder(model.ctx, model.stage, most_rows);
      for (int64_t count = 5; count <= 16; count += step) {
        const Tokens tokens = first(text, count);
        EXPECT_LE(last_difference(decoder.next_logits(tokens), model.whole(tokens)),
                  GetParam().tolerance)
            << count << " tokens, " << most_rows << " rows at once";
      }
      EXPECT_EQ(decoder.window_begin(), 0);
    }
  }
}

std::vector<Case> cases() {
  using M = TinyModel;
  const std::vector<TextModelSpec> dense = {{"gpt2", M::gpt2},
                                            {"llama", M::llama},
                                            {"llama_window", M::llama, 0, 5},
                                            {"qwen2_tied_biases", M::qwen2_tied},
                                            {"qwen2_windows", M::qwen2_windows},
                                            {"qwen3_qk_norm", M::qwen3},
                                            {"latent", M::latent_dense},
                                            {"gpt2_lora", M::gpt2, 2},
                                            {"qwen3_lora_window", M::qwen3, 2, 1}};
  const std::vector<TextModelSpec> experts = {{"mixtral", M::mixtral},
                                              {"qwen2_moe", M::qwen2_moe},
                                              {"sigmoid_moe", M::sigmoid_moe},
                                              {"deepseek", M::deepseek},
                                              {"olmoe", M::olmoe},
                                              {"glm4_moe", M::glm4_moe},
                                              {"gpt_oss", M::gpt_oss},
                                              {"mixtral_lora", M::mixtral, 2}};
  std::vector<Case> all;
  for (const auto* models : {&dense, &experts}) {
    for (const TextModelSpec& model : *models) {
      all.push_back({model, Precision::fp64, 1e-11});
      all.push_back({model, Precision::fp32, 1e-5});
    }
  }
  // Not with experts: rounding changes here and there which one a token goes to.
  for (const TextModelSpec& model : dense) all.push_back({model, Precision::bf16, 3e-2});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Models, Decoding, testing::ValuesIn(cases()), [](const auto& test) {
  return test.param.model.name + "_" + std::string(to_string(test.param.precision));
});

// A window of 7 tokens: full, it begins anew with its newest 4.
TEST(DecodingWindow, MovesOnByHalfWhenTheTextOutgrowsIt) {
  DeviceContext device(Device::cpu);
  for (const TinyModel kind : {TinyModel::gpt2, TinyModel::llama}) {
    TextModel model(device, {.name = "short", .model = kind, .seq_len = 7}, Precision::fp64);
    const Tokens text = text_of(40);
    Decoder decoder(model.ctx, model.stage);
    int64_t begin = 0;
    for (int64_t count = 3; count <= 40; ++count) {
      if (count - begin > 7) begin = count - 4;
      const std::vector<double> logits = decoder.next_logits(first(text, count));
      EXPECT_EQ(decoder.window_begin(), begin) << count;
      EXPECT_LE(last_difference(logits, model.whole({text.begin() + begin, text.begin() + count})),
                1e-11)
          << count;
    }
  }
}

TEST(DecodingWindow, SeesTheEndOfALongPrompt) {
  DeviceContext device(Device::cpu);
  TextModel model(device, {.name = "short", .seq_len = 8}, Precision::fp64);
  const Tokens text = text_of(30);
  Decoder decoder(model.ctx, model.stage, /*most_rows=*/3);
  const auto expect_window = [&](int64_t begin, int64_t count) {
    const std::vector<double> logits = decoder.next_logits(first(text, count));
    EXPECT_LE(last_difference(logits, model.whole({text.begin() + begin, text.begin() + count})),
              1e-11);
    EXPECT_EQ(decoder.window_begin(), begin);
  };
  expect_window(21, 29);  // all of a window
  expect_window(26, 30);  // half of it
}

TEST(DecodingWindow, OfOneToken) {
  DeviceContext device(Device::cpu);
  TextModel model(device, {.name = "one", .seq_len = 1}, Precision::fp64);
  const Tokens text = text_of(3);
  Decoder decoder(model.ctx, model.stage);
  for (int64_t count = 1; count <= 3; ++count)
    EXPECT_LE(
        last_difference(decoder.next_logits(first(text, count)), model.whole({text[count - 1]})),
        1e-11);
}

// A further token is one row through the network, and no prompt is more than one through the head.
TEST(DecodingCost, IsOneRowForEachToken) {
  DeviceContext device(Device::cpu);
  TextModel model(device, {.name = "gpt2", .model = TinyModel::gpt2}, Precision::fp64);
  const ModelSpec& spec = model.plan.model;
  const Tokens text = text_of(16);
  const auto flops_of = [&](const auto& run) {
    const int64_t before = device.matmul_flops;
    run();
    return device.matmul_flops - before;
  };
  const int64_t of_a_key = 4 * spec.num_layers * spec.num_heads * spec.head_dim;
  const int64_t of_the_head = 2 * spec.vocab_size * spec.hidden_size;
  const int64_t alone = flops_of([&] { model.whole({text[0]}); });
  Decoder decoder(model.ctx, model.stage);
  const int64_t window = flops_of([&] { model.whole(first(text, 10)); });
  EXPECT_EQ(flops_of([&] { decoder.next_logits(first(text, 10)); }), window - 9 * of_the_head);
  for (int64_t count = 11; count <= 16; ++count)
    EXPECT_EQ(flops_of([&] { decoder.next_logits(first(text, count)); }),
              alone + (count - 1) * of_a_key);
}

TEST(DecodingCost, TheCacheIsTakenOnce) {
  DeviceContext device(Device::cpu);
  TextModel model(device, {.name = "llama"}, Precision::bf16);
  const auto buffers = [&] {
    return device.memory().current[static_cast<size_t>(MemoryCategory::buffers)];
  };
  const int64_t before = buffers();
  Decoder decoder(model.ctx, model.stage);
  const int64_t bytes = model.plan.seq_len * kv_elements_per_token(model.plan.model) * 2;
  EXPECT_EQ(buffers() - before, bytes);
  const Tokens text = text_of(40);
  for (int64_t count = 5; count <= 40; ++count) {
    decoder.next_logits(first(text, count));
    EXPECT_EQ(buffers() - before, bytes) << count;
  }
}

}  // namespace
}  // namespace argosy
