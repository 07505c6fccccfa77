// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Numbers as people read and write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace argosy {

std::string format_fixed(double value, int decimals);  // "3.14"
std::string format_bytes(int64_t bytes);               // "61.2 GiB", "512 KiB", "-1.3 GiB"
std::string format_seconds(double seconds);            // "812 ms", "34.2 s", "15.0 us"
std::string format_count(double count);                // "950", "80.6k", "1.2M", "3.4B", "13.0T"
std::string format_amount(double amount);        // of a run: format_count, below 10 "0.53", "5.2"
std::string format_four(double amount);          // four digits: "1.002M", "23.46k", "0.5312"
std::string format_percent(double fraction);     // 0.412 -> "41.2%"
std::string format_grouped(int64_t count);       // "24,960"
std::string format_signed_bytes(int64_t bytes);  // "+1.3 GiB"
std::string format_signed_percent(double fraction);  // "+4.0%"
std::string format_kg(double kg);                    // "57 kg", "258 t", "2.6k t"
std::string format_days(double days);                // "16.8 days", "5.2 hours", "2.5 minutes"
std::string format_day_number(double days);          // "16.8", below a day "0.22", "0.0017"
std::string format_counted(int64_t count, std::string_view noun);  // "1 plan", "2,048 plans"

// "8k", "1.4T", "2e9": a number and one letter of `units` or none, each worth `step` times the one
// before it, in either case. NaN if `text` is anything else.
double parse_count(const std::string& text, std::string_view units, double step);
inline constexpr std::string_view kTokenUnits = "kMBT";  // of 1000: 1.4T tokens
inline constexpr std::string_view kLengthUnits = "kM";   // of 1024: sequences of 8k

}  // namespace argosy
