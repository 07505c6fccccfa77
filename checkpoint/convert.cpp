// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/convert.h"

#include <cstring>
#include <type_traits>

#include "planner/spec/bfloat16.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

// Calls use(T{}) with the C++ type of a floating dtype.
template <typename Use>
void with_type(DType dtype, const Use& use) {
  switch (dtype) {
    case DType::fp64:
      return use(double{});
    case DType::fp32:
      return use(float{});
    case DType::bf16:
      return use(bfloat16{});
    case DType::int32:
    case DType::int16:
    case DType::uint8:
      break;
  }
  CHECK(false, "no conversion from or to ", to_string(dtype));
}

// Elements lie in byte buffers: memcpy is how C++ reads and writes them as numbers.
template <typename From, typename To>
void convert(const unsigned char* source, unsigned char* destination, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    From from;
    std::memcpy(&from, source + i * static_cast<int64_t>(sizeof(From)), sizeof from);
    const To to(from);
    std::memcpy(destination + i * static_cast<int64_t>(sizeof(To)), &to, sizeof to);
  }
}

}  // namespace

bool can_convert(DType from, DType to) {
  const auto is_integer = [](DType dtype) {
    return dtype == DType::int32 || dtype == DType::int16 || dtype == DType::uint8;
  };
  return from == to || (!is_integer(from) && !is_integer(to));
}

void convert_elements(DType from, const void* source, DType to, void* destination, int64_t count) {
  if (from == to) {
    std::memcpy(destination, source, static_cast<size_t>(count * size_in_bytes(from)));
    return;
  }
  with_type(from, [&]<typename From>(From) {
    with_type(to, [&]<typename To>(To) {
      if constexpr (!std::is_same_v<From, To>) {
        convert<From, To>(static_cast<const unsigned char*>(source),
                          static_cast<unsigned char*>(destination), count);
      }
    });
  });
}

}  // namespace argosy
