// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Attention's graphs are put before cuDNN as on an H200, without one: since 9.8 the library takes a
// device's properties as text, asks its heuristics and tells which of its kernels fit. What it does
// not do here is to load the kernel that it would compile. Where there is no driver the toolkit's
// stub stands for it.
#include <cudnn_frontend.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "trainer/ops/cuda_attention.h"
#include "trainer/ops/cudnn_graphs.h"

namespace argosy::ops::detail {
namespace {

namespace fe = cudnn_frontend;

// The keys are those whose absence cuDNN 9.19 complains about; the values are an H200's, from
// NVIDIA's tables of compute capability 9.0 and nvidia-smi.
constexpr const char* kH200 = R"({
  "deviceName": "NVIDIA H200", "deviceVer": 900, "driverVer": 13000, "cudaDeviceId": 0,
  "multiProcessorCount": 132, "warpSize": 32, "smClockRateKHz": 1980000, "memClockRateKHz": 3201000,
  "totalGlobalMem": 150754820096, "l2CacheSize": 62914560, "regsPerBlock": 65536,
  "maxRegistersPerSM": 65536, "maxSharedMemoryPerBlock": 49152,
  "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024,
  "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "maxCtasPerSM": 32,
  "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64],
  "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1})";
constexpr int32_t kHopper = 90;

// cuDNN opens the driver's library by name, and finds what this process has opened before.
bool open_driver() {
  return dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) != nullptr ||
         dlopen(ARGOSY_CUDA_STUB, RTLD_NOW | RTLD_GLOBAL) != nullptr;
}

// The library's words where it has no kernel of so much scratch; empty: it has one.
std::string refusal(const GraphKey& key, int64_t most_bytes = INT64_MAX) {
  const std::string text = kH200;
  auto properties = std::make_shared<fe::DeviceProperties>();
  fe::error_t status = properties->deserialize({text.begin(), text.end()});
  if (status.is_bad()) return "properties: " + status.get_message();
  fe::graph::Graph graph;
  graph.set_device_properties(properties).set_sm_version(kHopper);
  graph.deselect_workspace_greater_than(most_bytes);
  describe_graph(key, graph);
  status = graph.validate();
  if (status.is_good()) status = graph.build_operation_graph();
  if (status.is_good()) status = graph.create_execution_plans({fe::HeurMode_t::A});
  if (status.is_good()) status = graph.check_support();
  return status.is_good() ? "" : "refused: " + status.get_message();
}

struct Case {
  int64_t batch, seq_len, num_heads, num_kv_heads, head_dim, window, documents;
  int64_t value_dim = 0;  // 0: head_dim
};

GraphKey key_of(const Case& c, bool is_backward, bool is_deterministic) {
  const int64_t value_dim = c.value_dim == 0 ? c.head_dim : c.value_dim;
  return {is_backward, c.batch,  c.seq_len, c.num_heads, c.num_kv_heads,  c.head_dim,
          value_dim,   c.window, 0.125,     c.documents, is_deterministic};
}

class CudnnGraphs : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(open_driver()) << dlerror(); }
};

TEST_F(CudnnGraphs, AnH200HasKernelsForWhatModelsAsk) {
  const std::vector<Case> cases = {
      {16, 1024, 12, 12, 64, 0, 0},        // GPT-2 124M
      {8, 1024, 25, 25, 64, 0, 0},         // GPT-2 1.5B
      {4, 4096, 32, 8, 64, 0, 0},          // llama-1b
      {2, 4096, 32, 8, 128, 0, 0},         // llama-3.1-8b
      {2, 4096, 32, 8, 128, 1024, 0},      // a sliding window
      {8, 256, 8, 2, 32, 64, 0},           // the demo's experts
      {8, 256, 8, 2, 32, 64, 32},          // the same, documents
      {2, 4096, 32, 8, 128, 0, 16},        // documents
      {2, 4096, 32, 8, 128, 1024, 16},     // documents, a window
      {2, 4096, 12, 12, 64, 0, 1},         // one document
      {2, 1000, 12, 4, 80, 0, 0},          // no round length
      {1, 37, 3, 1, 24, 0, 0},             // nothing round
      {1, 256, 8, 2, 256, 0, 0},           // the widest head
      {1, 4096, 16, 16, 192, 0, 0, 128},   // DeepSeek-V3, tp 8
      {1, 4096, 16, 16, 192, 0, 16, 128},  // the same, documents
  };
  for (const Case& c : cases) {
    for (const bool is_backward : {false, true}) {
      for (const bool is_deterministic : {true, false}) {
        if (!is_backward && !is_deterministic) continue;
        const GraphKey key = key_of(c, is_backward, is_deterministic);
        EXPECT_EQ(refusal(key), "") << text_of(key);
      }
    }
  }
}

// By which batches are cut (gradient_part()). Besides there are some KB for documents and, for
// grouped queries, dk and dv of all heads.
TEST_F(CudnnGraphs, GradientsInOrderTakeTheScratchThatIsReckonedWith) {
  const std::vector<Case> cases = {{16, 1024, 12, 12, 64, 0, 0},
                                   {8, 1024, 25, 25, 64, 0, 0},
                                   {2, 1000, 12, 12, 80, 0, 0},
                                   {2, 4096, 32, 8, 128, 0, 16},
                                   {2, 4096, 12, 12, 64, 0, 1}};
  constexpr int64_t kBesides = 1 << 16;
  for (const Case& c : cases) {
    const GraphKey key = key_of(c, true, true);
    const int64_t bytes = ordered_scratch_bytes(
        {.seq_len = c.seq_len}, {c.num_heads, c.documents > 0 ? c.documents : c.batch});
    EXPECT_EQ(refusal(key, bytes + kBesides), "") << text_of(key);
    EXPECT_NE(refusal(key, bytes - 1), "") << text_of(key);
    EXPECT_EQ(refusal(key_of(c, true, false), bytes / 8), "") << text_of(key) << ", in any order";
  }
}

// Of long sequences a few heads at a time, in rows of all heads: 8 GiB where all want 64.
TEST_F(CudnnGraphs, GradientsOfSomeHeadsOfLongRows) {
  const std::vector<Case> cases = {{1, 32768, 4, 1, 128, 0, 0},
                                   {1, 32768, 4, 4, 64, 0, 0},
                                   {1, 32768, 4, 1, 128, 4096, 0},
                                   {1, 32768, 4, 1, 128, 0, 1}};
  constexpr int64_t kRowHeads = 32, kBesides = int64_t{128} << 20;  // dk and dv of grouped queries
  for (const Case& c : cases) {
    GraphKey key = key_of(c, true, true);
    key.row_heads = kRowHeads;
    key.row_kv_heads = kRowHeads / (c.num_heads / c.num_kv_heads);
    const int64_t bytes = ordered_scratch_bytes({.seq_len = c.seq_len}, {c.num_heads, 1});
    EXPECT_EQ(bytes, int64_t{8} << 30);
    EXPECT_EQ(refusal(key, bytes + kBesides), "") << text_of(key);
  }
}

// It would say so: a head that is no multiple of 8 columns, and a sequence of one.
TEST_F(CudnnGraphs, RefusalsAreSeen) {
  EXPECT_NE(refusal(key_of({2, 256, 4, 4, 20, 0, 0}, false, true)), "");
  EXPECT_NE(refusal(key_of({1, 1, 2, 2, 16, 0, 0}, true, true)), "");
}

}  // namespace
}  // namespace argosy::ops::detail
