// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Weights of an emulated GPU that the host updates, load by load, against one update of all of them
// on the host. What is not waited for comes too early or too late there.
#include "trainer/parallel/host_update.h"

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "planner/spec/bfloat16.h"
#include "planner/spec/check.h"
#include "planner/spec/philox.h"
#include "tests/support/cuda_emulation/gpu_ranks.h"
#include "tests/support/cuda_emulation/streams.h"
#include "trainer/device/cuda_device.h"
#include "trainer/device/host_copy.h"

namespace argosy {
namespace {

using cuda_emulation::Timing;
using ops::UpdatePart;

constexpr int64_t kLoad = 64;
// None divides a load; two need several, neighbours share one.
constexpr int64_t kSizes[] = {1, 7, 100, 33, 64, 250, 3};
constexpr ops::AdamwStep kAdamw{.lr = 0.01};

std::vector<float> normals(int64_t size, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(size));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(uniform(seed, 0, i) - 0.5);
  }
  return values;
}

// Parts whose gradients and weights are in `device` and whose state is in `host`; equal wherever
// they are.
std::vector<UpdatePart> make_parts(DeviceContext& device, DeviceContext& host, DType weights) {
  std::vector<UpdatePart> parts;
  for (const int64_t size : kSizes) {
    UpdatePart part;
    part.grads = device.zeros({size}, DType::fp32, MemoryCategory::gradients);
    part.params = device.zeros({size}, weights, MemoryCategory::parameters);
    const std::vector<float> values = normals(size, static_cast<uint64_t>(size));
    if (weights == DType::fp32) {
      copy_to_device(std::span<const float>(values), part.params);
    } else {
      const std::vector<bfloat16> rounded(values.begin(), values.end());
      copy_to_device(std::span<const bfloat16>(rounded), part.params);
      part.rest = host.zeros({size}, DType::int16, MemoryCategory::optimizer);
    }
    part.exp_avg = host.zeros({size}, DType::fp32, MemoryCategory::optimizer);
    part.exp_avg_sq = host.zeros({size}, DType::fp32, MemoryCategory::optimizer);
    part.weight_decay = size % 2 == 0 ? 0.1 : 0.0;
    parts.push_back(std::move(part));
  }
  return parts;
}

void set_gradients(const std::vector<UpdatePart>& parts, uint64_t seed) {
  for (const UpdatePart& part : parts) {
    copy_to_device(std::span<const float>(normals(part.grads.size(), seed++)), part.grads);
  }
}

std::vector<char> bytes_of(const Tensor& tensor) {
  std::vector<char> bytes(static_cast<size_t>(tensor.bytes()));
  if (tensor.defined()) backend_of(tensor).download(tensor.raw(), bytes.data(), tensor.bytes());
  return bytes;
}

void expect_equal(const UpdatePart& expected, const UpdatePart& actual) {
  EXPECT_EQ(bytes_of(actual.params), bytes_of(expected.params)) << "weights";
  EXPECT_EQ(bytes_of(actual.exp_avg), bytes_of(expected.exp_avg)) << "first moments";
  EXPECT_EQ(bytes_of(actual.exp_avg_sq), bytes_of(expected.exp_avg_sq)) << "second moments";
  ASSERT_EQ(actual.rest.defined(), expected.rest.defined());
  if (!expected.rest.defined()) return;
  EXPECT_EQ(bytes_of(actual.rest), bytes_of(expected.rest)) << "rest of masters";
}

struct Case {
  Timing timing;
  DType weights;
};

class HostUpdateTest : public testing::TestWithParam<Case> {
 protected:
  HostUpdateTest() { cuda_emulation::set_timing(GetParam().timing, 3); }
  ~HostUpdateTest() override {
    gpu_.synchronize();
    cuda_emulation::reset_devices();
  }

  Tensor scale_of(double value, DeviceContext& ctx) {
    Tensor scale = ctx.empty({1}, DType::fp64, MemoryCategory::workspace);
    copy_to_device(std::span<const double>(&value, 1), scale);
    return scale;
  }
  HostUpdate::Apply adamw(int64_t step) {
    return [this, step](std::span<const UpdatePart> parts, const Tensor& scale) {
      ops::AdamwStep now = kAdamw;
      now.step = step;
      ops::adamw_update(memory_.context(), now, parts, scale);
    };
  }

  DeviceContext gpu_{Device::cuda, cuda_emulation::make_poisoning_backend(0)};
  DeviceContext cpu_{Device::cpu};
  HostMemory memory_{gpu_, GetParam().weights, DType::fp32, kLoad};
};

TEST_P(HostUpdateTest, EqualsOneUpdateToTheBit) {
  const std::vector<UpdatePart> parts = make_parts(gpu_, memory_.context(), GetParam().weights),
                                expected = make_parts(cpu_, cpu_, GetParam().weights);
  for (int64_t step = 1; step <= 3; ++step) {
    set_gradients(parts, static_cast<uint64_t>(step));
    set_gradients(expected, static_cast<uint64_t>(step));
    ops::AdamwStep now = kAdamw;
    now.step = step;
    ops::adamw_update(cpu_, now, expected, scale_of(0.5, cpu_));
    HostUpdate update(memory_, parts, scale_of(0.5, gpu_));
    // In pieces, as buckets are gathered: what was asked for is on the device.
    for (const size_t num_parts : {size_t{0}, size_t{2}, size_t{3}, parts.size()}) {
      update.advance(num_parts, adamw(step));
      for (size_t i = 0; i < num_parts; ++i) {
        SCOPED_TRACE(concat("step ", step, " part ", i, " of ", num_parts));
        expect_equal(expected[i], parts[i]);
      }
    }
    // The next gradients are written while the last weights may still be on their way.
  }
}

// The gradients are those that the ops begun before leave, the weights those that they read.
TEST_P(HostUpdateTest, ComesBehindTheOpsBefore) {
  const std::vector<UpdatePart> parts = make_parts(gpu_, memory_.context(), GetParam().weights),
                                expected = make_parts(cpu_, cpu_, GetParam().weights);
  const Tensor scale = scale_of(1, gpu_);
  const Tensor before =
      gpu_.empty(parts[2].params.shape(), parts[2].params.dtype(), MemoryCategory::buffers);
  set_gradients(parts, 1);
  gpu_.synchronize();
  for (const UpdatePart& part : parts) gpu_.backend().clear(part.grads.raw(), part.grads.bytes());
  (void)cudaMemcpyAsync(before.raw(), parts[2].params.raw(), static_cast<size_t>(before.bytes()),
                        cudaMemcpyDeviceToDevice, cuda_of(gpu_).compute());
  HostUpdate(memory_, parts, scale).advance(parts.size(), adamw(1));
  EXPECT_EQ(bytes_of(before), bytes_of(expected[2].params));
  ops::adamw_update(cpu_, kAdamw, expected, scale_of(1, cpu_));  // of gradients that are 0
  for (size_t i = 0; i < parts.size(); ++i) expect_equal(expected[i], parts[i]);
}

TEST_P(HostUpdateTest, AFactorThatIsNotFiniteChangesNothing) {
  const std::vector<UpdatePart> parts = make_parts(gpu_, memory_.context(), GetParam().weights),
                                expected = make_parts(cpu_, cpu_, GetParam().weights);
  set_gradients(parts, 1);
  HostUpdate update(memory_, parts, scale_of(std::numeric_limits<double>::quiet_NaN(), gpu_));
  update.advance(parts.size(), adamw(1));
  for (size_t i = 0; i < parts.size(); ++i) expect_equal(expected[i], parts[i]);
}

INSTANTIATE_TEST_SUITE_P(
    Timings, HostUpdateTest,
    testing::Values(Case{Timing::early, DType::bf16}, Case{Timing::late, DType::bf16},
                    Case{Timing::compute_late, DType::bf16}, Case{Timing::others_late, DType::bf16},
                    Case{Timing::seeded, DType::bf16}, Case{Timing::late, DType::fp32},
                    Case{Timing::others_late, DType::fp32}, Case{Timing::seeded, DType::fp32}));

TEST(HostUpdateLoads, TakeThePlannedBytesOfTheHostAndNoneOfTheDevice) {
  DeviceContext gpu(Device::cuda, cuda_emulation::make_poisoning_backend(0));
  const HostMemory memory(gpu, DType::bf16, DType::fp32);
  const auto at = static_cast<size_t>(MemoryCategory::workspace);
  EXPECT_EQ(memory.memory().current[at], host_staging_bytes(Precision::bf16) + 8);
  EXPECT_EQ(memory.memory().total_current, host_staging_bytes(Precision::bf16) + 8);
  EXPECT_EQ(gpu.memory().total_current, 0);
}

// The next loads are on their way while the host updates the first.
TEST(HostUpdateLoads, ComeDownAhead) {
  cuda_emulation::reset_devices();
  cuda_emulation::set_timing(Timing::early);
  DeviceContext gpu(Device::cuda, cuda_emulation::make_poisoning_backend(0));
  HostMemory memory(gpu, DType::fp32, DType::fp32, kLoad);
  const auto tasks_before_the_first_update = [&](int64_t num_loads) {
    UpdatePart part;
    part.grads = gpu.zeros({num_loads * kLoad}, DType::fp32, MemoryCategory::gradients);
    part.params = gpu.zeros({num_loads * kLoad}, DType::fp32, MemoryCategory::parameters);
    const Tensor scale = gpu.zeros({1}, DType::fp64, MemoryCategory::workspace);
    const int64_t before = cuda_emulation::num_tasks_run();
    int64_t num_tasks = -1;
    HostUpdate update(memory, {part}, scale);
    update.advance(1, [&](std::span<const UpdatePart>, const Tensor&) {
      if (num_tasks < 0) num_tasks = cuda_emulation::num_tasks_run() - before;
    });
    return num_tasks;
  };
  const int64_t one = tasks_before_the_first_update(1);
  EXPECT_GE(tasks_before_the_first_update(3), one + 4);  // gradients and weights of two more
  EXPECT_EQ(tasks_before_the_first_update(9), tasks_before_the_first_update(3)) << "three slots";
}

// Nothing is copied where the device is the host: the update is given the very memory.
TEST(HostUpdateOnTheCpu, UpdatesInPlace) {
  DeviceContext cpu(Device::cpu);
  HostMemory memory(cpu, DType::fp32, DType::fp32, kLoad);
  EXPECT_EQ(memory.memory().total_current, 8) << "the factor alone";
  const std::vector<UpdatePart> parts = make_parts(cpu, memory.context(), DType::fp32);
  const Tensor scale = cpu.zeros({1}, DType::fp64, MemoryCategory::workspace);
  std::vector<const void*> weights;
  HostUpdate update(memory, parts, scale);
  const auto apply = [&](std::span<const UpdatePart> here, const Tensor&) {
    for (const UpdatePart& part : here) weights.push_back(part.params.raw());
  };
  for (const size_t num_parts : {size_t{2}, size_t{2}, parts.size()}) {
    update.advance(num_parts, apply);
  }
  ASSERT_EQ(weights.size(), parts.size()) << "each once";
  for (size_t i = 0; i < parts.size(); ++i) EXPECT_EQ(weights[i], parts[i].params.raw());
  // State is the host's, and in no number of the device.
  const auto at = static_cast<size_t>(MemoryCategory::optimizer);
  EXPECT_EQ(memory.memory().current[at], (1 + 7 + 100 + 33 + 64 + 250 + 3) * 8);
  EXPECT_EQ(cpu.memory().current[at], 0);
}

}  // namespace
}  // namespace argosy
