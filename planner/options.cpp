// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/options.h"

#include <boost/program_options.hpp>
#include <cmath>
#include <sstream>
#include <string_view>

#include "planner/calibrate/calibrate.h"
#include "planner/cost/memory_band.h"
#include "planner/report/text_table.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/command_line.h"

namespace argosy {

namespace {

namespace po = boost::program_options;

constexpr unsigned kHelpColumns = kTextColumns;

constexpr int64_t kMost = INT32_MAX;  // of what has no bound of its own

// A whole number from 1 to `most`, in `units` of 1024 where there are any; names the option when it
// is not.
int64_t whole_number(const char* option, const std::string& text, int64_t most,
                     std::string_view units) {
  const double value = parse_count(text, units, 1024);
  const bool is_too_large = value > static_cast<double>(most);
  if (value >= 1 && !is_too_large && value == std::floor(value)) return std::llround(value);
  throw ConfigError(concat("--", option, ": '", text, "'; valid: a whole number of at least 1",
                           is_too_large ? concat(" and at most ", most) : "",
                           units.empty() ? "" : ", as 4096 or 8k"));
}

auto positive(const char* option) {
  return [option](double value) {
    if (!(value > 0)) throw ConfigError(concat("--", option, ": ", value, "; valid: above 0"));
  };
}

auto at_least_one(const char* option) {
  return [option](double value) {
    if (!(value >= 1 && value <= kMost)) {
      throw ConfigError(concat("--", option, ": ", value, "; valid: at least 1"));
    }
  };
}

po::typed_value<std::string>* count(int64_t& target, const char* option, const char* name = "N",
                                    int64_t most = kMost, std::string_view units = "") {
  return po::value<std::string>()->value_name(name)->notifier(
      [&target, option, most, units](const std::string& text) {
        target = whole_number(option, text, most, units);
      });
}

po::typed_value<std::string>* word(std::string& target, const char* name) {
  return po::value(&target)->value_name(name);
}

// As word(), where "" is a shell's variable that is not set: it must not be passed over.
po::typed_value<std::string>* filled_word(std::string& target, const char* option, const char* name,
                                          const char* valid) {
  return word(target, name)->notifier([option, valid](const std::string& text) {
    if (text.empty()) throw ConfigError(concat("--", option, ": ''; valid: ", valid));
  });
}

// One of the words that `name` lists, as "time|cost".
po::typed_value<std::string>* choice(std::string& target, const char* option, const char* name) {
  return word(target, name)->notifier([option, name](const std::string& text) {
    std::istringstream words{std::string(name)};
    std::string valid;
    for (std::string one; std::getline(words, one, '|');) {
      if (one == text) return;
      append_listed(valid, one);
    }
    throw ConfigError(concat("--", option, ": '", text, "'; valid: ", valid));
  });
}

void add_job_options(po::options_description& all, PlanOptions& o) {
  po::options_description job("What to train, and where", kHelpColumns, kHelpColumns / 2);
  auto add = job.add_options();
  add("model", word(o.model, "PATH"),
      "config.json of Hugging Face, its folder, or a name in configs/models");
  add("cluster", word(o.cluster, "PATH"),
      "machines: a file, or a name in configs/clusters or configs/accelerators");
  add("devices", count(o.devices, "devices", "N", kMostDevices),
      "devices to use; default: all of the cluster, of an accelerator's file one node");
  add("seq-len", count(o.seq_len, "seq-len", "T", kMostTokens, kLengthUnits),
      "tokens of a sequence, as 8192 or 8k; default: the model's positions, at most 8192 (256 on a "
      "CPU)");
  add("global-batch", count(o.global_batch, "global-batch", "SEQS", kMostSequences),
      "sequences of an optimizer step; default: 4M tokens, or 40 tokens per million parameters if "
      "that is more; with finetune or lora 128 sequences, one a device if that is more; 4096 "
      "tokens "
      "per device on a CPU; within 5% of it rounded so that many dp divide it");
  add("tokens", po::value<std::string>()->value_name("TOTAL")->notifier([&o](const std::string& t) {
    o.tokens = parse_count(t, kTokenUnits, 1000);
    if (o.tokens > 0 && std::isfinite(o.tokens)) return;
    throw ConfigError(
        concat("--tokens: '", t, "'; valid: a number above 0, as 1.4e12, 300B or 1.4T"));
  }),
      "tokens of the whole run, as 1.4e12 or 1.4T: predicts days, money, energy and carbon");
  add("task", choice(o.task, "task", "pretrain|finetune|lora|serve")->default_value(o.task),
      "train all weights, from scratch or from a trained model; adapters only; or serve: generate "
      "tokens");
  add("lora-rank", count(o.lora_rank, "lora-rank", "R"),
      "rank of the adapters; default with lora: 16");
  add("lora-alpha", po::value(&o.lora_alpha)->value_name("A")->notifier(positive("lora-alpha")),
      "scale of the adapters times rank; default: twice the rank");
  add("lora-targets", word(o.lora_targets, "LIST")->default_value(o.lora_targets),
      "comma separated module names as in PEFT, or all-linear");
  add("base-bits", po::value(&o.base_bits)->value_name("16|4")->default_value(o.base_bits),
      "with lora: how the frozen base is kept; 4: its blocks' matrices in NF4, as QLoRA does it");
  add("sample-tokens", count(o.sample_tokens, "sample-tokens", "T"),
      "with finetune or lora: every sample is padded to seq-len and has this many tokens in the "
      "mean, so that --tokens takes more steps; default: samples are packed");
  add("document-tokens", count(o.document_tokens, "document-tokens", "T"),
      "attention stays within documents (or packed samples) of this many tokens in the mean, as "
      "argosy-train --document-mask does it; default: it goes over whole sequences");
  add("optimizer", word(o.optimizer, "adamw|sgd")->default_value(o.optimizer), "optimizer");
  add("precision", word(o.precision, "fp64|fp32|bf16|fp8")->default_value(o.precision),
      "bf16 keeps fp32 master weights; fp8 multiplies blocks' weights in 8 bits and keeps copies "
      "of them; GPUs from compute capability 8.9 on");
  add("moe-imbalance",
      po::value(&o.moe_imbalance)
          ->value_name("X")
          ->default_value(o.moe_imbalance)
          ->notifier(at_least_one("moe-imbalance")),
      "predict with this many rows on the rank whose experts are chosen most, the mean being 1");
  add("stack", word(o.stack, "NAME|list"),
      "price and search as this framework runs and keeps memory (configs/stacks); default: the "
      "trainer's memory, and time of the best founded profile of the accelerator, where one says "
      "so, else of argosy, the trainer");
  // Boost reads -1 as a large unsigned number.
  add("seed",
      po::value<int64_t>()
          ->value_name("N")
          ->default_value(static_cast<int64_t>(o.seed))
          ->notifier([&o](int64_t seed) {
            if (seed < 0) {
              throw ConfigError(concat("--seed: ", seed, "; valid: a whole number of at least 0"));
            }
            o.seed = static_cast<uint64_t>(seed);
          }),
      "seed of the run");
  all.add(job);
}

void add_serve_options(po::options_description& all, PlanOptions& o) {
  po::options_description serve("Serving (--task serve)", kHelpColumns, kHelpColumns / 2);
  auto add = serve.add_options();
  add("users", count(o.users, "users"),
      "sequences that a replica generates at once; default: what is cheapest");
  add("context", count(o.context, "context", "T", kMostTokens, kLengthUnits),
      "tokens of a sequence that are in the cache; default: the model's positions, at most 2048");
  add("prompt", count(o.prompt, "prompt", "T", kMostTokens, kLengthUnits),
      "tokens of a prompt, for the time to the first token; default: a quarter of the context");
  add("tokens-per-user",
      po::value(&o.tokens_per_user)->value_name("RATE")->notifier(positive("tokens-per-user")),
      "tokens per second that every user must get; default: any rate");
  add("weights", word(o.weights, "bf16|fp8|int8|int4")->default_value(o.weights),
      "how weights are stored (also fp16, fp32)");
  add("cache", word(o.cache, "bf16|fp8|int8|int4")->default_value(o.cache),
      "how keys and values are stored");
  all.add(serve);
}

void add_search_options(po::options_description& all, PlanOptions& o) {
  po::options_description search("What to decide", kHelpColumns, kHelpColumns / 2);
  auto add = search.add_options();
  add("objective", word(o.objective, "time|cost|carbon")->default_value(o.objective),
      "what the best plan has least of");
  add("import",
      filled_word(o.import_from, "import", "FILE|FLAGS", "a file, or flags as --num-layers 32"),
      "price a setup for another framework: Megatron-LM's flags or the script with them (read, "
      "never run), DeepSpeed's ds_config.json or a script with --deepspeed FILE, torchtitan's "
      "train.toml or flags (--training.seq_len=4096); known by the extension, else by the text. "
      "Sets batch, precision "
      "and --fix, and the model where the setup "
      "describes it; what it leaves open is --model, --seq-len, --global-batch and searched");
  add("import-megatron",
      filled_word(o.import_megatron, "import-megatron", "FLAGS|FILE",
                  "flags as --num-layers 32, or a file"),
      "the same, of Megatron-LM alone");
  add("free", po::value<std::string>()->value_name("layout")->notifier([&o](const std::string& t) {
    if (t != "layout") throw ConfigError(concat("--free: '", t, "'; valid: layout"));
    o.frees_layout = true;
  }),
      "with --import: takes model, batch, sequence length, precision, optimizer, tokens and "
      "devices of the setup (and the capacity of its experts), and searches its layout anew: "
      "degrees, micro-batch, ZeRO, schedule, recomputation; --fix may decide some of it");
  add("fix", word(o.fix, "LIST"),
      "decide yourself, as tp=8,pp=15,zero=1; keys: tp, pp, dp, cp, cp_kind=ring|ulysses, ep, "
      "etp, zero=0|1|2|3, zero_shard (HSDP: ranks of a shard group), micro_batch, schedule "
      "(gpipe, 1f1b, interleaved, zb-h1 or zb-v), virtual_stages, layers (of each stage, as "
      "9+10+10+9), recompute (none, selective or full), recompute_layers (how many of them), "
      "sequence_parallel=0|1 (default: where tp > 1), moe_capacity_factor (default: dropless), "
      "offload=none|optimizer (as --offload), order (tp-cp-dp-pp or tp-cp-pp-dp, of ranks on the "
      "devices); the rest is searched");
  add("offload", word(o.offload, "none|auto|optimizer")->default_value(o.offload),
      "the optimizer's state in the host's memory, as ZeRO-Offload keeps it: never, where it is "
      "better, always; needs a `host` section in the cluster's file");
  add("fit-probability", po::value<double>()->value_name("P")->notifier([&o](double probability) {
    if (!(probability >= 0 && probability < 1)) {
      throw ConfigError(concat("--fit-probability: ", probability, "; valid: 0 to below 1"));
    }
    o.fit_probability = probability;
  }),
      concat(
          "a plan must fit into the devices' memory with this probability, as 0.99; 0: into what "
          "the cluster's reserved_bytes leaves; default: ",
          kUsualFitProbability, ", and 0 where nothing fits so or the cluster has no context_bytes")
          .c_str());
  add("threads", count(o.threads, "threads"), "threads of the search; default: all cores");
  all.add(search);
}

void add_question_options(po::options_description& all, PlanOptions& o) {
  po::options_description questions("What else to ask", kHelpColumns, kHelpColumns / 2);
  auto add = questions.add_options();
  add("explain", po::bool_switch(&o.explain),
      "where each millisecond and byte of the best plan goes, what one other decision would "
      "change, "
      "why the others lose");
  add("what-if", word(o.what_if, "LIST")->notifier([](const std::string& text) {
    if (text.empty()) throw ConfigError("--what-if: ''; valid: key=value,... as inter_bw=2x");
  }),
      "the best plan on other machines, as inter_bw=2x,hbm=141GB,price=-10%; keys: flops "
      "(400TFLOP/s), hbm, hbm_bw, intra_bw, inter_bw (50GB/s or 400Gb/s), island_bw (of the tiers "
      "above), intra_latency, inter_latency, island_latency (5us), op_overhead, host_launch, "
      "price (USD a device and hour), power (700W), pue, carbon (kg a kWh), mtbf (of a device: "
      "50000h), checkpoint, "
      "restart (60s), storage_bw");
  add("sensitivity", po::bool_switch(&o.sensitivity),
      "what half and twice of each property of the machines would do");
  add("pareto", po::bool_switch(&o.pareto),
      "time, money and carbon on parts of the cluster (with --tokens)");
  add("deadline", word(o.deadline, "30d"),
      "the smallest part of the cluster that is done in time (with --tokens); units d, h, w");
  add("phases", word(o.phases, "LIST"),
      "a run in phases, as 8k:12e12,32k:800B:64: sequence length, tokens, and sequences a step "
      "(default: as many tokens as a step has); a ramp of the batch: "
      "8k:50B:128,8k:50B:256,8k:2T:512; "
      "each with its best plan, which --out plan.json writes to plan.phase_1.json and so on");
  add("robust", po::bool_switch(&o.robust),
      "of the plans shown, first the one that loses least if rates are off by 10%");
  all.add(questions);
}

void add_calibration_options(po::options_description& all, PlanOptions& o) {
  po::options_description calibration("What the machines really do", kHelpColumns,
                                      kHelpColumns / 2);
  auto add = calibration.add_options();
  add("calibrate", po::bool_switch(&o.calibrate),
      "measure this machine by argosy-train under mpirun, in under a minute, and write the cluster "
      "file --out (default: calibrated.json); --devices: ranks at once (default: the cores); "
      "--cluster: what to compare with and take prices from (default: local-cpu)");
  add("calibrate-seconds",
      po::value(&o.calibrate_s)
          ->value_name("S")
          ->default_value(o.calibrate_s)
          ->notifier([](double value) {
            if (value >= 1 && value <= kMaxCalibration_s) return;
            throw ConfigError(
                concat("--calibrate-seconds: ", value, "; valid: 1 to ", kMaxCalibration_s));
          }),
      "what the measuring may take");
  add("learn", po::value(&o.learn)->multitoken()->value_name("RUN_DIR ..."),
      "compare past runs of argosy-train with what is predicted for --cluster, and write "
      "corrections beside its file (or to --out); later plans use them and say so");
  add("corrections", word(o.corrections, "auto|none|FILE")->default_value(o.corrections),
      "of past runs: those beside the cluster's file, none, or a file");
  all.add(calibration);
}

void add_output_options(po::options_description& all, PlanOptions& o) {
  po::options_description output("What to write", kHelpColumns, kHelpColumns / 2);
  auto add = output.add_options();
  add("top", count(o.top, "top", "K")->default_value(std::to_string(o.top)),
      "plans to show: of each layout (tp, pp, cp, ep, etp, schedule) the best one, and more of a "
      "layout only where there are fewer layouts");
  add("near-ties", po::bool_switch(&o.near_ties),
      "show the K best plans even where they are one layout with other micro-batches, stages of a "
      "rank or ZeRO");
  add("out", word(o.out, "plan.json"), "the best plan, for argosy-train and argosy-launch");
  add("json", po::bool_switch(&o.json), "print JSON alone instead of tables");
  add("score", word(o.score, "runs.csv"),
      "predict every row of a table of published runs instead, and print how far the predictions "
      "are off (columns: planner/score/README.md)");
  add("export",
      filled_word(o.export_to, "export", "megatron|deepspeed|torchtitan",
                  "megatron, deepspeed, torchtitan"),
      "print the best plan as that framework's flags or configuration, and nothing else: of "
      "Megatron-LM's pretrain_gpt.py (2026), DeepSpeed's ds_config.json, torchtitan's train.toml "
      "(v0.2)");
  add("report", word(o.report, "page.html"), "one page with figures and tables");
  add("trace", word(o.trace, "trace.json"), "the predicted step, for ui.perfetto.dev");
  add("schedule-csv", word(o.schedule_csv, "FILE"),
      "the pipeline schedule in the notation of torch.distributed.pipelining: a line a rank");
  all.add(output);
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  po::options_description all(kHelpColumns, kHelpColumns / 2);
  add_job_options(all, line.options);
  add_serve_options(all, line.options);
  add_search_options(all, line.options);
  add_question_options(all, line.options);
  add_calibration_options(all, line.options);
  add_output_options(all, line.options);
  std::string config;
  all.add_options()("config", po::value(&config)->value_name("FILE"),
                    "options as key = value lines; the command line wins");
  all.add_options()("help", "this text");
  const po::variables_map values = read_options(all, {argv + 1, argv + argc}, "argosy-plan");
  if (values.count("help") > 0) {
    line.help =
        concat("argosy-plan: how to train a model on a cluster\n\n", help_of(all),
               "\nExit codes: ", kExitDone, " done, ", kExitFailure, " a failure, ", kExitUserError,
               " a mistake in the options or files, ", kExitNoPlan, " no plan fits.\n");
    return line;
  }
  for (std::string* list : {&line.options.fix, &line.options.what_if, &line.options.phases}) {
    std::erase(*list, ' ');  // "tp=8, pp=4" is what people write
  }
  return line;
}

}  // namespace argosy
