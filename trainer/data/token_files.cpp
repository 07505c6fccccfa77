// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// llm.c's .bin: a mapped file as it lies on disk.
#include "trainer/data/token_files.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "trainer/data/dataset.h"
#include "trainer/data/mapped_tokens.h"
#include "trainer/data/sources.h"

namespace argosy {

namespace {

// Header of llm.c's token files: 256 int32, of which the first three are magic, version and number
// of tokens (github.com/karpathy/llm.c, dev/data/data_common.py).
constexpr size_t kHeaderBytes = 256 * sizeof(int32_t);
struct BinFormat {
  int32_t magic, version;
  size_t token_bytes;
};
constexpr std::array<BinFormat, 2> kBinFormats = {{{20240520, 1, 2}, {20240801, 7, 4}}};

// Magic, version and number of tokens; zeros if the file is too short for them.
std::array<int32_t, 3> header_of(const DataFile& file) {
  std::array<int32_t, 3> header = {};
  if (file.bytes().size() >= sizeof(header)) {
    std::memcpy(header.data(), file.bytes().data(), sizeof(header));
  }
  return header;
}

}  // namespace

bool has_bin_magic(const std::filesystem::path& path) {
  const int32_t magic = header_of(DataFile(path))[0];
  return std::any_of(kBinFormats.begin(), kBinFormats.end(),
                     [magic](const BinFormat& format) { return format.magic == magic; });
}

std::unique_ptr<TokenSource> open_bin(const std::filesystem::path& path) {
  auto file = std::make_unique<DataFile>(path);
  const auto [magic, version, num_tokens] = header_of(*file);
  const auto format = std::find_if(kBinFormats.begin(), kBinFormats.end(),
                                   [m = magic](const BinFormat& f) { return f.magic == m; });
  if (format == kBinFormats.end()) {
    throw ConfigError(concat("data file ", path, ": magic is ", magic, "; llm.c token files begin ",
                             "with 20240520 (16-bit tokens) or 20240801 (32-bit tokens), and no ",
                             ".idx as Megatron-LM's stands beside it"));
  }
  if (version != format->version) {
    throw ConfigError(concat("data file ", path, ": version is ", version, ", magic ", magic,
                             " is known with version ", format->version));
  }
  if (num_tokens <= 0) {
    throw ConfigError(concat("data file ", path, ": header counts ", num_tokens, " tokens"));
  }
  const size_t expected_bytes =
      kHeaderBytes + static_cast<size_t>(num_tokens) * format->token_bytes;
  if (file->bytes().size() != expected_bytes) {
    throw ConfigError(concat("data file ", path, ": has ", file->bytes().size(),
                             " bytes, its header counts ", num_tokens, " tokens, which are ",
                             expected_bytes, " bytes; the file is damaged or was cut"));
  }
  if (format->token_bytes == sizeof(uint16_t)) {
    return std::make_unique<MappedTokens<uint16_t>>(std::move(file), kHeaderBytes);
  }
  return std::make_unique<MappedTokens<uint32_t>>(std::move(file), kHeaderBytes);
}

void write_bin(const std::filesystem::path& path, const TokenSource& source, int64_t num_ids) {
  const BinFormat& format = kBinFormats[num_ids <= kMost16BitIds ? 0 : 1];
  const int64_t num_tokens = source.num_tokens();
  if (num_tokens > std::numeric_limits<int32_t>::max()) {
    throw ConfigError(concat(path.string(), ": ", num_tokens, " tokens; a .bin counts ",
                             std::numeric_limits<int32_t>::max(), " at most: split the text"));
  }
  std::string bytes(kHeaderBytes, '\0');
  const std::array<int32_t, 3> header = {format.magic, format.version,
                                         static_cast<int32_t>(num_tokens)};
  std::memcpy(bytes.data(), header.data(), sizeof(header));
  bytes.reserve(kHeaderBytes + static_cast<size_t>(num_tokens) * format.token_bytes);
  for (int64_t i = 0; i < num_tokens; ++i) {
    const int32_t token = source.token(i);  // little-endian: the lower bytes come first
    bytes.append(reinterpret_cast<const char*>(&token), format.token_bytes);
  }
  write_text_file(path, bytes);
}

}  // namespace argosy
