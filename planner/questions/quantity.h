// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What people write behind the value of a machine's property: 141GB, 400Gb/s, 5us, 700W.
#pragma once

#include <string>

namespace argosy {

// What a value counts; the base unit is that of a cluster's file.
enum class Quantity {
  flops_per_s,
  bytes,
  bytes_per_s,
  seconds,
  hours,
  watts,
  usd_per_hour,
  ratio,
  kg_per_kwh
};

// How many base units one `unit` is: ("Gb/s", bytes_per_s) -> 1.25e8, ("us", seconds) -> 1e-6,
// "" -> 1 of what has no unit. NaN if it is no unit of that quantity: 50 of a bandwidth would be
// bytes a second, which nobody means.
double scale_of(Quantity quantity, std::string unit);

// A value of it, for messages.
const char* example_of(Quantity quantity);

}  // namespace argosy
