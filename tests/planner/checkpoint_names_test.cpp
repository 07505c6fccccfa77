// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/checkpoint_names.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "planner/spec/check.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

class CheckpointNames : public testing::Test {
 protected:
  CheckpointNames()
      : before_(fs::current_path()),
        folder_(fs::temp_directory_path() / concat("argosy_names_", ::getpid())),
        step_(checkpoint_path(folder_ / "run" / "checkpoints", 40)) {
    fs::create_directories(step_);
    fs::create_directories(tokenizer_path(folder_ / "run"));
  }
  ~CheckpointNames() override {
    fs::current_path(before_);
    fs::remove_all(folder_);
  }

  fs::path before_, folder_, step_;
};

TEST_F(CheckpointNames, ARunsTokenizerIsFoundFromEachOfItsFolders) {
  const fs::path run = folder_ / "run", tokenizer = tokenizer_path(run);
  for (const fs::path& path : {run, run / "", run / "checkpoints", step_, step_ / ""}) {
    EXPECT_EQ(tokenizer_of_run(path), tokenizer) << path;
  }
  // As it was written, and from inside.
  fs::current_path(folder_);
  EXPECT_EQ(tokenizer_of_run("run/checkpoints"), fs::path("run/tokenizer"));
  for (const fs::path& inside : {run, run / "checkpoints", step_}) {
    fs::current_path(inside);
    ASSERT_TRUE(tokenizer_of_run(".")) << inside;
    EXPECT_TRUE(fs::equivalent(*tokenizer_of_run("."), tokenizer)) << inside;
  }
}

// A folder of that name above a run is somebody else's.
TEST_F(CheckpointNames, NoOtherFoldersTokenizerIsTaken) {
  fs::remove(tokenizer_path(folder_ / "run"));
  fs::create_directories(tokenizer_path(folder_));
  for (const fs::path& path : {folder_ / "run", folder_ / "run" / "checkpoints", step_}) {
    EXPECT_EQ(tokenizer_of_run(path), std::nullopt) << path;
  }
}

}  // namespace
}  // namespace argosy
