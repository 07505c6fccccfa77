// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a training framework of a given year makes of a machine: which traffic it hides behind
// compute, which kernels it has, and what share of the machine's rates these reach. Files of
// configs/stacks; Argosy's own trainer needs none: it does what planner/spec lists.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "planner/spec/cluster.h"
#include "planner/spec/plan.h"

namespace argosy {

// Fitted to published runs, five of one framework on one accelerator: host_op_s for those that
// compute in 16 bits, low_precision_share for the others.
struct StackNumbers {
  double matmul_share = 1;         // of the peak of 16-bit products
  double attention_share = 1;      // of the peak of fused attention
  double low_precision_share = 1;  // of the peak of 8-bit and 4-bit products
  double memory_share = 1;         // of the bandwidth that memory-bound ops reach; fused ones: > 1
  double link_share = 1;           // of the bandwidth of links
  double host_op_s = 8e-6;         // host seconds until an op is launched: the floor of a pass
};
inline constexpr int kNumStackNumbers = 6;
inline constexpr std::array<double StackNumbers::*, kNumStackNumbers> kStackNumbers = {
    &StackNumbers::matmul_share, &StackNumbers::attention_share,
    &StackNumbers::memory_share, &StackNumbers::link_share,
    &StackNumbers::host_op_s,    &StackNumbers::low_precision_share};
// Rates as the cluster's file has them; its op_overhead_s is what an op costs, its host_launch_s
// the host's.
inline constexpr StackNumbers kOwnNumbers{1, 1, 1, 1, 1, 0};
inline constexpr StackNumbers kNoFactors{1, 1, 1, 1, 1, 1};

// Runs that a profile is for: both texts occur in the run's source and notes; its precision is this
// one, if one is named.
struct StackRule {
  std::string source, notes, precision;
};

// How a framework runs a step. The defaults are Argosy's own trainer: every op and every collective
// as planner/spec lists it, one after the other but for what stage_time.cpp says of `is_own`.
struct StackFacts {
  bool is_own = true;            // false: another framework; the facts below and stack_pass.h
  bool runs_own_kernels = true;  // each op by itself, as planner/spec lists it
  bool fuses_attention = true;   // false: scores of all pairs go through memory
  bool pads_vocabulary = true;   // to a multiple of 128 rows on each rank
  bool fuses_experts = false;    // one grouped product, not one an expert
  // Linears of one input are one product: q, k and v; gate and up.
  bool joins_products = false;
  // Moved in each micro-batch for an element of a weight's gradient: 8 where the product reads and
  // writes a sum in 32 bits (Megatron-LM's gradient_accumulation_fusion), or writes 16 bits that
  // are then added to 16; 4 where the product itself adds to 16 bits. Sharded gradients are written
  // in 16 bits and copied to the buffer of the reduce-scatter: 6 in 16 bits, 8 in 32.
  double weight_gradient_bytes = 8;
  // In 8 bits with one scale a tensor: the scale is that of the tensor itself (current scaling),
  // not of those before it (delayed scaling).
  bool scales_of_tensors = false;
  // Full recomputation runs the whole forward pass of a block again, as torch.utils.checkpoint with
  // use_reentrant and Megatron's. False: it ends with the last tensor that backward reads, as the
  // trainer's and, from PyTorch 2.1 on, torch.utils.checkpoint without use_reentrant
  // (set_checkpoint_early_stop).
  bool recomputes_whole_blocks = false;
  // Of experts with biases (gpt-oss): what adding and summing them and an activation in several
  // kernels move, in terms of the bytes of a fused activation. 0: fused with it.
  double expert_bias_passes = 0;
  bool overlaps_gradients = false;   // data-parallel reduction beside the last backward passes
  bool overlaps_parameters = false;  // ZeRO's gathers beside compute
  int64_t calls_per_layer = 1;       // of ZeRO 2 and 3: collectives in which a layer's tensors go
  bool overlaps_pipeline = true;     // messages between stages beside compute
  // Traffic of layers and between stages takes multiprocessors from the compute that it runs beside
  // (taken_share() of traffic.h). False where the numbers were fitted without it: they hold it.
  bool is_slowed_by_traffic = true;
  double tensor_overlap = 0;              // hidden share of tensor-parallel traffic over NVLink
  double expert_overlap = 0;              // hidden share of expert-parallel traffic
  bool overlaps_experts_in_nodes = true;  // false: of traffic between nodes alone
  // A token crosses to a node once, however many of its experts are there (DeepEP, HybridEP).
  bool dispatches_once = false;
  bool balances_stages = false;  // layers that do not divide: the split whose longest is shortest
  // CUDA graphs of whole passes: nothing waits for the host. The trainer does so if it is asked to.
  bool captures_steps = false;
  int64_t gradient_bytes = 0;  // of an element on the wire; 0: as the precision says

  // Memory. Bytes of an element's accumulated gradient, of its optimizer state and of copies that
  // only the update makes; of a logit (copies in 16 and 32 bits, gradients); of an element of the
  // vocabulary's table, whose gradient is made whole before it is added; what blocks keep in terms
  // of Argosy's, and whether they keep outputs of norms and of activations beside it. Where the
  // source's number has them: what the allocator reserves for what it allocated, and context and
  // buffers of libraries.
  double accumulated_gradient_bytes = 4, optimizer_bytes = 12, update_bytes = 0;
  double logit_bytes = 8, table_gradient_bytes = 0;
  double saved_share = 1;
  bool keeps_products = false;
  bool states_memory = false;  // one of these, up to constant_bytes, is of the profile's own
  double flat_bytes = 0;  // below ZeRO 3: of an element in the update's flat copies, kept beside
  double reserve_share = 1, constant_bytes = 0;
};

enum class ProductFormat { bf16, fp8, mxfp8, nvfp4 };  // of the blocks' Linears; the head's: bf16

// Frozen weights of a LoRA run; LoraSpec says in how many bits they are kept.
struct BaseWeights {
  bool trains_tables = false;  // embedding and head are trained as well
};

// What a job runs with; the default is Argosy's own trainer.
inline constexpr const char* kOwnStack = "argosy";
struct Stack {
  std::string name = kOwnStack;
  StackFacts facts;
  StackNumbers numbers = kOwnNumbers;
  ProductFormat format = ProductFormat::bf16;
  BaseWeights base;
  bool keeps_memory = false;  // as it keeps tensors: stack_memory(); false: the trainer's ledger
};

// What a profile's numbers are: on accelerators that they were fitted on, by name, and of all
// others multiples of those of the profile "any".
struct StackFit {
  std::map<std::string, StackNumbers> accelerators;
  StackNumbers of_any = kNoFactors;
};
inline constexpr const char* kAnyStack = "any";  // what nothing else is known of
inline constexpr const char* kOtherAccelerators = "other";
// Whether it was fitted to runs on the accelerator, or on another board with its chip.
bool is_fitted_on(const std::string& accelerator, const StackFit& fit);
// The numbers for an accelerator: own ones; those of another board with its chip; or those of `any`
// for it, for such a board or for "other" ones, times of_any.
StackNumbers numbers_on(const std::string& accelerator, const StackFit& own, const StackFit& any);

struct StackProfile : StackFit {
  std::string name, source;
  std::vector<StackRule> runs;
  StackFacts facts;

  // Of cells that a run leaves blank; absent here too: the fastest value that fits.
  std::optional<int> zero_stage;
  std::optional<Recompute> recompute;
  std::optional<int64_t> micro_batch, virtual_stages;
  std::optional<bool> sequence_parallel;  // absent: of mixtures alone; never without tp
  std::vector<std::string> adapter_targets = {"all-linear"};
  bool spreads_experts = false;  // over as many ranks as there are; else ep is 1

  // What the source of its runs calls memory was read after the update: without activations.
  bool reads_memory_after_update = false;

  std::vector<std::string> default_for;  // accelerators that are planned with it unless told
};

// numbers_on() with the profile "any" of these.
StackNumbers numbers_of(const std::vector<StackProfile>& stacks, const StackProfile& stack,
                        const std::string& accelerator);

// Throws ConfigError naming file and key.
StackProfile read_stack(const std::filesystem::path& path);
// All *.json of a folder, by name.
std::vector<StackProfile> read_stacks(const std::filesystem::path& folder);

// The profile whose matching rule has the longest text. Throws ConfigError if none matches.
const StackProfile& stack_of_run(const std::vector<StackProfile>& stacks, const std::string& source,
                                 const std::string& notes, const std::string& precision);

// The profile for jobs on this accelerator that name none: the one whose default_for lists it; null
// where none does.
const StackProfile* default_stack(const std::vector<StackProfile>& stacks,
                                  const std::string& accelerator);

// The profile of this name. Throws ConfigError naming `option` and the valid names.
const StackProfile& stack_named(const std::vector<StackProfile>& stacks, const std::string& name,
                                const std::string& option);

// "any, argosy, bigscience, ...": what stack_named() knows, and the own trainer.
std::string stack_names(const std::vector<StackProfile>& stacks);

}  // namespace argosy
