// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/option_list.h"

#include <boost/program_options/value_semantic.hpp>

#include "planner/report/text_table.h"
#include "planner/spec/check.h"
#include "planner/spec/command_line.h"

namespace argosy {

namespace {

namespace po = boost::program_options;

constexpr unsigned kHelpColumns = kTextColumns;

po::typed_value<std::string>* text() {
  return po::value<std::string>();
}
po::typed_value<std::string>* text(const char* unless_given) {
  return text()->default_value(unless_given);
}
po::typed_value<int64_t>* whole() {
  return po::value<int64_t>();
}
po::typed_value<int64_t>* whole(int64_t unless_given) {
  return whole()->default_value(unless_given);
}
// `shown` is what --help prints: the shortest digits of a double are not always short.
po::typed_value<double>* number(double unless_given, const char* shown) {
  return po::value<double>()->default_value(unless_given, shown);
}

po::options_description run_options() {
  po::options_description group("Run", kHelpColumns);
  auto add = group.add_options();
  add("plan", text(), "plan.json of argosy-plan: what runs where");
  add("data", text(),
      "tokens: llm.c .bin, Megatron-LM .bin with .idx or their prefix; or text: .txt, .jsonl or "
      ".json with text, prompt and completion, messages, conversations, instruction and output, or "
      "input_ids");
  add("tokenizer", text(),
      "what reads text: a folder with tokenizer.json, or bytes; unset: what lies with --init or in "
      "--run-dir, else bytes");
  add("chat-template-kwargs", text(),
      "variables for the chat template, a JSON object: {\"enable_thinking\": false}; rows may have "
      "their own; unset: the run's with --resume and --generate, else none");
  add("packing", text(),
      "how rows become samples: stream (one after the other, cut where a sample ends), none (one a "
      "sample, its end cut, padded) or best-fit (whole, as many as fit, with --document-mask); "
      "unset: the run's with --resume, else stream");
  add("steps", whole(), "optimizer steps in total, resumed ones included");
  add("epochs", po::value<double>(), "instead of --steps: passes over the samples of --data");
  add("run-dir", text(), "folder of the run: plan.json, metrics.jsonl, checkpoints/, report.html");
  add("config", text(),
      "file of 'option = value' lines, as a run.cfg; the command line wins; lines that have no "
      "effect in a job are passed over");
  add("device", text("cpu"), "cpu or cuda: a GPU a rank, by its number on the node");
  add("share-gpus", po::bool_switch(),
      "several ranks may run on one GPU: to test layouts, never to time them");
  add("precision", text(), "fp64, fp32, bf16 or, on a GPU, fp8 instead of the plan's");
  add("allow-tf32", po::bool_switch(),
      "fp32 products on a GPU's tensor cores: 8 times as fast, 3e-4 of relative error");
  add("deterministic", text("on"),
      "a second run gives the same bits; off: on a GPU attention's gradient may add in any order");
  add("seed", whole(), "of weights and sample order, instead of the plan's");
  add("init", text(),
      "weights to start from: a folder of Hugging Face (config.json, model.safetensors), or of a "
      "checkpoint (step_N, checkpoints or run folder)");
  add("init-adapter", text(),
      "with a LoRA plan: factors to start from, a folder of PEFT (adapter_config.json, "
      "adapter_model.safetensors); with --generate: factors for the weights of --init or "
      "--run-dir, "
      "such a folder or a LoRA job's checkpoint");
  add("resume", text("none"),
      "none, auto (newest checkpoint that loads; damaged ones stay as step_N.damaged) or a step");
  return group;
}

po::options_description optimizer_options() {
  po::options_description group("Learning rate and optimizer", kHelpColumns);
  auto add = group.add_options();
  add("lr", number(3e-4, "3e-4"), "highest learning rate");
  add("min-lr", number(0, "0"), "at the last step");
  add("warmup", whole(), "steps of linear warm-up; unset: none");
  add("warmup-ratio", po::value<double>(), "instead of --warmup: of all steps, 0.03");
  add("lr-schedule", text("constant"), "constant, linear, cosine or wsd");
  add("optimizer", text(), "adamw or sgd: must be the plan's");
  add("beta1", number(0.9, "0.9"), "AdamW");
  add("beta2", number(0.95, "0.95"), "AdamW");
  add("eps", number(1e-8, "1e-8"), "AdamW");
  add("weight-decay", number(0.1, "0.1"), "on matrices");
  add("clip", number(1, "1"), "global gradient norm; 0: no clipping");
  add("cuda-graphs", text("off"),
      "off, auto or on: a step's work on a GPU is captured after three steps and then begun with "
      "two "
      "launches instead of one for each op; auto: where it can be; the numbers are the same");
  add("overlap", text("on"),
      "reductions and gathers run beside computation; off: after it, to compare; the numbers are "
      "the same");
  return group;
}

po::options_description network_options() {
  po::options_description group("Network", kHelpColumns);
  auto add = group.add_options();
  add("dropout", number(0, "0"), "probability, after the embedding and both halves of a block");
  add("document-mask", po::bool_switch(),
      "attention stays within documents, positions restart in each");
  add("end-of-text", whole(),
      "token that ends a text or a document; unset: the tokenizer's, of tokens the model's "
      "eos_token_id; rows are documents without it");
  add("router-aux-loss-coef", po::value<double>(), "instead of the model's (0 in LoRA jobs)");
  add("router-aux-loss", text("sequence"),
      "balances experts within each sequence, or global: by the shares of the step before");
  add("router-bias-update-rate", number(1e-3, "1e-3"),
      "step of the balancing bias of sigmoid routers; 0: fixed");
  add("mtp-loss-scaling-factor", po::value<double>(),
      "weight of the mean loss of modules for multi-token prediction; 0: nothing is learnt of it; "
      "unset: 0.1");
  return group;
}

po::options_description lora_options() {
  po::options_description group("LoRA", kHelpColumns);
  auto add = group.add_options();
  add("lora-rank", whole(), "must be the plan's");
  add("lora-alpha", po::value<double>(), "scale = alpha / rank");
  add("lora-targets", text(), "comma separated; must be the plan's");
  return group;
}

po::options_description output_options() {
  po::options_description group("Checkpoints and evaluation", kHelpColumns);
  auto add = group.add_options();
  add("checkpoint-every", whole(),
      "steps; the last one is saved too; 0: none at all; unset: the last one");
  add("keep-checkpoints", whole(),
      "newest ones to keep: once one is whole, older ones of --run-dir beyond so many are removed; "
      "unset: all stay");
  add("eval-data", text(), "held-out tokens, as --data");
  add("eval-fraction", po::value<double>(),
      "instead of --eval-data: so much of --data's samples, 0.05, drawn by the seed, is held out; "
      "unset: the run's with --resume");
  add("eval-every", whole(0), "steps; 0: before the first and after the last");
  add("eval-steps", whole(8), "batches of the global size per evaluation, at most");
  return group;
}

po::options_description guard_options() {
  po::options_description group("Guards", kHelpColumns);
  auto add = group.add_options();
  add("check-replicas", whole(0), "steps between comparisons of all copies of parameters; 0: none");
  add("check-collectives", whole(0),
      "steps between comparisons of what the ranks of each group called; 0: none");
  add("watchdog", whole(600),
      "seconds without any progress until the job is ended, saying where each rank is; 0: never");
  return group;
}

po::options_description other_options() {
  po::options_description group("Other jobs", kHelpColumns);
  auto add = group.add_options();
  add("verify", whole(),
      "steps: compare this layout with one rank instead of training; exit 1 when loss, gradients "
      "or parameters differ");
  add("generate", text(),
      "prompt: print a continuation by the checkpoint of --run-dir or --init; the model sees the "
      "run's sequence length, of a folder of Hugging Face all its positions while their cache "
      "takes "
      "2 GiB at most; a longer text goes on from the newest half of what was seen");
  add("chat", po::bool_switch(),
      "with --generate: the prompt is what a user says, written by the tokenizer's chat template");
  add("tokenize", text(),
      "file.bin: write the text of --data as tokens of --tokenizer, as llm.c has them");
  add("max-new-tokens", whole(200), "with --generate");
  add("temperature", number(0.8, "0.8"), "with --generate; 0: the likeliest token");
  add("top-k", whole(0), "with --generate; 0: all tokens");
  add("measure", text(),
      "measure this machine and write a cluster file; under mpirun with a rank a core, or a GPU");
  add("measure-seconds", number(30, "30"), "with --measure: what it may take, 1 to 50");
  add("check-options", po::bool_switch(),
      "say what is wrong with the options and the plan, and end: no ranks, no data");
  add("help", "this text");
  return group;
}

}  // namespace

po::options_description option_list() {
  po::options_description all(kHelpColumns);
  return all.add(run_options())
      .add(optimizer_options())
      .add(network_options())
      .add(lora_options())
      .add(output_options())
      .add(guard_options())
      .add(other_options());
}

std::string help_text(const po::options_description& list) {
  return concat(
      "argosy-train --plan plan.json --data PATH --steps N --run-dir DIR [options]\n"
      "Trains by a plan; start it with argosy-launch or mpirun, one rank a device\n",
      help_of(list), "\nExit codes: ", kExitDone, " done, ", kExitFailure, " failed, ",
      kExitUserError, " a mistake in options or files,\n", kExitRequeue,
      " stopped by SIGUSR1 or SIGTERM and saved.\n");
}

}  // namespace argosy
