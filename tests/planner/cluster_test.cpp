// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/cluster.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <tuple>

#include "planner/cost/compute.h"
#include "planner/cost/reliability.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {
namespace {

std::string config(const std::string& name) {
  return std::string(ARGOSY_SOURCE_DIR "/configs/clusters/") + name + ".json";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// The message of the ConfigError that reading `text` throws.
std::string error_of(const std::string& text) {
  try {
    parse_cluster(text, "x", "x.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Cluster, EveryConfigurationReads) {
  const struct {
    const char* name;
    int64_t devices, per_node;
    double bf16;
  } kExpected[] = {{"local-cpu", 2, 2, 165e9},      {"a100-2048", 2048, 8, 312e12},
                   {"a100-25k", 24960, 8, 312e12},  {"h100-8192", 8192, 8, 989e12},
                   {"h200-8", 8, 8, 989e12},        {"a100-8", 8, 8, 312e12},
                   {"h100-8", 8, 8, 989e12},        {"b200-8", 8, 8, 2250e12},
                   {"gb200-nvl72", 72, 4, 2450e12}, {"h100-24k-pods", 24576, 8, 989e12},
                   {"h100-2x4096", 8192, 8, 989e12}};
  for (const auto& expected : kExpected) {
    const ClusterReading reading = read_cluster(config(expected.name));
    EXPECT_EQ(reading.cluster.name, expected.name);
    EXPECT_EQ(reading.cluster.num_devices, expected.devices);
    EXPECT_EQ(reading.cluster.devices_per_node, expected.per_node);
    EXPECT_GT(reading.cluster.accelerator.peak_flops_per_s(Precision::bf16), 0);
    EXPECT_TRUE(reading.warnings.empty()) << expected.name;
    EXPECT_GT(reliability(reading.cluster, 1e12).goodput, 0.8) << expected.name;
  }
}

// Walks the numbers of an object in the order of the file; each needs a "...source" behind it.
void expect_sources(const Json& object, const std::string& where) {
  std::string without;
  for (const auto& [key, value] : object.items()) {
    if (key.ends_with("source")) without.clear();
    if (value.is_number()) without = key;
    if (value.is_object()) expect_sources(value, where + "." + key);
  }
  EXPECT_TRUE(without.empty()) << where << "." << without << " has no source";
}

TEST(Cluster, EveryNumberHasASource) {
  for (const char* folder : {"/configs/clusters", "/configs/accelerators"}) {
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string(ARGOSY_SOURCE_DIR) + folder)) {
      const std::string path = entry.path().string();
      const Json json = parse_json(read_text_file(path), path);
      for (const char* section : {"accelerator", "host", "collectives", "operation", "embodied"}) {
        if (json.contains(section)) expect_sources(json[section], path + ": " + section);
      }
      for (const Json& tier : json["tiers"]) expect_sources(tier, path + ": tiers");
    }
  }
}

// A cluster's file repeats its device's, so that it stands alone: what published runs say is one
// number in all of them.
TEST(Cluster, DevicesSustainTheSameEverywhere) {
  namespace fs = std::filesystem;
  std::map<std::string, double> known;
  const fs::path configs = ARGOSY_SOURCE_DIR "/configs";
  for (const auto& file : fs::directory_iterator(configs / "accelerators")) {
    const Accelerator a = read_cluster(file.path()).cluster.accelerator;
    known[a.name] = a.sustained_share;
  }
  EXPECT_LT(known.at("A100-SXM4-80GB"), 1);
  int64_t compared = 0;
  for (const auto& file : fs::directory_iterator(configs / "clusters")) {
    const Accelerator a = read_cluster(file.path()).cluster.accelerator;
    const auto found = known.find(a.name);
    if (found == known.end()) continue;
    EXPECT_EQ(a.sustained_share, found->second) << file.path();
    ++compared;
  }
  EXPECT_GE(compared, 9);
}

TEST(Cluster, LibraryOfCollectives) {
  const ClusterSpec cluster = read_cluster(config("h100-24k-pods")).cluster;
  EXPECT_EQ(cluster.collectives.model, CollectiveModel::nccl);
  EXPECT_EQ(cluster.collectives.generation, GpuGeneration::hopper);
  EXPECT_TRUE(cluster.collectives.has_nvls);
  // A seventh of 50 GB/s: what a device has between pods, while all use it.
  EXPECT_NEAR(reached_bytes_per_s(cluster.tiers[2]), 0.96 * 50e9 / 7, 1);
  EXPECT_EQ(read_cluster(config("local-cpu")).cluster.collectives.model, CollectiveModel::plain);
  const std::string good = to_json(cluster, "test");
  for (const auto& [from, to, key] :
       {std::tuple("\"model\": \"nccl\"", "\"model\": \"mpi\"", "plain, nccl"),
        {"\"hopper\"", "\"volta\"", "ampere, hopper, blackwell"},
        {"\"hopper\"", "\"ampere\"", "nvls"},
        {"\"oversubscription\": 7.0", "\"oversubscription\": 0.5", "oversubscription"},
        {"\"channels\": 16", "\"channels\": 0", "channels"}}) {
    const std::string message = error_of(replaced(good, from, to));
    EXPECT_NE(message.find("x.json"), std::string::npos) << message;
    EXPECT_NE(message.find(key), std::string::npos) << message;
  }
}

TEST(Cluster, WritesWhatItReads) {
  const ClusterSpec cluster = read_cluster(config("h100-24k-pods")).cluster;
  const std::string text = to_json(cluster, "copy");
  const ClusterSpec copy = parse_cluster(text, "y", "copy.json").cluster;
  EXPECT_EQ(to_json(copy, "copy"), text);
  EXPECT_EQ(copy.num_devices, cluster.num_devices);
  EXPECT_EQ(copy.accelerator.matmul_efficiency.size(),
            cluster.accelerator.matmul_efficiency.size());
}

TEST(Cluster, WhatACalibrationAdds) {
  ClusterSpec cluster = read_cluster(config("local-cpu")).cluster;
  EXPECT_EQ(to_json(cluster, "").find("collective_factors"), std::string::npos);
  EXPECT_EQ(&cluster.accelerator.matmul_curve(Precision::fp64),
            &cluster.accelerator.matmul_efficiency);
  cluster.cpu_model = "Some CPU";
  cluster.collective_factors[static_cast<size_t>(CollectiveKind::all_to_all)] = 1.5;
  cluster.accelerator.fp64_matmul_efficiency = {{1e6, 0.25}};
  const ClusterSpec copy = parse_cluster(to_json(cluster, "test"), "y", "y.json").cluster;
  EXPECT_EQ(copy.cpu_model, "Some CPU");
  EXPECT_EQ(copy.collective_factors, cluster.collective_factors);
  EXPECT_DOUBLE_EQ(efficiency_at(copy.accelerator.matmul_curve(Precision::fp64), 1e6), 0.25);
  EXPECT_EQ(copy.accelerator.matmul_curve(Precision::bf16).size(),
            cluster.accelerator.matmul_efficiency.size());
  EXPECT_NE(error_of(replaced(to_json(cluster, ""), "\"all_to_all\"", "\"all_to_some\""))
                .find("collective_factors.all_to_some"),
            std::string::npos);
}

TEST(Cluster, ErrorsNameFileAndKey) {
  const std::string good = to_json(read_cluster(config("h200-8")).cluster, "test");
  const auto expect = [&](const std::string& from, const std::string& to, const std::string& key) {
    const std::string message = error_of(replaced(good, from, to));
    EXPECT_NE(message.find("x.json"), std::string::npos) << message;
    EXPECT_NE(message.find(key), std::string::npos) << message;
  };
  expect("\"num_devices\": 8", "\"num_devices\": 0", "num_devices");
  expect("\"num_devices\": 8", "\"num_device\": 8", "num_devices");
  expect("\"memory_bytes\": ", "\"memory_byte\": 1, \"memory_bytes\": ", "memory_byte");
  expect("\"device\": \"cuda\"", "\"device\": \"tpu\"", "tpu");
  expect("\"pue\": 1.1", "\"pue\": 0", "pue");
  expect("\"devices\": 8", "\"devices\": 4", "tiers");
  expect("\"memory_efficiency\": [", "\"memory_efficiency\": [[1, 2],", "memory_efficiency");
}

TEST(Cluster, WarnsOfOtherUnits) {
  const std::string good = to_json(read_cluster(config("h200-8")).cluster, "test");
  EXPECT_TRUE(parse_cluster(good, "x", "x.json").warnings.empty());
  const struct {
    const char *key, *value, *named;
  } kCases[] = {
      {"bytes_per_s", "900", "bytes_per_s: 900 is below 1e+07; meant are bytes/s"},
      {"bytes_per_s", "4.5e20", "bytes_per_s: 4.5e+20 is above 1e+14"},
      {"memory_bytes", "141", "accelerator.memory_bytes: 141 is below 1e+08; meant are bytes"},
      {"memory_bytes_per_s", "4.8", "accelerator.memory_bytes_per_s: 4.8 is below 1e+07"},
      {"bf16_flops_per_s", "989", "accelerator.bf16_flops_per_s: 989 is below 1e+09; meant are "}};
  for (const auto& c : kCases) {
    Json json = parse_json(good, "x.json");
    const bool is_link = std::string(c.key) == "bytes_per_s";
    Json& object = is_link ? json["tiers"][0] : json["accelerator"];
    object[c.key] = std::stod(c.value);
    json["accelerator"]["reserved_bytes"] = 0, json["accelerator"]["context_bytes"] = 0;
    const std::vector<std::string> warnings = parse_cluster(json.dump(), "x", "x.json").warnings;
    ASSERT_EQ(warnings.size(), 1u) << c.key;
    EXPECT_NE(warnings[0].find(c.named), std::string::npos) << warnings[0];
    EXPECT_TRUE(warnings[0].starts_with("x.json: ")) << warnings[0];
  }
}

TEST(Cluster, EfficiencyIsLinearInTheLogarithm) {
  const EfficiencyCurve curve = {{1e3, 0.2}, {1e5, 0.6}};
  EXPECT_DOUBLE_EQ(efficiency_at(curve, 1), 0.2);
  EXPECT_NEAR(efficiency_at(curve, 1e4), 0.4, 1e-12);
  EXPECT_DOUBLE_EQ(efficiency_at(curve, 1e9), 0.6);
  EXPECT_DOUBLE_EQ(efficiency_at({}, 5), 1.0);
}

TEST(Cluster, FailuresOfANodeAndPowerOfAPhase) {
  const std::string good = to_json(read_cluster(config("h200-8")).cluster, "test");
  const std::string node =
      replaced(good, "\"device_mtbf_hours\": 50676.0", "\"node_mtbf_hours\": 6000");
  EXPECT_DOUBLE_EQ(parse_cluster(node, "x", "x.json").cluster.device_mtbf_hours, 48000);
  const std::string both = replaced(good, "\"restart_s\"", "\"node_mtbf_hours\": 1, \"restart_s\"");
  EXPECT_NE(error_of(both).find("node_mtbf_hours"), std::string::npos);
  const std::string silent = replaced(good, "\"communication_power_w\": 638.0,", "");
  const ClusterSpec cluster = parse_cluster(silent, "x", "x.json").cluster;
  EXPECT_DOUBLE_EQ(cluster.communication_power_w, cluster.device_power_w);
  EXPECT_EQ(cluster.node_parts.size(), 6u);
}

TEST(Cluster, MistakesDoNotPasteTheFile) {
  const std::string good = to_json(read_cluster(config("a100-25k")).cluster, "test");
  const std::string error = error_of(replaced(good, "\"devices\": 8,", "\"devices\": 999999,"));
  EXPECT_NE(error.find("must ascend from tier to tier, found [{"), std::string::npos) << error;
  EXPECT_LT(error.size(), 160u) << error;
}

TEST(Cluster, RanksThatShareCoresGetTheirShare) {
  const ClusterSpec cpu = read_cluster(config("local-cpu")).cluster;
  const ClusterSpec shared = with_devices(cpu, 8);
  EXPECT_EQ(shared.num_devices, 8);
  EXPECT_EQ(shared.devices_per_node, 8);
  EXPECT_DOUBLE_EQ(shared.accelerator.fp32_flops_per_s, cpu.accelerator.fp32_flops_per_s / 4);
  EXPECT_DOUBLE_EQ(shared.accelerator.memory_bytes_per_s, cpu.accelerator.memory_bytes_per_s / 4);
  EXPECT_EQ(shared.accelerator.memory_bytes, cpu.accelerator.memory_bytes / 4);
  EXPECT_DOUBLE_EQ(shared.tiers[0].bytes_per_s, cpu.tiers[0].bytes_per_s / 4);
  EXPECT_DOUBLE_EQ(with_devices(cpu, 1).accelerator.fp32_flops_per_s,
                   cpu.accelerator.fp32_flops_per_s);
}

// Devices of their own are not shared: more of them are more of the same.
TEST(Cluster, MoreDevicesOfTheSame) {
  const ClusterSpec node =
      read_cluster(ARGOSY_SOURCE_DIR "/configs/accelerators/l40s.json").cluster;
  const ClusterSpec many = with_devices(node, 64);
  EXPECT_EQ(many.num_devices, 64);
  EXPECT_EQ(many.devices_per_node, 8);
  EXPECT_DOUBLE_EQ(many.accelerator.bf16_flops_per_s, node.accelerator.bf16_flops_per_s);
  EXPECT_EQ(many.accelerator.memory_bytes, node.accelerator.memory_bytes);
}

}  // namespace
}  // namespace argosy
