// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/master_memory.h"

#include <cstring>
#include <utility>
#include <vector>

#include "planner/spec/split_float.h"
#include "trainer/device/device_context.h"

namespace argosy {

namespace {

constexpr int64_t kMasterBytes = sizeof(float), kPartBytes = sizeof(int16_t);
static_assert(sizeof(bfloat16) == sizeof(int16_t));

char* at(const Tensor& x, int64_t element) {
  return static_cast<char*>(x.raw()) + element * kPartBytes;
}

}  // namespace

MasterMemory::MasterMemory(Tensor rounded, Tensor rest)
    : rounded_(std::move(rounded)), rest_(std::move(rest)) {
  CHECK(rounded_.dtype() == DType::bf16 && rest_.dtype() == DType::int16 &&
        rounded_.size() == rest_.size());
}

int64_t MasterMemory::element_at(const void* data) const {
  return (static_cast<const char*>(data) - static_cast<const char*>(address())) / kMasterBytes;
}

void MasterMemory::read(const void* data, void* host, int64_t bytes) {
  const int64_t first = element_at(data), count = bytes / kMasterBytes;
  std::vector<bfloat16> rounded(static_cast<size_t>(count));
  std::vector<int16_t> rest(static_cast<size_t>(count));
  backend_of(rounded_).download(at(rounded_, first), rounded.data(), count * kPartBytes);
  backend_of(rest_).download(at(rest_, first), rest.data(), count * kPartBytes);
  for (size_t i = 0; i < rest.size(); ++i) {
    const float master = join_float(rounded[i], rest[i]);
    std::memcpy(static_cast<char*>(host) + i * sizeof master, &master, sizeof master);
  }
}

void MasterMemory::write(const void* host, void* data, int64_t width_bytes, int64_t num_rows,
                         int64_t pitch_bytes) {
  const auto count = static_cast<size_t>(width_bytes / kMasterBytes * num_rows);
  std::vector<bfloat16> rounded(count);
  std::vector<int16_t> rest(count);
  for (size_t i = 0; i < count; ++i) {
    float master = 0;
    std::memcpy(&master, static_cast<const char*>(host) + i * sizeof master, sizeof master);
    rounded[i] = bfloat16(master);
    rest[i] = rest_of_float(master, rounded[i]);
  }
  const int64_t first = element_at(data);
  constexpr int64_t kParts = kMasterBytes / kPartBytes;
  const CopyRows rows{width_bytes / kParts, num_rows, pitch_bytes / kParts};
  backend_of(rounded_).upload_rows(rounded.data(), at(rounded_, first), rows);
  backend_of(rest_).upload_rows(rest.data(), at(rest_, first), rows);
}

}  // namespace argosy
