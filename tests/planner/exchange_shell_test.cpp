// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Scripts that start a training run, read as a shell would read them.
#include <gtest/gtest.h>

#include "planner/exchange/megatron_import.h"
#include "planner/exchange/shell_script.h"
#include "planner/exchange/shell_variables.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

std::string words_of(const std::string& script) {
  std::string all;
  for (const std::string& word : read_shell_command(script, "script: ").words) {
    all += concat(all.empty() ? "" : "|", word);
  }
  return all;
}

std::string error_of(const std::string& script) {
  try {
    words_of(script);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(ShellScript, VariablesAndArrays) {
  EXPECT_EQ(words_of(R"(#!/bin/bash
export NODES=4   # that's all
GPUS=$((NODES * 8))
TP=${TP:-2} PP=${1:-"3"}
ARGS=(
  --layers 32   # don't count (these)
  --tp ${TP} \
  --name "a b"
)
ARGS+=(--pp $PP)
TEXT="--gpus $GPUS \
  --half ${GPUS}_x"
TEXT="$TEXT --end"
torchrun --nproc_per_node 8 --nnodes $NODES train.py "${ARGS[@]}" $TEXT > log.txt 2>&1
)"),
            "--layers|32|--tp|2|--name|a b|--pp|3|--gpus|32|--half|32_x|--end");
  EXPECT_EQ(words_of("A=1\npython train.py --quoted '$A' --both \"$A\"'x'\\ y --escaped \\$A"),
            "--quoted|$A|--both|1x y|--escaped|$A");
  EXPECT_EQ(words_of("A=(x 'y z')\npython t.py --one $A --all ${A[@]} --each \"${A[@]}\" --it's'"),
            "--one|x|--all|x|y|z|--each|x|y z|--its");
  EXPECT_EQ(words_of("E=(--a 1)\nE=(\"${E[@]}\" --b 2)\nT=\"t.py ${E[@]} --c\"\npython $T"),
            "--a|1|--b|2|--c");
}

// As if it were started without arguments and with nothing in the environment.
TEST(ShellScript, WhatNobodySets) {
  EXPECT_EQ(words_of("SAVE=$1\npython t.py --save $SAVE/x --out ${OUT} --rest $@"),
            "--save|$1/x|--out|$OUT|--rest|$@");
  EXPECT_EQ(words_of("N=$1\npython t.py --n ${N:-5} --host $(hostname -s) --x ${N##*/}"),
            "--n|5|--host|$(hostname -s)|--x|${N##*/}");
  EXPECT_EQ(words_of("python t.py --given ${A+yes} --other ${A-no} --size $((8 / $A)) --last"),
            "--given|--other|no|--size|$((8 / $A))|--last");
}

TEST(ShellScript, Conditions) {
  const auto chosen = [](const std::string& script) {
    return words_of("K=8\nW=fp8\nL=()\n" + script + "\npython t.py --x ${R:-none}");
  };
  EXPECT_EQ(chosen("if [ \"$W\" = fp8 ]; then R=a; else R=b; fi"), "--x|a");
  EXPECT_EQ(chosen("if [[ $W == \"bf16\" ]] || [[ -z \"$U\" ]]; then\n R=a\nfi"), "--x|a");
  EXPECT_EQ(chosen("if [ $K -lt 8 ]; then R=a; elif (( K > 1 )) ; then echo; else ls; fi; R=d"),
            "--x|d");
  EXPECT_EQ(chosen("if [ $K -lt 8 ]; then R=a; elif [ $K -eq 8 ]; then R=b; else R=c; fi"),
            "--x|b");
  EXPECT_EQ(chosen("[ -n \"$U\" ] && R=a\n[ -n \"$K\" -a ! $K -gt 8 ] && R=b || R=c"), "--x|b");
  EXPECT_EQ(chosen("[[ -n $U && $K == 8 || $W != x ]] && R=a"), "--x|a");
  EXPECT_EQ(chosen("if [ ! -f t.py ]; then\n echo no; exit 1\nfi\nif [ -d in ]; then R=a; fi"),
            "--x|none");
  EXPECT_EQ(chosen("case $W in bf16|fp16) R=a;; \"fp8\") R=b ;; *) R=c;; esac"), "--x|b");
  EXPECT_EQ(chosen("case \"$1\" in\n 7b)\n R=a\n ;;\n *) R=c\nesac"), "--x|c");
  EXPECT_EQ(chosen("if [[ $W == *p* && $W != b* && $W == fp* ]]; then R=a; fi"), "--x|a");
  EXPECT_EQ(chosen("if [[ $W == *p || $W == \"*8\" ]]; then R=a; fi"), "--x|none");
  EXPECT_EQ(chosen("case $W in *7b*) R=a;; f*8) R=b;; esac"), "--x|b");
  EXPECT_EQ(chosen("while [[ $# -gt 0 ]]; do\n case $1 in --r) R=a; shift;; esac\ndone"),
            "--x|none");
  EXPECT_EQ(chosen("set_it() {\n local R2=1\n R=f\n}\nmkdir -p x || { echo; R=g; }\nset_it"),
            "--x|f");
  EXPECT_EQ(chosen("for i in 1 2; do echo $i; done"), "--x|none");
  EXPECT_EQ(chosen("if command -v nvcc; then echo; fi; cd /tmp && R=a"), "--x|a");
  const ShellCommand command =
      read_shell_command("if [ -n \"$B\" ]; then X=1; fi\n[ \"$A\" = 1 ]\npython t.py --a", "");
  EXPECT_EQ(command.assumed_empty, (std::vector<std::string>{"A", "B"}));
}

TEST(ShellScript, WhereTheCommandStands) {
  EXPECT_EQ(
      words_of("python tools/prepare.py --in a\npython train.py --x 1 --y 2\npython e.py --z"),
      "--x|1|--y|2");
  EXPECT_EQ(
      words_of("C=\"python -u m/train.py --x 1\"\nsrun -l sh -c \"cd m; ${C} --y\" | tee log"),
      "--x|1|--y");
  EXPECT_EQ(
      words_of("X=5\nsbatch <<EOF\n#SBATCH --nodes=2\nsrun python t.py --x $X --q \"a b\" \\\n"
               "  --l \\${SLURM_JOB_ID}\nEOF\necho --done"),
      "--x|5|--q|a b|--l|$SLURM_JOB_ID");
  EXPECT_EQ(
      words_of("C=\"\ncd m;\npython t.py --x 1\"\nsbatch <<EOF\nsrun bash -x -c \"${C}\" | tee l\n"
               "EOF\n"),
      "--x|1");
  EXPECT_EQ(words_of("train() {\n  torchrun t.py --x $1\n}\ntrain 3"), "--x|$1");
  EXPECT_EQ(words_of("torchrun -m torchtitan.train --job.config_file a.toml"),
            "--job.config_file|a.toml");
  EXPECT_EQ(words_of("mkdir --parents x\ntorchrun titan --a.b 1"), "torchrun|titan|--a.b|1");
  EXPECT_EQ(words_of("python train.py\n  --x 1\n\n  --y 2\nls"), "--x|1|--y|2");
  EXPECT_EQ(words_of("python train.py --x 1 \\\r\n --y 2 \\\r\n"), "--x|1|--y|2");
}

TEST(ShellScript, FlagsAlone) {
  EXPECT_EQ(words_of("# of a run\n--window-size (127,0) --freq ([0]*3+[1]*5)\n--x '1 2' # end\n"
                     "--save $OUT --y=\"a\""),
            "--window-size|(127,0)|--freq|([0]*3+[1]*5)|--x|1 2|--save|$OUT|--y=a");
}

TEST(ShellScript, MistakesNameTheLine) {
  const auto expect = [](const std::string& script, const std::string& named) {
    const std::string error = error_of(script);
    EXPECT_NE(error.find(named), std::string::npos) << script << ": " << error;
    EXPECT_NE(error.find("script: "), std::string::npos) << error;
    EXPECT_NE(error.find("; valid: "), std::string::npos) << error;
  };
  expect("A=1\nif nvidia-smi; then\n  TP=8\nfi\npython t.py --tp $TP", "line 3: TP hangs on");
  expect("for i in 1 2; do\nA=$i\ndone\npython t.py --a", "line 2: A hangs on");
  expect("if [ $(uname) = Linux ]; then python t.py --a; fi", "line 1: the command hangs on");
  expect("if [ 1 = 1 ]\npython t.py --a", "'then' is missing");
  expect("python t.py --a 'b", "a quote is not closed");
  expect("python t.py --a \"b", "a quote is not closed");
  expect("python t.py --a ${b", "a bracket is not closed");
  expect("A=(--a\npython t.py --a", "an array is not closed");
  expect("MODEL=\"--a 1\"\nls", "starts a Python program");
  expect("srun --nodes 4 run", "no command from 'srun' on starts a Python program");
  expect("if [[ $(uname) == L* ]]; then A=1; fi\npython t.py --a", "line 1: A hangs on");
  expect("if [[ x == [a-z] ]]; then A=1; fi\npython t.py --a", "line 1: A hangs on");
  expect("f() { f; }\nf\npython t.py --a", "f calls itself");
  std::string flood = "A=0123456789\n";
  for (int i = 0; i < 20; ++i) flood += "A=$A$A\n";
  EXPECT_NE(error_of(flood + "python t.py --a $A").find("too long"), std::string::npos);
}

TEST(ShellScript, ArithmeticOfWholeNumbers) {
  const ShellVariables nothing;
  EXPECT_EQ(nothing.text("$((2 + 3 * (4 - 1) % 5))"), "6");
  EXPECT_EQ(nothing.text("$((7 / 2 - 8))"), "-5");
  for (const char* wrong : {"$((1 / 0))", "$((1 +))", "$((a))", "$((9223372036854775807 + 1))"}) {
    EXPECT_TRUE(is_unknown(nothing.text(wrong))) << wrong;
  }
}

// What a flag without weight is given does not matter; a decision must be there.
TEST(ShellScript, AMegatronRun) {
  const std::string script = R"(#!/bin/bash
GPUS_PER_NODE=8
CHECKPOINTS=$1
DTYPE="fp8"
MODEL=(--num-layers 8 --hidden-size 1024 --num-attention-heads 8 --seq-length 2048)
MODEL+=(--vocab-size 32000 --max-position-embeddings 2048)
PRECISION=()
if [[ "$DTYPE" == "fp8" ]]; then
  PRECISION+=("--fp8-format hybrid" --bf16)
fi
if [ -n "${WANDB_API_KEY}" ]; then
  MODEL+=(--wandb-project ${WANDB_PROJECT:-"x"})
fi
torchrun --nproc_per_node $GPUS_PER_NODE --nnodes ${SLURM_NNODES:-"1"} pretrain_gpt.py \
  ${MODEL[@]} ${PRECISION[@]} $EXTRA_ARGS --save $CHECKPOINTS --load "$CHECKPOINTS/old" \
  --micro-batch-size 2 --global-batch-size 64
)";
  const PeerRun run = import_megatron(script, 8);
  EXPECT_EQ(run.seq_len, 2048);
  EXPECT_EQ(run.global_batch, 64);
  EXPECT_EQ(run.precision, "fp8");
  ASSERT_EQ(run.warnings.size(), 1u);
  EXPECT_NE(run.warnings[0].find("taken as empty: $WANDB_API_KEY, $EXTRA_ARGS"), std::string::npos)
      << run.warnings[0];
  std::string open = script;
  open.replace(open.find("--micro-batch-size 2"), 20, "--micro-batch-size $2");
  try {
    import_megatron(open, 8);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("--micro-batch-size $2: the script does not set it"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace argosy
