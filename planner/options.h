// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The command line of argosy-plan, and the job that it describes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/calibrate/corrections_file.h"
#include "planner/cost/fixed.h"
#include "planner/cost/job.h"
#include "planner/exchange/export.h"
#include "planner/serve/serve.h"

namespace argosy {

// More is a slip of the pen: ten times the largest job that is known of, and what is searched and
// simulated within a minute.
inline constexpr int64_t kMostDevices = 1000000, kMostSequences = 1000000;
inline constexpr int64_t kMostTokens = int64_t{1} << 30;  // of a sequence

struct PlanOptions {
  std::string model, cluster;
  int64_t devices = 0, seq_len = 0, global_batch = 0;  // 0: default
  double tokens = 0;
  std::optional<double> fit_probability;  // 0: what reserved_bytes leaves; nothing: usual
  std::string task = "pretrain";
  int64_t lora_rank = 0;
  double lora_alpha = 0;  // 0: twice the rank
  std::string lora_targets = "all-linear";
  int64_t base_bits = kUnquantizedBits;
  double moe_imbalance = 1;
  int64_t sample_tokens = 0;    // 0: samples are packed
  int64_t document_tokens = 0;  // 0: attention goes over whole sequences
  std::string optimizer = "adamw", precision = "bf16", objective = "time";
  std::string fix;
  bool frees_layout = false;  // of an imported setup: what it decides as for `fix` is searched
  std::string offload = "none";
  // --task serve
  int64_t users = 0, context = 0, prompt = 0;  // 0: default
  double tokens_per_user = 0;
  std::string weights = "bf16", cache = "bf16";
  int64_t top = 5, threads = 0;
  bool near_ties = false;  // plans to show may be one layout with other numbers
  uint64_t seed = 1234;
  std::string out, report, trace, schedule_csv;
  bool json = false, explain = false, sensitivity = false, pareto = false, robust = false;
  std::string what_if, deadline, phases;
  std::string stack;  // whose kernels and overlap; empty: default_stack()
  std::string score;  // a table of published runs: predict them instead of searching
  std::string export_to;
  std::string import_from, import_megatron;  // a setup of any format, or of that one
  bool calibrate = false;                    // measure this machine instead of searching
  double calibrate_s = 30;
  std::vector<std::string> learn;  // folders of runs: correct the cluster instead of searching
  std::string corrections = "auto";
};

struct CommandLine {
  PlanOptions options;
  std::string help;  // not empty: print it and stop
};

// Throws ConfigError naming option, value and what would be valid. Keys of --config FILE are the
// same options; the command line wins.
CommandLine parse_command_line(int argc, const char* const* argv);

struct Request {
  Job job;
  Fixed fixed;
  std::string phases;  // of --phases, or an imported ramp of the batch
  std::vector<std::string> warnings;
  std::string unmodelled_savings;  // of an imported setup (exchange/import.h); "": there are none
  AppliedCorrections corrections;  // those that job.cluster has
};

// The cluster with the devices to use; warnings are added.
ClusterSpec make_cluster(const PlanOptions& options, std::vector<std::string>& warnings);

// That of --model; warnings are added.
ModelSpec read_named_model(const std::string& name, std::vector<std::string>& warnings);

struct ImportSetup;  // import_setup.h

// --devices, else those that an imported script starts its program on; `warnings` say which, and
// where they differ.
int64_t devices_of_import(const ImportSetup& setup, const PlanOptions& options,
                          std::vector<std::string>& warnings);

// --import, --import-megatron: what the setup decides stands for the options of the same meaning;
// the model is its own, or that of --model; what else it says goes into `request`. Throws
// ConfigError.
bool has_import(const PlanOptions& options);
ModelSpec apply_import(const ImportSetup& setup, PlanOptions& options, int64_t num_devices,
                       Request& request);

// Reads the files and fills the defaults. Throws ConfigError.
Request make_request(const PlanOptions& options);

// --export: where the format cannot say the best plan, the best one that it can is put in front of
// `plans`, and what that is and costs is returned; else "". Throws ConfigError, the refusal of the
// best plan, where what --fix decides leaves none.
std::string choose_exportable(const Request& request, ExportFormat format, int num_threads,
                              std::vector<Plan>& plans);

// The files that --out and the like name can be written and are different ones: said before
// anything is searched. Throws ConfigError.
void require_writable_files(const PlanOptions& options);

// --score: predicts the rows of a table of published runs and prints the errors.
void print_score(const PlanOptions& options);

// Fills job.stack: that of --stack, with its memory; else the time of default_stack(); else, and
// on CPUs, the trainer's own. Throws ConfigError naming the valid names.
void choose_stack(const PlanOptions& options, Job& job, std::vector<std::string>& warnings);

// --stack list: a line a profile.
void print_stacks();

// --calibrate: measures this machine, writes a cluster file and prints what was measured.
void run_calibration(const PlanOptions& options);

// --learn: corrections of a cluster from past runs, written beside its file and printed.
void run_learning(const PlanOptions& options);

// Those of adapters with another task, for all tasks alike. Throws ConfigError.
void refuse_lora_options(const PlanOptions& options);

// The same for --task serve.
ServeJob make_serve_job(const PlanOptions& options, std::vector<std::string>& warnings);

// --task serve: searches and prints. False: no split is feasible.
bool run_serve(const PlanOptions& options);

}  // namespace argosy
