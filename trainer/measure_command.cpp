// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/measure_command.h"

#include <unistd.h>

#include <algorithm>
#include <ostream>
#include <vector>

#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/clock.h"
#include "planner/spec/cluster.h"
#include "planner/spec/files.h"
#include "planner/spec/host.h"
#include "planner/spec/json.h"
#include "trainer/device/device_context.h"
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

std::string gflops(double flops_per_s) {
  return format_fixed(flops_per_s / 1e9, 1);
}

// One machine, whose memory its ranks share.
void describe_machine(const TrainOptions& options, int64_t num_ranks, int local_ranks,
                      ClusterSpec* cluster) {
  cluster->name = options.measure_out.stem().string();
  cluster->device = options.device;
  cluster->num_devices = cluster->devices_per_node = num_ranks;
  cluster->may_oversubscribe = true;
  cluster->cpu_model = cpu_model();
  Accelerator& core = cluster->accelerator;
  core.name = concat(cluster->cpu_model, ", ", ops::num_threads(),
                     ops::num_threads() == 1 ? " core" : " cores");
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  core.memory_bytes = static_cast<int64_t>(memory / std::max(local_ranks, 1));
  core.reserved_bytes =
      static_cast<int64_t>(kReservedShare * static_cast<double>(core.memory_bytes));
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
  tier.name = "shared memory";
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
std::string with_sources(const ClusterSpec& cluster, const std::string& measured,
                         size_t num_samples, double residual) {
  Json json = parse_json(to_json(cluster, measured), "the measured cluster");
  Json& core = json["accelerator"];
  core["peak_source"] =
      concat(measured, ": the best of two times 0.2 s of 1024 x 1024 x 1024 and of the curve; ",
             ops::matmul_description());
  core["memory_source"] = concat("the machine's memory over its ranks; reserved: a margin of ",
                                 format_percent(kReservedShare));
  core["memory_bytes_per_s_source"] = concat(measured, ": y += x over 96 MiB");
  core["op_overhead_source"] = concat(measured, ": an op on one element");
  core["matmul_efficiency_source"] =
      concat(measured, ": a cube, an odd and a tall product of about these FLOPs each");
  core["attention_efficiency_source"] = concat(
      measured, ": forward and backward together, fp32, heads of 32 and 64, 16 to 256 tokens");
  core["memory_efficiency_source"] =
      concat(measured, ": a sum, a norm, a gated activation and its backward, fp32");
  const std::string fit =
      concat(measured, ": ", num_samples, " messages of 1 KiB to 16 MiB in groups of 2 to ",
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
  return concat("matrix products, per rank, ", num_ranks, " ranks at once: fp64 ",
                gflops(core.fp64_flops_per_s), ", fp32 ", gflops(core.fp32_flops_per_s), ", bf16 ",
                gflops(core.bf16_flops_per_s), " GFLOP/s; memory ",
                format_fixed(core.memory_bytes_per_s / 1e9, 1), " GB/s; an op costs at least ",
                format_seconds(core.op_overhead_s));
}

}  // namespace

int run_measure(const TrainOptions& options, DeviceContext& device, Communicator& world,
                int local_ranks, std::ostream& out) {
  check_request(options, world);
  const bool is_root = world.rank() == 0;
  Progress progress(out, detect_terminal(STDOUT_FILENO));
  const Clock::time_point begin = Clock::now();
  const int64_t num_ops = compute_jobs(), num_links = link_jobs(world.size());
  const auto progress_after = [&](int64_t jobs_before) {
    return [&, jobs_before](int64_t done) {
      if (!is_root) return;
      const double left_s = std::max(0.0, options.measure_s - seconds_since(begin));
      progress.status(progress_bar(jobs_before + done, num_ops + num_links, left_s));
    };
  };
  ClusterSpec cluster;
  describe_machine(options, world.size(), local_ranks, &cluster);
  Meter ops(device, world, kOpShare * options.measure_s, num_ops, progress_after(0));
  measure_compute(ops, &cluster.accelerator);
  if (is_root) progress.line(compute_line(cluster.accelerator, world.size()));
  Meter links(device, world, (1 - kOpShare) * options.measure_s, num_links,
              progress_after(num_ops));
  const std::vector<TransferSample> samples = measure_links(links);
  double residual = 0;
  describe_links(samples, &cluster, &residual);
  if (!is_root) return kExitDone;
  progress.line(concat("links: ", format_fixed(cluster.tiers[0].bytes_per_s / 1e9, 2),
                       " GB/s per rank, ", format_seconds(cluster.tiers[0].latency_s),
                       " a message; the fit is off by ", format_percent(residual),
                       " in the median of ", samples.size(), " timings"));
  const std::string measured = concat(
      "measured ", utc_date(), " on ", cluster.cpu_model, " by mpirun -np ", world.size(),
      " argosy-train --measure --measure-seconds ", options.measure_s, ", all ranks at once");
  write_text_file(options.measure_out, with_sources(cluster, measured, samples.size(), residual));
  progress.line("wrote " + options.measure_out.string());
  return kExitDone;
}

}  // namespace argosy
