// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/megatron_gpt_oss.h"

#include "planner/spec/check.h"

namespace argosy {

MegatronGptOss read_megatron_gpt_oss(MegatronFlags& flags, const MegatronExperts& experts,
                                     bool is_bias_off) {
  const char* const blocks =
      "gpt-oss's blocks: --quick-geglu --glu-linear-offset 1 --softmax-type learnable, all layers "
      "with --num-experts";
  flags.take("--quick-geglu");
  const double offset = flags.number("--glu-linear-offset", 0);
  if (offset != 1) refuse_flag(concat("--quick-geglu with --glu-linear-offset ", offset), blocks);
  const std::string softmax = flags.text("--softmax-type", "vanilla");
  if (softmax != "learnable") {
    refuse_flag(concat("--quick-geglu with --softmax-type ", softmax), blocks);
  }
  if (experts.num_experts == 0) refuse_flag("--quick-geglu without --num-experts", blocks);
  if (experts.num_dense_layers() > 0) refuse_flag("--quick-geglu with dense layers", blocks);
  if (experts.shared_ffn_size > 0) refuse_flag("--quick-geglu with shared experts", blocks);
  for (const char* flag : {"--qk-layernorm", "--mtp-num-layers"}) {
    if (flags.has(flag)) refuse_flag(concat("--quick-geglu with ", flag), blocks);
  }
  flags.take("--enable-gpt-oss");  // its angles
  MegatronGptOss gpt_oss;
  gpt_oss.clamp = flags.number("--activation-func-clamp-value", 0);
  gpt_oss.has_attention_bias = !is_bias_off;
  if (is_bias_off && flags.take("--add-qkv-bias")) {
    refuse_flag("--add-qkv-bias with --quick-geglu --disable-bias-linear",
                "biases on all Linears, or on none");
  }
  flags.take("--add-qkv-bias");  // they have biases as all others
  if (is_bias_off) {
    gpt_oss.warnings.emplace_back(
        "--disable-bias-linear: experts and router are priced with gpt-oss's biases");
  }
  return gpt_oss;
}

}  // namespace argosy
