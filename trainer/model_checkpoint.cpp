// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/model_checkpoint.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "checkpoint/exchange.h"
#include "checkpoint/hf/adapter_folder.h"
#include "checkpoint/hf/model_folder.h"
#include "planner/spec/model_names.h"
#include "trainer/master_memory.h"
#include "trainer/packed_pieces.h"
#include "trainer/packed_save.h"
#include "trainer/piece_memory.h"

namespace argosy {

namespace {

// Where elements lie one after the other.
struct Place {
  void* data = nullptr;
  DType dtype = DType::fp32;
  std::shared_ptr<PieceMemory> memory;
};

// The elements `mine` of `local`, the first of which lies at `place`, as rectangles.
void append_pieces(const ParameterStore& store, const LocalTensor& local, const std::string& kind,
                   const Place& place, Range mine, std::vector<TensorPiece>* pieces) {
  const TensorSpec& spec = store.spec_of(local);
  char* data = static_cast<char*>(place.data);
  for (const Box& box :
       boxes_of_flat_range(local.box, {mine.begin - local.offset, mine.end - local.offset})) {
    pieces->push_back(
        {spec.name, kind, spec.rows, spec.cols, place.dtype, box, data, place.memory});
    data += box.size() * size_in_bytes(place.dtype);
  }
}

Place place_of(const Tensor& values) {
  return {values.raw(), values.dtype(), memory_of(values)};
}

// What `local` has in `within`, a part of its bucket's shard, of a buffer of the rank's shards.
void append_from_shards(const ParameterStore& store, const LocalTensor& local,
                        const std::string& kind, const Tensor& shards, Range within,
                        std::vector<TensorPiece>* pieces) {
  const Range mine = intersect(local.elements(), within);
  if (mine.empty()) return;
  const Tensor values = flat_part(shards, store.layout().bucket_of(local).in_shards(mine));
  append_pieces(store, local, kind, place_of(values), mine, pieces);
}

// The same of the optimizer's state, read and written as tensors of `kind`. Masters are joined from
// the weights and their rest.
void append_state(const ParameterStore& store, const LocalTensor& local, const std::string& kind,
                  const ShardedOptimizer::StateTensor& state, Range within,
                  std::vector<TensorPiece>* pieces) {
  if (state.kind != "master") {
    append_from_shards(store, local, kind, state.values, within, pieces);
    return;
  }
  const Range mine = intersect(local.elements(), within);
  if (mine.empty()) return;
  const Bucket& bucket = store.layout().bucket_of(local);
  const auto masters =
      std::make_shared<MasterMemory>(store.shard_values(local.domain, bucket, mine),
                                     flat_part(state.values, bucket.in_shards(mine)));
  append_pieces(store, local, kind, {masters->address(), DType::fp32, masters}, mine, pieces);
}

// What this rank keeps of the values of `local`, in `within` alone.
void append_values(const ParameterStore& store, const LocalTensor& local, const std::string& kind,
                   Range within, std::vector<TensorPiece>* pieces) {
  if (store.keeps_value_shards(local.domain)) {
    const Range shard = store.layout().bucket_of(local).shard;
    append_from_shards(store, local, kind, store.values(local.domain), intersect(within, shard),
                       pieces);
    return;
  }
  const Range mine = intersect(local.elements(), within);
  if (mine.empty()) return;
  if (const ops::Nf4Matrix& matrix = store.in_4_bits(local); matrix.defined()) {
    const auto memory = std::make_shared<PackedMemory>(store.device(), matrix, store.dtype());
    const Place place = {memory->address(mine.begin - local.offset), store.dtype(), memory};
    append_pieces(store, local, kind, place, mine, pieces);
    return;
  }
  append_pieces(store, local, kind, place_of(store.values_of(local, mine)), mine, pieces);
}

// Names of the tensors that a checkpoint holds of this kind.
std::set<std::string> names_of_kind(const Manifest& manifest, std::string_view kind) {
  std::set<std::string> names;
  for (const StoredTensor& tensor : manifest.tensors) {
    if (tensor.kind == kind) names.insert(tensor.name);
  }
  return names;
}

// A LoRA job keeps no optimizer state for its base: nothing that trains the base can resume it.
void check_same_trainable(const Manifest& stored, const std::vector<TensorSpec>& tensors,
                          const std::filesystem::path& checkpoint_dir) {
  const std::set<std::string> trained = names_of_kind(stored, "exp_avg");
  if (trained.empty()) return;  // SGD: there is no state
  for (const TensorSpec& spec : tensors) {
    if (!spec.trainable || trained.contains(spec.name)) continue;
    throw ConfigError(concat(checkpoint_dir.string(), ": ", spec.name, " was frozen in its run, ",
                             "the plan trains it; resume with the plan of that run, or start a ",
                             "new one from its weights with --init"));
  }
}

// (M, E): a tensor of E rows for each mixture layer.
void append_router_pieces(const Plan& plan, const Tensor& table, const std::string& kind,
                          std::string_view leaf, std::vector<TensorPiece>* pieces) {
  if (!table.defined()) return;
  const int64_t experts = table.dim(1);
  int64_t next = 0;
  for (const int layer : plan.model.moe_layers()) {
    const Tensor row = table.rows(next, next + 1);
    ++next;
    pieces->push_back({router_state_name(plan.model, layer, leaf),
                       kind,
                       experts,
                       1,
                       table.dtype(),
                       {{0, experts}, {0, 1}},
                       row.raw(),
                       memory_of(table)});
  }
}

std::vector<TensorPiece> all_router_pieces(const LayerContext& ctx) {
  std::vector<TensorPiece> pieces;
  if (ctx.router == nullptr) return pieces;
  append_router_pieces(ctx.plan, ctx.router->bias, "parameter", kBalancingBias, &pieces);
  append_router_pieces(ctx.plan, ctx.router->shares, "router_shares", kRouterShares, &pieces);
  return pieces;
}

// Those that a checkpoint has: a run may take up balancing where an older one had none.
void append_stored_router_pieces(const LayerContext& ctx, const Manifest& stored, Restore what,
                                 std::vector<TensorPiece>* pieces) {
  for (TensorPiece& piece : all_router_pieces(ctx)) {
    if (piece.kind != "parameter" && what != Restore::resume) continue;
    if (names_of_kind(stored, piece.kind).contains(piece.name)) pieces->push_back(std::move(piece));
  }
}

}  // namespace

std::vector<TensorPiece> owned_pieces(const LayerContext& ctx, const ParameterStore& store,
                                      const ShardedOptimizer& optimizer) {
  std::vector<TensorPiece> pieces = owned_packed_pieces(ctx, store);
  const auto states = optimizer.state();
  for (const LocalTensor& local : store.layout().tensors) {
    if (!local.counts) continue;
    const Range owned = store.layout().bucket_of(local).owned;
    if (!store.is_in_packed_shards(local)) append_values(store, local, "parameter", owned, &pieces);
    for (const ShardedOptimizer::StateTensor& state : states) {
      if (state.domain == local.domain)
        append_state(store, local, state.kind, state, owned, &pieces);
    }
  }
  return pieces;
}

std::vector<TensorPiece> router_pieces(const LayerContext& ctx) {
  return ctx.groups.rank() == 0 ? all_router_pieces(ctx) : std::vector<TensorPiece>{};
}

std::vector<TensorPiece> checkpoint_pieces(const LayerContext& ctx, const ParameterStore& store,
                                           const ShardedOptimizer& optimizer) {
  std::vector<TensorPiece> pieces = owned_pieces(ctx, store, optimizer);
  for (TensorPiece& piece : router_pieces(ctx)) pieces.push_back(std::move(piece));
  return pieces;
}

std::vector<TensorPiece> owned_gradients(const ParameterStore& store,
                                         const ReducedGradients& reduced) {
  std::vector<TensorPiece> pieces;
  for (const LocalTensor& local : store.layout().tensors) {
    const Tensor& shards = reduced[static_cast<size_t>(local.domain)];
    if (!local.counts || !shards.defined()) continue;
    append_from_shards(store, local, "gradient", shards, store.layout().bucket_of(local).owned,
                       &pieces);
  }
  return pieces;
}

void check_same_model(const Manifest& stored, const std::vector<TensorSpec>& tensors, Restore what,
                      const std::filesystem::path& checkpoint_dir) {
  std::map<std::string, const StoredTensor*> parameters;
  for (const StoredTensor& tensor : stored.tensors) {
    if (tensor.kind == "parameter") parameters[tensor.name] = &tensor;
  }
  for (const TensorSpec& spec : tensors) {
    if (what == Restore::base && spec.lora != LoraPart::none) continue;
    const auto it = parameters.find(spec.name);
    if (it == parameters.end()) {
      throw ConfigError(concat(checkpoint_dir.string(), " has no tensor ", spec.name,
                               " of the plan's model: it holds another model"));
    }
    if (it->second->rows != spec.rows || it->second->cols != spec.cols) {
      throw ConfigError(concat(checkpoint_dir.string(), ": ", spec.name, " is (", it->second->rows,
                               ", ", it->second->cols, "), the plan's model has (", spec.rows, ", ",
                               spec.cols, "): it holds another model"));
    }
  }
  if (what == Restore::resume) check_same_trainable(stored, tensors, checkpoint_dir);
}

namespace {

// Each rank reads what it wants of mapped files; all throw if one does.
void fill_together(const LayerContext& ctx, const std::vector<TensorPiece>& pieces,
                   const std::function<HfSources()>& find_sources, const NextPieces& next = {}) {
  throw_if_failed(agree(ctx.groups.control(), attempt([&] {
                          const HfSources sources = find_sources();
                          fill(sources, pieces);
                          while (next) {
                            const std::vector<TensorPiece> more = next();
                            if (more.empty()) break;
                            fill(sources, more);
                          }
                        })));
}

enum class Values { all, base, adapters };

bool holds(Values values, const TensorSpec& spec) {
  return values == Values::all || (values == Values::adapters) == (spec.lora != LoraPart::none);
}

Values values_of(Restore what) {
  return what == Restore::base ? Values::base : Values::all;
}

// Where a value is read from: a name of `masters` from its master.
std::string value_kind(const std::set<std::string>& masters, const TensorSpec& spec) {
  return masters.contains(spec.name) ? "master" : "parameter";
}

// Values of this rank, but for those that PackedLoad reads.
std::vector<TensorPiece> value_pieces(const ParameterStore& store, Values values,
                                      const std::set<std::string>& masters) {
  std::vector<TensorPiece> pieces;
  for (const LocalTensor& local : store.layout().tensors) {
    const TensorSpec& spec = store.spec_of(local);
    if (!holds(values, spec) || store.is_set_whole(local)) continue;
    append_values(store, local, value_kind(masters, spec), local.elements(), &pieces);
  }
  return pieces;
}

// Masters that values are read from: where they are wider. What was frozen in the checkpoint's own
// run has none.
std::set<std::string> wider_masters(const LayerContext& ctx, const Manifest& stored) {
  return ctx.compute() != DType::bf16 ? names_of_kind(stored, "master") : std::set<std::string>{};
}

}  // namespace

void restore_checkpoint(const LayerContext& ctx, const std::filesystem::path& checkpoint_dir,
                        Restore what, ParameterStore& store, ShardedOptimizer* optimizer) {
  CHECK(what != Restore::resume || optimizer != nullptr);
  if (what == Restore::base && is_hf_folder(checkpoint_dir)) {
    std::vector<TensorPiece> pieces = value_pieces(store, values_of(what), {});
    for (TensorPiece& piece : all_router_pieces(ctx)) {
      if (piece.kind == "parameter") pieces.push_back(std::move(piece));
    }
    PackedLoad packed(store, [](const TensorSpec&) { return "parameter"; });
    fill_together(
        ctx, pieces, [&] { return find_hf_model(checkpoint_dir, ctx.plan.model); },
        [&] { return packed.next(); });
    if (optimizer != nullptr) optimizer->reset_master(ctx);
    return;
  }
  Manifest stored;  // what one rank alone cannot read, no rank goes on with
  throw_if_failed(agree(ctx.groups.control(), attempt([&] {
                          stored = read_manifest(checkpoint_dir);
                          check_same_model(stored, store.tensors(), what, checkpoint_dir);
                        })));
  const std::set<std::string> masters = names_of_kind(stored, "master");
  const std::set<std::string> wider = wider_masters(ctx, stored);
  std::vector<TensorPiece> pieces = value_pieces(store, values_of(what), wider);
  if (what == Restore::resume) {
    for (const ShardedOptimizer::StateTensor& state : optimizer->state()) {
      const bool missing_master = state.kind == "master" && masters.empty();
      for (const LocalTensor& local : store.layout().tensors) {
        if (local.domain != state.domain) continue;
        append_state(store, local, missing_master ? "parameter" : state.kind, state,
                     store.layout().bucket_of(local).shard, &pieces);
      }
    }
  }
  append_stored_router_pieces(ctx, stored, what, &pieces);
  PackedLoad packed(store, [&](const TensorSpec& spec) { return value_kind(wider, spec); });
  load_checkpoint(ctx.groups.control(), checkpoint_dir, pieces, [&] { return packed.next(); });
  if (what != Restore::resume && optimizer != nullptr) optimizer->reset_master(ctx);
}

void restore_adapter(const LayerContext& ctx, const std::filesystem::path& adapter_dir,
                     ParameterStore& store, const ShardedOptimizer* optimizer) {
  std::vector<TensorPiece> pieces;
  const auto states =
      optimizer == nullptr ? std::vector<ShardedOptimizer::StateTensor>() : optimizer->state();
  for (const LocalTensor& local : store.layout().tensors) {
    if (store.spec_of(local).lora == LoraPart::none) continue;
    append_values(store, local, "parameter", local.elements(), &pieces);
    for (const ShardedOptimizer::StateTensor& state : states) {
      if (state.kind == "master" && state.domain == local.domain) {
        append_state(store, local, state.kind, state, store.layout().bucket_of(local).shard,
                     &pieces);
      }
    }
  }
  fill_together(ctx, pieces, [&] { return find_peft_adapter(adapter_dir, ctx.plan); });
}

void restore_adapter_of_checkpoint(const LayerContext& ctx,
                                   const std::filesystem::path& checkpoint_dir,
                                   ParameterStore& store) {
  Manifest stored;
  throw_if_failed(agree(ctx.groups.control(), attempt([&] {
                          std::vector<TensorSpec> factors;
                          std::copy_if(store.tensors().begin(), store.tensors().end(),
                                       std::back_inserter(factors), [](const TensorSpec& spec) {
                                         return holds(Values::adapters, spec);
                                       });
                          stored = read_manifest(checkpoint_dir);
                          check_same_model(stored, factors, Restore::weights, checkpoint_dir);
                        })));
  load_checkpoint(ctx.groups.control(), checkpoint_dir,
                  value_pieces(store, Values::adapters, wider_masters(ctx, stored)));
}

}  // namespace argosy
