// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A run that is stopped and resumed is the run that was not: to the bit under the same layout, to
// rounding under another. Damage is named.
#include <cmath>
#include <fstream>

#include "checkpoint/manifest.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

class Resume : public ProgramTest {
 protected:
  static constexpr const char* kPipeline = "pp=2,dp=2,ep=2,tp=1,micro_batch=2";

  // Six steps at once, six steps again, three steps and three more: one run.
  void expect_bitwise_resume() const {
    succeed(launch("plan.json", "whole", 6));
    succeed(launch("plan.json", "again", 6));
    succeed(launch("plan.json", "parts", 3));
    const ProgramResult resumed = succeed(launch("plan.json", "parts", 6, "--resume auto"));
    EXPECT_TRUE(contains(resumed.out, "resumed  parts/checkpoints/step_00000003")) << resumed.out;
    const auto whole = metrics("whole");
    ASSERT_EQ(whole.size(), 6U);
    for (const char* other : {"again", "parts"}) {
      const auto steps = metrics(other);
      ASSERT_EQ(steps.size(), whole.size()) << other;
      for (size_t i = 0; i < whole.size(); ++i) {
        EXPECT_EQ(steps[i].step, static_cast<int64_t>(i) + 1) << other;
        EXPECT_EQ(steps[i].loss, whole[i].loss) << other << " step " << i + 1;
        EXPECT_EQ(steps[i].grad_norm, whole[i].grad_norm) << other << " step " << i + 1;
      }
      const ProgramResult diff = succeed(concat("argosy-checkpoint diff whole ", other));
      EXPECT_TRUE(contains(diff.out, " equal to the bit, 0 not")) << diff.out;
    }
    EXPECT_FALSE(fs::exists(path("parts/plan.step_3.json"))) << "the plan is the same";
  }

  // One bit of a parameter in the given shard: sizes are whole, the CRC is not. Returns its name.
  std::string flip_parameter(const std::string& checkpoint, int shard, const std::string& name) {
    const Manifest manifest = read_manifest(path(checkpoint));
    for (const StoredTensor& tensor : manifest.tensors) {
      if (tensor.kind != "parameter" || !contains(tensor.name, name)) continue;
      for (const Extent& extent : tensor.extents) {
        if (extent.shard != shard) continue;
        flip_byte(concat(checkpoint, "/", manifest.shards[static_cast<size_t>(shard)].file),
                  extent.offset);
        return tensor.name;
      }
    }
    ADD_FAILURE() << checkpoint << ": no parameter " << name << " in shard " << shard;
    return "";
  }

  void flip_byte(const std::string& name, int64_t offset) const {
    std::fstream file(path(name), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(offset);
    const int byte = file.get();
    ASSERT_NE(byte, EOF);
    file.seekp(offset);
    file.put(static_cast<char>(byte ^ 1));
  }
};

TEST_F(Resume, IsExactToTheBit) {
  make_plan("plan.json", "moe.json", 4, kPipeline);
  expect_bitwise_resume();
}

TEST_F(Resume, IsExactToTheBitInMixedPrecisionWithShardedOptimizer) {
  make_plan("plan.json", "moe.json", 4, concat(kPipeline, ",zero=1"), "--precision bf16");
  expect_bitwise_resume();
}

// A base in NF4 is saved as the values that it has, and quantized again to the same bits.
TEST_F(Resume, IsExactToTheBitOnABaseOf4Bits) {
  make_plan("plan.json", "moe.json", 4, concat(kPipeline, ",zero=1"),
            "--precision bf16 --task lora --lora-rank 4 --base-bits 4");
  expect_bitwise_resume();
}

TEST_F(Resume, GoesOnUnderAnotherLayout) {
  make_plan("first.json", "moe.json", 4, kPipeline);
  make_plan("second.json", "moe.json", 4, "pp=1,dp=2,ep=2,tp=2,micro_batch=2,zero=1");
  succeed(launch("first.json", "run", 3, "--eval-data text.txt"));
  fs::copy(path("run"), path("same"), fs::copy_options::recursive);
  const std::string first_plan = read("run/plan.json");
  const double before = metrics("run").back().eval_loss.value_or(NAN);
  succeed(launch("first.json", "same", 5, "--resume auto --eval-data text.txt"));
  const ProgramResult resumed =
      succeed(launch("second.json", "run", 5, "--resume 3 --eval-data text.txt"));

  EXPECT_EQ(read("run/plan.step_3.json"), first_plan);
  EXPECT_NE(read("run/plan.json"), first_plan);
  char held_out[64];
  std::snprintf(held_out, sizeof held_out, "eval 3/5 | held-out loss %.4f", before);
  EXPECT_TRUE(contains(resumed.out, held_out)) << held_out << " in " << resumed.out;
  const auto same = metrics("same"), other = metrics("run");
  ASSERT_EQ(other.size(), 5U);
  ASSERT_EQ(same.size(), 5U);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(other[i].loss, same[i].loss, 1e-5 * same[i].loss) << "step " << i + 1;
  }
  EXPECT_NEAR(*other[4].eval_loss, *same[4].eval_loss, 1e-5 * *same[4].eval_loss);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(other[i].start, i < 3 ? 1 : 2) << "step " << i + 1;
    EXPECT_EQ(same[i].start, i < 3 ? 1 : 2) << "step " << i + 1;
    EXPECT_TRUE(contains(other[i].layout, i < 3 ? "tp=1 pp=2" : "tp=2 pp=1")) << other[i].layout;
  }
  // One stage waits for none: bubbles are of the first layout.
  const std::string page = read("run/report.html"), page_of_same = read("same/report.html");
  EXPECT_TRUE(contains(page, "Figures are of steps 4 to 5"));
  EXPECT_TRUE(contains(page, "<title>bubble: 0.0%</title>"));
  EXPECT_FALSE(contains(page_of_same, "Figures are of steps"));
  EXPECT_FALSE(contains(page_of_same, "<title>bubble: 0.0%</title>"));
}

// As a start leaves it whose peak came into doubt: the next one measures it anew.
TEST_F(Resume, ThePageSaysWhoseMfuIsNotKnown) {
  make_plan("plan.json", "dense.json", 1, "tp=1");
  const std::string train = "argosy-train --plan plan.json --data text.txt --run-dir run ";
  succeed(train + "--steps 2");
  succeed(R"(sed -i '2s/"mfu":[^,]*/"mfu":null/' run/metrics.jsonl)");
  succeed(train + "--steps 4 --resume auto");
  EXPECT_TRUE(contains(read("run/report.html"), "The MFU of steps 1 to 2 is not known"));
}

// Frozen weights have no masters, trained ones do.
TEST_F(Resume, WeightsOfALoraRunStartAnyOther) {
  make_plan("bf16.json", "dense.json", 1, "tp=1", "--precision bf16");
  make_plan("fp32.json", "dense.json", 1, "tp=1");
  make_plan("lora.json", "dense.json", 1, "tp=1", "--precision bf16 --task lora --lora-rank 2");
  const auto train = [&](const std::string& options) {
    return succeed("argosy-train --data text.txt --steps 2 " + options).out;
  };
  train("--plan bf16.json --run-dir base");
  EXPECT_FALSE(contains(train("--plan lora.json --run-dir lora --init base"), "left out"));
  EXPECT_TRUE(contains(train("--plan fp32.json --run-dir full --init lora"), "are left out"));
  EXPECT_TRUE(contains(train("--plan lora.json --run-dir blank"), "LoRA on initial values"));
  train("--plan bf16.json --run-dir wide --precision fp32 --init base");
}

TEST_F(Resume, NamesDamage) {
  make_plan("plan.json", "dense.json", 1, "tp=1");
  const std::string train = "argosy-train --plan plan.json --data text.txt --run-dir run ";
  succeed(train + "--steps 4 --checkpoint-every 2");
  const std::string newest = "run/checkpoints/step_00000004/";

  const std::string weights = flip_parameter(newest, 0, "model.layers.1.mlp.up_proj.weight");
  const ProgramResult flipped = shell(train + "--steps 6 --resume 4");
  EXPECT_EQ(flipped.exit_code, kExitFailure);
  EXPECT_TRUE(contains(flipped.err, newest + "shard_00000.h5")) << flipped.err;
  EXPECT_TRUE(contains(flipped.err, weights)) << flipped.err;
  EXPECT_TRUE(contains(flipped.err, "--resume 2 goes on from")) << flipped.err;
  EXPECT_EQ(status("run", "state"), "\"failed\"");
  EXPECT_EQ(status("run", "exit_code"), "1");
  EXPECT_EQ(status("run", "step"), "4");

  // A file that was cut is passed over.
  fs::resize_file(path(newest + "shard_00000.h5"), 4096);
  const ProgramResult cut = succeed(train + "--steps 6 --resume auto");
  EXPECT_TRUE(contains(cut.out, "damaged checkpoint passed over")) << cut.out;
  EXPECT_TRUE(contains(cut.out, "step_00000004")) << cut.out;
  EXPECT_TRUE(contains(cut.out, "resumed  run/checkpoints/step_00000002")) << cut.out;
  EXPECT_TRUE(fs::exists(path("run/checkpoints/step_00000004.damaged/manifest.json")));
  EXPECT_EQ(metrics("run").size(), 6U);
  EXPECT_EQ(status("run", "state"), "\"done\"");
}

// On one rank a byte is rotten, all ranks go back together, twice; what they had loaded until then
// is gone, and what is rotten stays where somebody can look at it.
TEST_F(Resume, AutoFallsBackToTheNewestCheckpointThatLoads) {
  make_plan("plan.json", "moe.json", 2, "dp=2,ep=2,tp=1,pp=1");
  succeed(launch("plan.json", "run", 5, "--checkpoint-every 1"));
  fs::copy(path("run"), path("calm"), fs::copy_options::recursive);
  const std::string newest = flip_parameter("run/checkpoints/step_00000005", 1, "experts");
  flip_parameter("run/checkpoints/step_00000004", 0, "norm.weight");
  fs::create_directory(path("run/checkpoints/step_00000004.damaged"));  // an earlier one

  const std::string go_on = "--checkpoint-every 1 --resume auto";
  const ProgramResult result = succeed(launch("plan.json", "run", 7, go_on));
  const std::string printed = unwrapped(result.out);
  EXPECT_TRUE(contains(printed, "falls back to step 4")) << printed;
  EXPECT_TRUE(contains(printed, "falls back to step 3")) << printed;
  EXPECT_TRUE(contains(result.out, "resumed  run/checkpoints/step_00000003")) << result.out;
  const std::string events = read("run/events.jsonl");
  EXPECT_TRUE(contains(events, newest)) << events;
  EXPECT_TRUE(contains(events, "falls back to step 3")) << events;
  EXPECT_TRUE(contains(events, "step_00000005.damaged")) << events;
  EXPECT_EQ(shell("argosy-checkpoint verify run/checkpoints/step_00000005.damaged").exit_code, 1);
  EXPECT_EQ(shell("argosy-checkpoint verify run/checkpoints/step_00000004.damaged-2").exit_code, 1);
  succeed("argosy-checkpoint verify run/checkpoints/step_00000005");

  succeed("rm -r calm/checkpoints/step_0000000[45]");
  succeed(launch("plan.json", "calm", 7, go_on));
  const auto run = metrics("run"), calm = metrics("calm");
  ASSERT_EQ(run.size(), 7U);
  ASSERT_EQ(calm.size(), 7U);
  for (size_t i = 0; i < run.size(); ++i) {
    EXPECT_EQ(run[i].step, static_cast<int64_t>(i) + 1);
    EXPECT_EQ(run[i].loss, calm[i].loss) << "step " << i + 1;
    EXPECT_EQ(run[i].grad_norm, calm[i].grad_norm) << "step " << i + 1;
  }
  EXPECT_TRUE(contains(succeed("argosy-checkpoint diff calm run").out, ", 0 not"));
}

// Then nothing is renamed, and no metrics are dropped.
TEST_F(Resume, AutoFailsWhenNoCheckpointLoads) {
  make_plan("plan.json", "dense.json", 1, "tp=1");
  const std::string train = "argosy-train --plan plan.json --data text.txt --run-dir run ";
  succeed(train + "--steps 2 --checkpoint-every 1");
  flip_parameter("run/checkpoints/step_00000001", 0, "up_proj");
  flip_parameter("run/checkpoints/step_00000002", 0, "up_proj");
  const ProgramResult result = shell(train + "--steps 3 --resume auto");
  EXPECT_EQ(result.exit_code, kExitFailure) << result.out;
  EXPECT_TRUE(contains(result.err, "step_00000001")) << result.err;
  EXPECT_TRUE(fs::exists(path("run/checkpoints/step_00000002/manifest.json")));
  EXPECT_EQ(metrics("run").size(), 2U);
}

// A start from the first step would drop the metrics of a run of days.
TEST_F(Resume, DoesNotStartAgainWhenEveryCheckpointIsDamaged) {
  make_plan("plan.json", "dense.json", 1, "tp=1");
  const std::string train = "argosy-train --plan plan.json --data text.txt --run-dir run ";
  succeed(train + "--steps 2");
  fs::resize_file(path("run/checkpoints/step_00000002/shard_00000.h5"), 4096);
  const ProgramResult result = shell(train + "--steps 3 --resume auto");
  EXPECT_EQ(result.exit_code, kExitUserError) << result.out;
  EXPECT_TRUE(contains(result.err, "none of the 1 checkpoints")) << result.err;
  EXPECT_TRUE(contains(result.err, "shard_00000.h5")) << result.err;
  EXPECT_EQ(metrics("run").size(), 2U);
}

TEST_F(Resume, SaysWhenSamplesAreOthers) {
  make_plan("plan.json", "dense.json", 1, "tp=1");
  Json other = Json::parse(read("plan.json"));
  other["global_batch"] = 16;
  write("other.json", other.dump(1));
  const std::string train = "argosy-train --run-dir run ";
  succeed(train + "--plan plan.json --data text.txt --steps 2");
  const std::string same =
      succeed(train + "--plan plan.json --data text.txt --steps 3 --resume 2").out;
  EXPECT_FALSE(contains(same, "--resume:")) << same;
  EXPECT_FALSE(contains(same, "--data:")) << same;
  succeed("cp text.txt new.txt");
  const std::string changed =
      succeed(train + "--plan other.json --data new.txt --steps 4 --resume 3").out;
  EXPECT_TRUE(contains(changed, "has read 24 samples of 16 tokens")) << changed;
  EXPECT_TRUE(contains(changed, "behind 48 of 16")) << changed;
  EXPECT_TRUE(contains(changed, "--data: new.txt, the checkpoint's run read text.txt")) << changed;
}

// A rate that was forgotten is one line, not a run that learns at a tenth of it unnoticed.
TEST_F(Resume, SaysWhichOptionsChanged) {
  make_plan("plan.json", "dense.json", 2, "dp=2,tp=1,pp=1");
  const std::string options = "--lr 3e-3 --lr-schedule wsd --beta1 0.8 --checkpoint-every 1 ";
  succeed(launch("plan.json", "run", 2, options));
  const std::string same =
      succeed(launch("plan.json", "run", 3, "--resume 2 --lr-schedule wsd --beta1 0.8 --lr 0.003"))
          .out;
  EXPECT_TRUE(contains(same, "options differ from those the run has had: steps 2 -> 3\n")) << same;
  const std::string changed =
      unwrapped(succeed(launch("plan.json", "run", 4, "--resume 2 --eval-data text.txt")).out);
  const std::string expected =
      "options differ from those the run has had: lr 0.003 -> 0.0003, "
      "lr-schedule wsd -> constant, beta1 0.8 -> 0.9\n";
  EXPECT_TRUE(contains(changed, expected)) << changed;
  const size_t first = changed.find("options differ");
  EXPECT_EQ(changed.find("options differ", first + 1), std::string::npos) << "rank 0 alone says it";
  EXPECT_FALSE(contains(succeed(launch("plan.json", "run", 6, "--resume 4")).out, "differ"));
}

}  // namespace
}  // namespace argosy
