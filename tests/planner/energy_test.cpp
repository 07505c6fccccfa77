// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Energy and carbon against published runs (tests/golden/published_carbon.csv) and by hand.
#include "planner/cost/energy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "planner/cost/totals.h"

namespace argosy {
namespace {

struct PublishedCarbon {
  std::string name;
  double parameters = 0, tokens = 0;
  int64_t devices = 0;
  double achieved_tflops = 0, power_w = 0, pue = 0, kg_per_kwh = 0, tonnes = 0;
};

std::vector<PublishedCarbon> read_runs() {
  std::ifstream file(ARGOSY_SOURCE_DIR "/tests/golden/published_carbon.csv");
  std::vector<PublishedCarbon> runs;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#') || line.starts_with("id,")) continue;
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream cells(line);
    PublishedCarbon r;
    cells >> r.name >> r.parameters >> r.tokens >> r.devices >> r.achieved_tflops >> r.power_w >>
        r.pue >> r.kg_per_kwh >> r.tonnes;
    runs.push_back(r);
  }
  return runs;
}

// A step of one sequence of one token: 6 FLOPs a parameter.
Prediction predict(const PublishedCarbon& run) {
  Job job;
  job.cluster.num_devices = run.devices;
  job.cluster.devices_per_node = 8;
  job.cluster.device_power_w = run.power_w;
  job.cluster.pue = run.pue;
  job.cluster.carbon_kg_per_kwh = run.kg_per_kwh;
  job.global_batch = job.seq_len = 1;
  job.tokens = run.tokens;
  const double step_s =
      6 * run.parameters / (run.achieved_tflops * 1e12 * static_cast<double>(run.devices));
  Prediction predicted;
  predict_totals(job, {step_s, step_s, 0}, predicted);
  return predicted;
}

TEST(Carbon, PublishedTonnesWithinFivePercent) {
  const std::vector<PublishedCarbon> runs = read_runs();
  ASSERT_EQ(runs.size(), 3u);
  for (const PublishedCarbon& run : runs) {
    const double tonnes = predict(run).carbon_kg / 1000;
    std::printf("%-6s published %6.1f t, computed %6.1f t, %+.1f%%\n", run.name.c_str(), run.tonnes,
                tonnes, 100 * (tonnes / run.tonnes - 1));
    EXPECT_NEAR(tonnes / run.tonnes, 1, 0.05) << run.name;
  }
}

// LLMCarbon table 5: 0.66 t embodied for XLM, 512 V100 in 64 servers for 20.4 days of 5 years.
TEST(Carbon, EmbodiedOfXlm) {
  ClusterSpec cluster;
  cluster.devices_per_node = 8;
  cluster.hardware_life_years = 5;
  cluster.node_parts = {{"V100 die", 8.15, 1.2, 8},
                        {"processor die", 1.47, 1.0, 1},
                        {"GB of DRAM", 256, 0.4, 1},
                        {"GB of SSD", 32768, 0.018, 1},
                        {"others", 1, 133.9, 1}};
  const double kg = embodied_kg(cluster, 512, 20.4 * 86400);
  EXPECT_NEAR(kg, 648, 1);
  EXPECT_NEAR(kg / 660, 1, 0.05);
  EXPECT_EQ(embodied_kg(ClusterSpec{}, 0, 1), 0);
}

TEST(Carbon, PowerFollowsThePhase) {
  ClusterSpec cluster;
  cluster.device_power_w = 400;
  cluster.communication_power_w = 200;
  cluster.idle_power_w = 100;
  EXPECT_DOUBLE_EQ(step_energy_j(cluster, {10, 6, 3}), 6 * 400 + 3 * 200 + 1 * 100);
  EXPECT_DOUBLE_EQ(step_energy_j(cluster, {10, 12, 3}), 10 * 400);  // cut to the step
  EXPECT_DOUBLE_EQ(step_energy_j(cluster, {10, 8, 5}), 8 * 400 + 2 * 200);
  cluster.pue = 1.5;
  EXPECT_DOUBLE_EQ(facility_kwh(cluster, 3.6e6), 1.5);
}

// Lost time is paid for, and the objective orders as the totals do.
TEST(Carbon, TotalsHoldGoodputAndTheMachines) {
  Job job;
  ClusterSpec& c = job.cluster;
  c.num_devices = 16;
  c.devices_per_node = 8;
  c.device_power_w = c.communication_power_w = c.idle_power_w = 1000;
  c.carbon_kg_per_kwh = 0.5;
  c.usd_per_device_hour = 2;
  c.node_parts = {{"all of it", 1, 1825, 1}};  // 1 kg a node and day over 5 years
  job.global_batch = job.seq_len = 1;
  job.tokens = 86400;
  Prediction p;
  predict_totals(job, {1, 0.5, 0.25}, p);
  EXPECT_DOUBLE_EQ(p.days, 1);
  EXPECT_DOUBLE_EQ(p.cost_usd, 24 * 16 * 2);
  EXPECT_DOUBLE_EQ(p.energy_kwh, 24 * 16);
  EXPECT_DOUBLE_EQ(p.embodied_kg, 2);
  EXPECT_DOUBLE_EQ(p.carbon_kg, 24 * 16 * 0.5 + 2);
  job.objective = Objective::carbon;
  EXPECT_NEAR(objective_value(job, {1, 0.5, 0.25}) * 86400, p.carbon_kg, 1e-9);
  c.device_mtbf_hours = 160;  // the cluster fails every 10 hours
  c.restart_s = 3600;
  predict_totals(job, {1, 0.5, 0.25}, p);
  EXPECT_NEAR(p.goodput, std::exp(-0.1), 1e-12);
  EXPECT_NEAR(p.days, std::exp(0.1), 1e-12);
  EXPECT_NEAR(p.cost_usd, 24 * 16 * 2 * std::exp(0.1), 1e-9);
}

}  // namespace
}  // namespace argosy
