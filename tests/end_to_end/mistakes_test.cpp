// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The user's mistakes: each is one message that names option or file, key and value and what would
// be valid, exit code 2, and nothing written.
#include <algorithm>
#include <cstring>

#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

int64_t count(const std::string& text, const std::string& part) {
  int64_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

// Header and tokens of an llm.c file (16-bit).
std::string llmc_file(int num_tokens, uint16_t token) {
  int32_t header[256] = {20240520, 1, num_tokens};
  const std::vector<uint16_t> tokens(static_cast<size_t>(num_tokens), token);
  return std::string(reinterpret_cast<const char*>(header), sizeof(header)) +
         std::string(reinterpret_cast<const char*>(tokens.data()), 2 * tokens.size());
}

class Mistakes : public ProgramTest {
 protected:
  Mistakes() { make_plan("plan.json", "dense.json", 1, "tp=1"); }

  void expect_mistake(const std::string& line, const std::vector<std::string>& parts) const {
    SCOPED_TRACE(line);
    const ProgramResult result = shell(line);
    EXPECT_EQ(result.exit_code, kExitUserError) << result.out << result.err;
    // mpirun adds words of its own. Who sees a mistake with all others needs no abort, which would
    // add more.
    EXPECT_EQ(count(result.err, "argosy-train: "), 1) << result.err;
    EXPECT_FALSE(contains(result.err, "MPI_ABORT")) << result.err;
    for (const std::string& part : parts) {
      EXPECT_TRUE(contains(result.err, part)) << "no '" << part << "' in " << result.err;
    }
    EXPECT_FALSE(fs::exists(path("new"))) << "the run folder was made";
  }
  // One rank; options given twice would be a mistake of their own, so each test names all it needs.
  void expect_mistake_in(const std::string& options, const std::vector<std::string>& parts) const {
    expect_mistake("argosy-train --run-dir new " + options, parts);
  }
  void expect_option_mistake(const std::string& options,
                             const std::vector<std::string>& parts) const {
    expect_mistake_in("--plan plan.json --data text.txt --steps 3 " + options, parts);
  }

  // plan.json with one change, as `name`.
  template <typename Change>
  void edit_plan(const std::string& name, const Change& change) const {
    Json plan = Json::parse(read("plan.json"));
    change(plan);
    write(name, plan.dump(1));
  }
};

TEST_F(Mistakes, OfOptions) {
  expect_mistake("argosy-train", {"missing: --plan, --data, --steps, --run-dir", "--help"});
  expect_option_mistake("--colour 3", {"'--colour'", "--help"});
  expect_option_mistake("--epochs 2", {"--steps and --epochs", "valid is one of them"});
  expect_option_mistake("--warmup 2 --warmup-ratio 0.1", {"--warmup and --warmup-ratio"});
  expect_option_mistake("--eval-data text.txt --eval-fraction 0.1",
                        {"--eval-data and --eval-fraction"});
  expect_option_mistake("--eval-fraction 1", {"--eval-fraction: 1", "above 0 and below 1"});
  expect_option_mistake("--eval-every 1", {"--eval-every: 1", "--eval-data or --eval-fraction"});
  expect_mistake_in("--plan plan.json --data text.txt --epochs 0", {"--epochs: 0", "above 0"});
  expect_option_mistake("--sede 3", {"'--sede'", "meant --seed?", "--help"});
  expect_option_mistake("stray", {"'stray'", "valid: --option value"});
  expect_option_mistake("--seed=-1", {"--seed: -1", "at least 0"});
  expect_option_mistake("--seed many", {"--seed", "'many'", "whole number"});
  expect_option_mistake("--lr fast", {"--lr", "'fast'", "valid: a number"});
  expect_option_mistake("--lr=-1", {"--lr: -1"});
  expect_option_mistake("--clip=-1", {"--clip: -1", "at least 0"});
  expect_option_mistake("--beta1 1", {"--beta1: 1", "below 1"});
  expect_option_mistake("--eps 0", {"--eps: 0", "above 0"});
  expect_option_mistake("--eval-steps 0", {"--eval-steps: 0", "at least 1"});
  expect_option_mistake("--eval-every 2", {"--eval-every: 2", "--eval-data"});
  expect_option_mistake("--checkpoint-every=-2", {"--checkpoint-every: -2", "at least 0"});
  expect_option_mistake("--temperature 0.5", {"--temperature", "with --generate"});
  expect_option_mistake("--top-k 3", {"--top-k", "with --generate"});
  expect_option_mistake("--max-new-tokens 3", {"--max-new-tokens", "with --generate"});
  expect_option_mistake("--measure-seconds 5", {"--measure-seconds", "with --measure"});
  expect_option_mistake("--keep-checkpoints 0", {"--keep-checkpoints: 0", "at least 1"});
  expect_option_mistake("--lr-schedule sine", {"--lr-schedule: 'sine'", "cosine"});
  expect_option_mistake("--precision fp7", {"--precision: 'fp7'", "bf16"});
  expect_option_mistake("--device tpu", {"--device: 'tpu'", "valid: cpu"});
  expect_option_mistake("--device cuda", {"--device cuda", "no cuda device", "valid: cpu"});
  expect_option_mistake("--allow-tf32", {"--allow-tf32", "valid: with --device cuda"});
  expect_option_mistake("--deterministic off",
                        {"--deterministic off", "valid: with --device cuda"});
  expect_option_mistake("--deterministic no", {"--deterministic: 'no'", "valid: on, off"});
  expect_option_mistake("--cuda-graphs on",
                        {"--cuda-graphs on", "the device is cpu", "valid: auto, off"});
  expect_option_mistake("--cuda-graphs yes", {"--cuda-graphs: 'yes'", "valid: off, auto, on"});
  expect_option_mistake("--precision fp8", {"--precision fp8", "valid on --device cpu: fp64"});
  expect_option_mistake("--resume soon", {"--resume: 'soon'", "none, auto or a step"});
  expect_option_mistake("--resume 99999999999999999999", {"--resume: '9999", "auto or a step"});
  expect_option_mistake("--resume 7", {"--resume", "step 7", "there are: none"});
  for (const char* steps : {"abc", "1.5"}) {
    expect_mistake_in(concat("--plan plan.json --data text.txt --steps ", steps),
                      {"--steps", concat("'", steps, "'"), "whole number"});
  }
  for (const char* steps : {"0", "-3"}) {
    expect_mistake_in(concat("--plan plan.json --data text.txt --steps=", steps),
                      {concat("--steps: ", steps), "at least 1"});
  }
}

TEST_F(Mistakes, OfGuards) {
  expect_option_mistake("--check-replicas=-1", {"--check-replicas: -1", "at least 0"});
  expect_option_mistake("--check-collectives often", {"'often'", "whole number"});
  expect_option_mistake("--watchdog=-5", {"--watchdog: -5", "at least 0"});
  expect_option_mistake("--watchdog 1.5", {"--watchdog", "'1.5'", "whole number"});
  expect_option_mistake("--verify 0", {"--verify: 0", "at least 1"});
  expect_option_mistake("--verify all", {"--verify", "'all'", "whole number"});
  expect_mistake("argosy-train --verify 2 --plan plan.json", {"missing: --data"});
  make_plan("two.json", "dense.json", 2, "tp=2,dp=1,pp=1");
  expect_mistake("argosy-train --verify 2 --plan two.json --data text.txt",
                 {"= 2 ranks, but 1 were started"});
}

TEST_F(Mistakes, OfNetworkSettings) {
  expect_option_mistake("--dropout 1", {"--dropout: 1", "below 1"});
  expect_option_mistake("--dropout=-0.1", {"--dropout: -0.1", "at least 0"});
  expect_option_mistake("--document-mask --end-of-text 258",
                        {"--document-mask", "258", "--end-of-text", "vocab_size=258"});
  expect_option_mistake("--end-of-text=-3", {"--end-of-text: -3", "at least 0"});
  write("tokens.bin", llmc_file(100, 9));
  expect_mistake_in("--plan plan.json --steps 3 --data tokens.bin --document-mask",
                    {"--document-mask", "not known", "--end-of-text"});
  expect_option_mistake("--router-aux-loss batch",
                        {"--router-aux-loss: 'batch'", "sequence, global"});
  expect_option_mistake("--router-aux-loss-coef=-1", {"--router-aux-loss-coef: -1", "at least 0"});
  for (const char* option : {"--router-aux-loss global", "--router-aux-loss-coef 0.1"})
    expect_option_mistake(option, {"--router-aux-loss", "no experts", "leave the option out"});
}

TEST_F(Mistakes, OfConfigFiles) {
  write("unknown.cfg", "colour = 3\n");
  write("type.cfg", "warmup = soon\n");
  write("syntax.cfg", "warmup 3\n");
  write("quote.cfg", "lr = 1e-3\ndata = \"run #7\n");
  write("switch.cfg", "document-mask = maybe\n");
  expect_option_mistake("--config none.cfg", {"--config", "none.cfg"});
  expect_option_mistake("--config unknown.cfg", {"unknown.cfg", "'colour'"});
  expect_option_mistake("--config type.cfg", {"type.cfg", "warmup", "'soon'", "whole number"});
  expect_option_mistake("--config syntax.cfg", {"syntax.cfg, line 1", "warmup 3"});
  expect_option_mistake("--config quote.cfg", {"quote.cfg, line 2", "no closing quote"});
  expect_option_mistake("--config switch.cfg", {"document-mask", "'maybe'", "true or false"});
}

TEST_F(Mistakes, AgainstThePlan) {
  const std::string plan = "leave the option out";
  expect_option_mistake("--optimizer sgd", {"--optimizer: sgd", "adamw", plan});
  expect_option_mistake("--lora-rank 4", {"--lora-rank: 4", "no LoRA", plan});
  expect_option_mistake("--lora-alpha 4", {"--lora-alpha: 4", "no LoRA", plan});
  make_plan("lora.json", "dense.json", 1, "tp=1", "--precision fp32 --task lora --lora-rank 8");
  expect_mistake_in("--plan lora.json --data text.txt --steps 3 --lora-rank 4",
                    {"--lora-rank: 4", "rank 8", plan});
}

TEST_F(Mistakes, OfPlans) {
  const auto expect = [&](const std::string& plan, const std::vector<std::string>& parts) {
    expect_mistake_in("--data text.txt --steps 3 --plan " + plan, parts);
  };
  expect("none.json", {"--plan", "none.json"});
  write("cut.json", read("plan.json").substr(0, 300));
  expect("cut.json", {"cut.json", "not valid JSON", "line"});
  edit_plan("unknown.json", [](Json& plan) { plan["mesh"]["tpp"] = 2; });
  expect("unknown.json", {"unknown.json", "mesh.tpp", "unknown key", "mesh.tp"});
  edit_plan("type.json", [](Json& plan) { plan["seq_len"] = "long"; });
  expect("type.json", {"type.json", "seq_len", "\"long\"", "integer"});
  edit_plan("zero.json", [](Json& plan) { plan["micro_batch"] = 0; });
  expect("zero.json", {"zero.json", "micro_batch", "found 0"});
  edit_plan("negative.json", [](Json& plan) { plan["seq_len"] = -16; });
  expect("negative.json", {"negative.json", "seq_len", "found -16"});
  edit_plan("missing.json", [](Json& plan) { plan.erase("seq_len"); });
  expect("missing.json", {"missing.json", "seq_len", "missing"});
  edit_plan("heads.json", [](Json& plan) { plan["mesh"]["tp"] = 3; });
  expect("heads.json", {"heads.json", "tp=3", "heads=4", "valid tp: 1, 2, 4"});
}

TEST_F(Mistakes, OfData) {
  const auto expect = [&](const std::string& data, const std::vector<std::string>& parts) {
    expect_mistake_in("--plan plan.json --steps 3 --data " + data, parts);
  };
  write("empty.txt", "");
  write("short.txt", "sixteen tokens!!");
  write("wide.bin", llmc_file(100, 258));
  write("data.unknown", "text");
  expect("none.txt", {"--data", "none.txt"});
  expect("empty.txt", {"--data", "empty.txt", "is empty"});
  expect("short.txt", {"--data", "short.txt", "16 tokens", "needs 17"});
  expect("wide.bin", {"--data", "wide.bin", "token 258", "vocab_size is 258"});
  expect("data.unknown", {"--data", "data.unknown", ".bin", ".txt", ".jsonl"});
  expect_option_mistake("--eval-data none.txt", {"--eval-data", "none.txt"});
  edit_plan("narrow.json", [](Json& plan) { plan["model"]["vocab_size"] = 257; });
  expect_mistake_in("--plan narrow.json --data text.txt --steps 3",
                    {"--data", "text.txt", "vocabulary of 258", "257"});
}

TEST_F(Mistakes, OfRunFoldersAndCheckpoints) {
  make_plan("moe_plan.json", "moe.json", 1, "tp=1");
  succeed("argosy-train --plan plan.json --data text.txt --steps 1 --run-dir dense");
  const std::string plan = read("dense/plan.json"), status = read("dense/status.json");
  const auto expect = [&](const std::string& options, const std::vector<std::string>& parts) {
    expect_mistake("argosy-train --data text.txt --steps 2 " + options, parts);
  };
  expect("--plan plan.json --run-dir dense", {"--run-dir dense", "step_00000001", "--resume"});
  expect("--plan plan.json --run-dir dense --resume 7", {"--resume", "step 7", "there are: 1"});
  expect("--plan plan.json --run-dir dense --resume 1 --seed 5", {"--seed: 5", "1234"});
  expect("--plan moe_plan.json --run-dir dense --resume auto", {"--resume", "another model"});
  expect("--plan moe_plan.json --run-dir new --init dense", {"--init", "another model"});
  expect("--plan plan.json --run-dir text.txt", {"--run-dir text.txt", "folder"});
  expect("--plan plan.json --run-dir /proc",
         {"--run-dir: no file can be made in /proc", "valid: "});
  fs::create_directory(path("hf"));
  write("hf/config.json", "{}");
  expect("--plan plan.json --run-dir new --init hf",
         {"--init", "hf", "neither model.safetensors nor"});
  expect("--plan plan.json --run-dir new --init none", {"--init", "none", "no checkpoint here"});
  make_plan("lora.json", "dense.json", 1, "tp=1", "--precision fp32 --task lora");
  succeed("argosy-train --plan lora.json --data text.txt --steps 1 --run-dir lora");
  expect("--plan plan.json --run-dir lora --resume auto", {"--resume", "was frozen", "--init"});
  expect("--plan lora.json --run-dir dense --resume auto", {"--resume", "lora_A", "another model"});
  EXPECT_EQ(read("dense/plan.json"), plan) << "a run that was not started left its plan";
  EXPECT_EQ(read("dense/status.json"), status);
}

// All ranks see them; one tells.
TEST_F(Mistakes, OnManyRanks) {
  make_plan("four.json", "moe.json", 4, "pp=2,dp=2,ep=2,tp=1,micro_batch=2");
  expect_mistake_in("--plan four.json --data text.txt --steps 3",
                    {"1*2*2*1 = 4 ranks, but 1 were started", "argosy-launch"});
  expect_mistake(launch("four.json", "new", 3, "--colour 3"), {"'--colour'"});
  // Of options and plan one line is all there is: mpirun has not been started.
  for (const char* mistake : {"--colour 3", "--lr-schedule sine", "--seed -1", "--lora-rank 4",
                              "--config none.cfg", "--checkpoint-every some"}) {
    const ProgramResult result = shell(launch("four.json", "new", 3, mistake));
    EXPECT_EQ(result.exit_code, kExitUserError) << mistake;
    EXPECT_EQ(count(result.err, "\n"), 1) << mistake << '\n' << result.err;
    EXPECT_TRUE(result.err.starts_with("argosy-train: ")) << result.err;
  }
  expect_mistake(launch("four.json", "new", 3, "--eval-data none.txt"),
                 {"argosy-train: --eval-data", "none.txt"});
  succeed("argosy-train --plan plan.json --data text.txt --steps 1 --run-dir dense");
  expect_mistake(launch("four.json", "new", 3, "--init dense"), {"--init", "another model"});
  expect_mistake("argosy-launch --plan four.json -- --run-dir dense --generate Once",
                 {"--generate runs on one rank, but 4"});
}

// One rank sees them, as where a machine has another --config file: the others do not wait for it.
TEST_F(Mistakes, OnOneRankOfMany) {
  make_plan("two.json", "dense.json", 2, "dp=2,tp=1,pp=1");
  const std::string rank = "-np 1 argosy-train --plan two.json --data text.txt --run-dir new ";
  const std::string ranks = "mpirun --allow-run-as-root --oversubscribe " + rank + "--steps 9 : ";
  expect_mistake(ranks + rank + "--steps 9 --config none.cfg", {"rank 1: --config", "none.cfg"});
  expect_mistake(ranks + rank + "--steps 8", {"rank 1: ", "not those of rank 0"});
}

TEST_F(Mistakes, OfGeneratingAndMeasuring) {
  expect_mistake("argosy-train --generate Once", {"--generate needs --run-dir or --init"});
  expect_mistake("argosy-train --generate Once --run-dir none", {"none: no checkpoint here"});
  expect_mistake("argosy-train --measure out.json", {"--measure: 1 rank", "mpirun -np"});
  expect_mistake(
      "mpirun --allow-run-as-root --oversubscribe -np 2 argosy-train --measure none/out.json",
      {"--measure: none/out.json", "there is no folder ", "valid: a file in a folder that exists"});
  expect_mistake(
      "mpirun --allow-run-as-root --oversubscribe -np 2 argosy-train --measure /proc/out.json",
      {"--measure: /proc/out.json", "folder /proc cannot be written to ("});
}

}  // namespace
}  // namespace argosy
