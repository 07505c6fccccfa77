// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The manifest is the one file that is parsed: nothing in it may be believed.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "checkpoint/manifest.h"
#include "checkpoint/manifest_check.h"
#include "planner/spec/check.h"
#include "tests/checkpoint/sample.h"

namespace argosy {
namespace {

using sample::message_of;

Manifest small_manifest() {
  Manifest manifest;
  manifest.step = 12;
  manifest.plan_json = "{\"a\": \"b\\n\"}";
  manifest.state = {{"seed", "1234"}, {"cursor", "\"quoted\""}};
  manifest.shards = {{"shard_00000.h5", 4096, 1}, {"shard_00003.h5", 5000, 0xffffffffu}};
  manifest.tensors = {
      {"w",
       "parameter",
       4,
       3,
       DType::fp32,
       {{0, "/parameter/w/0_2_0_3", 1024, 24, {{0, 2}, {0, 3}}, 7},
        {1, "/parameter/w/2_4_0_3", 4096, 24, {{2, 4}, {0, 3}}, 8}}},
      {"w", "master", 5, 1, DType::bf16, {{1, "/master/w/0_5_0_1", 0, 10, {{0, 5}, {0, 1}}, 9}}}};
  return manifest;
}

// Appends the line that makes any text a manifest with the right CRC.
std::string sealed(const std::string& json) {
  const uint32_t crc = crc32c(json.data(), static_cast<int64_t>(json.size()));
  char line[32];
  std::snprintf(line, sizeof line, "crc32c %08x\n", crc);
  return json + line;
}

TEST(Manifest, ReadsWhatItWrote) {
  const Manifest manifest = small_manifest();
  const Manifest back = parse_manifest_file(manifest_file_text(manifest), "here");
  EXPECT_EQ(to_json(back), to_json(manifest));
  EXPECT_EQ(back.state, manifest.state);
  EXPECT_EQ(back.plan_json, manifest.plan_json);
  EXPECT_EQ(back.tensors[0].extents[1].offset, 4096);
}

TEST(Manifest, OtherFormatVersionNamesBoth) {
  Manifest manifest = small_manifest();
  manifest.format_version = 2;
  EXPECT_EQ(message_of([&] { parse_manifest_file(manifest_file_text(manifest), "m"); }),
            "m: format_version is 2, this program reads 1");
}

TEST(Manifest, ContradictionsAreNamed) {
  const struct {
    std::function<void(Manifest&)> change;
    const char* expected;
  } cases[] = {
      {[](Manifest& m) { m.tensors[0].extents.pop_back(); }, "rows [2, 4) cols [0, 3) is missing"},
      {[](Manifest& m) {
         m.tensors[0].extents[1].box.rows = {1, 4};
         m.tensors[0].extents[1].bytes = 36;
       },
       "rows [1, 2) cols [0, 3) is written twice"},
      {[](Manifest& m) { m.tensors[0].extents[0].bytes = 20; }, "20 bytes stored, 24 are needed"},
      {[](Manifest& m) { m.tensors[0].extents[0].offset = 4090; }, "outside of shard_00000.h5"},
      {[](Manifest& m) { m.tensors[0].extents[0].offset = INT64_MAX; }, "outside of shard_00000"},
      {[](Manifest& m) { m.tensors[0].extents[0].shard = 2; }, "in shard 2 of 2"},
      {[](Manifest& m) { m.tensors[0].extents[0].box.cols.end = 4; }, "not a rectangle"},
      {[](Manifest& m) { m.tensors[1].extents[0].offset = 4100; }, "share bytes of shard_00003.h5"},
      {[](Manifest& m) { m.tensors[0].rows = INT64_MAX; }, "impossible shape"},
      {[](Manifest& m) { m.tensors[0].rows = 0; }, "impossible shape"},
      {[](Manifest& m) { m.tensors[1] = m.tensors[0]; }, "parameter/w is listed twice"},
      {[](Manifest& m) { m.shards[1].file = "shard_00000.h5"; }, "listed twice"},
      {[](Manifest& m) { m.shards[1].file = "../../etc/shard_1.h5"; }, "no shard's name"},
  };
  for (const auto& c : cases) {
    Manifest manifest = small_manifest();
    c.change(manifest);
    const std::string message =
        message_of([&] { parse_manifest_file(manifest_file_text(manifest), "m"); });
    EXPECT_NE(message.find(c.expected), std::string::npos) << c.expected << " | " << message;
  }
}

TEST(Manifest, EveryTruncationIsRefused) {
  const std::string text = manifest_file_text(small_manifest());
  for (size_t bytes = 0; bytes < text.size(); ++bytes) {
    EXPECT_NE(message_of([&] { parse_manifest_file(text.substr(0, bytes), "m"); }), "") << bytes;
  }
}

TEST(Manifest, EveryFlippedByteIsRefused) {
  const std::string text = manifest_file_text(small_manifest());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x04);
    EXPECT_NE(message_of([&] { parse_manifest_file(flipped, "m"); }), "") << i;
  }
}

// With a right CRC around it: whatever is accepted satisfies every check, the rest is an Error (any
// other exception, or a crash, fails the test).
TEST(Manifest, SurvivesMutationsBehindTheCrc) {
  std::mt19937 random(5);
  const std::string text = to_json(small_manifest());
  const std::string alphabet = "0123456789-.eE[]{},:\"\\ ntfu\xff";
  int num_refused = 0;
  for (int trial = 0; trial < 5000; ++trial) {
    std::string mutated = text;
    for (unsigned edits = 1 + random() % 4; edits > 0; --edits) {
      const size_t at = random() % mutated.size();
      const unsigned action = random() % 3;
      if (action == 0) mutated[at] = alphabet[random() % alphabet.size()];
      if (action == 1) mutated.insert(at, 1, alphabet[random() % alphabet.size()]);
      if (action == 2) mutated.erase(at, 1 + random() % 20);
    }
    try {
      const Manifest manifest = parse_manifest_file(sealed(mutated), "m");
      EXPECT_NO_THROW(check_manifest(manifest, "again"));
    } catch (const Error&) {
      ++num_refused;
    }
  }
  EXPECT_GT(num_refused, 1000);
}

TEST(Manifest, DeepNestingAndWrongTypesAreErrors) {
  for (const std::string& json :
       {std::string(100000, '['), std::string("null"), std::string("[]"), std::string("{}"),
        std::string("{\"format_version\": 1e99}"), std::string("{\"format_version\": \"1\"}"),
        std::string("{\"format_version\": 4294967297}"),
        std::string("{\"format_version\": 1, \"step\": -1}"),
        std::string("{\"format_version\": 1, \"step\": 1, \"plan_json\": 3}")}) {
    EXPECT_THROW(parse_manifest_file(sealed(json), "m"), Error) << json.substr(0, 50);
  }
}

}  // namespace
}  // namespace argosy
