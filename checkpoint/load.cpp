// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Loading: what a rank wants and what a file holds are rectangles of the same logical tensors; a
// load is their intersections. No layout appears here, which is why any layout reads any
// checkpoint.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "checkpoint/checkpoint.h"
#include "checkpoint/convert.h"
#include "checkpoint/copy_common.h"
#include "checkpoint/coverage.h"
#include "checkpoint/exchange.h"
#include "checkpoint/manifest_check.h"
#include "checkpoint/shard_reader.h"
#include "checkpoint/shard_writer.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

// What one extent gives: pieces that overlap it.
struct PlannedRead {
  const StoredTensor* tensor = nullptr;
  const Extent* extent = nullptr;
  std::vector<const TensorPiece*> pieces;
};
// By (shard, offset): files are read one after the other, from front to back.
using ReadPlan = std::map<std::pair<int, int64_t>, PlannedRead>;

// Finds extents by tensor, then by first row.
class ExtentIndex {
 public:
  explicit ExtentIndex(const Manifest& manifest) {
    for (const StoredTensor& tensor : manifest.tensors) {
      Entry& entry = entries_[full_name(tensor)];
      entry.tensor = &tensor;
      for (const Extent& extent : tensor.extents) entry.by_row.push_back(&extent);
      std::sort(entry.by_row.begin(), entry.by_row.end(), [](const Extent* a, const Extent* b) {
        return a->box.rows.begin < b->box.rows.begin;
      });
      kinds_.insert(tensor.kind);
    }
  }

  const StoredTensor& tensor(const TensorPiece& piece) const {
    const auto found = entries_.find(concat(piece.kind, "/", piece.name));
    if (found != entries_.end()) return *found->second.tensor;
    if (kinds_.count(piece.kind) == 0) {
      std::string kinds;
      for (const std::string& kind : kinds_) kinds += " " + kind;
      throw Error(concat("the checkpoint holds nothing of kind '", piece.kind, "' (wanted for ",
                         piece.name, "); its kinds:", kinds));
    }
    throw Error(concat("the checkpoint has no tensor ", piece.kind, "/", piece.name));
  }

  // Adds the reads that fill `piece` to `plan`; throws Error when they do not.
  void plan_reads(const TensorPiece& piece, ReadPlan& plan) const {
    const Entry& entry = entries_.at(concat(piece.kind, "/", piece.name));
    int64_t found_elements = 0;
    const auto end = std::upper_bound(
        entry.by_row.begin(), entry.by_row.end(), piece.box.rows.end - 1,
        [](int64_t row, const Extent* extent) { return row < extent->box.rows.begin; });
    for (auto it = entry.by_row.begin(); it != end; ++it) {
      const Box common = intersect((*it)->box, piece.box);
      if (common.empty()) continue;
      found_elements += common.size();
      PlannedRead& read = plan[{(*it)->shard, (*it)->offset}];
      read.tensor = entry.tensor;
      read.extent = *it;
      read.pieces.push_back(&piece);
    }
    if (found_elements != piece.box.size()) {
      throw Error(concat(piece.kind, "/", piece.name, " ", to_string(piece.box), ": ",
                         found_elements, " of ", piece.box.size(), " elements are there"));
    }
  }

 private:
  struct Entry {
    const StoredTensor* tensor = nullptr;
    std::vector<const Extent*> by_row;
  };
  std::unordered_map<std::string, Entry> entries_;
  std::set<std::string> kinds_;
};

void check_wanted(const StoredTensor& stored, const TensorPiece& piece) {
  if (stored.rows != piece.rows || stored.cols != piece.cols) {
    throw ConfigError(concat(full_name(stored), ": shape (", stored.rows, ", ", stored.cols,
                             ") in the checkpoint, (", piece.rows, ", ", piece.cols,
                             ") in this model"));
  }
  if (!can_convert(stored.dtype, piece.dtype)) {
    throw ConfigError(concat(full_name(stored), ": ", to_string(stored.dtype),
                             " in the checkpoint cannot be read as ", to_string(piece.dtype)));
  }
}

void fill_pieces(const ExtentIndex& index, ShardReader& reader,
                 const std::vector<TensorPiece>& pieces) {
  ReadPlan plan;
  for (const TensorPiece& piece : pieces) {
    if (piece.box.empty()) continue;
    check_wanted(index.tensor(piece), piece);
    check_piece(piece);
    index.plan_reads(piece, plan);
  }
  for (const auto& entry : plan) {
    const PlannedRead& read = entry.second;
    reader.read(*read.tensor, *read.extent, [&](const Box& part, const unsigned char* data) {
      for (const TensorPiece* piece : read.pieces) {
        copy_common(part, data, read.tensor->dtype, *piece);
      }
    });
  }
}

}  // namespace

Manifest load_checkpoint(Communicator& world, const std::filesystem::path& checkpoint_dir,
                         const std::vector<TensorPiece>& pieces, const NextPieces& next) {
  // One rank asks the file system about all files; the others would only repeat the questions.
  std::string text;
  Outcome mine = attempt([&] {
    if (world.rank() != 0) return;
    text = read_manifest_text(checkpoint_dir);
    const Manifest manifest = parse_manifest_file(text, (checkpoint_dir / kManifestFile).string());
    const std::vector<std::string> problems = shard_file_problems(checkpoint_dir, manifest);
    if (!problems.empty()) throw Error(problems.front());
  });
  throw_if_failed(agree(world, mine));
  text = broadcast_string(world, text);

  Manifest manifest;
  mine = attempt([&] {
    manifest = parse_manifest_file(text, (checkpoint_dir / kManifestFile).string());
    const ExtentIndex index(manifest);
    ShardReader reader(checkpoint_dir, manifest);
    fill_pieces(index, reader, pieces);
    while (next) {
      const std::vector<TensorPiece> more = next();
      if (more.empty()) break;
      fill_pieces(index, reader, more);
    }
  });
  throw_if_failed(agree(world, mine));
  return manifest;
}

}  // namespace argosy
