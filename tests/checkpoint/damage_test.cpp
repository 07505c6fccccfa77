// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A damaged checkpoint is refused, and the message names the file.
#include <gtest/gtest.h>

#include <functional>

#include "checkpoint/checkpoint.h"
#include "comm/thread/thread_communicator.h"
#include "planner/spec/check.h"
#include "tests/checkpoint/sample.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;
using sample::Cut;
using sample::message_of;

// A fresh checkpoint of three ranks for every test.
class Damage : public testing::Test {
 protected:
  Damage() { sample::save(dir_.path(), 5, Cut::rows, 3, 1); }
  fs::path checkpoint() const { return checkpoint_path(dir_.path(), 5); }
  fs::path shard(int i) const { return checkpoint() / concat("shard_0000", i, ".h5"); }

  std::string load_error() const {
    return message_of([&] { sample::load_and_compare(checkpoint(), Cut::cols, 2, 1); });
  }
  // Loading and verification both refuse, and name `file`.
  void expect_refused(const std::string& file, const std::string& reason) const {
    const std::string error = load_error();
    EXPECT_NE(error.find(file), std::string::npos) << "load: '" << error << "'";
    EXPECT_NE(error.find(reason), std::string::npos) << "load: '" << error << "'";
    const std::vector<std::string> problems = verify_checkpoint(checkpoint());
    ASSERT_FALSE(problems.empty());
    EXPECT_NE(problems[0].find(file), std::string::npos) << "verify: " << problems[0];
  }

  sample::TemporaryDirectory dir_;
};

TEST_F(Damage, TruncatedShard) {
  fs::resize_file(shard(1), fs::file_size(shard(1)) - 1);
  expect_refused("shard_00001.h5", "truncated");
  std::vector<std::string> skipped;
  EXPECT_EQ(newest_valid_checkpoint(dir_.path(), &skipped), std::nullopt);
  ASSERT_EQ(skipped.size(), 1u);
  EXPECT_NE(skipped[0].find("shard_00001.h5"), std::string::npos);
}

TEST_F(Damage, MissingShard) {
  fs::remove(shard(2));
  expect_refused("shard_00002.h5", "missing");
}

TEST_F(Damage, ExtraShard) {
  fs::copy_file(shard(2), shard(7));
  expect_refused("shard_00007.h5", "does not list");
}

TEST_F(Damage, SwappedShards) {
  sample::save(dir_.path(), 6, Cut::flat, 4, 1);  // equal sizes are likeliest with equal cuts
  const fs::path other = checkpoint_path(dir_.path(), 6);
  fs::rename(other / "shard_00001.h5", other / "kept");
  fs::rename(other / "shard_00002.h5", other / "shard_00001.h5");
  fs::rename(other / "kept", other / "shard_00002.h5");
  const std::string error = message_of([&] { sample::load_and_compare(other, Cut::cols, 2, 1); });
  EXPECT_NE(error.find("shard_0000"), std::string::npos) << error;
  EXPECT_FALSE(verify_checkpoint(other).empty());
}

TEST_F(Damage, ShardOfAnotherStep) {
  sample::save(dir_.path(), 6, Cut::rows, 3, 2);
  fs::copy_file(checkpoint_path(dir_.path(), 6) / "shard_00001.h5", shard(1),
                fs::copy_options::overwrite_existing);
  expect_refused("shard_00001.h5", "CRC-32C");
}

TEST_F(Damage, FlippedByteInDataNamesTensorAndOffset) {
  const Manifest manifest = read_manifest(checkpoint());
  for (const StoredTensor& tensor : manifest.tensors) {
    const Extent& extent = tensor.extents.back();
    const fs::path file = checkpoint() / manifest.shards[static_cast<size_t>(extent.shard)].file;
    const int64_t at = extent.offset + extent.bytes - 1;
    sample::flip_byte(file, at);
    expect_refused(file.filename(), full_name(tensor));
    expect_refused(file.filename(), concat("offset ", extent.offset));
    sample::flip_byte(file, at);  // and back
  }
  EXPECT_EQ(load_error(), "");
}

// Tensor data is read without HDF5, so that damage of its structures cannot change it; verify finds
// it all the same.
TEST_F(Damage, FlippedByteInHdf5StructuresIsFoundByVerify) {
  const auto bytes = static_cast<int64_t>(fs::file_size(shard(0)));
  int64_t first_data = bytes;
  for (const StoredTensor& tensor : read_manifest(checkpoint()).tensors) {
    for (const Extent& extent : tensor.extents) {
      if (extent.shard == 0) first_data = std::min(first_data, extent.offset);
    }
  }
  for (const int64_t at : {int64_t{0}, int64_t{9}, int64_t{100}, first_data - 1}) {
    sample::flip_byte(shard(0), at);
    const std::vector<std::string> problems = verify_checkpoint(checkpoint());
    ASSERT_EQ(problems.size(), 1u) << at;
    EXPECT_NE(problems[0].find("shard_00000.h5"), std::string::npos) << problems[0];
    EXPECT_EQ(load_error(), "");
    sample::flip_byte(shard(0), at);
  }
}

TEST_F(Damage, FlippedByteInManifestAndFooter) {
  const fs::path manifest = checkpoint() / kManifestFile;
  const auto bytes = static_cast<int64_t>(fs::file_size(manifest));
  for (const int64_t at : {int64_t{0}, bytes / 2, bytes - 17, bytes - 5, bytes - 1}) {
    sample::flip_byte(manifest, at);
    expect_refused(kManifestFile, "");
    sample::flip_byte(manifest, at);
  }
}

TEST_F(Damage, MissingManifest) {
  fs::remove(checkpoint() / kManifestFile);
  expect_refused(kManifestFile, "missing");
}

TEST_F(Damage, NewestValidSkipsDamagedOnes) {
  sample::save(dir_.path(), 8, Cut::rows, 2, 2);
  sample::save(dir_.path(), 9, Cut::rows, 2, 3);
  sample::flip_byte(checkpoint_path(dir_.path(), 9) / kManifestFile, 50);
  fs::remove(checkpoint_path(dir_.path(), 8) / "shard_00001.h5");
  fs::create_directory(dir_.path() / "step_00000010.tmp-host-1-abc");
  fs::create_directory(dir_.path() / "step_x");
  EXPECT_EQ(list_checkpoints(dir_.path()), (std::vector<int64_t>{5, 8, 9}));
  std::vector<std::string> skipped;
  EXPECT_EQ(newest_valid_checkpoint(dir_.path(), &skipped), 5);
  EXPECT_EQ(skipped.size(), 2u);
}

// Saves with pieces changed by one rank; the message, which all ranks must agree on.
std::string save_error(const fs::path& dir,
                       const std::function<void(int rank, std::vector<TensorPiece>&)>& change) {
  std::vector<std::string> messages(3);
  run_on_threads(3, [&](Communicator& world) {
    sample::Pieces mine = sample::filled_pieces(Cut::rows, world.rank(), 3, 2);
    change(world.rank(), mine.pieces);
    CheckpointContent content;
    content.step = 6;
    messages[static_cast<size_t>(world.rank())] =
        message_of([&] { save_checkpoint(world, dir, content, mine.pieces); });
  });
  EXPECT_EQ(messages[0], messages[1]);
  EXPECT_EQ(messages[0], messages[2]);
  return messages[0];
}

TEST_F(Damage, FailureOfOneRankIsThrownOnAllAndLeavesNothing) {
  const struct {
    std::function<void(int, std::vector<TensorPiece>&)> change;
    const char* expected;
  } cases[] = {
      {[](int rank, auto& pieces) {
         if (rank == 1) pieces.erase(pieces.begin());
       },
       "parameter/model.embed_tokens.weight of shape (37, 10): rows [13, 25) cols [0, 10) is "
       "missing"},
      {[](int rank, auto& pieces) {
         if (rank == 1) pieces[0].box.rows = {12, 24};
       },
       "rows [12, 13) cols [0, 10) is written twice"},
      {[](int rank, auto& pieces) {
         if (rank == 2) pieces[0].box.rows.end = 40;
       },
       "rank 2: parameter/model.embed_tokens.weight rows [25, 40) cols [0, 10): outside"},
      {[](int rank, auto& pieces) {
         if (rank == 1) pieces[2].data = nullptr;
       },
       "no memory"},
      {[](int rank, auto& pieces) {
         if (rank == 1) pieces.push_back(pieces[0]);
       },
       "is written twice by one rank"},
      {[](int rank, auto& pieces) {
         if (rank == 1) {
           pieces[0].dtype = DType::int32;
           pieces[0].data = pieces.back().data;
         }
       },
       "one piece is of a (37, 10) bf16 tensor, another of a (37, 10) int32 one"},
      {[](int, auto& pieces) { pieces[0].name = ""; }, "no name"},
  };
  for (const auto& c : cases) {
    const std::string message = save_error(dir_.path(), c.change);
    EXPECT_NE(message.find(c.expected), std::string::npos) << c.expected << " | " << message;
    // Only what was there before: step 5.
    EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), 1);
  }
  EXPECT_EQ(sample::load_and_compare(checkpoint(), Cut::rows, 2, 1), "");
}

TEST_F(Damage, SavingTheSameStepAgainReplacesIt) {
  sample::save(dir_.path(), 5, Cut::cols, 2, 9);
  EXPECT_EQ(sample::load_and_compare(checkpoint(), Cut::rows, 3, 9), "");
  EXPECT_EQ(verify_checkpoint(checkpoint()), std::vector<std::string>{});
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace argosy
