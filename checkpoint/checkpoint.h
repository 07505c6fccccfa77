// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Saving and loading by all ranks together. Saving: temporary folder, shards with CRC and fsync,
// manifest, rename; a kill at any moment leaves the previous checkpoint as it was. Loading: any
// layout reads any checkpoint by intersecting rectangles.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/manifest.h"
#include "comm/communicator.h"
#include "planner/spec/checkpoint_names.h"  // part of this interface
#include "planner/spec/layout.h"

namespace argosy {

// Memory that the host does not address: how bytes come from there and go there.
class PieceMemory {
 public:
  virtual ~PieceMemory() = default;
  // Whether the bytes at `data` are the piece's as they are, and may be copied on a device's queue.
  virtual bool is_image() const { return false; }
  virtual void read(const void* data, void* host, int64_t bytes) = 0;
  // Rows one after the other on the host, `pitch_bytes` from one to the next at `data`. The host's
  // may be overwritten when it returns.
  virtual void write(const void* host, void* data, int64_t width_bytes, int64_t num_rows,
                     int64_t pitch_bytes) = 0;
};

// A piece of a logical tensor in this rank's memory: `data` is a row-major image of `box`. For
// saving, pieces of all ranks must be disjoint and cover every tensor; for loading they may overlap
// (replicas).
struct TensorPiece {
  std::string name;            // logical tensor
  std::string kind;            // "parameter", "master", "exp_avg", "exp_avg_sq"
  int64_t rows = 0, cols = 1;  // of the whole tensor
  DType dtype = DType::fp32;
  Box box;
  void* data = nullptr;
  std::shared_ptr<PieceMemory> memory = nullptr;  // where `data` lies; null: the host's
};

// Key of a checkpoint's state: where the weights came from that its run began with (--init); there
// is none after a start from initial values.
inline constexpr std::string_view kInitState = "init";

struct CheckpointContent {
  int64_t step = 0;
  std::string plan_json;
  std::map<std::string, std::string> state;
};

// A save that goes on beside other work. Begun and finished by all ranks together, written by each
// for itself; until finish() there is no new checkpoint. One that is destroyed before leaves
// nothing named step_* behind.
class CheckpointSave {
 public:
  // Collective: the temporary folder. Throws Error with the same message on all ranks.
  CheckpointSave(Communicator& world, const std::filesystem::path& checkpoints_dir,
                 CheckpointContent content);
  ~CheckpointSave();
  CheckpointSave(const CheckpointSave&) = delete;
  CheckpointSave& operator=(const CheckpointSave&) = delete;

  // This rank's shard, on any thread, once. What goes wrong is told by finish().
  void write(const std::vector<TensorPiece>& pieces);
  // The same for what went wrong before it could be written.
  void fail(const std::string& message);
  // Collective, after write() or fail(). Throws Error with the same message on all ranks when any
  // rank failed; older checkpoints are untouched then.
  void finish();

 private:
  struct State;
  Communicator& world_;
  std::unique_ptr<State> state_;
};

// Collective. All of it at once. Throws Error with the same message on all ranks when any rank
// failed; then nothing named step_* is left behind, and older checkpoints are untouched. Uses no
// collective inside HDF5.
void save_checkpoint(Communicator& world, const std::filesystem::path& checkpoints_dir,
                     const CheckpointContent& content, const std::vector<TensorPiece>& pieces);

// Fills `pieces` from the checkpoint, converting between floating dtypes; every element of every
// piece must be there (Error naming tensor and rectangle otherwise; ConfigError when shapes differ,
// naming both). CRCs of all extents read are checked. Collective; all ranks throw if one does.
// After `pieces` come those that `next` gives, call by call, until it gives none: when it is called
// the ones before are filled, and their memory may be used again.
using NextPieces = std::function<std::vector<TensorPiece>()>;
Manifest load_checkpoint(Communicator& world, const std::filesystem::path& checkpoint_dir,
                         const std::vector<TensorPiece>& pieces, const NextPieces& next = {});

// Newest step below `before` whose manifest and shard sizes are whole, skipping damaged ones (each
// named in *skipped). Tensors are not read: whether their CRCs hold, a load says.
std::optional<int64_t> newest_valid_checkpoint(
    const std::filesystem::path& checkpoints_dir, std::vector<std::string>* skipped,
    int64_t before = std::numeric_limits<int64_t>::max());

// Removes checkpoints before `newest` but for the `keep` - 1 youngest of them that are whole by
// manifest and sizes; those that are not stay, and so do newer ones. `newest` has just been
// committed. Each is renamed first: a kill in between leaves no checkpoint that is half there, and
// the next save clears away what is left. Returns the removed steps. Throws Error.
std::vector<int64_t> remove_older_checkpoints(const std::filesystem::path& checkpoints_dir,
                                              int64_t newest, int64_t keep);

// Gives a checkpoint that cannot be loaded a name of its own, step_N.damaged (.damaged-2 and so on
// where there is one), so that no later save of that step replaces it. Returns the new path. Throws
// Error.
std::filesystem::path set_checkpoint_aside(const std::filesystem::path& checkpoints_dir,
                                           int64_t step);

// Reads every byte and checks every CRC; one line per problem, empty when whole. No MPI.
std::vector<std::string> verify_checkpoint(const std::filesystem::path& checkpoint_dir);

// One hash per (kind, tensor) over its logical content, layout-free: equal hashes mean equal bits.
std::map<std::string, uint64_t> content_hashes(const std::filesystem::path& checkpoint_dir);

}  // namespace argosy
