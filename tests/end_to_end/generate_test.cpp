// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What --generate writes, and by whose weights.
#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

class Generate : public ProgramTest {
 protected:
  static constexpr const char* kAsk = " --generate 'the quick ' --temperature 0 --precision fp32 ";

  // Within the 16 tokens that a run's model sees: one of Hugging Face sees more.
  std::string text_of(const std::string& weights) const {
    return succeed(concat("argosy-train ", weights, kAsk, "--max-new-tokens 6")).out;
  }
  void expect_mistake(const std::string& line, const std::vector<std::string>& parts) const {
    const ProgramResult result = shell(concat("argosy-train ", line, kAsk));
    EXPECT_EQ(result.exit_code, kExitUserError) << line;
    EXPECT_EQ(result.out, "");
    for (const std::string& part : parts) EXPECT_TRUE(contains(result.err, part)) << result.err;
  }
};

// PEFT's folder or a checkpoint, beside a checkpoint or a folder of Hugging Face, whatever adapter
// the base had.
TEST_F(Generate, AnAdapterBesideItsBaseWritesWhatTheMergedModelWrites) {
  make_plan("base.json", "dense.json", 1, "tp=1", "--precision fp32");
  succeed("argosy-train --plan base.json --data text.txt --run-dir base --steps 30 --lr 1e-2");
  std::string other;
  for (int i = 0; i < 60; ++i) other += "the quick sphinx of black quartz. ";
  write("other.txt", other);
  const std::string lora = "--precision fp32 --task lora --lora-rank 4 --lora-targets ";
  const auto train = [&](const std::string& name, const std::string& targets, int steps) {
    make_plan(name + ".json", "dense.json", 1, "tp=1", lora + targets);
    succeed(concat("argosy-train --plan ", name, ".json --data other.txt --run-dir ", name,
                   " --init base --lr 2e-2 --lora-alpha 6 --steps ", steps));
  };
  train("lora", "q_proj,v_proj,down_proj", 30);
  train("another", "all-linear", 5);
  succeed("argosy-checkpoint export-hf base hf");
  succeed("argosy-checkpoint export-adapter lora adapter");
  succeed("argosy-checkpoint merge lora merged");

  const std::string merged = text_of("--init merged");
  EXPECT_NE(merged, text_of("--init base"));
  EXPECT_NE(merged, text_of("--run-dir another"));
  EXPECT_EQ(text_of("--run-dir lora"), merged);
  EXPECT_EQ(text_of("--init hf"), text_of("--init base"));
  for (const std::string base : {"base", "hf", "lora", "another"}) {
    for (const std::string adapter : {"adapter", "lora"}) {
      EXPECT_EQ(text_of(concat("--init ", base, " --init-adapter ", adapter)), merged)
          << base << " and " << adapter;
    }
  }
  EXPECT_EQ(text_of("--run-dir base --init-adapter adapter"), merged);
}

TEST_F(Generate, AnAdapterThatDoesNotFitIsNamed) {
  make_plan("base.json", "dense.json", 1, "tp=1", "--precision fp32");
  make_plan("lora.json", "dense.json", 1, "tp=1", "--precision fp32 --task lora --lora-rank 2");
  make_plan("moe.json.plan", "moe.json", 1, "tp=1", "--precision fp32");
  succeed("argosy-train --plan base.json --data text.txt --run-dir base --steps 1");
  succeed("argosy-train --plan lora.json --data text.txt --run-dir lora --steps 1");
  succeed("argosy-train --plan moe.json.plan --data text.txt --run-dir moe --steps 1");
  succeed("argosy-checkpoint export-adapter lora adapter");
  expect_mistake("--init base --init-adapter none", {"--init-adapter: none", "folder of PEFT"});
  expect_mistake("--init base --init-adapter base",
                 {"--init-adapter: base", "task is pretrain", "a checkpoint of a LoRA job"});
  expect_mistake("--init moe --init-adapter adapter", {"--init-adapter: "});
  const Json config = Json::parse(read("adapter/adapter_config.json"));
  for (const auto& [key, value] : {std::pair<const char*, Json>{"r", 0},
                                   {"r", "2"},
                                   {"lora_alpha", nullptr},
                                   {"target_modules", Json::array()},
                                   {"target_modules", {"none_proj"}},
                                   {"peft_type", "LOHA"},
                                   {"use_dora", true}}) {
    Json changed = config;
    changed[key] = value;
    write("adapter/adapter_config.json", changed.dump());
    const std::string named =
        key == std::string("target_modules") && !value.empty() ? "none_proj" : key;
    expect_mistake("--init base --init-adapter adapter", {"--init-adapter: ", named});
  }
  Json more = config;
  more["r"] = 3;
  write("adapter/adapter_config.json", more.dump());
  expect_mistake("--init base --init-adapter adapter", {"--init-adapter: ", "lora_A"});
}

// The text alone goes to where it is piped.
// What libgomp says of itself: its threads soon sleep, unless somebody has decided it.
TEST_F(Generate, ThreadsThatWaitSoonSleep) {
  make_plan("base.json", "dense.json", 1, "tp=1", "--precision fp32");
  succeed("argosy-train --plan base.json --data text.txt --run-dir base --steps 1");
  const auto spins = [&](const std::string& environment) {
    const std::string said =
        succeed(concat("env OMP_DISPLAY_ENV=verbose ", environment, " argosy-train --run-dir base",
                       kAsk, "--max-new-tokens 1"))
            .err;
    const size_t last = said.rfind("GOMP_SPINCOUNT = ");
    return last == std::string::npos ? said : said.substr(last, said.find('\n', last) - last);
  };
  EXPECT_EQ(spins(""), "GOMP_SPINCOUNT = '2000'");
  EXPECT_EQ(spins("GOMP_SPINCOUNT=7"), "GOMP_SPINCOUNT = '7'");
  EXPECT_NE(spins("OMP_WAIT_POLICY=active"), "GOMP_SPINCOUNT = '2000'");
}

TEST_F(Generate, SaysBesideTheTextWhatItTook) {
  make_plan("plan.json", "dense.json", 1, "tp=1");
  succeed("argosy-train --plan plan.json --data text.txt --run-dir run --steps 1");
  // Far beyond the sequences of 16 tokens that the run had.
  const ProgramResult result = succeed(
      "argosy-train --run-dir run --generate abcdefgh --max-new-tokens 70 --temperature 0 "
      "--end-of-text 9999");
  EXPECT_TRUE(result.out.starts_with("abcdefgh")) << result.out;
  EXPECT_FALSE(contains(result.out, "tokens/s"));
  EXPECT_TRUE(contains(result.err, "prompt 8 tokens, ")) << result.err;
  EXPECT_TRUE(contains(result.err, "generated 70 tokens, ")) << result.err;
  EXPECT_TRUE(contains(result.err, " tokens/s | ")) << result.err;
  EXPECT_EQ(result.err.find(" tokens/s"), result.err.find(" tokens/s | ")) << result.err;
  const ProgramResult one = succeed("argosy-train --run-dir run --generate a --max-new-tokens 1");
  EXPECT_TRUE(contains(one.err, "prompt 1 token, ")) << one.err;
  EXPECT_TRUE(contains(one.err, "generated 1 token\n")) << one.err;
  const ProgramResult cut =
      succeed("argosy-train --run-dir run --generate abcdefghijklmnopqrst --max-new-tokens 1");
  EXPECT_TRUE(contains(cut.err, "prompt 20 tokens, the last 16 seen, ")) << cut.err;
}

// As many as there may ever be; the text ends with the token that comes first.
TEST_F(Generate, AnyNumberOfTokensMayBeAsked) {
  make_plan("plan.json", "dense.json", 1, "tp=1");
  succeed("argosy-train --plan plan.json --data text.txt --run-dir run --steps 1");
  const std::string ask = "argosy-train --run-dir run --generate ab --temperature 0 ";
  const std::string one = succeed(ask + "--max-new-tokens 1 --end-of-text 9999").out;
  ASSERT_EQ(one.size(), 4u) << one;  // the prompt, the token, the line's end
  const int first = static_cast<unsigned char>(one[2]);
  const ProgramResult all =
      succeed(concat(ask, "--max-new-tokens 9223372036854775807 --end-of-text ", first));
  EXPECT_EQ(all.out, "ab\n");
  EXPECT_TRUE(contains(all.err, "generated 1 token\n")) << all.err;
}

}  // namespace
}  // namespace argosy
