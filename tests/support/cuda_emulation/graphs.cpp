// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/support/cuda_emulation/graphs.h"

#include <algorithm>
#include <atomic>

#include "tests/support/cuda_emulation/devices.h"

using argosy::cuda_emulation::Capture;
using argosy::cuda_emulation::devices;
using argosy::cuda_emulation::Event;
using argosy::cuda_emulation::GraphNode;
using argosy::cuda_emulation::Stream;
using argosy::cuda_emulation::Task;
using Kind = argosy::cuda_emulation::GraphNode::Kind;

struct CUgraph_st {
  int device = 0;
  std::vector<int> stream_numbers;
  std::vector<GraphNode> nodes;
};

struct CUgraphExec_st {
  CUgraph_st graph;
  std::vector<cudaStream_t> branches;  // of all streams of the graph but the first
};

namespace {

thread_local std::shared_ptr<Capture> capture_of_thread;
std::atomic<int64_t> launches = 0;

// Whether the first stream has come to wait for the last node of each other stream.
bool all_are_joined(const Capture& capture) {
  std::vector<size_t> last(capture.streams.size(), 0);
  for (size_t i = 0; i < capture.nodes.size(); ++i) last[capture.nodes[i].stream] = i;
  // [s][t]: one past the last node of stream t that s is behind.
  const size_t num = capture.streams.size();
  std::vector<std::vector<size_t>> reached(num, std::vector<size_t>(num, 0));
  std::vector<std::vector<size_t>> at_node(capture.nodes.size());
  for (size_t i = 0; i < capture.nodes.size(); ++i) {
    const GraphNode& node = capture.nodes[i];
    std::vector<size_t>& mine = reached[node.stream];
    if (node.kind == Kind::wait) {
      const std::vector<size_t>& theirs = at_node[node.awaited];
      for (size_t t = 0; t < num; ++t) mine[t] = std::max(mine[t], theirs[t]);
    }
    mine[node.stream] = i + 1;
    at_node[i] = mine;
  }
  for (size_t t = 1; t < num; ++t) {
    if (reached[0][t] < last[t] + 1) return false;
  }
  return true;
}

cudaStream_t make_branch(int device, int number) {
  auto stream = std::make_shared<Stream>();
  stream->device = device;
  stream->number = number;
  const auto handle = reinterpret_cast<cudaStream_t>(stream.get());
  devices().streams[handle] = std::move(stream);
  return handle;
}

// Puts one node on its stream; *task: of an event.
cudaError_t launch_node(const GraphNode& node, cudaStream_t handle,
                        const std::vector<std::shared_ptr<Task>>& tasks,
                        std::shared_ptr<Task>* task) {
  if (node.kind == Kind::work) return argosy::cuda_emulation::enqueue(handle, node.work);
  if (node.kind == Kind::call) return node.call(handle);
  const std::scoped_lock lock(devices().mutex);
  Stream& stream = devices().stream(handle);
  if (const cudaError_t error = devices().of(stream.device).error) return error;
  const std::shared_ptr<Task> put = argosy::cuda_emulation::put(stream, {});
  if (node.kind == Kind::wait) {
    if (!tasks[node.awaited]->done) put->awaited = tasks[node.awaited];
  } else {
    *task = put;
    if (node.kind == Kind::external_event)
      *reinterpret_cast<Event*>(node.event) = {.task = put, .num_asked = 0};
  }
  argosy::cuda_emulation::advance();
  return cudaSuccess;
}

}  // namespace

namespace argosy::cuda_emulation {

cudaError_t refuse_in_capture() {
  if (!capture_of_thread) return cudaSuccess;
  capture_of_thread->is_spoilt = true;
  return cudaErrorStreamCaptureUnsupported;
}

bool is_captured(Stream& stream, GraphNode node, cudaError_t* code) {
  if (!stream.capture) return false;
  Capture& capture = *stream.capture;
  *code = capture.is_spoilt ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
  node.stream = stream.number_in_capture;
  if (!capture.is_spoilt) capture.nodes.push_back(std::move(node));
  return true;
}

bool is_capturing(cudaStream_t handle) {
  const std::scoped_lock lock(devices().mutex);
  return handle != nullptr && devices().stream(handle).capture != nullptr;
}

cudaError_t capture_call(cudaStream_t handle, std::function<cudaError_t(cudaStream_t)> put) {
  const std::scoped_lock lock(devices().mutex);
  cudaError_t code = cudaErrorStreamCaptureUnmatched;
  (void)is_captured(devices().stream(handle), {.kind = Kind::call, .call = std::move(put)}, &code);
  return code;
}

int64_t num_graph_launches() {
  return launches;
}

}  // namespace argosy::cuda_emulation

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode) {
  const std::scoped_lock lock(devices().mutex);
  Stream& stream = devices().stream(handle);
  if (const cudaError_t error = devices().of(stream.device).error) return error;
  if (stream.capture || capture_of_thread) return cudaErrorInvalidValue;
  capture_of_thread = std::make_shared<Capture>();
  capture_of_thread->thread = std::this_thread::get_id();
  capture_of_thread->streams = {&stream};
  stream.capture = capture_of_thread;
  stream.number_in_capture = 0;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  *graph = nullptr;
  const std::scoped_lock lock(devices().mutex);
  Stream& stream = devices().stream(handle);
  const std::shared_ptr<Capture> capture = stream.capture;
  if (!capture || capture->streams.front() != &stream) return cudaErrorStreamCaptureUnmatched;
  if (capture->thread != std::this_thread::get_id()) return cudaErrorStreamCaptureWrongThread;
  capture->is_active = false;
  capture_of_thread.reset();
  auto result = std::make_unique<CUgraph_st>();
  result->device = stream.device;
  for (Stream* one : capture->streams) {
    one->capture.reset();
    result->stream_numbers.push_back(one->number);
  }
  if (capture->is_spoilt) return cudaErrorStreamCaptureInvalidated;
  if (!all_are_joined(*capture)) return cudaErrorStreamCaptureUnjoined;
  result->nodes = std::move(capture->nodes);
  *graph = result.release();
  return cudaSuccess;
}

// Events inside are edges, not nodes.
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  if (nodes != nullptr) return cudaErrorInvalidValue;
  *count = static_cast<size_t>(std::count_if(
      graph->nodes.begin(), graph->nodes.end(),
      [](const GraphNode& node) { return node.kind != Kind::event && node.kind != Kind::wait; }));
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  const std::scoped_lock lock(devices().mutex);
  auto result = std::make_unique<CUgraphExec_st>();
  result->graph = *graph;
  for (size_t i = 1; i < graph->stream_numbers.size(); ++i)
    result->branches.push_back(make_branch(graph->device, graph->stream_numbers[i]));
  *exec = result.release();
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  if (argosy::cuda_emulation::is_capturing(stream)) return cudaErrorStreamCaptureUnsupported;
  ++launches;
  std::vector<std::shared_ptr<Task>> tasks(exec->graph.nodes.size());
  for (size_t i = 0; i < exec->graph.nodes.size(); ++i) {
    const GraphNode& node = exec->graph.nodes[i];
    const cudaError_t error = launch_node(
        node, node.stream == 0 ? stream : exec->branches[node.stream - 1], tasks, &tasks[i]);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

// What was launched still runs.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  const std::scoped_lock lock(devices().mutex);
  for (cudaStream_t branch : exec->branches) devices().stream(branch).is_orphan = true;
  argosy::cuda_emulation::advance();
  delete exec;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
