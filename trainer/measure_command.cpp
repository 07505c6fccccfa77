// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/measure_command.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <ostream>
#include <vector>

#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/clock.h"
#include "planner/spec/cluster.h"
#include "planner/spec/files.h"
#include "trainer/device/device_context.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/matmul.h"

namespace argosy {

namespace {

constexpr double kSampleTime_s = 0.02;  // one sample repeats its body for about this long
constexpr double kPeakTime_s = 0.2;     // of the matrix rates
constexpr int kSamples = 5;
constexpr int64_t kLargeBytes = int64_t{256} << 20;  // well beyond the caches of one core
constexpr int64_t kMessageBytes = int64_t{16} << 20;
constexpr double kReservedShare =
    0.05;  // of memory, for the system and the MPI library: a margin, not a measurement

class Meter {
 public:
  Meter(DeviceContext& device, Communicator& world) : device_(device), world_(world) {}

  // Median seconds of one call of `body`, the slowest rank's, all ranks at once. Every rank repeats
  // equally often: body may be collective.
  double seconds(const std::function<void()>& body) {
    body();
    double once = std::max(time(body, 1), 1e-9);
    world_.all_reduce({&once, 1, DType::fp64}, ReduceOp::max);
    const int repeats = static_cast<int>(std::clamp(kSampleTime_s / once, 1.0, 1e6));
    std::vector<double> samples;
    for (int i = 0; i < kSamples; ++i) {
      world_.barrier();
      samples.push_back(time(body, repeats) / repeats);
    }
    std::nth_element(samples.begin(), samples.begin() + kSamples / 2, samples.end());
    double median = samples[kSamples / 2];
    world_.all_reduce({&median, 1, DType::fp64}, ReduceOp::max);
    return median;
  }

  Tensor tensor(Shape shape, DType dtype) const {
    const Tensor t = device_.empty(shape, dtype, MemoryCategory::workspace);
    ops::fill_zero(device_, t);
    return t;
  }
  DeviceContext& device() const { return device_; }

 private:
  static double time(const std::function<void()>& body, int repeats) {
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < repeats; ++i) body();
    return seconds_since(start);
  }

  DeviceContext& device_;
  Communicator& world_;
};

// The slowest rank's rate while all multiply.
double matmul_rate(Meter& meter, Communicator& world, DType dtype) {
  world.barrier();
  double negative_rate = -ops::measure_matmul_rate(meter.device(), dtype, kPeakTime_s);
  world.all_reduce({&negative_rate, 1, DType::fp64}, ReduceOp::max);
  return -negative_rate;
}

EfficiencyCurve matmul_curve(Meter& meter, double peak_flops_per_s) {
  EfficiencyCurve curve;
  for (const int64_t n : {16, 32, 64, 128, 256, 512, 1024}) {
    const Tensor x = meter.tensor({n, n}, DType::fp32), w = meter.tensor({n, n}, DType::fp32);
    const Tensor y = meter.tensor({n, n}, DType::fp32);
    const double flops = 2.0 * std::pow(static_cast<double>(n), 3);
    const double s = meter.seconds([&] { ops::matmul_nt(meter.device(), x, w, y); });
    curve.push_back({flops, std::min(flops / s / peak_flops_per_s, 1.0)});
  }
  return curve;
}

EfficiencyCurve attention_curve(Meter& meter, double peak_flops_per_s) {
  EfficiencyCurve curve;
  constexpr int64_t kHeads = 8, kHeadDim = 64;
  for (const int64_t length : {64, 256, 1024}) {
    const ops::AttentionShape shape = {.batch = 1,
                                       .seq_len = length,
                                       .num_heads = kHeads,
                                       .num_kv_heads = kHeads,
                                       .head_dim = kHeadDim,
                                       .scale = 0.125};
    const Shape rows = {length, kHeads * kHeadDim};
    const Tensor q = meter.tensor(rows, DType::fp32), k = meter.tensor(rows, DType::fp32),
                 v = meter.tensor(rows, DType::fp32), out = meter.tensor(rows, DType::fp32),
                 lse = meter.tensor({length, kHeads}, DType::fp32);
    meter.device().matmul_flops = 0;
    ops::attention_forward(meter.device(), shape, q, k, v, out, lse);
    const auto flops = static_cast<double>(meter.device().matmul_flops);
    const double s =
        meter.seconds([&] { ops::attention_forward(meter.device(), shape, q, k, v, out, lse); });
    curve.push_back({flops, std::min(flops / s / peak_flops_per_s, 1.0)});
  }
  return curve;
}

// Bytes per second of y += x: two reads and a write.
double add_rate(Meter& meter, int64_t bytes) {
  const Shape shape = {bytes / (3 * size_in_bytes(DType::fp32))};
  const Tensor x = meter.tensor(shape, DType::fp32), y = meter.tensor(shape, DType::fp32);
  return 3.0 * static_cast<double>(x.bytes()) /
         meter.seconds([&] { ops::add(meter.device(), x, y); });
}

LinkTier measure_links(Meter& meter, Communicator& world) {
  const int64_t ranks = world.size();
  const int64_t part = kMessageBytes / size_in_bytes(DType::fp32) / ranks;
  const std::vector<int64_t> counts(static_cast<size_t>(ranks), part);
  std::vector<float> mine(static_cast<size_t>(part)), all(static_cast<size_t>(part * ranks)),
      one(1);
  const double gather_s = meter.seconds([&] {
    world.all_gather({mine.data(), part, DType::fp32}, {all.data(), part * ranks, DType::fp32},
                     counts);
  });
  const double small_s = meter.seconds([&] { world.all_reduce({one.data(), 1, DType::fp32}); });
  LinkTier tier;
  tier.name = "shared memory";
  tier.devices = 4096;  // no further tier on one machine
  tier.latency_s =
      small_s / std::max(1.0, 2.0 * std::log2(static_cast<double>(ranks)));  // down and up a tree
  tier.bytes_per_s =
      static_cast<double>(part * (ranks - 1) * size_in_bytes(DType::fp32)) / gather_s;
  return tier;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &utc);
  return text;
}

using Say = std::function<void(const std::string& line)>;

void check_request(const TrainOptions& options, Communicator& world) {
  if (world.size() < 2) {
    throw ConfigError(
        "--measure: 1 rank cannot measure links; start it as mpirun -np CORES argosy-train "
        "--measure OUT.json");
  }
  const std::filesystem::path folder = absolute(options.measure_out).parent_path();
  if (!is_directory(folder)) {
    throw ConfigError(concat("--measure ", options.measure_out.string(), ": there is no folder ",
                             folder.string()));
  }
}

void measure_products(Meter& meter, Communicator& world, const Say& say, Accelerator* core) {
  core->fp64_flops_per_s = matmul_rate(meter, world, DType::fp64);
  core->fp32_flops_per_s = matmul_rate(meter, world, DType::fp32);
  core->bf16_flops_per_s = matmul_rate(meter, world, DType::bf16);
  say(concat("matrix products, per rank, ", world.size(), " ranks at once: fp64 ",
             format_fixed(core->fp64_flops_per_s / 1e9, 1), ", fp32 ",
             format_fixed(core->fp32_flops_per_s / 1e9, 1), ", bf16 ",
             format_fixed(core->bf16_flops_per_s / 1e9, 1), " GFLOP/s"));
  core->matmul_efficiency = matmul_curve(meter, core->fp32_flops_per_s);
  core->attention_efficiency = attention_curve(meter, core->fp32_flops_per_s);
}

void measure_memory(Meter& meter, int local_ranks, const Say& say, Accelerator* core) {
  core->memory_bytes_per_s = add_rate(meter, kLargeBytes);
  core->memory_efficiency = {{1e4, 1.0}};
  const Tensor single = meter.tensor({1}, DType::fp32);
  core->op_overhead_s = meter.seconds([&] { ops::scale(meter.device(), 1.0, single); });
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  core->memory_bytes = static_cast<int64_t>(memory / std::max(local_ranks, 1));
  core->reserved_bytes =
      static_cast<int64_t>(kReservedShare * static_cast<double>(core->memory_bytes));
  say(concat("memory: ", format_fixed(core->memory_bytes_per_s / 1e9, 1),
             " GB/s per rank; an op costs at least ", format_seconds(core->op_overhead_s)));
}

}  // namespace

int run_measure(const TrainOptions& options, Communicator& world, int local_ranks,
                std::ostream& out) {
  check_request(options, world);
  DeviceContext device(options.device);
  Meter meter(device, world);
  const Say say = [&](const std::string& line) {
    if (world.rank() == 0) out << line << std::endl;
  };

  ClusterSpec cluster;
  cluster.name = options.measure_out.stem().string();
  cluster.device = options.device;
  cluster.num_devices = cluster.devices_per_node = world.size();
  cluster.may_oversubscribe = true;
  cluster.accelerator.name = "one core of this machine";
  measure_products(meter, world, say, &cluster.accelerator);
  measure_memory(meter, local_ranks, say, &cluster.accelerator);
  cluster.tiers = {measure_links(meter, world)};
  say(concat("links: ", format_fixed(cluster.tiers[0].bytes_per_s / 1e9, 2), " GB/s per rank, ",
             format_seconds(cluster.tiers[0].latency_s), " a message"));
  if (world.rank() == 0) {
    write_text_file(
        options.measure_out,
        to_json(cluster, concat("measured by argosy-train --measure with ", world.size(),
                                " ranks at once, ", today(), "; ", ops::matmul_description())));
  }
  say("wrote " + options.measure_out.string());
  return kExitDone;
}

}  // namespace argosy
