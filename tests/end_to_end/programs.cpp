// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/end_to_end/programs.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

constexpr const char* kDense = R"({"model_type": "llama", "vocab_size": 258, "hidden_size": 32,
    "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.05})";
constexpr const char* kMoe = R"({"model_type": "mixtral", "vocab_size": 258, "hidden_size": 32,
    "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "num_local_experts": 4,
    "num_experts_per_tok": 2, "router_aux_loss_coef": 0.01, "initializer_range": 0.05})";
constexpr const char* kSentence =
    "the quick brown fox jumps over the lazy dog; pack my box with five dozen jugs. ";
constexpr int kSentences = 40;

// Its path is short: sockets lie in it, and their paths are limited to 107 characters.
std::string make_scratch_folder() {
  std::string name = testing::TempDir() + "argosy_XXXXXX";
  CHECK(::mkdtemp(name.data()) != nullptr, "mkdtemp ", name);
  return name;
}

}  // namespace

std::string unwrapped(std::string printed) {
  const std::string continued = "\n" + std::string(9, ' ');
  for (size_t at = 0; (at = printed.find(continued, at)) != std::string::npos;)
    printed.replace(at, continued.size(), " ");
  return printed;
}

ProgramTest::ProgramTest() : folder_(make_scratch_folder()) {
  // MPI's session folder: jobs that begin at the same time would race to make a common one.
  std::filesystem::create_directories(folder_ / "tmp");
  write("dense.json", kDense);
  write("moe.json", kMoe);
  std::string text;
  for (int i = 0; i < kSentences; ++i) text += kSentence;
  write("text.txt", text);
}

ProgramTest::~ProgramTest() {
  // MPI's daemons clean up behind their jobs: two who remove the same folder get in each other's
  // way.
  constexpr int kAttempts = 20;
  constexpr auto kPause = std::chrono::milliseconds(50);
  std::error_code code;
  for (int i = 0; i < kAttempts; ++i) {
    std::filesystem::remove_all(folder_, code);
    if (!code) return;
    std::this_thread::sleep_for(kPause);
  }
  ADD_FAILURE() << "cannot remove " << folder_ << ": " << code.message();
}

ProgramResult ProgramTest::shell(const std::string& line) const {
  write("command.sh", line + "\n");
  const std::string command =
      concat("cd '", folder_.string(), "' && PATH='", ARGOSY_BINARY_DIR, "':$PATH TMPDIR='",
             (folder_ / "tmp").string(), "' OMP_NUM_THREADS=1 timeout --kill-after=5 ",
             kTimeLimit_s, " bash command.sh >out 2>err </dev/null");
  const int code = std::system(command.c_str());
  return {WIFEXITED(code) ? WEXITSTATUS(code) : -1, read("out"), read("err")};
}

ProgramResult ProgramTest::succeed(const std::string& line) const {
  ProgramResult result = shell(line);
  EXPECT_EQ(result.exit_code, 0) << line << '\n' << result.out << result.err;
  return result;
}

void ProgramTest::make_plan(const std::string& name, const std::string& model, int devices,
                            const std::string& fix, const std::string& more) const {
  succeed(concat("argosy-plan --model ", model, " --cluster ", ARGOSY_SOURCE_DIR,
                 "/configs/clusters/local-cpu.json --devices ", devices,
                 " --seq-len 16 --global-batch 8 --fix ", fix, " --out ", name, " ", more));
}

std::string ProgramTest::launch(const std::string& plan, const std::string& run_dir, int64_t steps,
                                const std::string& more) const {
  return concat("argosy-launch --plan ", plan, " -- --data text.txt --run-dir ", run_dir,
                " --steps ", steps, " ", more);
}

void ProgramTest::write(const std::string& name, const std::string& content) const {
  std::ofstream(folder_ / name, std::ios::binary) << content;
}

std::string ProgramTest::read(const std::string& name) const {
  return read_text_file(folder_ / name);
}

std::vector<StepMetrics> ProgramTest::metrics(const std::string& run_dir) const {
  return read_metrics(folder_ / run_dir / "metrics.jsonl");
}

std::string ProgramTest::status(const std::string& run_dir, const std::string& key) const {
  return Json::parse(read(run_dir + "/status.json"))[key].dump();
}

}  // namespace argosy
