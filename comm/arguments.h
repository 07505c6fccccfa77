// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What every back end demands of a call's arguments; a violation is a bug of the caller (CHECK).
#pragma once

#include <cstdint>
#include <span>

#include "comm/communicator.h"

namespace argosy {

int64_t sum_of(std::span<const int64_t> counts);
// device: whose memory the communicator reaches.
void check_buffer(const char* call, ConstBuffer buffer, Device device = Device::cpu);
void check_reduce_scatter(ConstBuffer input, Buffer output, std::span<const int64_t> counts,
                          int rank, int size, Device device = Device::cpu);
void check_all_gather(ConstBuffer input, Buffer output, std::span<const int64_t> counts, int rank,
                      int size, Device device = Device::cpu);
void check_all_to_all(ConstBuffer input, std::span<const int64_t> send_counts, Buffer output,
                      std::span<const int64_t> recv_counts, int rank, int size,
                      Device device = Device::cpu);
void check_root(int root, int size);
void check_peer(const char* call, int peer, int tag, int rank, int size);

}  // namespace argosy
