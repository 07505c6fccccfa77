// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// In the place of cuda_backend.cpp where the project is built without CUDA.
#include "planner/spec/check.h"
#include "trainer/device/device_backend.h"

namespace argosy {

namespace {

[[noreturn]] void fail() {
  throw Error("this build has no cuda device: build with the cuda preset");
}

}  // namespace

void prepare_cuda_environment() {}

int count_cuda_devices() {
  fail();
}

std::string pci_address_of_cuda_device(int) {
  fail();
}

std::unique_ptr<DeviceBackend> make_cuda_backend(int) {
  fail();
}

}  // namespace argosy
