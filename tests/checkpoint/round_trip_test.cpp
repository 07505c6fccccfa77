// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Whatever the layout that saved, whatever the layout that loads: the same bits.
#include <gtest/gtest.h>

#include "checkpoint/checkpoint.h"
#include "comm/thread/thread_communicator.h"
#include "planner/spec/bfloat16.h"
#include "planner/spec/check.h"
#include "tests/checkpoint/sample.h"

namespace argosy {
namespace {

using sample::Cut;
using sample::message_of;
using sample::TemporaryDirectory;

struct Layout {
  Cut cut;
  int num_ranks;
};
const Layout kLayouts[] = {{Cut::whole, 1}, {Cut::rows, 3},  {Cut::cols, 4}, {Cut::grid, 6},
                           {Cut::flat, 5},  {Cut::whole, 2}, {Cut::flat, 8}};

TEST(RoundTrip, EveryLayoutReadsWhatEveryLayoutWrote) {
  const TemporaryDirectory dir;
  int64_t step = 0;
  std::map<std::string, uint64_t> first_hashes;
  for (const Layout& saved : kLayouts) {
    sample::save(dir.path(), ++step, saved.cut, saved.num_ranks, 1);
    const auto path = checkpoint_path(dir.path(), step);
    EXPECT_EQ(verify_checkpoint(path), std::vector<std::string>{});
    for (const Layout& loaded : kLayouts) {
      EXPECT_EQ(sample::load_and_compare(path, loaded.cut, loaded.num_ranks, 1), "")
          << to_string(saved.cut) << saved.num_ranks << " -> " << to_string(loaded.cut)
          << loaded.num_ranks;
    }
    const auto hashes = content_hashes(path);
    if (first_hashes.empty()) first_hashes = hashes;
    EXPECT_EQ(hashes, first_hashes) << to_string(saved.cut);
  }
  EXPECT_EQ(first_hashes.size(), sample::tensors().size());
}

TEST(RoundTrip, HashesDifferWhereContentDiffers) {
  const TemporaryDirectory dir;
  sample::save(dir.path(), 1, Cut::rows, 2, 1);
  sample::save(dir.path(), 2, Cut::rows, 2, 2);
  const auto a = content_hashes(checkpoint_path(dir.path(), 1));
  const auto b = content_hashes(checkpoint_path(dir.path(), 2));
  for (const auto& [name, hash] : a) EXPECT_NE(hash, b.at(name)) << name;
}

TEST(RoundTrip, ManifestTellsStepPlanAndState) {
  const TemporaryDirectory dir;
  sample::save(dir.path(), 42, Cut::grid, 4, 7);
  const Manifest manifest = read_manifest(checkpoint_path(dir.path(), 42));
  EXPECT_EQ(manifest.step, 42);
  EXPECT_EQ(manifest.plan_json, "{\"mesh\": {\"tp\": 1}}");
  EXPECT_EQ(manifest.state.at("generation"), "7");
  EXPECT_EQ(manifest.shards.size(), 4u);
  EXPECT_EQ(manifest.shards[3].file, "shard_00003.h5");
}

TEST(RoundTrip, RankWithoutPiecesWritesNoShard) {
  const TemporaryDirectory dir;
  const int num_ranks = static_cast<int>(sample::tensors().size()) + 2;
  sample::save(dir.path(), 1, Cut::whole, num_ranks, 3);
  const Manifest manifest = read_manifest(checkpoint_path(dir.path(), 1));
  EXPECT_EQ(manifest.shards.size(), sample::tensors().size());
  EXPECT_EQ(sample::load_and_compare(checkpoint_path(dir.path(), 1), Cut::rows, 2, 3), "");
}

// Saves one fp32 tensor of shape (2, 3) from one rank.
void save_small(const std::filesystem::path& dir, std::vector<float> values) {
  run_on_threads(1, [&](Communicator& world) {
    const TensorPiece piece{"w", "parameter", 2, 3, DType::fp32, {{0, 2}, {0, 3}}, values.data()};
    save_checkpoint(world, dir, {}, {piece});
  });
}

// Loads part of it; the message of the error, or "".
std::string load_small(const std::filesystem::path& dir, const TensorPiece& piece) {
  return message_of([&] {
    run_on_threads(
        1, [&](Communicator& world) { load_checkpoint(world, checkpoint_path(dir, 0), {piece}); });
  });
}

TEST(RoundTrip, ConvertsBetweenFloatingDtypes) {
  const TemporaryDirectory dir;
  save_small(dir.path(), {1.0f, -2.5f, 0.0f, 3.14159265f, 1e30f, -1e-30f});
  std::vector<double> as_fp64(2);
  EXPECT_EQ(load_small(dir.path(),
                       {"w", "parameter", 2, 3, DType::fp64, {{1, 2}, {0, 2}}, as_fp64.data()}),
            "");
  EXPECT_EQ(as_fp64, (std::vector<double>{3.14159265f, 1e30f}));
  std::vector<bfloat16> as_bf16(2);
  EXPECT_EQ(load_small(dir.path(),
                       {"w", "parameter", 2, 3, DType::bf16, {{0, 2}, {0, 1}}, as_bf16.data()}),
            "");
  EXPECT_EQ(static_cast<float>(as_bf16[0]), 1.0f);
  EXPECT_EQ(as_bf16[1].bits, bfloat16(3.14159265f).bits);
  int32_t as_int32 = 0;
  const std::string message =
      load_small(dir.path(), {"w", "parameter", 2, 3, DType::int32, {{0, 1}, {0, 1}}, &as_int32});
  EXPECT_NE(message.find("fp32 in the checkpoint cannot be read as int32"), std::string::npos)
      << message;
}

// Memory that looks wrong to whoever reads it as the host's.
class Scrambled : public PieceMemory {
 public:
  void read(const void* data, void* host, int64_t bytes) override { flip(data, host, bytes); }
  void write(const void* host, void* data, int64_t width_bytes, int64_t num_rows,
             int64_t pitch_bytes) override {
    for (int64_t row = 0; row < num_rows; ++row) {
      flip(static_cast<const char*>(host) + row * width_bytes,
           static_cast<char*>(data) + row * pitch_bytes, width_bytes);
    }
  }

 private:
  static void flip(const void* from, void* to, int64_t bytes) {
    for (int64_t i = 0; i < bytes; ++i)
      static_cast<char*>(to)[i] = static_cast<char>(static_cast<const char*>(from)[i] ^ 0x5a);
  }
};

// A device's memory, saved by rows of another one's columns: several buckets of it.
TEST(RoundTrip, PiecesOfADeviceTravelThroughItsMemory) {
  constexpr int64_t kRows = 700, kCols = 1201;
  const auto scrambled = std::make_shared<Scrambled>();
  std::vector<float> values(kRows * kCols), device(values.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.5f;
  scrambled->write(values.data(), device.data(), kCols * 4, kRows, kCols * 4);
  const TemporaryDirectory dir;
  run_on_threads(1, [&](Communicator& world) {
    save_checkpoint(world, dir.path(), {},
                    {{"w",
                      "parameter",
                      kRows,
                      kCols,
                      DType::fp32,
                      {{0, kRows}, {0, kCols}},
                      device.data(),
                      scrambled}});
  });
  std::vector<float> host(values.size());
  EXPECT_EQ(
      load_small(
          dir.path(),
          {"w", "parameter", kRows, kCols, DType::fp32, {{0, kRows}, {0, kCols}}, host.data()}),
      "");
  EXPECT_EQ(host, values);
  for (const Box& box : {Box{{0, kRows}, {0, kCols}}, Box{{3, 699}, {17, 1200}}}) {
    std::vector<double> part(static_cast<size_t>(box.size())), plain(part.size());
    EXPECT_EQ(load_small(dir.path(), {"w", "parameter", kRows, kCols, DType::fp64, box, part.data(),
                                      scrambled}),
              "");
    scrambled->read(part.data(), plain.data(), box.size() * 8);
    for (int64_t r = 0; r < box.rows.size(); ++r) {
      for (int64_t c = 0; c < box.cols.size(); ++c) {
        ASSERT_EQ(plain[static_cast<size_t>(r * box.cols.size() + c)],
                  values[static_cast<size_t>((box.rows.begin + r) * kCols + box.cols.begin + c)]);
      }
    }
  }
}

TEST(RoundTrip, MissingKindTensorOrOtherShapeIsNamed) {
  const TemporaryDirectory dir;
  save_small(dir.path(), {1, 2, 3, 4, 5, 6});
  std::vector<float> memory(6);
  TensorPiece piece{"w", "exp_avg", 2, 3, DType::fp32, {{0, 2}, {0, 3}}, memory.data()};
  std::string message = load_small(dir.path(), piece);
  EXPECT_NE(message.find("nothing of kind 'exp_avg'"), std::string::npos) << message;
  EXPECT_NE(message.find("its kinds: parameter"), std::string::npos) << message;
  piece.kind = "parameter";
  piece.name = "v";
  message = load_small(dir.path(), piece);
  EXPECT_NE(message.find("no tensor parameter/v"), std::string::npos) << message;
  piece.name = "w";
  piece.rows = 4;
  message = load_small(dir.path(), piece);
  EXPECT_NE(message.find("parameter/w: shape (2, 3) in the checkpoint, (4, 3) in this model"),
            std::string::npos)
      << message;
}

}  // namespace
}  // namespace argosy
