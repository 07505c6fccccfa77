// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Instructions that CUDA C++ has no name for, compute capability 8.0 on: copies to shared memory
// beside the program, 8x8 matrices to registers, and a product of the tensor cores (PTX ISA,
// cp.async, ldmatrix, mma.m16n8k16). tests/support/cuda_emulation has a file of this name.
#pragma once

#include <cuda_runtime.h>

namespace argosy::ops {

__device__ inline unsigned shared_address(const void* shared) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

// 16 bytes from global to shared memory, or zeros where nothing is there. Both aligned to 16 bytes.
__device__ inline void copy_16_bytes(void* shared, const void* global, bool is_there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
               "l"(global), "r"(is_there ? 16 : 0)
               : "memory");
}
// The copies of this thread since the last call are a group.
__device__ inline void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// Until all groups but the latest kPending have arrived.
template <int kPending>
__device__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// Four 8x8 matrices of 16 bits: lane l names the address of row l%8 of matrix l/8 and gets of each
// matrix row l/4, columns 2(l%4) and the next.
__device__ inline void load_matrices(unsigned (&parts)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(parts[0]), "=r"(parts[1]), "=r"(parts[2]), "=r"(parts[3])
               : "r"(shared_address(row))
               : "memory");
}
// The same of the transposed matrices.
__device__ inline void load_turned_matrices(unsigned (&parts)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(parts[0]), "=r"(parts[1]), "=r"(parts[2]), "=r"(parts[3])
               : "r"(shared_address(row))
               : "memory");
}

// c (16,8) += a (16,16) b (16,8), bf16 into fp32. With g = lane/4, t = lane%4, pairs of columns or,
// for b, of rows: a[0] row g, columns 2t; a[1] row g+8; a[2], a[3] the same at columns 2t+8. b0
// rows 2t of column g, b1 rows 2t+8. c[0], c[1] row g, columns 2t, 2t+1; c[2], c[3] row g+8.
__device__ inline void multiply_tiles(float (&c)[4], const unsigned (&a)[4], unsigned b0,
                                      unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace argosy::ops
