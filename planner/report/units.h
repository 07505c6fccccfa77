// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace argosy {

std::string format_fixed(double value, int decimals);  // "3.14"
std::string format_bytes(int64_t bytes);               // "61.2 GiB", "512 KiB", "-1.3 GiB"
std::string format_seconds(double seconds);            // "812 ms", "34.2 s", "15.0 us"
std::string format_count(double count);                // "950", "80.6k", "1.2M", "3.4B", "13.0T"
std::string format_percent(double fraction);           // 0.412 -> "41.2%"
std::string format_grouped(int64_t count);             // "24,960"
std::string format_kg(double kg);                      // "57 kg", "258 t", "2.6k t"
std::string format_days(double days);                  // "16.8 days", below a day "5.2 hours"

}  // namespace argosy
