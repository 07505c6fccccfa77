// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Decoding with a cache on an emulated GPU against the whole window on the CPU.
#include <gtest/gtest.h>

#include "tests/end_to_end/text_model.h"
#include "tests/support/cuda_emulation/gpu_ranks.h"
#include "tests/support/cuda_emulation/streams.h"

namespace argosy {
namespace {

class CudaDecoding : public testing::TestWithParam<TextModelSpec> {
 protected:
  ~CudaDecoding() override { cuda_emulation::reset_devices(); }
};

// Past the end of the window too.
TEST_P(CudaDecoding, LogitsAreThoseOfTheWholeWindowOnTheCpu) {
  DeviceContext cpu(Device::cpu);
  const std::vector<int32_t> text = text_of(11);
  TextModel expected(cpu, GetParam(), Precision::fp32);
  cuda_emulation::run_on_gpus(1, [&](Communicator&, DeviceContext& device) {
    TextModel model(device, GetParam(), Precision::fp32);
    Decoder decoder(model.ctx, model.stage, /*most_rows=*/3);
    for (size_t count = 4; count <= text.size(); ++count) {
      const std::vector<int32_t> tokens(text.begin(), text.begin() + static_cast<int64_t>(count));
      const std::vector<double> logits = decoder.next_logits(tokens);
      const std::vector<int32_t> seen(tokens.begin() + decoder.window_begin(), tokens.end());
      EXPECT_LE(last_difference(logits, expected.whole(seen)), 5e-5) << count;
    }
    EXPECT_GT(decoder.window_begin(), 0);
  });
}

INSTANTIATE_TEST_SUITE_P(Models, CudaDecoding,
                         testing::Values(TextModelSpec{"gpt2", TinyModel::gpt2, 2, 0, 8},
                                         TextModelSpec{"qwen3", TinyModel::qwen3, 0, 3, 8},
                                         TextModelSpec{"latent", TinyModel::latent_dense, 0, 0, 8},
                                         TextModelSpec{"mixtral", TinyModel::mixtral, 0, 0, 8},
                                         TextModelSpec{"gpt_oss", TinyModel::gpt_oss, 0, 0, 8}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace argosy
