// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The built programs as a user runs them: in a scratch folder that holds two tiny models, a text
// and plans, and goes when the test ends.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/texts.h"
#include "trainer/run/metrics.h"

namespace argosy {

struct ProgramResult {
  int exit_code = -1;  // 124: ran past its time limit
  std::string out, err;
};

// What argosy-train prints for people, each message in one line again.
std::string unwrapped(std::string printed);

class ProgramTest : public testing::Test {
 protected:
  static constexpr int kTimeLimit_s = 60;  // of one program; a loaded machine takes a few

  ProgramTest();  // dense.json, moe.json: models of two layers, byte vocabulary; text.txt
  ~ProgramTest() override;

  // A shell line, run in the scratch folder with build/bin in PATH and one OpenMP thread.
  ProgramResult shell(const std::string& line) const;
  // The same; fails the test unless the exit code is 0.
  ProgramResult succeed(const std::string& line) const;

  // Writes `name` by argosy-plan: sequences of 16 tokens, 8 a step. `fix` as in "tp=1,pp=2".
  void make_plan(const std::string& name, const std::string& model, int devices,
                 const std::string& fix, const std::string& more = "--precision fp32") const;
  // argosy-launch with the trainer's arguments on text.txt.
  std::string launch(const std::string& plan, const std::string& run_dir, int64_t steps,
                     const std::string& more = "") const;

  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& content) const;
  std::string read(const std::string& name) const;
  std::vector<StepMetrics> metrics(const std::string& run_dir) const;
  // A key of status.json, as JSON text ("\"done\"", "75").
  std::string status(const std::string& run_dir, const std::string& key) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace argosy
