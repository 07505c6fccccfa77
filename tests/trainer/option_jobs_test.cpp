// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// An option without any effect in the job that is asked for is told, with the jobs that it is for.
#include "trainer/option_jobs.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "planner/spec/check.h"
#include "tests/support/texts.h"
#include "trainer/option_list.h"

namespace argosy {
namespace {

using Words = std::vector<std::string>;

// What parsing says; "" where nothing is wrong.
std::string said_of(const Words& words) {
  std::vector<const char*> argv = {"argosy-train"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  try {
    parse_train_options(static_cast<int>(argv.size()), argv.data());
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

const Words kGenerate = {"--generate=Once", "--run-dir=run"};
const Words kTokenize = {"--tokenize=a.bin", "--data=a.txt"};

Words with(Words words, const std::string& more) {
  words.push_back(more);
  return words;
}

TEST(OptionJobs, TrainingsOptionsAreNotForGenerateNorTokenize) {
  for (const std::string option : {"--packing=none",
                                   "--steps=3",
                                   "--optimizer=adamw",
                                   "--lr=1",
                                   "--min-lr=1",
                                   "--warmup=1",
                                   "--lr-schedule=wsd",
                                   "--beta1=0.5",
                                   "--beta2=0.5",
                                   "--eps=1",
                                   "--weight-decay=1",
                                   "--clip=2",
                                   "--cuda-graphs=auto",
                                   "--overlap=off",
                                   "--dropout=0.5",
                                   "--document-mask",
                                   "--router-aux-loss-coef=1",
                                   "--router-aux-loss=global",
                                   "--router-bias-update-rate=1",
                                   "--checkpoint-every=1",
                                   "--keep-checkpoints=1",
                                   "--eval-data=a",
                                   "--eval-every=1",
                                   "--eval-steps=1",
                                   "--check-replicas=1",
                                   "--check-collectives=1",
                                   "--watchdog=1"}) {
    const std::string name = option.substr(0, option.find('='));
    const std::string valid = "; valid: in training, with --verify";
    EXPECT_EQ(said_of(with(kGenerate, option)),
              concat(name, ": has no effect with --generate", valid));
    EXPECT_EQ(said_of(with(kTokenize, option)),
              concat(name, ": has no effect with --tokenize", valid));
  }
  // Also where the value is the one that holds anyway.
  EXPECT_TRUE(contains(said_of(with(kGenerate, "--eval-steps=8")), "--eval-steps: has no effect"));
}

TEST(OptionJobs, WhatCountsIsTaken) {
  for (const std::string option :
       {"--plan=plan.json", "--tokenizer=bytes", "--device=cpu", "--share-gpus", "--precision=fp32",
        "--allow-tf32", "--deterministic=on", "--seed=1", "--init=a", "--init-adapter=a",
        "--end-of-text=1", "--lora-rank=1", "--lora-alpha=1", "--lora-targets=q_proj", "--chat",
        "--max-new-tokens=3", "--temperature=1", "--top-k=2"}) {
    EXPECT_EQ(said_of(with(kGenerate, option)), "") << option;
  }
  for (const std::string option : {"--plan=plan.json", "--tokenizer=bytes", "--init=a",
                                   "--end-of-text=1", "--chat-template-kwargs={}"}) {
    EXPECT_EQ(said_of(with(kTokenize, option)), "") << option;
  }
}

TEST(OptionJobs, TokenizeHasNoDeviceNoWeightsAndNoRun) {
  for (const std::string option : {"--device=cpu", "--precision=fp32", "--seed=1", "--run-dir=a",
                                   "--init-adapter=a", "--lora-alpha=1", "--temperature=0"}) {
    const std::string name = option.substr(0, option.find('='));
    const std::string said = said_of(with(kTokenize, option));
    EXPECT_TRUE(contains(said, name + ": has no effect with --tokenize; valid: ")) << said;
    EXPECT_TRUE(contains(said, "with --generate")) << said;
  }
}

TEST(OptionJobs, VariablesOfATemplateNeedAChat) {
  const Words words = with(kGenerate, "--chat-template-kwargs={}");
  EXPECT_EQ(said_of(with(words, "--chat")), "");
  EXPECT_EQ(said_of(words),
            "--chat-template-kwargs: has no effect with --generate; valid: in training, with "
            "--verify, with --generate --chat, with --tokenize");
}

TEST(OptionJobs, OtherJobsOptionsAreNotForTraining) {
  const Words train = {"--plan=a", "--data=a", "--steps=1", "--run-dir=a"};
  EXPECT_EQ(said_of(train), "");
  for (const std::string option : {"--temperature=0.8", "--top-k=1", "--max-new-tokens=1"}) {
    EXPECT_EQ(said_of(with(train, option)), concat(option.substr(0, option.find('=')),
                                                   ": has no effect in training; valid: with "
                                                   "--generate"));
  }
  EXPECT_TRUE(contains(said_of(with(train, "--chat")), "--chat: has no effect in training"));
  EXPECT_EQ(said_of(with(train, "--measure-seconds=5")),
            "--measure-seconds: has no effect in training; valid: with --measure");
  EXPECT_EQ(said_of({"--plan=a", "--data=a", "--verify=1", "--steps=3"}), "");
}

TEST(OptionJobs, OneJobAtATime) {
  EXPECT_EQ(said_of(with(kTokenize, "--generate=Once")),
            "--generate: has no effect with --tokenize; valid: one of them");
  EXPECT_EQ(said_of({"--measure=a", "--tokenize=a.bin"}),
            "--tokenize: has no effect with --measure; valid: one of them");
}

// The launcher names the plan, and, where it starts a job again, the newest checkpoint.
TEST(OptionJobs, WordsOfTheLauncherAreTaken) {
  for (const std::string option : {"--resume=none", "--resume=auto"}) {
    EXPECT_EQ(said_of(with(kGenerate, option)), "");
    EXPECT_EQ(said_of(with(kTokenize, option)), "");
  }
  EXPECT_EQ(said_of(with(kGenerate, "--resume=5")),
            "--resume: has no effect with --generate; valid: in training, with --verify");
}

// One file may serve several jobs, as the run.cfg of a run does.
TEST(OptionJobs, LinesOfAConfigFileAreNotAsked) {
  const auto file = std::filesystem::temp_directory_path() / "argosy_option_jobs_test.cfg";
  std::ofstream(file) << "lr = 1\nsteps = 7\npacking = none\n";
  const Words words = with(kGenerate, "--config=" + file.string());
  EXPECT_EQ(said_of(words), "");
  EXPECT_TRUE(contains(said_of(with(words, "--lr=1")), "--lr: has no effect with --generate"));
  std::filesystem::remove(file);
}

TEST(OptionJobs, EveryOptionHasJobs) {
  const auto list = option_list();
  for (const auto& option : list.options()) {
    for (const TrainMode mode : {TrainMode::train, TrainMode::verify, TrainMode::generate,
                                 TrainMode::tokenize, TrainMode::measure}) {
      try {
        TrainOptions options;
        options.mode = mode;
        refuse_options_of_other_jobs({{option->long_name(), ""}}, options);
      } catch (const ConfigError& error) {
        EXPECT_TRUE(contains(error.what(), "valid: ")) << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace argosy
