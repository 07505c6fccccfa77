// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-train --verify with a deliberate mistake in the layout: exit code 1 and the tensor that is
// farthest off by name; without one, 0, whatever a run may turn on.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <string>

#include "comm/thread/thread_communicator.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "tests/end_to_end/layouts.h"
#include "trainer/verify_command.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

// An llm.c file of 16-bit tokens that the tiny models know; every sixth is `end`.
std::string token_file(int num_tokens, int end) {
  int32_t header[256] = {20240520, 1, num_tokens};
  std::string bytes(reinterpret_cast<const char*>(header), sizeof header);
  for (int i = 0; i < num_tokens; ++i) {
    const auto token = static_cast<uint16_t>(i % 6 == 5 ? end : i * i % 59);
    bytes.append(reinterpret_cast<const char*>(&token), sizeof token);
  }
  return bytes;
}

class VerifyFault : public testing::Test {
 protected:
  VerifyFault() {
    fs::create_directories(folder_);
    write_text_file(folder_ / "data.bin", token_file(500, kEnd));
  }
  ~VerifyFault() override { fs::remove_all(folder_); }

  struct Outcome {
    int exit_code = -1;
    std::string out;  // of rank 0
  };

  Outcome verify(const char* layout, Fault fault, TrainOptions options = {}) const {
    const Plan plan = plan_of(layout_named(layout));
    options.plan = folder_ / "plan.json";
    options.data = folder_ / "data.bin";
    options.mode = TrainMode::verify;
    options.verify_steps = 2;
    options.lr.lr = 0.01;
    write_plan(plan, options.plan);
    Outcome outcome;
    run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
      std::ostringstream out;
      DeviceContext device(Device::cpu);
      const int code = run_verify(options, device, world, out, fault);
      if (world.rank() == 0) outcome = {code, out.str()};
    });
    return outcome;
  }

  void expect_named(const char* layout, Fault fault, const char* tensor) const {
    SCOPED_TRACE(concat(layout, " with ", to_string(fault)));
    const Outcome outcome = verify(layout, fault);
    EXPECT_EQ(outcome.exit_code, kExitFailure);
    const size_t verdict = outcome.out.find("verify   DIFFERENT: ");
    ASSERT_NE(verdict, std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find(tensor, verdict), std::string::npos) << outcome.out;
  }

  void expect_equal(const char* layout, const TrainOptions& options = {}) const {
    const Outcome outcome = verify(layout, Fault::none, options);
    EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.out;
    EXPECT_NE(outcome.out.find("verify   equal in 2 steps"), std::string::npos) << outcome.out;
  }

  // "4.31" of "verify 1/2 | loss 4.31, one rank 4.31 ...".
  static std::string first_loss(const Outcome& outcome) {
    const std::string key = "verify 1/2 | loss ";
    const size_t begin = outcome.out.find(key) + key.size();
    return outcome.out.substr(begin, outcome.out.find(',', begin) - begin);
  }

  static constexpr int kEnd = 7;
  fs::path folder_ = fs::temp_directory_path() / concat("argosy_verify_fault.", ::getpid());
};

TEST_F(VerifyFault, TheTensorThatDiffersIsNamed) {
  expect_named("tp2_sp", Fault::tensor_gradient_not_summed, "layernorm.weight[");
  expect_named("tp4_kv_copies", Fault::kv_copies_not_summed, "_proj.weight[");
  expect_named("pp2_tied", Fault::tied_embedding_not_summed, "embed_tokens.weight[");
  expect_named("moe_dp2_ep2", Fault::experts_swapped, "relative difference");
  expect_named("dp2_zero1_adamw", Fault::parameters_stale, "relative difference");
  expect_named("zero2_dp3_accumulate", Fault::shard_sum_overwritten, "gradient of model.");
  expect_named("zero3_dp2", Fault::gathered_values_kept, "relative difference");
}

TEST_F(VerifyFault, LayoutsWithoutOneAreEqual) {
  for (const char* layout : {"tp2_sp", "dp2_zero1_adamw", "moe_dp2_ep2", "zero3_dp2"})
    expect_equal(layout);
}

// On both sides, and not left out on both: the loss is another one.
TEST_F(VerifyFault, DropoutAndDocumentMasksAreHonoured) {
  TrainOptions dropout, documents;
  dropout.dropout = 0.3;
  documents.document_mask = true;
  documents.end_of_text = kEnd;
  for (const char* layout : {"tp2_sp", "cp2_dp2_zero1", "zero3_pp2_dp2_gpipe"}) {
    const std::string plain = first_loss(verify(layout, Fault::none));
    for (const TrainOptions& options : {dropout, documents}) {
      expect_equal(layout, options);
      EXPECT_NE(first_loss(verify(layout, Fault::none, options)), plain) << layout;
    }
  }
}

}  // namespace
}  // namespace argosy
