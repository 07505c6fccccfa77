// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Token files of Megatron-LM: PREFIX.bin holds tokens alone, PREFIX.idx says their type and where
// sequences begin (github.com/NVIDIA/Megatron-LM, megatron/core/datasets/indexed_dataset.py):
//   9 bytes  "MMIDIDX\0\0"         u64  version, 1
//   u8       type of a token       u64  sequences            u64  documents
//   i32 (sequences) lengths        i64 (sequences) first byte of each in the .bin
//   i64 (documents) first sequence of each
#include <cstring>
#include <string>

#include "planner/spec/check.h"
#include "trainer/data/mapped_tokens.h"
#include "trainer/data/sources.h"

namespace argosy {

namespace {

constexpr std::string_view kMagic("MMIDIDX\0\0", 9);
constexpr size_t kHeaderBytes = kMagic.size() + 8 + 1 + 8 + 8;
enum TokenType : uint8_t { kInt32 = 4, kUint16 = 8 };  // the two that its preprocessing writes

std::filesystem::path with_extension(std::filesystem::path path, const char* extension) {
  return path.replace_extension(extension);
}

template <typename Number>
Number number_at(const DataFile& file, size_t offset) {
  Number number{};
  std::memcpy(&number, file.bytes().data() + offset, sizeof(number));
  return number;
}

struct Index {
  uint8_t type = 0;
  uint64_t num_sequences = 0;
  int64_t num_tokens = 0;
};

Index read_index(const std::filesystem::path& path) {
  const DataFile file(path);
  const auto fail = [&](const std::string& what) {
    throw ConfigError(concat("data file ", path, ": ", what));
  };
  const size_t size_bytes = file.bytes().size();
  if (size_bytes < kHeaderBytes ||
      std::memcmp(file.bytes().data(), kMagic.data(), kMagic.size()) != 0) {
    fail("does not begin as an index of Megatron-LM does, with MMIDIDX");
  }
  const auto version = number_at<uint64_t>(file, kMagic.size());
  if (version != 1) fail(concat("version is ", version, "; valid: 1"));
  Index index{.type = number_at<uint8_t>(file, kMagic.size() + 8),
              .num_sequences = number_at<uint64_t>(file, kMagic.size() + 9)};
  if (index.type != kInt32 && index.type != kUint16) {
    fail(concat("token type ", static_cast<int>(index.type), "; valid: 4 (int32) and 8 (uint16)"));
  }
  if (index.num_sequences == 0) fail("counts no sequences");
  constexpr size_t kSequenceBytes = sizeof(int32_t) + sizeof(int64_t);
  if (index.num_sequences > (size_bytes - kHeaderBytes) / kSequenceBytes) {
    fail(concat("has ", size_bytes, " bytes, fewer than its ", index.num_sequences,
                " sequences take; the file is damaged or was cut"));
  }
  for (uint64_t i = 0; i < index.num_sequences; ++i) {
    const auto length = number_at<int32_t>(file, kHeaderBytes + i * sizeof(int32_t));
    if (length < 0) fail(concat("sequence ", i, " has ", length, " tokens"));
    index.num_tokens += length;
  }
  return index;
}

// First tokens of the sequences of an index that was read before; empty ones begin nothing.
std::vector<int64_t> sequence_begins(const std::filesystem::path& path, uint64_t num_sequences) {
  const DataFile file(path);
  std::vector<int64_t> begins;
  begins.reserve(num_sequences);
  int64_t begin = 0;
  for (uint64_t i = 0; i < num_sequences; ++i) {
    const auto length = number_at<int32_t>(file, kHeaderBytes + i * sizeof(int32_t));
    if (length > 0) begins.push_back(begin);
    begin += length;
  }
  return begins;
}

// The sequences are looked up by who packs them alone.
template <typename Token>
class IndexedTokens : public MappedTokens<Token> {
 public:
  IndexedTokens(std::unique_ptr<DataFile> file, std::filesystem::path index_path,
                uint64_t num_sequences)
      : MappedTokens<Token>(std::move(file), 0),
        index_path_(std::move(index_path)),
        num_sequences_(num_sequences) {}
  bool has_rows() const override { return true; }
  std::vector<int64_t> row_begins() const override {
    return sequence_begins(index_path_, num_sequences_);
  }

 private:
  std::filesystem::path index_path_;
  uint64_t num_sequences_;
};

}  // namespace

bool has_index(const std::filesystem::path& path) {
  if (path.extension() == ".idx") return true;
  return path.extension() == ".bin" && !has_bin_magic(path) &&
         std::filesystem::is_regular_file(with_extension(path, ".idx"));
}

std::unique_ptr<TokenSource> open_indexed(const std::filesystem::path& path) {
  const std::filesystem::path index_path = with_extension(path, ".idx");
  const std::filesystem::path tokens_path = with_extension(path, ".bin");
  const Index index = read_index(index_path);
  auto file = std::make_unique<DataFile>(tokens_path);
  const auto token_bytes =
      static_cast<int64_t>(index.type == kUint16 ? sizeof(uint16_t) : sizeof(int32_t));
  const auto size_bytes = static_cast<int64_t>(file->bytes().size());
  if (size_bytes != index.num_tokens * token_bytes) {
    throw ConfigError(concat("data file ", tokens_path, ": has ", size_bytes, " bytes, ",
                             index_path, " counts ", index.num_tokens, " tokens of ", token_bytes,
                             " bytes; one of them is damaged or was cut"));
  }
  if (index.type == kUint16) {
    return std::make_unique<IndexedTokens<uint16_t>>(std::move(file), index_path,
                                                     index.num_sequences);
  }
  // A negative id becomes one beyond every vocabulary.
  return std::make_unique<IndexedTokens<uint32_t>>(std::move(file), index_path,
                                                   index.num_sequences);
}

}  // namespace argosy
