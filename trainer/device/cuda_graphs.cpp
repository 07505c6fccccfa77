// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/cuda_graphs.h"

#include "planner/spec/check.h"
#include "trainer/device/cuda_check.h"

namespace argosy {
namespace {

class CudaGraph : public DeviceGraph {
 public:
  CudaGraph(cudaStream_t stream, cudaGraph_t graph) : stream_(stream) {
    size_t num_nodes = 0;
    check_cuda(cudaGraphGetNodes(graph, nullptr, &num_nodes), "cudaGraphGetNodes");
    num_nodes_ = static_cast<int64_t>(num_nodes);
    check_cuda(cudaGraphInstantiate(&exec_, graph, 0), "cudaGraphInstantiate");
  }
  ~CudaGraph() override { (void)cudaGraphExecDestroy(exec_); }
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  void launch() override { check_cuda(cudaGraphLaunch(exec_, stream_), "cudaGraphLaunch"); }
  int64_t num_nodes() const override { return num_nodes_; }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t exec_ = nullptr;
  int64_t num_nodes_ = 0;
};

// A capture that lasts as long as this, or until its end is asked for.
class Capture {
 public:
  explicit Capture(CudaStreamSet& streams) : streams_(streams) {
    // Calls of other threads (watchdog, checkpoints, other ranks) are none of its business.
    check_cuda(cudaStreamBeginCapture(streams_.compute_stream(), cudaStreamCaptureModeThreadLocal),
               "cudaStreamBeginCapture");
    streams_.set_capturing(true);
  }
  ~Capture() {
    if (streams_.is_capturing()) (void)end();
    if (graph_ != nullptr) (void)cudaGraphDestroy(graph_);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  cudaError_t end() {
    streams_.set_capturing(false);
    const cudaError_t code = cudaStreamEndCapture(streams_.compute_stream(), &graph_);
    if (code != cudaSuccess) (void)cudaGetLastError();  // or the next check would report it
    return code;
  }
  cudaGraph_t graph() const { return graph_; }

 private:
  CudaStreamSet& streams_;
  cudaGraph_t graph_ = nullptr;
};

}  // namespace

std::unique_ptr<DeviceGraph> CudaGraphs::capture(const std::function<void()>& work) {
  CHECK(!streams_.is_capturing(), "a capture within a capture");
  Capture capture(streams_);
  work();
  check_cuda(capture.end(), "cudaStreamEndCapture");
  return std::make_unique<CudaGraph>(streams_.compute_stream(), capture.graph());
}

}  // namespace argosy
