// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/measure/meter.h"

#include <algorithm>
#include <vector>

#include "trainer/ops/elementwise.h"
#include "trainer/ops/initialize.h"

namespace argosy {

namespace {

// A sample repeats its body for about this long: long against the 20 ns of a look at the clock, or
// the 10 us of waiting for a GPU.
constexpr double kSample_s = 200e-6, kGpuSample_s = 2e-3;
constexpr int64_t kMaxRepeats = 10000;
constexpr int64_t kMinSamples = 3, kMaxSamples = 101;

double time(DeviceContext& device, const std::function<void()>& body, int64_t repeats) {
  device.synchronize();
  const Clock::time_point start = Clock::now();
  for (int64_t i = 0; i < repeats; ++i) body();
  device.synchronize();
  return seconds_since(start);
}

double slowest(Communicator& world, double seconds) {
  world.all_reduce({&seconds, 1, DType::fp64}, ReduceOp::max);
  return seconds;
}

}  // namespace

int64_t repeats_of_sample(Device device, double once_s) {
  const double sample_s = device == Device::cpu ? kSample_s : kGpuSample_s;
  return std::clamp<int64_t>(static_cast<int64_t>(sample_s / once_s), 1, kMaxRepeats);
}

double Meter::share_s() const {
  const int64_t jobs_left = std::max<int64_t>(1, num_jobs_ - jobs_done_);
  return std::max(0.0, budget_s_ - elapsed_s_) / static_cast<double>(jobs_left);
}

bool Meter::fits(double seconds) const {
  return (kMinSamples + 2) * seconds <= share_s();
}

double Meter::seconds(const std::function<void()>& body) {
  if (on_progress_) on_progress_(jobs_done_);
  const double mine_s = share_s();
  ++jobs_done_;
  body();  // first touches, caches
  world_.barrier();
  const double once_s = std::max(slowest(world_, time(device_, body, 1)), 1e-9);
  const int64_t repeats = repeats_of_sample(device_.device(), once_s);
  const double sample_s = once_s * static_cast<double>(repeats);
  const int64_t num_samples =
      mine_s == 0
          ? 1  // the time is over: what must be known is looked at once
          : std::clamp<int64_t>(static_cast<int64_t>(mine_s / sample_s), kMinSamples, kMaxSamples);
  std::vector<double> samples;
  for (int64_t i = 0; i < num_samples; ++i) {
    world_.barrier();
    samples.push_back(time(device_, body, repeats) / static_cast<double>(repeats));
  }
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  elapsed_s_ = slowest(world_, seconds_since(begin_));
  return slowest(world_, *middle);
}

Tensor Meter::operands(int64_t bytes) const {
  Tensor numbers =
      device_.empty({bytes / size_in_bytes(DType::fp32)}, DType::fp32, MemoryCategory::workspace);
  if (device_.device() == Device::cpu) {
    ops::fill_zero(device_, numbers);
    return numbers;
  }
  // Two numbers of bf16 are one of fp32 that is near the second.
  const int64_t count = 2 * numbers.size();
  TensorSpec spec;
  spec.name = "operands";
  spec.rows = count;
  spec.init = Init::normal;
  spec.init_std = 1;
  ops::initialize(device_, spec, {{0, count}, {0, 1}}, 1,
                  Tensor(numbers.storage(), numbers.raw(), {count}, DType::bf16, numbers.device()));
  return numbers;
}

}  // namespace argosy
