// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/planner/plan_program.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "planner/spec/files.h"

namespace argosy {

namespace {

namespace fs = std::filesystem;

class Scratch : public testing::Environment {
 public:
  static fs::path path() {
    return fs::temp_directory_path() / ("argosy_plan_test." + std::to_string(getpid()));
  }
  void SetUp() override { fs::create_directories(path()); }
  void TearDown() override { fs::remove_all(path()); }
};
[[maybe_unused]] const testing::Environment* const kScratch =
    testing::AddGlobalTestEnvironment(new Scratch);

}  // namespace

std::string scratch_path(const std::string& name) {
  return (Scratch::path() / name).string();
}

PlanOutput run_plan(const std::string& arguments, const std::string& before) {
  const std::string out = scratch_path("out"), err = scratch_path("err");
  const std::string command = "cd / && " + before + " " ARGOSY_BINARY_DIR "/argosy-plan " +
                              arguments + " > '" + out + "' 2> '" + err + "'";
  const int status = std::system(command.c_str());
  PlanOutput result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.out = read_text_file(out);
  result.err = read_text_file(err);
  return result;
}

void expect_plan_mistake(const std::string& arguments, const std::string& named) {
  const PlanOutput result = run_plan(arguments);
  EXPECT_EQ(result.exit_code, 2) << arguments << "\n" << result.err;
  const bool says_so_in_json = arguments.find("--json") != std::string::npos;
  EXPECT_EQ(result.out.empty(), !says_so_in_json) << arguments << "\n" << result.out;
  EXPECT_NE(result.err.find(named), std::string::npos) << arguments << "\n" << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

}  // namespace argosy
