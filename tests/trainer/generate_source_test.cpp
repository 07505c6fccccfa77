// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How much of a text a network of Hugging Face sees: --generate plans for it.
#include "trainer/generate_source.h"

#include <gtest/gtest.h>

#include <fstream>

#include "planner/spec/check.h"

namespace argosy {
namespace {

// A llama of 4 layers with 2 * 64 elements of keys and as many of values a token and layer.
class GenerateSourceTest : public testing::Test {
 protected:
  GenerateSourceTest()
      : folder_(std::filesystem::temp_directory_path() / "argosy_generate_source_test") {
    std::filesystem::create_directories(folder_);
  }
  ~GenerateSourceTest() override { std::filesystem::remove_all(folder_); }

  int64_t window(int64_t max_positions, Precision precision) const {
    std::ofstream(folder_ / "config.json")
        << R"({"model_type": "llama", "vocab_size": 300, "hidden_size": 256,
               "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
               "num_key_value_heads": 2, "max_position_embeddings": )"
        << max_positions << "}";
    TrainOptions options;
    options.init = folder_;
    options.precision = precision;
    return find_generate_source(options).plan.seq_len;
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(GenerateSourceTest, SeesAllPositionsWhileTheirCacheIsSmall) {
  EXPECT_EQ(window(1024, Precision::fp32), 1024);
  EXPECT_EQ(window(131072, Precision::bf16), 131072);
  constexpr int64_t kTokenBytes = 4 * (2 * 2 * 64) * 2;  // in bf16
  EXPECT_EQ(window(10'000'000, Precision::bf16), (int64_t{2} << 30) / kTokenBytes);
  EXPECT_EQ(window(10'000'000, Precision::fp32), (int64_t{2} << 30) / (2 * kTokenBytes));
}

}  // namespace
}  // namespace argosy
