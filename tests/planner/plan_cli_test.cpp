// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-plan as scripts see it: exit codes, what is on which stream, files, first answers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "planner/spec/files.h"
#include "planner/spec/plan.h"
#include "planner/spec/schedule.h"
#include "tests/planner/plan_program.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string write(const std::string& name, const std::string& text) {
  std::ofstream(scratch_path(name)) << text;
  return scratch_path(name);
}

const std::string kSmall = "--model configs/models/demo-moe.json --cluster local-cpu ";

TEST(PlanCli, PrintsATable) {
  const PlanOutput result = run_plan(kSmall + "--devices 2");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  for (const char* term :
       {"tp", "pp", "dp", "ep", "ZeRO", "MFU", "tok/s", "bubble", "candidates"}) {
    EXPECT_NE(result.out.find(term), std::string::npos) << term;
  }
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

TEST(PlanCli, JsonAloneOnStdout) {
  const PlanOutput result = run_plan(kSmall + "--devices 4 --json --top 2 --explain");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.err.find("warning"), std::string::npos);  // 4 ranks on 2 cores
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["plans"].size(), 2u);
  EXPECT_LE(json["plans"][0]["predicted"]["step_s"], json["plans"][1]["predicted"]["step_s"]);
}

// Who reads stdout alone finds the reason there; jq accepts empty input.
TEST(PlanCli, MistakesAreJsonToo) {
  for (const std::string& mistake : {kSmall + "--fix speed=9", kSmall + "--xyzzy 1"}) {
    const PlanOutput result = run_plan(mistake + " --json");
    EXPECT_EQ(result.exit_code, 2);
    ASSERT_NE(result.out, "") << mistake;
    EXPECT_EQ(result.err,
              "argosy-plan: " + Json::parse(result.out)["error"].get<std::string>() + "\n");
  }
}

TEST(PlanCli, WritesThePlanThatItPrints) {
  const std::string path = scratch_path("plan.json");
  const PlanOutput result =
      run_plan(kSmall + "--devices 4 --fix tp=2,ep=2,pp=2,zero=1 --json --out " + path +
               " --report " + scratch_path("p.html") + " --trace " + scratch_path("t.json"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = Json::parse(result.out);
  const Plan read = read_plan(path);
  EXPECT_EQ(read.devices, (PlannedDevices{.kind = Device::cpu, .per_node = 4}));
  validate(read);
  EXPECT_EQ(read.mesh.tp, 2);
  EXPECT_EQ(read.mesh.ep, 2);
  EXPECT_EQ(read.mesh.pp, 2);
  EXPECT_EQ(read.zero_stage, 1);
  EXPECT_EQ(read.predicted.step_s, json["plans"][0]["predicted"]["step_s"]);
  EXPECT_EQ(read.predicted.stages.size(), static_cast<size_t>(read.num_stages()));
  EXPECT_TRUE(read_text_file(scratch_path("p.html")).starts_with("<!doctype html>"));
  EXPECT_FALSE(Json::parse(read_text_file(scratch_path("t.json")))["traceEvents"].empty());
}

TEST(PlanCli, WritesTheSchedule) {
  const std::string path = scratch_path("plan.json"), csv = scratch_path("schedule.csv");
  for (const char* fix : {"pp=4,schedule=1f1b", "pp=2,schedule=zb-v", "tp=4"}) {
    const PlanOutput result =
        run_plan(kSmall + "--devices 4 --fix " + fix + " --out " + path + " --schedule-csv " + csv);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const Schedule planned = build_schedule(read_plan(path));
    const Schedule read = parse_schedule_csv(read_text_file(csv));
    validate(read);
    EXPECT_EQ(read.actions, planned.actions) << fix;
    EXPECT_EQ(read.rank_of_stage, planned.rank_of_stage) << fix;
  }
}

TEST(PlanCli, SameAnswerWithAnyThreads) {
  const auto answer = [](const char* threads) {
    Json json = Json::parse(run_plan("--model mixtral-8x7b --cluster a100-2048 --json --threads " +
                                     std::string(threads))
                                .out);
    json["search"].erase("seconds");
    return json;
  };
  EXPECT_EQ(answer("1"), answer("2"));
}

TEST(PlanCli, NoPlanIsExitThree) {
  const PlanOutput json = run_plan("--model llama-3.1-405b --cluster h200-8 --json");
  EXPECT_EQ(json.exit_code, 3);
  const Json parsed = Json::parse(json.out);
  EXPECT_TRUE(parsed["plans"].empty());
  ASSERT_FALSE(parsed["rejected"].empty());
  const PlanOutput table = run_plan("--model llama-3.1-405b --cluster h200-8");
  EXPECT_EQ(table.exit_code, 3);
  EXPECT_NE(table.out.find("out of memory"), std::string::npos);
  EXPECT_NE(table.out.find("short by"), std::string::npos);
}

TEST(PlanCli, ConfigFileHoldsOptions) {
  const std::string config =
      write("plan.cfg", "model = demo-moe\ncluster = local-cpu\ndevices = 2\nfix = dp=2\n");
  const PlanOutput result = run_plan("--config " + config + " --fix tp=2 --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Json::parse(result.out)["plans"][0]["mesh"]["tp"], 2);  // the command line wins
  const std::string unknown = write("bad.cfg", "modle = demo-moe\n");
  const PlanOutput mistake = run_plan("--config " + unknown);
  EXPECT_EQ(mistake.exit_code, 2);
  EXPECT_NE(mistake.err.find("'modle'"), std::string::npos) << mistake.err;
}

TEST(PlanCli, LoraPlans) {
  const PlanOutput result = run_plan(kSmall +
                                     "--devices 2 --task lora --lora-rank 8 --lora-alpha 16 "
                                     "--lora-targets q_proj,v_proj --out " +
                                     scratch_path("lora.json"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Plan read = read_plan(scratch_path("lora.json"));
  EXPECT_EQ(read.task, Task::lora);
  EXPECT_EQ(read.lora.rank, 8);
  EXPECT_EQ(read.lora.alpha, 16.0);
  EXPECT_EQ(read.lora.targets, (std::vector<std::string>{"q_proj", "v_proj"}));
}

// A cluster's file in four lines: what its accelerator's file says need not be said again.
TEST(PlanCli, AClusterThatNamesItsAccelerator) {
  const std::string job = "--model llama-2-7b --seq-len 4096 --global-batch 256 --top 1 --json ";
  const std::string file = R"({"num_devices": 256, "accelerator": "h100-sxm5-80gb"})";
  const Json own = Json::parse(run_plan(job + "--cluster " + write("least.json", file)).out);
  const Json known = Json::parse(run_plan(job + "--cluster h100-sxm5-80gb --devices 256").out);
  EXPECT_EQ(own["plans"][0]["predicted"], known["plans"][0]["predicted"]);
  EXPECT_EQ(own["cluster"]["name"], "least");
  const std::string more = R"({
    "num_devices": 256, "devices_per_node": 4, "accelerator": "h100-sxm5-80gb",
    "operation": {"usd_per_device_hour": 2}})";
  const Json priced =
      Json::parse(run_plan(job + "--tokens 1T --cluster " + write("more.json", more)).out);
  EXPECT_GT(priced["plans"][0]["predicted"]["cost_usd"], 0);
  EXPECT_GT(priced["plans"][0]["predicted"]["step_s"], own["plans"][0]["predicted"]["step_s"]);
  const std::string slow = R"({
    "num_devices": 256, "devices_per_node": 8, "accelerator": "h100-sxm5-80gb",
    "tiers": [{"name": "NVLink", "devices": 8, "bytes_per_s": 450e9},
              {"name": "Ethernet", "devices": 256, "bytes_per_s": 1e9}]})";
  const Json slower = Json::parse(run_plan(job + "--cluster " + write("slow.json", slow)).out);
  EXPECT_GT(slower["plans"][0]["predicted"]["step_s"], own["plans"][0]["predicted"]["step_s"]);
  const std::string arguments = "--model llama-2-7b --cluster ";
  expect_plan_mistake(
      arguments + write("b.json", R"({"accelerator": "h100-sxm5-80g"})"),
      "b.json: accelerator: there is no file 'h100-sxm5-80g', neither as given nor by "
      "that name in configs/accelerators, meant h100-sxm5-80gb?");
  expect_plan_mistake(
      arguments + write("k.json", R"({"accelerator": "h100-sxm5-80gb", "nodes": 4})"),
      "k.json: nodes");
}

// 900 for 900 GB/s would be 17 million seconds a step without a word.
TEST(PlanCli, UnitsOfAClusterAreLookedAt) {
  const std::string file = R"({"num_devices": 8, "accelerator": "h100-sxm5-80gb",
    "tiers": [{"name": "NVLink", "devices": 8, "bytes_per_s": 900}]})";
  const PlanOutput result =
      run_plan("--model llama-2-7b --top 1 --cluster " + write("units.json", file));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.err.find("units.json: tiers: NVLink: bytes_per_s: 900 is below 1e+07; meant are "
                            "bytes/s of a device in one direction, as 450e9 for 450 GB/s"),
            std::string::npos)
      << result.err;
}

TEST(PlanCli, MistakesAreOneMessage) {
  expect_plan_mistake(
      "", "--model is missing; valid: a path, or a name in configs/models: deepseek-v3");
  expect_plan_mistake("--model llama-65b", "--cluster is missing; valid: a path, or a name in ");
  expect_plan_mistake("--model nowhere.json --cluster local-cpu", "nowhere.json");
  expect_plan_mistake("--model nowhere.json --cluster local-cpu", "llama-3.1-8b");
  expect_plan_mistake("--model llama-65b --cluster nowhere", "nowhere");
  expect_plan_mistake(kSmall + "--devices 0", "--devices");
  expect_plan_mistake(kSmall + "--devices two", "--devices: 'two'; valid: a whole number");
  expect_plan_mistake(kSmall + "--devices 2.5", "--devices: '2.5'; valid: a whole number");
  expect_plan_mistake(kSmall + "--global-batch 4M", "--global-batch: '4M'; valid: a whole number");
  expect_plan_mistake(kSmall + "--devices 99999999999", "--devices");
  expect_plan_mistake(kSmall + "--global-batch 9223372036854775807", "--global-batch");
  expect_plan_mistake(kSmall + "--global-batch -4", "--global-batch");
  expect_plan_mistake(kSmall + "--seq-len 0", "--seq-len");
  expect_plan_mistake(kSmall + "--seq-len 8q", "--seq-len: '8q'; valid: a whole number");
  expect_plan_mistake(kSmall + "--tokens -1", "--tokens");
  expect_plan_mistake(kSmall + "--tokens 1.4Q",
                      "--tokens: '1.4Q'; valid: a number above 0, as 1.4e12");
  expect_plan_mistake(kSmall + "--top 0", "--top");
  expect_plan_mistake(kSmall + "--out /no/such/plan.json",
                      "--out: /no/such/plan.json: there is no folder /no/such");
  expect_plan_mistake(kSmall + "--out " + scratch_path(""), "is a folder; valid: a file in it");
  expect_plan_mistake(kSmall + "--report /tmp", "--report: /tmp: is a folder");
  expect_plan_mistake(kSmall + "--devices 2 tp=2", "'tp=2' belongs to no option");
  expect_plan_mistake("demo-moe " + kSmall, "'demo-moe' belongs to no option");
  expect_plan_mistake("--modle demo-moe", "unrecognised option '--modle', meant --model?; valid");
  expect_plan_mistake(kSmall + "--xyzzy 1", "unrecognised option '--xyzzy'; valid options");
  expect_plan_mistake("--config " + write("near.cfg", "modle = demo-moe\n"),
                      "'modle', meant --model?");
  expect_plan_mistake(kSmall + "--task dance",
                      "--task: 'dance'; valid: pretrain, finetune, lora, serve");
  expect_plan_mistake(kSmall + "--optimizer lion", "lion");
  expect_plan_mistake(kSmall + "--precision fp8", "valid: fp64, fp32, bf16");
  expect_plan_mistake(kSmall + "--precision int4", "int4");
  expect_plan_mistake(kSmall + "--objective fun", "fun");
  const std::string bare = "--model llama-3.1-8b --cluster h800-sxm5-80gb --objective ";
  expect_plan_mistake(bare + "carbon", "does not give power and carbon intensity; valid: time");
  expect_plan_mistake(bare + "cost", "does not give a price; valid: time");
  expect_plan_mistake(kSmall + "--lora-rank 4", "--lora-rank");
  expect_plan_mistake(kSmall + "--lora-alpha 4", "--lora-alpha: 4; valid: only with --task lora");
  expect_plan_mistake(kSmall + "--lora-targets q_proj", "--lora-targets");
  expect_plan_mistake(kSmall + "--users 4", "--users: 4; valid: only with --task serve");
  expect_plan_mistake(kSmall + "--weights int8", "--weights: int8; valid: only with --task serve");
  expect_plan_mistake(kSmall + "--task lora --lora-targets nothing",
                      "--lora-targets: lora: target 'nothing'");
  expect_plan_mistake(kSmall + "--fix tp=2,pp=2,dp=2 --devices 4", "tp*pp*dp");
  expect_plan_mistake(kSmall + "--fix speed=9", "speed");
  const std::string dense = "--model llama-3.1-8b --cluster h100-8 --fix ";
  expect_plan_mistake(dense + "sequence_parallel=1,tp=1",
                      "--fix: sequence_parallel=1 with tp=1 splits nothing; valid: tp=2 or more");
  expect_plan_mistake(dense + "zero=3,schedule=zb-h1",
                      "valid: zero=0 or 1, or schedule=gpipe, 1f1b");
  expect_plan_mistake(dense + "zero=3,tp=4,pp=2",
                      "--fix: zero=3 with dp*cp=1 shards over one rank; valid: zero=0 or 1, or");
  EXPECT_EQ(run_plan(dense + "zero=3,tp=4,cp=2").exit_code, 0);  // cp's ranks share shards
  expect_plan_mistake(kSmall + "--seed -1", "--seed: -1; valid: a whole number of at least 0");
  expect_plan_mistake(kSmall + "--what-if ''", "--what-if: ''; valid: key=value");
  expect_plan_mistake("--model llama-65b --cluster h100-8 --corrections x.json",
                      "with --stack nemo-2025; valid: with --stack argosy");
  expect_plan_mistake("--cluster h100-8 --import ds.jsn", "--import: there is no file 'ds.jsn'");
  expect_plan_mistake("--score no_such_runs.csv", "'no_such_runs.csv'; valid: a table of runs");
  expect_plan_mistake("--score " + write("other.csv", "a,b\n1,2\n"),
                      "no column 'id'; valid: id, gpu,");
  expect_plan_mistake(kSmall + "--corrections no_such.json", "--corrections: there is no file");
  expect_plan_mistake("--score " + write("bad.csv", "id,gpu,num_gpus\na,H100,x\n"),
                      "num_gpus: 'x'");
  expect_plan_mistake("--model llama-65b --cluster a100-2048 --devices 4096", "valid: 1 to 2048");
  expect_plan_mistake("--model llama-65b --cluster nowhere",
                      "configs/clusters or configs/accelerators; valid: a path, or a name in "
                      "configs/clusters: a100-2048");
  expect_plan_mistake("--model Llama3-8B --cluster h100-8",
                      "configs/models, meant llama-3.1-8b?; valid");
  expect_plan_mistake("--model llama-65b --cluster h100", "meant h100-8?");
  // The machines are known, in another number; accelerators are too many to be listed.
  const std::string unlisted = "--model llama-65b --cluster ";
  expect_plan_mistake(unlisted + "h100-1024",
                      ", meant h100-8192 --devices 1024? (--devices takes a part");
  expect_plan_mistake(unlisted + "h100-7", ", meant h100-8 --devices 7? (");
  expect_plan_mistake(unlisted + "l40s-64", ", meant l40s --devices 64? (");
  expect_plan_mistake(unlisted + "nowhere-64", "configs/accelerators; valid: ");
  expect_plan_mistake(unlisted + "nowhere", " names in configs/accelerators, as a10\n");
  EXPECT_LT(run_plan(unlisted + "h100-1024").err.size(), 500u);
  expect_plan_mistake("--model gpt2-124m --cluster h200-8 --seq-len 2048",
                      "--seq-len: 2048 exceeds the 1024 learned positions");
  expect_plan_mistake(kSmall + "--fix schedule=1f1b,virtual_stages=2", "--fix: schedule=1f1b with");
  expect_plan_mistake("--model " + write("m.json", "{\"model_type\": ") + " --cluster local-cpu",
                      "m.json");
  expect_plan_mistake("--model demo-moe --cluster " + write("c.json", "{\"device\": \"cpu\"}"),
                      "c.json");
}

// Root may write everywhere: it becomes somebody else.
TEST(PlanCli, FoldersOfOthersAreNamedBeforeTheSearch) {
  const std::string folder = scratch_path("closed");
  fs::create_directory(folder);
  fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                              fs::perms::others_exec);
  const std::string other = geteuid() == 0 ? "setpriv --reuid=65534 --clear-groups" : "";
  if (run_plan("--help", other).exit_code != 0) GTEST_SKIP() << "no other user can run the program";
  const PlanOutput result = run_plan(kSmall + "--out " + folder + "/plan.json", other);
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("cannot be written to"), std::string::npos) << result.err;
}

// Root may write to /proc, but there is nothing to write to.
TEST(PlanCli, NothingIsWrittenWhereOneFileCannotBe) {
  const std::string out = scratch_path("first.json");
  for (const char* option : {"--report", "--trace", "--schedule-csv"}) {
    const std::string mistake = std::string(option) + " /proc/new";
    expect_plan_mistake(kSmall + "--out " + out + " " + mistake,
                        std::string(option) + ": /proc/new: folder /proc cannot be written to (");
    EXPECT_FALSE(fs::exists(out)) << option;
  }
  expect_plan_mistake(kSmall + "--out " + out + " --trace " + scratch_path("../") +
                          fs::path(out).parent_path().filename().string() + "/first.json",
                      "is the file of --out too; valid: another file");
  EXPECT_FALSE(fs::exists(out));
  expect_plan_mistake("--calibrate --out /proc/new", "--out: /proc/new: folder /proc cannot");
  expect_plan_mistake("--learn nowhere --cluster local-cpu --out /proc/new",
                      "--out: /proc/new: folder");
}

TEST(PlanCli, ListsMayHaveBlanks) {
  const PlanOutput result =
      run_plan(kSmall + "--devices 4 --json --fix 'tp=2, pp = 2' --what-if 'price=2x, hbm=2x'");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json mesh = Json::parse(result.out)["plans"][0]["mesh"];
  EXPECT_EQ(mesh["tp"], 2);
  EXPECT_EQ(mesh["pp"], 2);
}

// An accelerator's file is of one node; there may be more of them.
TEST(PlanCli, AcceleratorsByName) {
  const auto dp_of = [](const std::string& devices) {
    const PlanOutput result =
        run_plan("--model llama-3.1-8b --cluster l40s --task lora --fix tp=1,pp=1 --json --top 1 " +
                 devices);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return Json::parse(result.out)["plans"][0]["mesh"]["dp"].get<int>();
  };
  EXPECT_EQ(dp_of(""), 8);
  EXPECT_EQ(dp_of("--devices 64"), 64);
}

TEST(PlanCli, NumbersMayHaveUnits) {
  const auto best = [](const std::string& options) {
    const PlanOutput result =
        run_plan("--model llama-3.1-8b --cluster h100-8 --json --top 1 " + options);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return Json::parse(result.out)["plans"][0];
  };
  EXPECT_EQ(best("--seq-len 4k --tokens 1.4T"), best("--seq-len 4096 --tokens 1.4e12"));
}

TEST(PlanCli, JsonNamesModelAndMachines) {
  const Json json =
      Json::parse(run_plan("--model llama-3.1-8b --cluster h100-8 --top 1 --json").out);
  EXPECT_EQ(json["model"]["parameters"], 8030261248);  // Llama 3.1's own count
  EXPECT_EQ(json["cluster"]["devices"], 8);
  EXPECT_EQ(json["cluster"]["accelerator"], "H100-SXM5-80GB");
}

TEST(PlanCli, ProfilesOnOtherAcceleratorsSaySo) {
  const std::string job = "--model llama-3.1-8b --top 1 --stack megatron-bridge-26.06 --cluster ";
  EXPECT_NE(run_plan(job + "a100-8").err.find("no run of megatron-bridge-26.06 on A100-SXM4-80GB"),
            std::string::npos);
  EXPECT_EQ(run_plan(job + "gb200-nvl72").err, "");
}

// QLoRA's heading is the longest.
TEST(PlanCli, NoLineIsLongerThanHundredColumns) {
  for (const char* options :
       {"--model llama-3.1-8b --cluster h100-8 --devices 1 --task lora --base-bits 4",
        // Islands, experts of some layers, uneven stages, a share of a probability: all columns.
        "--model llama-3.1-405b --cluster h100-24k-pods --devices 16384 --global-batch 2048 "
        "--tokens 15.6T",
        "--model llama-3.1-8b --cluster h100-8192 --devices 100 --what-if "
        "hbm=141GB,inter_bw=800Gb/s,intra_latency=2us,power=1kW",
        "--stack list"}) {
    const PlanOutput result = run_plan(options);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
  }
}

TEST(PlanCli, HelpHasNoBlanksAtTheEnds) {
  std::istringstream lines(run_plan("--help").out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 100u) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
  }
}

// Where a log is searched, a message is one line; people at a terminal get lines that fit.
TEST(PlanCli, MessagesKeepToATerminalsWidth) {
  const std::string mistake = kSmall + "--fix speed=9";
  const std::string whole = run_plan(mistake).err;
  ASSERT_GT(whole.size(), 101u);

  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0) GTEST_SKIP() << "no pseudo-terminals here";
  ASSERT_EQ(::grantpt(terminal), 0);
  ASSERT_EQ(::unlockpt(terminal), 0);
  const std::string name = ::ptsname(terminal);
  const std::string command = "cd / && " ARGOSY_BINARY_DIR "/argosy-plan " + mistake + " 2>" + name;
  EXPECT_NE(std::system(command.c_str()), 0);
  std::string printed;
  char part[256];
  // When the program has ended and all is read, reading fails.
  for (ssize_t size = 0; (size = ::read(terminal, part, sizeof part)) > 0;) {
    printed.append(part, static_cast<size_t>(size));
  }
  ::close(terminal);

  std::istringstream lines(printed);
  std::string joined;
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of("\r") + 1);
    EXPECT_LE(line.size(), 100u) << line;
    joined += (joined.empty() ? "" : " ") + line.substr(line.find_first_not_of(' '));
  }
  EXPECT_EQ(joined + "\n", whole);
}

// What is planned unasked fits with 90%; where nothing does, what may fit is shown, and said.
TEST(PlanCli, PlansFitSurelyUnlessNoneDoes) {
  const std::string job = "--model mixtral-8x7b --cluster h100-8192 --devices 64 --top 1 ";
  const auto probability = [&](const std::string& options) {
    const Json best = Json::parse(run_plan(job + options + " --json").out)["plans"][0];
    return best["predicted"]["fits_probability"].get<double>();
  };
  EXPECT_GE(probability(""), 0.9);
  EXPECT_GE(probability("--fit-probability 0.99"), 0.99);
  EXPECT_LT(probability("--fit-probability 0"), 0.9);
  EXPECT_EQ(run_plan(job).err, "");
  const std::string tight =
      "--model mixtral-8x7b --cluster a100-2048 --devices 16 --top 1 --seq-len 7168 "
      "--fix tp=2,pp=1,micro_batch=1,zero=1,recompute=none ";
  const PlanOutput unsure = run_plan(tight);
  EXPECT_EQ(unsure.exit_code, 0);
  EXPECT_NE(unsure.err.find("no plan fits with 90.0%"), std::string::npos) << unsure.err;
  EXPECT_NE(unsure.out.find("plan 1 fits with 75.1%"), std::string::npos) << unsure.out;
  EXPECT_EQ(run_plan(tight + "--fit-probability 0.9").exit_code, 3);
}

// Profiles know no products in 32 bits: those of 16 would be ten times too fast.
TEST(PlanCli, WidePrecisionIsTimedByItsOwnPeak) {
  const std::string job = "--model llama-3.1-8b --cluster h100-8 --top 1 --json --precision ";
  for (const char* precision : {"fp32", "fp64"}) {
    const Json best = Json::parse(run_plan(job + precision).out)["plans"][0];
    EXPECT_LT(best["predicted"]["mfu"], 0.9) << precision;
  }
  expect_plan_mistake(job + "fp32 --stack megatron-2024",
                      "--stack: 'megatron-2024' with --precision fp32");
}

// A run that ends before its first checkpoint is due has none but the last.
TEST(PlanCli, ShortRunsAreSaid) {
  const std::string job = "--model llama-3.1-8b --cluster h100-8 --top 1 --tokens ";
  const PlanOutput result = run_plan(job + "1e8");
  EXPECT_NE(result.out.find("one checkpoint, at the end"), std::string::npos) << result.out;
  EXPECT_EQ(result.err, "");
  EXPECT_NE(run_plan(job + "1e10").out.find("a checkpoint every 1"), std::string::npos);
  const std::string warning = run_plan(job + "1e3").err;
  EXPECT_NE(warning.find("--tokens: 1.0k are less than one step's 4.0M"), std::string::npos)
      << warning;
}

TEST(PlanCli, SequencesBeyondThePositionsAreSaid) {
  const PlanOutput result = run_plan("--model llama-2-7b --cluster h100-8 --seq-len 32k --top 1");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("--seq-len: 32768 is beyond the 4096 positions"), std::string::npos);
}

TEST(PlanCli, HelpNamesEveryOption) {
  const PlanOutput result = run_plan("--help");
  EXPECT_EQ(result.exit_code, 0);
  for (const char* option :
       {"--model",     "--cluster",   "--devices",   "--seq-len",    "--global-batch",
        "--tokens",    "--task",      "--lora-rank", "--lora-alpha", "--lora-targets",
        "--optimizer", "--precision", "--objective", "--fix",        "--top",
        "--out",       "--json",      "--explain",   "--report",     "--trace",
        "--threads",   "--users",     "--context",   "--prompt",     "--tokens-per-user",
        "--weights",   "--cache",     "--seed",      "--config",     "--schedule-csv"}) {
    EXPECT_NE(result.out.find(option), std::string::npos) << option;
  }
  EXPECT_NE(result.out.find("Exit codes: 0 done, 1 a failure, 2 a mistake"), std::string::npos);
}

// arXiv:2302.13971 section 2.4: 1.4T tokens on 2,048 A100 80 GB take about 21 days.
TEST(FirstAnswers, Llama65b) {
  const PlanOutput result = run_plan(
      "--model configs/models/llama-65b.json --cluster configs/clusters/a100-2048.json "
      "--tokens 1.4e12 --seq-len 2048 --global-batch 2048 --fix schedule=1f1b "
      "--json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json best = Json::parse(result.out)["plans"][0];
  EXPECT_GE(best["predicted"]["days"], 18.0);
  EXPECT_LE(best["predicted"]["days"], 24.0);
  EXPECT_EQ(Json::parse(run_plan("--model llama-65b --cluster a100-2048 --tokens 1.4e12 --json")
                            .out)["plans"][0]["global_batch"],
            2048);
}

// Press reports of GPT-4's training (SemiAnalysis, July 2023): tp 8 and pp 15 on about 25,000 A100,
// 60M tokens a step, 13T tokens, 90 to 100 days. Their 32 to 36% MFU count 6 FLOPs a parameter and
// no attention: public_cases_test does so too.
TEST(FirstAnswers, Gpt4Moe) {
  const PlanOutput result = run_plan(
      "--model gpt4-moe --cluster a100-25k --tokens 13e12 --global-batch 7280 --json --fix "
      "tp=8,pp=15,zero=1,micro_batch=1,schedule=1f1b");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json best = Json::parse(result.out)["plans"][0];
  EXPECT_EQ(best["mesh"]["dp"], 208);
  EXPECT_EQ(best["seq_len"], 8192);
  EXPECT_GE(best["predicted"]["days"], 90.0);
  EXPECT_LE(best["predicted"]["days"], 100.0);
}

// Millions of candidates, of which few are simulated.
TEST(FirstAnswers, TheWholeSpaceOfALargeCluster) {
  const PlanOutput result = run_plan("--model gpt4-moe --cluster a100-25k --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json search = Json::parse(result.out)["search"];
  EXPECT_GT(search["candidates"], 10'000'000);
  EXPECT_GT(search["evaluated"], 0);
  EXPECT_LT(search["evaluated"], 1'000);
}

}  // namespace
}  // namespace argosy
