// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-checkpoint as a user meets it, and the shards as other tools read them.
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "checkpoint/checkpoint.h"
#include "comm/thread/thread_communicator.h"
#include "planner/spec/bfloat16.h"
#include "planner/spec/check.h"
#include "tests/checkpoint/sample.h"
#include "tests/support/texts.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;
using sample::Cut;

struct Result {
  int exit_code = -1;
  std::string output;
};

Result run_command(const std::string& command) {
  Result result;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (pipe != nullptr) {
    const size_t count = std::fread(buffer, 1, sizeof buffer, pipe);
    if (count == 0) break;
    result.output.append(buffer, count);
  }
  const int status = ::pclose(pipe);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

Result run(const std::string& arguments) {
  return run_command(std::string(ARGOSY_BINARY_DIR) + "/argosy-checkpoint " + arguments);
}

// run/checkpoints/step_00000003 and step_00000004
class Program : public testing::Test {
 protected:
  Program() {
    sample::save(checkpoints(), 3, Cut::rows, 2, 1);
    sample::save(checkpoints(), 4, Cut::flat, 3, 1);
  }
  fs::path checkpoints() const { return dir_.path() / "checkpoints"; }
  std::string step(int64_t n) const { return checkpoint_path(checkpoints(), n).string(); }
  sample::TemporaryDirectory dir_;
};

TEST_F(Program, InspectTakesTheNewestOfARun) {
  for (const fs::path& path : {dir_.path(), checkpoints()}) {
    const Result result = run("inspect " + path.string());
    EXPECT_EQ(result.exit_code, 0) << result.output;
    EXPECT_TRUE(contains(result.output, "newest of 2 checkpoints: " + step(4))) << result.output;
    EXPECT_TRUE(contains(result.output, "step        4")) << result.output;
    EXPECT_TRUE(contains(result.output, "written by  tp=1")) << result.output;
    EXPECT_TRUE(contains(result.output, "generation = 1")) << result.output;
    EXPECT_TRUE(contains(result.output, "parameter/model.norm.weight")) << result.output;
  }
}

TEST_F(Program, InspectJson) {
  const Result result = run("inspect --json " + step(3));
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const auto document = nlohmann::json::parse(result.output);
  EXPECT_EQ(document["step"], 3);
  EXPECT_EQ(document["tensors"].size(), sample::tensors().size());
  EXPECT_EQ(document["plan"]["mesh"]["tp"], 1);
}

// By sizes alone: to look at a checkpoint is not to read it.
TEST_F(Program, InspectSaysWhatIsMissing) {
  fs::resize_file(fs::path(step(3)) / "shard_00001.h5", 100);
  Result result = run("inspect " + step(3));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.output, "damaged     ")) << result.output;
  EXPECT_TRUE(contains(result.output, "shard_00001.h5")) << result.output;
  EXPECT_TRUE(contains(result.output, "parameter/model.norm.weight")) << "what it held";
  fs::remove(fs::path(step(3)) / "shard_00000.h5");
  result = run("inspect --json " + step(3));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(nlohmann::json::parse(result.output)["problems"].size(), 2U) << result.output;
}

TEST_F(Program, InspectSumsUpTheOptimizer) {
  const std::string brief = run("inspect " + step(3)).output;
  EXPECT_FALSE(contains(brief, "exp_avg/")) << brief;
  EXPECT_TRUE(contains(brief, "tensors of the optimizer, ")) << brief;
  EXPECT_TRUE(contains(brief, "--all lists them\n")) << brief;
  const std::string all = run("inspect --all " + step(3)).output;
  EXPECT_TRUE(contains(all, "exp_avg/")) << all;
  EXPECT_FALSE(contains(all, "--all")) << all;
}

// Saves a tensor (2, 2) of a name that fills a line.
void save_four(const fs::path& checkpoints, int64_t step, std::vector<float> values) {
  const std::string name = "model.layers.11.mlp.experts.127." + std::string(50, 'x') + ".weight";
  run_on_threads(1, [&](Communicator& world) {
    const std::string plan = R"({"mesh": {"tp": 1, "order": "tp-cp-pp-dp)" + std::string(70, 'o') +
                             R"(", "zero_shard": 0}})";
    save_checkpoint(world, checkpoints, {step, plan, {}},
                    {{name, "parameter", 2, 2, DType::fp32, {{0, 2}, {0, 2}}, values.data()}});
  });
}

TEST_F(Program, InspectKeepsTo100Columns) {
  save_four(checkpoints(), 7, {1, 2, 3, 4});
  const std::string output = run("inspect " + step(7)).output;
  std::istringstream lines(output.substr(output.find("\nstep  ")));  // behind its path
  int64_t num_lines = 0;
  for (std::string line; std::getline(lines, line); ++num_lines) {
    EXPECT_LE(line.size(), 100U) << line;
  }
  EXPECT_EQ(num_lines, 10) << "two of the layout, two of the tensor: " << output;
}

TEST_F(Program, DiffSaysHowFar) {
  save_four(checkpoints(), 7, {1, 2, 100, 4});
  save_four(checkpoints(), 8, {1, 2.5, 101, 4});
  save_four(checkpoints(), 9, {1, 2, 100, NAN});
  Result result = run("diff " + step(7) + " " + step(8));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.output, ".weight  abs 1.0e+00 rel 2.0e-01\n")) << result.output;
  result = run("diff " + step(7) + " " + step(9));
  EXPECT_TRUE(contains(result.output, "abs inf rel inf\n")) << result.output;
}

TEST_F(Program, VerifySaysOkOrEachProblem) {
  Result result = run("verify " + step(3));
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(contains(result.output, "ok: 15 tensors, 2 shards, ")) << result.output;
  sample::flip_byte(fs::path(step(3)) / "shard_00000.h5", 0);
  sample::flip_byte(fs::path(step(3)) / "shard_00001.h5", 0);
  result = run("verify " + step(3));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.output, "shard_00000.h5: damaged")) << result.output;
  EXPECT_TRUE(contains(result.output, "shard_00001.h5: damaged")) << result.output;
}

TEST_F(Program, DiffSeesBitsAndNotLayouts) {
  Result result = run("diff " + step(3) + " " + step(4));
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(result.output, "15 tensors equal to the bit, 0 not\n");
  sample::save(checkpoints(), 5, Cut::rows, 2, 2);
  result = run("diff --kind parameter --ignore 'norm|proof' " + step(3) + " " + step(5));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.output, "differs             parameter/long_row")) << result.output;
  EXPECT_TRUE(contains(result.output, "0 tensors equal to the bit, 3 not")) << result.output;
}

TEST_F(Program, HashIsLayoutFree) {
  const Result a = run("hash --kind parameter " + step(3));
  const Result b = run("hash --kind parameter " + step(4));
  EXPECT_EQ(a.exit_code, 0) << a.output;
  EXPECT_EQ(a.output, b.output);
  EXPECT_EQ(std::count(a.output.begin(), a.output.end(), '\n'), 5);
}

TEST_F(Program, MistakesAreOneMessageAndExit2) {
  const struct {
    std::string arguments, expected;
  } cases[] = {
      {"", "no command"},
      {"frobnicate x", "'frobnicate': valid commands are inspect"},
      {"inspect", "inspect: 0 paths given, 1 is needed"},
      {"inspect /nowhere", "/nowhere: no such folder"},
      {"inspect " + dir_.path().parent_path().string() + "/..", "neither manifest.json"},
      {"inspect --wrong x", "--wrong"},
      {"diff x", "diff: 1 paths given, 2 are needed"},
      {"hash --kind nothing " + step(3), "no tensors of kind 'nothing'"},
      {"hash --ignore '(' " + step(3), "--ignore: '(' is not a regular expression"},
      {"export-hf a", "export-hf: 1 paths given, 2 are needed"},
      {"merge a b", "a: no such folder"},
  };
  for (const auto& c : cases) {
    const Result result = run(c.arguments);
    EXPECT_EQ(result.exit_code, 2) << c.arguments << ": " << result.output;
    EXPECT_TRUE(contains(result.output, c.expected)) << c.arguments << ": " << result.output;
    EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
  }
  const Result help = run("--help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_TRUE(contains(help.output, "\nExit codes: 0 done, 1 failed")) << help.output;
}

// Reading tensors is reading files: not even HDF5 is linked in.
TEST_F(Program, NeedsNeitherMpiNorHdf5) {
  const Result result = run_command(std::string("ldd ") + ARGOSY_BINARY_DIR + "/argosy-checkpoint");
  EXPECT_TRUE(contains(result.output, "libc.so")) << result.output;
  EXPECT_FALSE(contains(result.output, "libhdf5")) << result.output;
  EXPECT_FALSE(contains(result.output, "libmpi")) << result.output;
}

// bf16 is nothing special to HDF5: it converts to fp32 by itself.
TEST_F(Program, Hdf5ReadsWhatWeWrote) {
  const hid_t file = H5Fopen((step(3) + "/shard_00001.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  const sample::Pieces pieces = sample::filled_pieces(Cut::rows, 1, 2, 1);
  const TensorPiece& piece = pieces.pieces[0];
  ASSERT_EQ(piece.dtype, DType::bf16);
  const std::string path = concat("/", piece.kind, "/", piece.name, "/", piece.box.rows.begin, "_",
                                  piece.box.rows.end, "_0_10");
  const hid_t dataset = H5Dopen2(file, path.c_str(), H5P_DEFAULT);
  ASSERT_GE(dataset, 0) << path;
  std::vector<float> values(static_cast<size_t>(piece.box.size()));
  ASSERT_GE(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  const auto* expected = static_cast<const bfloat16*>(piece.data);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<float>(expected[i]);
    if (std::isnan(value)) continue;  // NaNs keep no payload
    EXPECT_EQ(values[i], value) << i;
  }
  int64_t rows[2] = {0, 0};
  const hid_t attribute = H5Aopen(dataset, "rows", H5P_DEFAULT);
  ASSERT_GE(H5Aread(attribute, H5T_NATIVE_INT64, rows), 0);
  EXPECT_EQ(rows[0], piece.box.rows.begin);
  EXPECT_EQ(rows[1], piece.box.rows.end);
  H5Aclose(attribute);
  H5Dclose(dataset);
  H5Fclose(file);
}

TEST_F(Program, H5dumpReadsWhatWeWrote) {
  if (run_command("h5dump --version").exit_code != 0) GTEST_SKIP() << "h5dump is not installed";
  const Result result =
      run_command("h5dump -d /state/counts/0_2_0_2 " + step(3) + "/shard_00000.h5");
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(contains(result.output, "H5T_STD_I32LE")) << result.output;
  EXPECT_TRUE(contains(result.output, "( 2, 2 ) / ( 2, 2 )")) << result.output;
}

}  // namespace
}  // namespace argosy
