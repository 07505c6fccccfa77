// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/checkpoint/sample.h"

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "comm/thread/thread_communicator.h"
#include "planner/spec/check.h"

namespace argosy::sample {
namespace {

uint64_t random_bits(uint64_t generation, size_t tensor, int64_t index) {
  uint64_t x = generation * 0x9e3779b97f4a7c15u + tensor * 0xd1b54a32d192ed03u +
               static_cast<uint64_t>(index);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Near-square factors of n.
std::pair<int, int> grid_of(int n) {
  int rows = 1;
  for (int r = 1; r * r <= n; ++r) {
    if (n % r == 0) rows = r;
  }
  return {rows, n / rows};
}

std::vector<Box> boxes_of(Cut cut, size_t tensor, const LogicalTensor& t, int rank, int n) {
  const Range all_rows{0, t.rows}, all_cols{0, t.cols};
  switch (cut) {
    case Cut::whole:
      if (static_cast<int>(tensor) % n != rank) return {};
      return {{all_rows, all_cols}};
    case Cut::rows:
      return {{split_range(t.rows, n, rank), all_cols}};
    case Cut::cols:
      return {{all_rows, split_range(t.cols, n, rank)}};
    case Cut::grid: {
      const auto [grid_rows, grid_cols] = grid_of(n);
      return {{split_range(t.rows, grid_rows, rank / grid_cols),
               split_range(t.cols, grid_cols, rank % grid_cols)}};
    }
    case Cut::flat:
      return boxes_of_flat_range({all_rows, all_cols}, split_range(t.rows * t.cols, n, rank));
  }
  return {};
}

}  // namespace

std::vector<LogicalTensor> tensors() {
  std::vector<LogicalTensor> all;
  const std::vector<LogicalTensor> parameters = {
      {"model.embed_tokens.weight", "parameter", 37, 10, DType::bf16},
      {"model.layers.0.mlp.experts.3.down_proj.weight", "parameter", 13, 29, DType::bf16},
      {"model.norm.weight", "parameter", 11, 1, DType::bf16}};
  for (LogicalTensor t : parameters) {
    all.push_back(t);
    t.dtype = DType::fp32;
    for (const char* kind : {"master", "exp_avg", "exp_avg_sq"}) {
      t.kind = kind;
      all.push_back(t);
    }
  }
  all.push_back({"proof", "parameter", 7, 5, DType::fp64});
  all.push_back({"counts", "state", 3, 2, DType::int32});
  all.push_back({"long_row", "parameter", 2, 1'200'001, DType::fp32});
  return all;
}

const char* to_string(Cut cut) {
  switch (cut) {
    case Cut::whole:
      return "whole";
    case Cut::rows:
      return "rows";
    case Cut::cols:
      return "cols";
    case Cut::grid:
      return "grid";
    case Cut::flat:
      return "flat";
  }
  return "?";
}

Pieces empty_pieces(Cut cut, int rank, int num_ranks) {
  Pieces result;
  const std::vector<LogicalTensor> all = tensors();
  for (size_t i = 0; i < all.size(); ++i) {
    const LogicalTensor& t = all[i];
    for (const Box& box : boxes_of(cut, i, t, rank, num_ranks)) {
      if (box.empty()) continue;
      result.memory.emplace_back(static_cast<size_t>(box.size() * size_in_bytes(t.dtype)));
      result.pieces.push_back(
          {t.name, t.kind, t.rows, t.cols, t.dtype, box, result.memory.back().data()});
    }
  }
  return result;
}

Pieces filled_pieces(Cut cut, int rank, int num_ranks, uint64_t generation) {
  Pieces result = empty_pieces(cut, rank, num_ranks);
  const std::vector<LogicalTensor> all = tensors();
  for (size_t p = 0; p < result.pieces.size(); ++p) {
    const TensorPiece& piece = result.pieces[p];
    size_t tensor = 0;
    while (all[tensor].name != piece.name || all[tensor].kind != piece.kind) ++tensor;
    const auto bytes = static_cast<size_t>(size_in_bytes(piece.dtype));
    unsigned char* to = result.memory[p].data();
    for (int64_t row = piece.box.rows.begin; row < piece.box.rows.end; ++row) {
      for (int64_t col = piece.box.cols.begin; col < piece.box.cols.end; ++col, to += bytes) {
        const uint64_t bits = random_bits(generation, tensor, row * piece.cols + col);
        std::memcpy(to, &bits, bytes);
      }
    }
  }
  return result;
}

void save(const std::filesystem::path& checkpoints_dir, int64_t step, Cut cut, int num_ranks,
          uint64_t generation) {
  CheckpointContent content;
  content.step = step;
  content.plan_json = "{\"mesh\": {\"tp\": 1}}";
  content.state["generation"] = std::to_string(generation);
  run_on_threads(num_ranks, [&](Communicator& world) {
    const Pieces mine = filled_pieces(cut, world.rank(), num_ranks, generation);
    save_checkpoint(world, checkpoints_dir, content, mine.pieces);
  });
}

std::string load_and_compare(const std::filesystem::path& checkpoint_dir, Cut cut, int num_ranks,
                             uint64_t generation) {
  std::vector<std::string> differences(static_cast<size_t>(num_ranks));
  run_on_threads(num_ranks, [&](Communicator& world) {
    const Pieces actual = empty_pieces(cut, world.rank(), num_ranks);
    const Manifest manifest = load_checkpoint(world, checkpoint_dir, actual.pieces);
    const Pieces expected = filled_pieces(cut, world.rank(), num_ranks, generation);
    std::string& difference = differences[static_cast<size_t>(world.rank())];
    if (manifest.state.at("generation") != std::to_string(generation)) difference = "state differs";
    for (size_t i = 0; i < actual.memory.size(); ++i) {
      if (actual.memory[i] == expected.memory[i]) continue;
      difference = concat("rank ", world.rank(), ": ", actual.pieces[i].name, " differs");
    }
  });
  std::string all;
  for (const std::string& difference : differences) all += difference;
  return all;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "argosy_test_XXXXXX").string();
  CHECK(::mkdtemp(name.data()) != nullptr, name);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void flip_byte(const std::filesystem::path& file, int64_t offset) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(offset);
  const char byte = static_cast<char>(stream.get() ^ 0x40);
  stream.seekp(offset);
  stream.put(byte);
  CHECK(stream.good(), file.string(), " at ", offset);
}

}  // namespace argosy::sample
