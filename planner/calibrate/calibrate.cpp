// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/calibrate/calibrate.h"

#include <unistd.h>

#include <csignal>
#include <iterator>
#include <optional>
#include <vector>

#include "planner/calibrate/child_process.h"
#include "planner/calibrate/machine_load.h"
#include "planner/report/text_table.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/cores.h"
#include "planner/spec/files.h"
#include "planner/spec/host.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

constexpr double kStart_s = 25;      // of the ranks, on a loaded machine; they take half a second
constexpr int64_t kFewestRanks = 2;  // links are measured between two, be it on one core
constexpr const char* kTrainer = "argosy-train";

std::filesystem::path trainer_program() {
  std::filesystem::path beside = program_folder() / kTrainer;
  if (access(beside.c_str(), X_OK) == 0) return beside;
  if (const auto found = find_in_path(kTrainer)) return *found;
  throw ConfigError(concat("--calibrate: there is no ", kTrainer, " in ", program_folder().string(),
                           " nor in PATH; valid: build it, it measures"));
}

std::filesystem::path mpirun_program() {
  if (const auto found = find_in_path("mpirun")) return *found;
  throw ConfigError(
      "--calibrate: there is no mpirun in PATH; valid: with Open MPI installed (Debian: "
      "openmpi-bin)");
}

ChildCommand measure_command(const CalibrationRequest& request) {
  const int64_t cores = usable_cores().count(), most = std::max(kFewestRanks, cores);
  const int64_t ranks = request.num_devices > 0 ? request.num_devices : most;
  if (ranks > most) {
    throw ConfigError(concat("--devices: ", ranks, " with --calibrate on ", cores,
                             " cores: ranks that take turns on a core each measure all of it; "
                             "valid: at most ",
                             most, "; a plan may use more ranks than were measured"));
  }
  ChildCommand command;
  command.words = {mpirun_program().string(), "-np", std::to_string(ranks)};
  const std::vector<std::string> binding =
      ranks <= cores ? std::vector<std::string>{"--bind-to", "core"}
                     : std::vector<std::string>{"--oversubscribe", "--bind-to", "none"};
  command.words.insert(command.words.end(), binding.begin(), binding.end());
  command.words.insert(command.words.end(),
                       {"-x", "OMP_NUM_THREADS=1", trainer_program().string(), "--measure",
                        request.out.string(), "--measure-seconds", concat(request.seconds)});
  if (is_root()) {
    command.environment = {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                           {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}};
  }
  command.time_limit_s = request.seconds + kStart_s;
  return command;
}

void require_success(const ChildEnd& end, const ChildCommand& command) {
  if (end.interrupted_by != 0) {
    throw Error(concat("--calibrate: stopped by ",
                       end.interrupted_by == SIGINT ? "SIGINT" : "SIGTERM",
                       "; nothing was written"));
  }
  if (end.timed_out) {
    throw Error(concat("--calibrate: ", kTrainer, " --measure did not end within ",
                       command.time_limit_s, " s"));
  }
  if (end.exit_code == kExitUserError) {
    throw ConfigError(
        concat("--calibrate: ", kTrainer, " --measure says above what is wrong with the request"));
  }
  if (end.exit_code != 0) {
    std::string line;
    for (const std::string& word : command.words) line += (line.empty() ? "" : " ") + word;
    throw Error(concat("--calibrate: exit code ", end.exit_code, " of ", line));
  }
}

// One fact of a cluster, in the unit that people read.
struct Fact {
  std::string name;
  double measured = 0, assumed = 0;  // 0: not known
  std::string (*format)(double) = nullptr;
};

std::string as_gflops(double value) {
  return format_fixed(value / 1e9, 1) + " GFLOP/s";
}
std::string as_gbytes(double value) {
  return format_fixed(value / 1e9, 2) + " GB/s";
}
std::string as_factor(double value) {
  return "x" + format_fixed(value, 2);
}

std::vector<double> values_of(const ClusterSpec& cluster) {
  const Accelerator& a = cluster.accelerator;
  const LinkTier& tier = cluster.tiers.front();
  std::vector<double> values = {a.fp32_flops_per_s,
                                a.bf16_flops_per_s,
                                a.fp64_flops_per_s,
                                efficiency_at(a.matmul_efficiency, 1e5),
                                efficiency_at(a.matmul_efficiency, 1e7),
                                efficiency_at(a.attention_efficiency, 1e6),
                                efficiency_at(a.attention_efficiency, 1e8),
                                a.memory_bytes_per_s,
                                efficiency_at(a.memory_efficiency, 1e5),
                                efficiency_at(a.memory_efficiency, 1e7),
                                a.op_overhead_s,
                                tier.latency_s,
                                tier.bytes_per_s * tier.efficiency};
  for (const CollectiveKind kind :
       {CollectiveKind::all_gather, CollectiveKind::reduce_scatter, CollectiveKind::all_reduce,
        CollectiveKind::all_to_all, CollectiveKind::send}) {
    values.push_back(cluster.collective_factors[static_cast<size_t>(kind)]);
  }
  return values;
}

std::vector<Fact> facts_of(const ClusterSpec& measured, const ClusterSpec& assumed) {
  std::vector<Fact> facts = {{"products, fp32", 0, 0, as_gflops},
                             {"products, bf16", 0, 0, as_gflops},
                             {"products, fp64", 0, 0, as_gflops},
                             {"of that, a product of 0.1 MFLOP", 0, 0, format_percent},
                             {"of that, a product of 10 MFLOP", 0, 0, format_percent},
                             {"of that, attention of 1 MFLOP", 0, 0, format_percent},
                             {"of that, attention of 100 MFLOP", 0, 0, format_percent},
                             {"memory, streaming", 0, 0, as_gbytes},
                             {"of that, an op on 0.1 MB", 0, 0, format_percent},
                             {"of that, an op on 10 MB", 0, 0, format_percent},
                             {"an op at least", 0, 0, format_seconds},
                             {"a message at least", 0, 0, format_seconds},
                             {"links, a rank, one way", 0, 0, as_gbytes},
                             {"all_gather beside the links", 0, 0, as_factor},
                             {"reduce_scatter beside the links", 0, 0, as_factor},
                             {"all_reduce beside the links", 0, 0, as_factor},
                             {"all_to_all beside the links", 0, 0, as_factor},
                             {"send beside the links", 0, 0, as_factor}};
  const std::vector<double> ours = values_of(measured), theirs = values_of(assumed);
  CHECK(ours.size() == facts.size() && theirs.size() == facts.size());
  for (size_t i = 0; i < facts.size(); ++i) {
    facts[i].measured = ours[i], facts[i].assumed = theirs[i];
  }
  return facts;
}

}  // namespace

ClusterReading calibrate(const CalibrationRequest& request) {
  const std::filesystem::path folder = absolute(request.out).parent_path();
  if (!is_directory(folder)) {
    throw ConfigError(
        concat("--out: ", request.out.string(), ": there is no folder ", folder.string()));
  }
  const std::string assumed_text = read_text_file(request.assumed);
  const ChildCommand command = measure_command(request);
  const CoreSeconds cores_before = core_seconds_now();
  const double own_before_s = child_seconds_now();
  require_success(run_child(command), command);
  const std::string load =
      load_warning(cores_before, core_seconds_now(), child_seconds_now() - own_before_s);
  Json measured = parse_json(read_text_file(request.out), request.out.string());
  const Json assumed = parse_json(assumed_text, request.assumed.string());
  for (const char* key : {"operation", "embodied"}) {  // not to be measured
    if (assumed.contains(key)) measured[key] = assumed[key];
  }
  const std::string text = measured.dump(2) + "\n";
  ClusterReading reading = parse_cluster(text, request.out.stem().string(), request.out.string());
  write_text_file(request.out, text);
  if (!load.empty()) reading.warnings.push_back(load);
  return reading;
}

std::string calibration_table(const ClusterSpec& measured, const ClusterSpec& assumed) {
  TextTable table;
  table.header = {"", "measured", assumed.name, "ratio"};
  table.align = {Align::left, Align::right, Align::right, Align::right};
  for (const Fact& fact : facts_of(measured, assumed)) {
    const bool is_known = fact.assumed > 0;
    table.rows.push_back({fact.name, fact.format(fact.measured),
                          is_known ? fact.format(fact.assumed) : "-",
                          is_known ? format_fixed(fact.measured / fact.assumed, 2) : "-"});
  }
  return to_text(table);
}

std::string calibration_json(const ClusterSpec& measured, const ClusterSpec& assumed,
                             const std::filesystem::path& file) {
  Json facts = Json::array();
  for (const Fact& fact : facts_of(measured, assumed)) {
    facts.push_back({{"name", fact.name}, {"measured", fact.measured}, {"assumed", fact.assumed}});
  }
  const Json json = {
      {"cluster", measured.name}, {"file", file.string()}, {"facts", std::move(facts)}};
  return json.dump(2) + "\n";
}

}  // namespace argosy
