// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Whole training steps on emulated GPUs: the trainer, the CUDA device and ops, and the NCCL
// communicator, against the same layout on the CPU. Streams run in orders that a GPU may choose:
// what is not waited for is too early or too late, and memory that is given back is spoilt.
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "comm/thread/thread_communicator.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/layouts.h"
#include "tests/support/cuda_emulation/gpu_ranks.h"
#include "tests/support/cuda_emulation/nccl.h"
#include "tests/support/cuda_emulation/streams.h"

namespace argosy {
namespace {

using cuda_emulation::Timing;

constexpr int kSteps = 2;
// Biases of keys have no gradient but rounding, which AdamW would make whole steps of.
constexpr double kEps = 1e-4;
constexpr double kTolerance = 5e-5;  // half of what --verify allows in fp32

using Records = std::map<int, LayoutRecord>;  // by rank

Records run_on_cpu(const Plan& plan, const TrainerSettings& settings) {
  Records records;
  std::mutex mutex;
  run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
    LayoutRecord record = run_layout(world, plan, settings, kSteps);
    const std::lock_guard lock(mutex);
    records[world.rank()] = std::move(record);
  });
  return records;
}

Records run_on_cuda(const Plan& plan, const TrainerSettings& settings) {
  Records records;
  std::mutex mutex;
  cuda_emulation::run_on_gpus(
      static_cast<int>(plan.mesh.world_size()), [&](Communicator& world, DeviceContext& device) {
        LayoutRecord record = run_layout(world, device, plan, settings, kSteps);
        const std::lock_guard lock(mutex);
        records[world.rank()] = std::move(record);
      });
  return records;
}

std::string join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

struct Case {
  const char* layout;
  Timing timing;
  uint64_t seed = 0;
};
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.layout;
}

class CudaLayout : public testing::TestWithParam<Case> {
 public:
  ~CudaLayout() override { cuda_emulation::reset_devices(); }
};

TEST_P(CudaLayout, EqualsTheCpu) {
  const Layout& layout = layout_named(GetParam().layout);
  Plan plan = plan_of(layout);
  plan.precision = Precision::fp32;
  TrainerSettings settings = settings_of(layout);
  settings.optimizer.eps = kEps;
  settings.optimizer.host_load_elements = 1000;  // several for what a host updates
  const Records expected = run_on_cpu(plan, settings);
  cuda_emulation::set_timing(GetParam().timing, GetParam().seed);
  const Records actual = run_on_cuda(plan, settings);
  for (const auto& [rank, record] : expected) {
    const std::vector<std::string> lines = compare_fp32(record, actual.at(rank), kTolerance);
    EXPECT_TRUE(lines.empty()) << "rank " << rank << ":" << join(lines);
    EXPECT_EQ(difference(record.ledger, actual.at(rank).ledger), "") << "rank " << rank;
  }
  EXPECT_EQ(cuda_emulation::num_nccl_communicators(), 0);
}

constexpr auto kLate = Timing::late, kComputeLate = Timing::compute_late,
               kOthersLate = Timing::others_late, kSeeded = Timing::seeded;
INSTANTIATE_TEST_SUITE_P(
    Table, CudaLayout,
    testing::Values(
        Case{"accumulate", kLate}, Case{"gpt2_one_rank", kLate}, Case{"dp2", kOthersLate},
        Case{"dp3_zero1", kComputeLate}, Case{"dp2_zero1_adamw", kSeeded, 1},
        Case{"zero2_dp2", kOthersLate}, Case{"zero3_dp2", kComputeLate},
        Case{"zero3_dp4_gpt2", kSeeded, 2}, Case{"zero3_shard2_dp4_tied", kOthersLate},
        Case{"tp2", kSeeded, 3}, Case{"tp2_sp_dp2_zero1", kOthersLate},
        Case{"tp2_sp_gpt2", kComputeLate}, Case{"tp4_sp_kv_copies", kSeeded, 4},
        Case{"pp2_1f1b", kComputeLate}, Case{"pp3_1f1b_fewer_microbatches", kOthersLate},
        Case{"il_pp2_v2", kSeeded, 5}, Case{"il_pp3_v2_tied", kOthersLate},
        Case{"zbh1_pp2", kSeeded, 6}, Case{"zbv_pp2", kOthersLate},
        Case{"pp3_tied_dp2_zero1", kSeeded, 7}, Case{"cp2", kComputeLate},
        Case{"cp2_tp2_sp_full", kSeeded, 8}, Case{"cp4_zero1", kOthersLate},
        Case{"ulysses2", kOthersLate}, Case{"documents_cp2_dp2", kSeeded, 9},
        Case{"dropout_tp2_sp_pp2", kSeeded, 10}, Case{"moe_dp2_ep2", kOthersLate},
        Case{"moe_tp2_sp_etp2", kComputeLate}, Case{"moe_dp4_ep2_etp2_zero1", kSeeded, 11},
        Case{"shared_tp2_sp_ep2", kSeeded, 12}, Case{"sigmoid_dp2_ep2", kComputeLate},
        Case{"capacity_dp2_ep2", kOthersLate}, Case{"capacity_tp2_sp_ep2", kSeeded, 13},
        Case{"zero3_moe_dp4_ep2", kOthersLate}, Case{"lora_tp2_sp", kSeeded, 14},
        Case{"lora_moe_tp2_sp_ep2", kOthersLate}, Case{"selective_moe_tp2_sp_ep2", kComputeLate},
        Case{"global_dp2", kSeeded, 15}, Case{"latent_tp2_sp_ring", kOthersLate},
        Case{"nf4_tp2_sp_dp2_zero2", kOthersLate}, Case{"nf4_moe_tp2_sp_ep2", kSeeded, 18},
        Case{"nf4_zero3_tp2_sp_dp2", kOthersLate}, Case{"nf4_zero3_moe_dp4_ep2", kSeeded, 19},
        Case{"latent_lora_tp2_sp", kSeeded, 16}, Case{"plain_queries_tp2_sp_ep2", kComputeLate},
        Case{"gpt_oss_tp4_sp_ep2_etp2_zero1", kSeeded, 17},
        Case{"gpt_oss_ulysses2_dp2_zero2", kOthersLate},
        Case{"gpt_oss_cp4_documents_selective", kComputeLate}, Case{"offload_one_rank", kLate},
        Case{"offload_dp2", kComputeLate}, Case{"offload_dp3_zero1", kOthersLate},
        Case{"offload_tp2_sp_dp2_zero2", kSeeded, 19}, Case{"offload_zero3_dp2", kOthersLate},
        Case{"offload_pp2_tied_zero1", kSeeded, 20}, Case{"offload_moe_dp4_ep2_zero1", kSeeded, 21},
        Case{"mtp_tp2_sp_dp2_ep2_zero1", kSeeded, 19}, Case{"mtp_zbv_pp2", kOthersLate},
        Case{"mtp_zero3_pp2_dp2_tied", kComputeLate}, Case{"mtp_lora_tp2_sp", kOthersLate}),
    [](const auto& test) { return std::string(test.param.layout); });

}  // namespace
}  // namespace argosy
