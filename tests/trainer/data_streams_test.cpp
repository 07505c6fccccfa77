// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Memory that each rank of a host has for the same tokens is told where it is much.
#include "trainer/data_streams.h"

#include <gtest/gtest.h>

#include "tests/support/texts.h"

namespace argosy {
namespace {

// So many bytes of it are no pages of a file.
class Held : public TokenSource {
 public:
  explicit Held(int64_t bytes) : bytes_(bytes) {}
  int64_t num_tokens() const override { return 1; }
  int32_t token(int64_t) const override { return 0; }
  int32_t max_token() const override { return 0; }
  int64_t held_bytes() const override { return bytes_; }

 private:
  int64_t bytes_;
};

DataStream stream_of(int64_t bytes) {
  DataStream stream;
  stream.source = std::make_unique<Held>(bytes);
  return stream;
}

TEST(DataStreams, MuchMemoryOfAHostIsTold) {
  constexpr int64_t kMiB = int64_t{1} << 20;
  const DataStream none, small = stream_of(64 * kMiB), large = stream_of(448 * kMiB);
  EXPECT_EQ(memory_warning(small, none, 8), "");
  EXPECT_EQ(memory_warning(stream_of(2048 * kMiB), none, 1), "");  // nobody has the same
  const std::string text = memory_warning(large, small, 4);
  EXPECT_TRUE(contains(text, "512 MiB of memory on each of 4 ranks")) << text;
  EXPECT_TRUE(contains(text, "2.0 GiB in all")) << text;
}

}  // namespace
}  // namespace argosy
