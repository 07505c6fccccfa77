// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// CUDA graphs by stream capture.
#pragma once

#include "trainer/device/cuda_streams.h"
#include "trainer/device/device_graph.h"

namespace argosy {

class CudaGraphs : public DeviceGraphs {
 public:
  explicit CudaGraphs(CudaStreamSet& streams) : streams_(streams) {}
  std::unique_ptr<DeviceGraph> capture(const std::function<void()>& work) override;

 private:
  CudaStreamSet& streams_;
};

}  // namespace argosy
