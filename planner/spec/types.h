// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The few enumerations that every room shares, and how they are spelled in files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace argosy {

enum class DType { fp64, fp32, bf16, int32, int16, uint8 };
enum class Device { cpu, cuda };

// How a run computes. bf16 keeps fp32 master weights and accumulates gradients in fp32. The master
// of a weight is the weight and, in the optimizer's state, 16 bits more (spec/split_float.h).
enum class Precision { fp64, fp32, bf16, fp8 };

// What the bytes on a device are for. Predicted and measured ledgers use the same categories.
//   parameters   weights in the compute dtype, frozen ones included
//   gradients    accumulation buffers of trainable weights
//   optimizer    moments and what fp32 master weights have beyond the bf16 weights
//   activations  what forward keeps for backward
//   buffers      inputs, targets, receive buffers: lives through a step, is not saved for backward
//   workspace    scratch inside an op or a layer; freed before it returns
enum class MemoryCategory { parameters, gradients, optimizer, activations, buffers, workspace };
inline constexpr int kNumMemoryCategories = 6;

enum class ReduceOp { sum, max };

int64_t size_in_bytes(DType dtype);
DType compute_dtype(Precision precision);   // weights and activations; fp8 computes in bf16 storage
DType gradient_dtype(Precision precision);  // accumulation: fp64 for fp64, else fp32
DType statistic_dtype(
    Precision precision);  // softmax, norms, router, loss: fp64 for fp64, else fp32
bool has_master_weights(Precision precision);

std::string_view to_string(DType dtype);
std::string_view to_string(Device device);
std::string_view to_string(Precision precision);
std::string_view to_string(MemoryCategory category);

// Throws ConfigError naming `where` (for example "--precision") and the valid words.
Precision precision_from_string(std::string_view text, std::string_view where);
Device device_from_string(std::string_view text, std::string_view where);

}  // namespace argosy
