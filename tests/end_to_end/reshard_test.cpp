// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A checkpoint written under one layout is loaded under every other and written again: parameters,
// master weights and optimizer state are the same to the bit. Catches a shard written twice, a
// rectangle loaded to the wrong place, state left out.
#include <gtest/gtest.h>

#include <filesystem>

#include "checkpoint/checkpoint.h"
#include "comm/thread/thread_communicator.h"
#include "tests/end_to_end/layouts.h"
#include "tests/end_to_end/runs_support.h"
#include "trainer/model_checkpoint.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  explicit Folder(const std::string& name) : path_(fs::path(testing::TempDir()) / name) {
    fs::remove_all(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

Plan mixed_precision(const std::string& name) {
  Layout layout = layout_named(name);
  layout.optimizer = OptimizerKind::adamw;
  Plan plan = plan_of(layout);
  plan.precision = Precision::bf16;
  return plan;
}

// Two steps under `plan`, then a checkpoint.
void train_and_save(const Plan& plan, const fs::path& folder) {
  run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
    DeviceContext device(Device::cpu);
    Trainer trainer(device, world, plan, {.optimizer = {}, .aux_loss_scope = AuxLossScope::global});
    const Counting tokens;
    const SampleOrder order(tokens.num_tokens(), plan.seq_len, 1, "counting");
    for (int64_t step = 1; step <= 2; ++step) trainer.step(tokens, order, step, 0.01);
    save(trainer, folder, 2);
  });
}

void load_and_save(const Plan& plan, const fs::path& from, const fs::path& to) {
  run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
    DeviceContext device(Device::cpu);
    Plan other_start = plan;
    other_start.seed += 1;  // what is not loaded differs
    Trainer trainer(device, world, other_start,
                    {.optimizer = {}, .aux_loss_scope = AuxLossScope::global});
    restore_checkpoint(trainer.context(), checkpoint_path(from, 2), Restore::resume,
                       trainer.parameters(), &trainer.optimizer());
    save(trainer, to, 2);
  });
}

void expect_all_pairs_equal(const std::vector<std::string>& names) {
  for (const std::string& written : names) {
    const Folder first("argosy_reshard_first");
    train_and_save(mixed_precision(written), first.path());
    const auto expected = content_hashes(checkpoint_path(first.path(), 2));
    EXPECT_GT(expected.size(), 0u);
    for (const std::string& read : names) {
      const Folder second("argosy_reshard_second");
      load_and_save(mixed_precision(read), first.path(), second.path());
      EXPECT_EQ(content_hashes(checkpoint_path(second.path(), 2)), expected)
          << written << " -> " << read;
    }
  }
}

TEST(Reshard, DenseModelsAreEqualToTheBitUnderEveryLayout) {
  expect_all_pairs_equal({"accumulate", "dp3_zero1", "tp4_sp_kv_copies", "tp2_sp_dp2_zero1",
                          "pp5_1f1b", "zero3_dp3_accumulate", "zero2_tp2_sp_dp2"});
}

TEST(Reshard, TiedModelsAreEqualToTheBitUnderEveryLayout) {
  expect_all_pairs_equal({"dp2_zero1_adamw", "tp2_sp_qwen2_bias", "pp2_tied", "pp3_tied_dp2_zero1",
                          "zero3_pp3_dp2_tied"});
}

TEST(Reshard, MixturesAreEqualToTheBitUnderEveryLayout) {
  expect_all_pairs_equal({"moe_accumulate", "moe_dp4_ep2_zero1", "moe_tp2_sp_ep2",
                          "moe_pp3_dp2_ep2", "moe_pp2_tp2_dp2_ep2_zero1",
                          "moe_tp4_sp_dp2_etp2_zero1", "zero3_moe_dp4_ep2"});
}

// With the balancing bias and the shares of the step before.
TEST(Reshard, WhatRoutersRememberIsEqualToTheBitUnderEveryLayout) {
  expect_all_pairs_equal({"sigmoid_dp2_ep2", "sigmoid_dp6_ep3_etp2", "sigmoid_pp3_dp2_ep2"});
  const Folder folder("argosy_reshard_router");
  train_and_save(mixed_precision("sigmoid_dp2_ep2"), folder.path());
  int num_biases = 0, num_shares = 0;
  for (const auto& [key, hash] : content_hashes(checkpoint_path(folder.path(), 2))) {
    num_biases += key.find("block_sparse_moe.gate.e_score_correction_bias") != std::string::npos;
    num_shares += key.find("router_shares") != std::string::npos;
  }
  EXPECT_EQ(num_biases, 3);
  EXPECT_EQ(num_shares, 3);
}

// Modules for multi-token prediction, their routers' biases too.
TEST(Reshard, ModulesAreEqualToTheBitUnderEveryLayout) {
  expect_all_pairs_equal({"mtp_one_rank", "mtp_tp2_sp_dp2_ep2_zero1", "mtp_pp3_gpipe_tp2_sp",
                          "mtp_zero3_tp2_sp_dp2_ep2"});
  expect_all_pairs_equal(
      {"mtp_pp2_tied_dp2_zero1", "mtp_zero2_dp2_tied", "mtp_zero3_pp2_dp2_tied"});
  const Folder folder("argosy_reshard_modules");
  train_and_save(mixed_precision("mtp_one_rank"), folder.path());
  int num_biases = 0;
  for (const auto& [key, hash] : content_hashes(checkpoint_path(folder.path(), 2)))
    num_biases += key.find("mlp.gate.e_score_correction_bias") != std::string::npos;
  EXPECT_EQ(num_biases, 4) << "of two layers and two modules";
}

TEST(Reshard, LoraJobsAreEqualToTheBitUnderEveryLayout) {
  expect_all_pairs_equal(
      {"lora_moe_tp2_sp_ep2", "lora_moe_dp4_ep2_zero1", "zero3_lora_moe_dp4_ep2"});
}

// The same values, and so the same levels and scales, also where shards cut between them.
TEST(Reshard, BasesOf4BitsAreEqualToTheBitUnderEveryLayout) {
  expect_all_pairs_equal({"nf4_accumulate", "nf4_tp2_sp_dp2_zero2", "nf4_zero3_dp2",
                          "nf4_zero3_tp2_sp_dp2", "nf4_zero3_tp4_kv_copies_dp2"});
  expect_all_pairs_equal({"nf4_moe_tp2_sp_ep2", "nf4_zero3_moe_dp4_ep2"});
}

// Three ranks cut anywhere; holders of the same shards; stages and a tied table.
TEST(Reshard, BasesOf4BitsInShardsOfAnyCut) {
  expect_all_pairs_equal({"nf4_pp2_dp2_zero1_gpt2", "nf4_zero3_dp3_gpt2"});
  expect_all_pairs_equal({"nf4_cp2_tp2_sp", "nf4_zero3_shard2_dp4", "nf4_zero3_cp2_dp2"});
  expect_all_pairs_equal({"nf4_zero3_pp3_dp2_tied"});
}

TEST(Reshard, AnOptimizerOnTheHostIsTheSameState) {
  expect_all_pairs_equal(
      {"dp3_zero1", "offload_one_rank", "offload_dp3_zero1", "offload_zero3_dp2"});
}

}  // namespace
}  // namespace argosy
