// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-plan --calibrate and --learn as a user runs them.
#include <gtest/gtest.h>

#include <cmath>

#include "planner/spec/cluster.h"
#include "planner/spec/host.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

class Calibration : public ProgramTest {
 protected:
  // One message on standard error, exit code 2, nothing on standard output.
  void expect_mistake(const std::string& line, const std::string& named) const {
    const ProgramResult result = shell(line);
    EXPECT_EQ(result.exit_code, 2) << line << '\n' << result.out << result.err;
    EXPECT_EQ(result.out, "") << line;
    EXPECT_TRUE(contains(result.err, named)) << line << '\n' << result.err;
  }
  double predicted_step_s(const std::string& more) const {
    const ProgramResult result = succeed(
        "argosy-plan --model dense.json --cluster here.json --devices 2 --seq-len 16 "
        "--global-batch 8 --fix dp=2 --precision fp32 --top 1 --json " +
        more);
    const Json json = parse_json(result.out, "stdout");
    return json["plans"][0]["predicted"]["step_s"].get<double>();
  }
};

void expect_curve(const EfficiencyCurve& curve, const char* name) {
  EXPECT_GE(curve.size(), 1u) << name;
  for (const EfficiencyPoint& point : curve) {
    EXPECT_GT(point.size, 0) << name;
    EXPECT_GT(point.efficiency, 0) << name;
    EXPECT_LE(point.efficiency, 1) << name;
  }
}

TEST_F(Calibration, WritesAClusterThatReadsBack) {
  const ProgramResult result =
      succeed("argosy-plan --calibrate --calibrate-seconds 1 --devices 2 --out here.json");
  EXPECT_TRUE(contains(result.out, "products, fp32")) << result.out;
  EXPECT_TRUE(contains(result.out, "local-cpu")) << result.out;
  const ClusterReading reading = read_cluster(path("here.json"));
  EXPECT_TRUE(reading.warnings.empty());
  const ClusterSpec& cluster = reading.cluster;
  EXPECT_EQ(cluster.name, "here");
  EXPECT_EQ(cluster.num_devices, 2);
  EXPECT_EQ(cluster.cpu_model, cpu_model());
  EXPECT_GT(cluster.usd_per_device_hour, 0);  // of local-cpu
  const Accelerator& core = cluster.accelerator;
  for (const double value :
       {core.fp64_flops_per_s, core.fp32_flops_per_s, core.bf16_flops_per_s,
        core.memory_bytes_per_s, core.op_overhead_s, cluster.tiers[0].bytes_per_s}) {
    EXPECT_TRUE(std::isfinite(value) && value > 0) << value;
  }
  EXPECT_GE(cluster.tiers[0].latency_s, 0);
  expect_curve(core.matmul_efficiency, "matmul");
  expect_curve(core.bf16_matmul_efficiency, "bf16 matmul");
  expect_curve(core.fp64_matmul_efficiency, "fp64 matmul");
  expect_curve(core.attention_efficiency, "attention");
  expect_curve(core.memory_efficiency, "memory");
  for (const double factor : cluster.collective_factors) {
    EXPECT_TRUE(std::isfinite(factor) && factor > 0) << factor;
  }
  const Json json = parse_json(read("here.json"), "here.json");
  for (const std::string& source :
       {json["source"].get<std::string>(), json["tiers"][0]["source"].get<std::string>(),
        json["accelerator"]["peak_source"].get<std::string>()}) {
    EXPECT_TRUE(contains(source, "measured 20")) << source;  // the date
    EXPECT_TRUE(contains(source, cpu_model())) << source;
    EXPECT_TRUE(contains(source, "mpirun -np 2 argosy-train --measure")) << source;
  }
}

TEST_F(Calibration, JsonAloneOnStandardOutput) {
  const ProgramResult result =
      succeed("argosy-plan --calibrate --calibrate-seconds 1 --devices 2 --out here.json --json");
  const Json json = parse_json(result.out, "stdout");
  EXPECT_EQ(json["cluster"], "here");
  for (const Json& fact : json["facts"]) {
    EXPECT_GE(fact["measured"].get<double>(), 0) << fact.dump();
  }
}

TEST_F(Calibration, MistakesOfCalibrating) {
  const std::string program = ARGOSY_BINARY_DIR "/argosy-plan";
  expect_mistake("PATH=/nowhere " + program + " --calibrate --out here.json", "no mpirun in PATH");
  expect_mistake("argosy-plan --calibrate --out none/here.json", "there is no folder");
  expect_mistake("argosy-plan --calibrate --calibrate-seconds 400", "valid: 1 to 50");
  expect_mistake("argosy-plan --calibrate --cluster nowhere", "nowhere");
  expect_mistake("argosy-plan --calibrate --devices 4000", "valid: at most ");
  expect_mistake("argosy-plan --calibrate --learn run", "--calibrate: with --learn");
  // A copy of the program without its trainer.
  succeed("mkdir alone && cp " + program + " alone/ && ln -s $(command -v mpirun) alone/mpirun");
  expect_mistake("cp " ARGOSY_SOURCE_DIR
                 "/configs/clusters/local-cpu.json . && PATH=alone:/usr/bin:/bin alone/argosy-plan "
                 "--calibrate --cluster local-cpu.json --out here.json",
                 "there is no argosy-train");
  // What the trainer says is passed on.
  const ProgramResult one = shell("argosy-plan --calibrate --devices 1 --out here.json");
  EXPECT_EQ(one.exit_code, 2);
  EXPECT_TRUE(contains(one.err, "1 rank cannot measure links")) << one.err;
  EXPECT_FALSE(std::filesystem::exists(path("here.json")));
}

TEST_F(Calibration, AnInterruptEndsTheRanksToo) {
  const ProgramResult result = shell(
      "(trap - INT; exec argosy-plan --calibrate --calibrate-seconds 40 --devices 2 --out "
      "here.json) "
      "2> err.txt & pid=$!; "
      "for i in $(seq 200); do pgrep -P $pid > /dev/null && break; sleep 0.05; done; sleep 1; "
      "child=$(pgrep -P $pid); kill -TERM $pid; wait $pid; echo code $?; "
      "for i in $(seq 100); do kill -0 $child 2> /dev/null || break; sleep 0.05; done; "
      "kill -0 $child 2> /dev/null && echo alive || echo gone; cat err.txt");
  EXPECT_TRUE(contains(result.out, "code 1")) << result.out << result.err;
  EXPECT_TRUE(contains(result.out, "gone")) << result.out;
  EXPECT_TRUE(contains(result.out, "stopped by SIGTERM")) << result.out;
  EXPECT_FALSE(std::filesystem::exists(path("here.json")));
}

TEST_F(Calibration, ARunTeachesTheNextPlan) {
  succeed("argosy-plan --calibrate --calibrate-seconds 1 --devices 2 --out here.json");
  succeed(
      "argosy-plan --model dense.json --cluster here.json --devices 2 --seq-len 16 "
      "--global-batch 8 --fix dp=2 --precision fp32 --out plan.json");
  succeed(launch("plan.json", "run", 40, "--checkpoint-every 0"));
  // This machine may be busy, and what each kind of work takes is for other tests. Here the steps
  // are made to be steady, four times as slow as predicted, without a word on why.
  const double predicted_s = predicted_step_s("");
  Json machine = parse_json(read("run/machine.json"), "machine.json");
  machine["peak_flops_per_s"] =
      read_cluster(path("here.json")).cluster.accelerator.fp32_flops_per_s;
  write("run/machine.json", machine.dump());
  std::string lines;
  for (const StepMetrics& step : metrics("run")) {
    StepMetrics steady = step;
    steady.step_s = 4 * predicted_s;
    steady.parts = StepParts{};
    steady.ops = OpParts{};
    lines += to_json_line(steady) + "\n";
  }
  write("run/metrics.jsonl", lines);
  const ProgramResult learned = succeed("argosy-plan --learn run --cluster here.json");
  EXPECT_TRUE(contains(learned.out, "fp32, 1.0 ranks a device of a node, 1 run:")) << learned.out;
  EXPECT_TRUE(contains(learned.out, "wrote here.corrections.json")) << learned.out;
  const double expected = std::pow(4, 1 / 1.04);  // one run is not believed to the last percent
  EXPECT_NEAR(predicted_step_s("") / predicted_s, expected, 1e-6);
  EXPECT_DOUBLE_EQ(predicted_step_s("--corrections none"), predicted_s);
  const ProgramResult plan = succeed(
      "argosy-plan --model dense.json --cluster here.json --devices 2 --seq-len 16 "
      "--global-batch 8 --fix dp=2 --precision fp32");
  EXPECT_TRUE(contains(plan.out, "corrected by 1 run on here: rest x3.79")) << plan.out;
  expect_mistake("argosy-plan --learn run --cluster local-cpu", "run: its plan is for the cluster");
  expect_mistake("argosy-plan --learn nowhere --cluster here.json", "nowhere: is no folder");
  expect_mistake("argosy-plan --learn run", "--cluster");
}

}  // namespace
}  // namespace argosy
