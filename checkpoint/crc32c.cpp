// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// CRC-32C (Castagnoli): the checksum of iSCSI (RFC 3720, appendix B.4), which x86 computes in
// hardware since SSE4.2. The table stands in where that instruction is missing.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#include "checkpoint/file_io.h"
#include "checkpoint/manifest.h"

namespace argosy {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78u;  // RFC 3720: 0x1edc6f41, bits reversed

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? kPolynomial : 0u);
    table[byte] = crc;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = make_table();

uint32_t update_by_table(uint32_t crc, const unsigned char* data, int64_t bytes) {
  for (int64_t i = 0; i < bytes; ++i) crc = (crc >> 8) ^ kTable[(crc ^ data[i]) & 0xffu];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t update_by_hardware(uint32_t crc,
                                                              const unsigned char* data,
                                                              int64_t bytes) {
  uint64_t wide = crc;
  for (; bytes >= 8; bytes -= 8, data += 8) {
    uint64_t word = 0;
    std::memcpy(&word, data, sizeof word);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<uint32_t>(wide);
  for (; bytes > 0; --bytes, ++data) crc = _mm_crc32_u8(crc, *data);
  return crc;
}
#endif

}  // namespace

uint32_t crc32c(const void* data, int64_t bytes, uint32_t seed) {
  const auto* begin = static_cast<const unsigned char*>(data);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ~update_by_hardware(~seed, begin, bytes);
#endif
  return crc32c_by_table(begin, bytes, seed);
}

uint32_t crc32c_by_table(const void* data, int64_t bytes, uint32_t seed) {
  return ~update_by_table(~seed, static_cast<const unsigned char*>(data), bytes);
}

uint32_t crc32c_of_file(const File& file, int64_t bytes) {
  constexpr int64_t kBucketBytes = int64_t{4} << 20;
  std::vector<unsigned char> bucket(static_cast<size_t>(std::min(bytes, kBucketBytes)));
  uint32_t crc = 0;
  for (int64_t done = 0; done < bytes; done += kBucketBytes) {
    const int64_t count = std::min(kBucketBytes, bytes - done);
    file.read_at(done, bucket.data(), count);
    crc = crc32c(bucket.data(), count, crc);
  }
  return crc;
}

}  // namespace argosy
