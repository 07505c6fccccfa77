// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Linked with trainer/main.cpp in the place of argosy-train: says when main prepares what CUDA's
// driver reads from the environment. The linker (--wrap) sends its call here.
#include <mpi.h>

#include <iostream>

#include "trainer/device/device_backend.h"

// The names that --wrap gives to argosy::prepare_cuda_environment.
extern "C" void __real__ZN6argosy24prepare_cuda_environmentEv();
extern "C" void __wrap__ZN6argosy24prepare_cuda_environmentEv() {
  int is_initialized = 0;
  MPI_Initialized(&is_initialized);
  std::cout << "CUDA's environment is prepared "
            << (is_initialized == 0 ? "before MPI, which may look for GPUs" : "too late")
            << std::endl;
  __real__ZN6argosy24prepare_cuda_environmentEv();
}
