// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Memory that each rank of a host has for the same tokens is told where it is much; which tokens
// end documents is asked of a tokenizer once.
#include "trainer/data_streams.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/texts.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

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

// Of a model whose texts end with 7 or 8, beside a tokenizer that says 7.
class SeveralEnds : public testing::Test {
 protected:
  SeveralEnds() : folder_(fs::temp_directory_path() / "argosy_data_streams_test") {
    fs::create_directories(folder_);
    const fs::path golden = fs::path(ARGOSY_SOURCE_DIR) / "tests/golden/tokenizers";
    const auto over = fs::copy_options::overwrite_existing;
    fs::copy_file(golden / "like_llama2.json", folder_ / "tokenizer.json", over);
    const std::string seven = read_tokenizer(folder_).tokenizer.rules().texts[7];
    std::ofstream(folder_ / "tokenizer_config.json") << R"({"eos_token": ")" << seven << "\"}";
    plan_.model.config_json = R"({"eos_token_id": [7, 8]})";
  }
  ~SeveralEnds() override { fs::remove_all(folder_); }

  TrainOptions options_;
  Plan plan_;
  fs::path folder_;
};

// Whatever is asked of it and however often.
TEST_F(SeveralEnds, TheTokenizerBesideThemIsReadOnce) {
  const TokenizerFolder none;
  StreamOpener opener{options_, plan_, folder_, none};
  const Held tokens(0);
  EXPECT_EQ(opener.document_ends(tokens), std::vector<int32_t>{7});
  fs::remove_all(folder_);
  EXPECT_EQ(opener.document_ends(tokens), std::vector<int32_t>{7});
}

// It is there where rows have been read with it.
TEST_F(SeveralEnds, TheTokenizerThatReadTheTextIsAsked) {
  const TokenizerFolder tokenizer = read_tokenizer(folder_);
  StreamOpener opener{options_, plan_, folder_, tokenizer};
  fs::remove_all(folder_);
  EXPECT_EQ(opener.document_ends(Held(0)), std::vector<int32_t>{7});
}

}  // namespace
}  // namespace argosy
