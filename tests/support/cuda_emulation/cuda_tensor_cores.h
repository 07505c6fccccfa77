// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Stands in for the project's header of this name: the same functions in plain C++ on the
// emulation's warps. Copies happen when they are waited for and not before, so that a wait that
// lacks shows.
#pragma once

#include <array>
#include <vector>

#include "planner/spec/bfloat16.h"
#include "tests/support/cuda_emulation/cuda_runtime.h"

namespace argosy::cuda_emulation {

struct Copy {
  void* to;
  const void* from;  // null: zeros
};
struct PendingCopies {
  std::vector<Copy> open;
  std::vector<std::vector<Copy>> groups;
};
// Of the thread that runs.
inline PendingCopies& pending_copies() {
  static std::array<PendingCopies, 1024> of_threads;
  return of_threads[threadIdx.x];
}
inline void wait_for_copies(size_t pending) {
  auto& groups = pending_copies().groups;
  while (groups.size() > pending) {
    for (const Copy& copy : groups.front()) {
      if (copy.from != nullptr) {
        std::memcpy(copy.to, copy.from, 16);
      } else {
        std::memset(copy.to, 0, 16);
      }
    }
    groups.erase(groups.begin());
  }
}

inline float half_of(unsigned pair, int which) {
  return std::bit_cast<float>((which == 0 ? pair << 16 : pair & 0xffff0000u));
}

}  // namespace argosy::cuda_emulation

namespace argosy::ops {

inline void copy_16_bytes(void* shared, const void* global, bool is_there) {
  cuda_emulation::pending_copies().open.push_back({shared, is_there ? global : nullptr});
}
inline void commit_copies() {
  auto& [open, groups] = cuda_emulation::pending_copies();
  groups.push_back(std::exchange(open, {}));
}
template <int kPending>
void wait_for_copies() {
  cuda_emulation::wait_for_copies(kPending);
}

using RowsOfLanes = std::array<uint64_t, 32>;  // addresses
inline const unsigned short* row_of(const RowsOfLanes& rows, unsigned source) {
  return reinterpret_cast<const unsigned short*>(rows[source]);
}
inline void load_matrices(unsigned (&parts)[4], const void* row) {
  const unsigned lane = cuda_emulation::lane();
  const RowsOfLanes& rows =
      cuda_emulation::warp_gather("ldmatrix", reinterpret_cast<uint64_t>(row));
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned short* from = row_of(rows, 8 * i + lane / 4) + 2 * (lane % 4);
    parts[i] = from[0] | static_cast<unsigned>(from[1]) << 16;
  }
}
inline void load_turned_matrices(unsigned (&parts)[4], const void* row) {
  const unsigned lane = cuda_emulation::lane();
  const RowsOfLanes& rows =
      cuda_emulation::warp_gather("ldmatrix.trans", reinterpret_cast<uint64_t>(row));
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned short first = row_of(rows, 8 * i + 2 * (lane % 4))[lane / 4],
                         second = row_of(rows, 8 * i + 2 * (lane % 4) + 1)[lane / 4];
    parts[i] = first | static_cast<unsigned>(second) << 16;
  }
}

inline void multiply_tiles(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  using cuda_emulation::half_of;
  const unsigned lane = cuda_emulation::lane(), row = lane / 4, col = 2 * (lane % 4);
  const auto gather = [](unsigned low, unsigned high) {
    return cuda_emulation::warp_gather("mma", low | uint64_t{high} << 32);
  };
  const auto left = gather(a[0], a[2]), left_8 = gather(a[1], a[3]), right = gather(b0, b1);
  double sums[4] = {c[0], c[1], c[2], c[3]};
  for (unsigned t = 0; t < 4; ++t) {  // rows 2t, 2t+1 and 2t+8, 2t+9 of b
    for (int part = 0; part < 2; ++part) {
      const auto part_of = [&](const auto& values, unsigned source) {
        return static_cast<unsigned>(values[source] >> (32 * part));
      };
      const unsigned upper = part_of(left, 4 * row + t), lower = part_of(left_8, 4 * row + t);
      for (unsigned j = 0; j < 2; ++j) {
        const unsigned factor = part_of(right, 4 * (col + j) + t);
        for (int half = 0; half < 2; ++half) {
          sums[j] += double{half_of(upper, half)} * half_of(factor, half);
          sums[2 + j] += double{half_of(lower, half)} * half_of(factor, half);
        }
      }
    }
  }
  for (int i = 0; i < 4; ++i) c[i] = static_cast<float>(sums[i]);
}

}  // namespace argosy::ops
