// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/measure_command.h"

#include <unistd.h>

#include <algorithm>
#include <ostream>
#include <vector>

#include "checkpoint/exchange.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/clock.h"
#include "planner/spec/cluster.h"
#include "planner/spec/files.h"
#include "planner/spec/host.h"
#include "planner/spec/json.h"
#include "trainer/device/cuda_device.h"
#include "trainer/device/device_context.h"
#include "trainer/device/nvml.h"
#include "trainer/device/pinned_copies.h"
#include "trainer/measure/compute.h"
#include "trainer/measure/links.h"
#include "trainer/ops/matmul.h"
#include "trainer/ops/threads.h"
#include "trainer/run/progress.h"

namespace argosy {

namespace {

// Of memory, for the system and the MPI library: a margin, not a measurement.
constexpr double kReservedShare = 0.05;
// Of the time; links have the rest for themselves, however long ops take.
constexpr double kOpShare = 0.6;

void check_request(const TrainOptions& options, Communicator& world, int local_ranks) {
  // One GPU is a machine of its own, a core is not.
  if (world.size() < 2 && options.device == Device::cpu) {
    throw ConfigError(
        "--measure: 1 rank cannot measure links; start it as mpirun -np CORES argosy-train "
        "--measure OUT.json");
  }
  if (options.share_gpus) {
    throw ConfigError(
        "--measure --share-gpus: ranks on one GPU measure each other; valid: a rank a GPU");
  }
  if (world.size() != local_ranks) {
    throw ConfigError(concat("--measure: ", world.size(), " ranks, of which ", local_ranks,
                             " are on this machine; valid: one machine, whose links are one tier"));
  }
  require_writable("--measure", options.measure_out);
}

std::string gflops(double flops_per_s) {
  return format_fixed(flops_per_s / 1e9, 1);
}

// One machine, whose memory its ranks share.
Accelerator describe_core(int local_ranks, const ClusterSpec& cluster) {
  Accelerator core;
  core.name = concat(cluster.cpu_model, ", ", ops::num_threads(),
                     ops::num_threads() == 1 ? " core" : " cores");
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  core.memory_bytes = static_cast<int64_t>(memory / std::max(local_ranks, 1));
  core.reserved_bytes =
      static_cast<int64_t>(kReservedShare * static_cast<double>(core.memory_bytes));
  return core;
}

// A GPU before anything was allocated on it: what is used is contexts and libraries.
Accelerator describe_gpu(DeviceContext& device) {
  Accelerator gpu;
  const CudaFacts& facts = cuda_of(device).facts();
  gpu.name = facts.name;
  gpu.num_multiprocessors = facts.num_multiprocessors;
  gpu.memory_bytes = device.backend().total_bytes();
  gpu.context_bytes = gpu.memory_bytes - device.backend().free_bytes();
  gpu.reserved_bytes = gpu.context_bytes +
                       static_cast<int64_t>(kReservedShare * static_cast<double>(gpu.memory_bytes));
  return gpu;
}

void describe_machine(const TrainOptions& options, DeviceContext& device, int64_t num_ranks,
                      int local_ranks, ClusterSpec* cluster) {
  const bool is_gpu = device.backend().cuda() != nullptr;
  cluster->name = options.measure_out.stem().string();
  cluster->device = options.device;
  cluster->num_devices = cluster->devices_per_node = num_ranks;
  cluster->may_oversubscribe = !is_gpu;
  cluster->cpu_model = cpu_model();
  cluster->accelerator = is_gpu ? describe_gpu(device) : describe_core(local_ranks, *cluster);
}

// Of one GPU while it multiplies, and before. A driver without NVML tells nothing.
std::string describe_power(DeviceContext& device, ClusterSpec* cluster) {
  constexpr double kLoad_s = 1;  // NVML's power is a mean over up to a second
  const std::string& uuid = cuda_of(device).facts().uuid;
  const Outcome outcome = attempt([&] {
    cluster->idle_power_w = read_gpu_state(uuid).power_w;
    ops::measure_matmul_rate(device, DType::bf16, kLoad_s);
    const GpuState busy = read_gpu_state(uuid);
    cluster->device_power_w = cluster->communication_power_w = busy.power_w;
    cluster->accelerator.name = concat(busy.name, ", SM ", busy.sm_clock_mhz, " MHz under load");
  });
  return outcome.ok() ? "" : concat("power is not known: ", outcome.message);
}

// Of copies out of a GPU into pinned memory, all ranks at once: a checkpoint's way.
double copy_out_rate(Meter& meter) {
  constexpr int64_t kBytes = int64_t{256} << 20;
  DeviceBackend& backend = meter.device().backend();
  const Tensor from = meter.operands(kBytes);
  const std::unique_ptr<DeviceQueue> queue = backend.streams()->make_queue();
  PinnedCopies& copies = *backend.pinned_copies();
  const std::shared_ptr<void> pinned(copies.allocate(kBytes),
                                     [&](void* memory) { copies.release(memory); });
  if (pinned == nullptr) throw Error(concat("out of host memory: ", kBytes, " bytes to copy into"));
  return static_cast<double>(kBytes) / meter.seconds([&] {
    copies.begin(*queue, from.raw(), pinned.get(), kBytes);
    backend.streams()->compute().wait_for(*queue->mark());
  });
}

// A plan for one device has no links: the tier joins nobody, and its rate is the memory's.
LinkTier tier_of_one(const Accelerator& gpu) {
  LinkTier tier;
  tier.name = "one GPU: no link was measured";
  tier.devices = 1;
  tier.bytes_per_s = gpu.memory_bytes_per_s;
  return tier;
}

void describe_links(const std::vector<TransferSample>& samples, ClusterSpec* cluster,
                    double* residual) {
  std::vector<TransferSample> plain;
  for (const TransferSample& s : samples) {
    if (s.kind == CollectiveKind::all_gather || s.kind == CollectiveKind::reduce_scatter) {
      plain.push_back(s);
    }
  }
  const LinkFit fit = fit_link(plain);
  LinkTier tier;
  tier.name = cluster->device == Device::cuda ? "NCCL between the GPUs" : "shared memory";
  tier.devices = std::max<int64_t>(4096, cluster->num_devices);  // one machine: no further tier
  tier.latency_s = fit.latency_s;
  tier.bytes_per_s = fit.bytes_per_s;
  cluster->tiers = {tier};
  for (int kind = 0; kind < kNumCollectiveKinds; ++kind) {
    cluster->collective_factors[static_cast<size_t>(kind)] =
        factor_beside(fit, samples, static_cast<CollectiveKind>(kind));
  }
  // A receive is timed with its send.
  cluster->collective_factors[static_cast<size_t>(CollectiveKind::recv)] =
      cluster->collective_factors[static_cast<size_t>(CollectiveKind::send)];
  *residual = fit.residual;
}

// The file with a source beside what was measured.
std::string with_sources(const ClusterSpec& cluster, const MeasureSizes& sizes,
                         const std::string& measured, size_t num_samples, double residual) {
  const bool is_gpu = cluster.device == Device::cuda;
  Json json = parse_json(to_json(cluster, measured), "the measured cluster");
  Json& core = json["accelerator"];
  core["peak_source"] = concat(measured, ": the best of two times 0.05 s of large cubes and of ",
                               "the curve; ", ops::matmul_description(cluster.device));
  core["memory_source"] =
      is_gpu ? concat("the GPU's memory; reserved: what is used before the first tensor, and a ",
                      "margin of ", format_percent(kReservedShare))
             : concat("the machine's memory over its ranks; reserved: a margin of ",
                      format_percent(kReservedShare));
  core["memory_bytes_per_s_source"] =
      concat(measured, ": y += x over ", format_bytes(2 * sizes.stream_bytes));
  core["op_overhead_source"] = concat(measured, ": an op on one element");
  core["matmul_efficiency_source"] =
      concat(measured, ": a cube, an odd and a tall product of about these FLOPs each");
  core["attention_efficiency_source"] =
      concat(measured, ": forward and backward together, ", to_string(sizes.attention_dtype),
             ", heads of ", sizes.head_dims.front(), " and ", sizes.head_dims.back(), ", ",
             sizes.attention.front().length, " to ", sizes.attention.back().length, " tokens");
  core["memory_efficiency_source"] =
      concat(measured, ": a sum, a norm, a gated activation and its backward, fp32");
  if (is_gpu && cluster.device_power_w > 0) {
    json["operation"]["power_source"] = concat(
        measured, ": NVML, rank 0's GPU: under bf16 products, and before; communication as these");
  }
  if (num_samples == 0) return json.dump(2) + "\n";
  const std::string fit = concat(measured, ": ", num_samples, " messages of ",
                                 format_bytes(sizes.payload_bytes.front()), " to ",
                                 format_bytes(sizes.payload_bytes.back()), " in groups of 2 to ",
                                 cluster.num_devices, " ranks");
  json["tiers"][0]["source"] =
      concat(fit, "; least squares over all-gather and reduce-scatter, median residual ",
             format_percent(residual));
  if (json.contains("collective_factors")) {
    json["collective_factors"]["source"] = concat(fit, "; median of measured over fitted seconds");
  }
  return json.dump(2) + "\n";
}

std::string compute_line(const Accelerator& core, int num_ranks) {
  const std::string fp64 =
      core.fp64_flops_per_s > 0 ? concat("fp64 ", gflops(core.fp64_flops_per_s), ", ") : "";
  return concat("matrix products, per rank, ", num_ranks, " ranks at once: ", fp64, "fp32 ",
                gflops(core.fp32_flops_per_s), ", bf16 ", gflops(core.bf16_flops_per_s),
                " GFLOP/s; memory ", format_fixed(core.memory_bytes_per_s / 1e9, 1),
                " GB/s; an op costs at least ", format_seconds(core.op_overhead_s));
}

std::string links_line(const LinkTier& tier, double residual, size_t num_samples) {
  return concat("links: ", format_fixed(tier.bytes_per_s / 1e9, 2), " GB/s per rank, ",
                format_seconds(tier.latency_s), " a message; the fit is off by ",
                format_percent(residual), " in the median of ", num_samples, " timings");
}

}  // namespace

int run_measure(const TrainOptions& options, DeviceContext& device, Communicator& world,
                int local_ranks, std::ostream& out) {
  throw_if_failed(agree(world, attempt([&] { check_request(options, world, local_ranks); })));
  const bool is_root = world.rank() == 0, is_gpu = device.backend().cuda() != nullptr;
  const MeasureSizes sizes = measure_sizes(options.device);
  Progress progress(out, detect_terminal(STDOUT_FILENO));
  const auto say = [&](const std::string& line) {
    if (is_root && !line.empty()) progress.text(line);
  };
  const Clock::time_point begin = Clock::now();
  const int64_t num_ops = compute_jobs(sizes) + (is_gpu ? 1 : 0);
  const int64_t num_links = link_jobs(world.size(), sizes);
  const auto progress_after = [&](int64_t jobs_before) {
    return [&, jobs_before](int64_t done) {
      if (!is_root) return;
      const double left_s = std::max(0.0, options.measure_s - seconds_since(begin));
      progress.status(progress_bar(jobs_before + done, num_ops + num_links, left_s));
    };
  };
  ClusterSpec cluster;
  describe_machine(options, device, world.size(), local_ranks, &cluster);
  if (is_gpu) say(describe_power(device, &cluster));
  Meter ops(device, world, kOpShare * options.measure_s, num_ops, progress_after(0));
  measure_compute(ops, sizes, &cluster.accelerator);
  if (is_gpu) cluster.snapshot_bytes_per_s = copy_out_rate(ops);
  say(compute_line(cluster.accelerator, world.size()));
  std::vector<TransferSample> samples;
  double residual = 0;
  if (world.size() > 1) {
    Meter links(device, world, (1 - kOpShare) * options.measure_s, num_links,
                progress_after(num_ops));
    samples = measure_links(links, sizes);
    describe_links(samples, &cluster, &residual);
    say(links_line(cluster.tiers[0], residual, samples.size()));
  } else {
    cluster.tiers = {tier_of_one(cluster.accelerator)};
  }
  if (!is_root) return kExitDone;
  const std::string measured =
      concat("measured ", utc_date(), " on ", is_gpu ? cluster.accelerator.name : cluster.cpu_model,
             " by mpirun -np ", world.size(), " argosy-train --measure --measure-seconds ",
             options.measure_s, is_gpu ? " --device cuda" : "", ", all ranks at once");
  write_text_file(options.measure_out,
                  with_sources(cluster, sizes, measured, samples.size(), residual));
  progress.text("wrote " + options.measure_out.string());
  return kExitDone;
}

}  // namespace argosy
