// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Saving, by all ranks together:
//   1 rank 0 creates the temporary folder     2 every rank writes its shard, fsync
//   3 all agree that all could                4 rank 0 checks that every tensor is covered
//   5 manifest, fsync, rename, fsync          6 all agree that rank 0 could
// A process may die between any two instructions: until the rename in 5 there is no new checkpoint,
// after it there is a whole one.
#include <map>
#include <memory>
#include <utility>

#include "checkpoint/checkpoint.h"
#include "checkpoint/coverage.h"
#include "checkpoint/directory.h"
#include "checkpoint/exchange.h"
#include "checkpoint/file_io.h"
#include "checkpoint/manifest_check.h"
#include "checkpoint/shard_writer.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

void check_same_tensor(const StoredTensor& a, const StoredTensor& b) {
  if (a.rows == b.rows && a.cols == b.cols && a.dtype == b.dtype) return;
  throw Error(concat(full_name(a), ": one piece is of a (", a.rows, ", ", a.cols, ") ",
                     to_string(a.dtype), " tensor, another of a (", b.rows, ", ", b.cols, ") ",
                     to_string(b.dtype), " one"));
}

// Joins the ranks' shares: their shards one after the other, their extents by tensor.
Manifest merge_shares(const std::vector<Manifest>& shares) {
  Manifest merged;
  std::map<std::string, size_t> index_of;
  for (const Manifest& share : shares) {
    const auto first_shard = static_cast<int>(merged.shards.size());
    merged.shards.insert(merged.shards.end(), share.shards.begin(), share.shards.end());
    for (const StoredTensor& tensor : share.tensors) {
      const auto [found, is_new] = index_of.try_emplace(full_name(tensor), merged.tensors.size());
      if (is_new) {
        merged.tensors.push_back(
            {tensor.name, tensor.kind, tensor.rows, tensor.cols, tensor.dtype, {}});
      }
      StoredTensor& whole = merged.tensors[found->second];
      check_same_tensor(whole, tensor);
      for (Extent extent : tensor.extents) {
        extent.shard += first_shard;
        whole.extents.push_back(std::move(extent));
      }
    }
  }
  return merged;
}

// Step 4 and 5, on rank 0.
void commit(TemporaryFolder& folder, const CheckpointContent& content,
            const std::vector<std::string>& share_texts) {
  std::vector<Manifest> shares;
  shares.reserve(share_texts.size());
  for (const std::string& text : share_texts) {
    shares.push_back(manifest_from_json(text, "a rank's share"));
  }
  Manifest manifest = merge_shares(shares);
  manifest.step = content.step;
  manifest.plan_json = content.plan_json;
  manifest.state = content.state;
  check_manifest(manifest, "step " + std::to_string(content.step));
  write_durably(folder.path() / kManifestFile, manifest_file_text(manifest));
  folder.commit();
}

}  // namespace

struct CheckpointSave::State {
  CheckpointContent content;
  std::unique_ptr<TemporaryFolder> folder;  // on rank 0; removes itself when anything throws
  std::filesystem::path directory;
  int rank = 0;
  Outcome outcome;  // of this rank's shard
  Manifest share;
};

CheckpointSave::CheckpointSave(Communicator& world, const std::filesystem::path& checkpoints_dir,
                               CheckpointContent content)
    : world_(world), state_(std::make_unique<State>()) {
  state_->content = std::move(content);
  state_->rank = world.rank();
  const Outcome mine = attempt([&] {
    const int64_t step = state_->content.step;
    if (step < 0) throw Error(concat("step ", step, " is negative"));
    if (world.rank() != 0) return;
    clean_up_after_dead_processes(checkpoints_dir);
    state_->folder = std::make_unique<TemporaryFolder>(checkpoints_dir, step);
  });
  throw_if_failed(agree(world, mine));
  state_->directory =
      broadcast_string(world, state_->folder ? state_->folder->path().string() : "");
}

CheckpointSave::~CheckpointSave() = default;

void CheckpointSave::write(const std::vector<TensorPiece>& pieces) {
  State& state = *state_;
  state.outcome = attempt(
      [&] { state.share = write_shard(state.directory, state.rank, state.content.step, pieces); });
}

void CheckpointSave::fail(const std::string& message) {
  state_->outcome = {.kind = Outcome::Kind::error, .message = message};
}

void CheckpointSave::finish() {
  throw_if_failed(agree(world_, state_->outcome));
  const std::vector<std::string> shares = gather_strings_at_root(world_, to_json(state_->share));
  const Outcome mine = attempt([&] {
    if (state_->folder) commit(*state_->folder, state_->content, shares);
  });
  throw_if_failed(agree(world_, mine));
}

void save_checkpoint(Communicator& world, const std::filesystem::path& checkpoints_dir,
                     const CheckpointContent& content, const std::vector<TensorPiece>& pieces) {
  CheckpointSave save(world, checkpoints_dir, content);
  save.write(pieces);
  save.finish();
}

}  // namespace argosy
