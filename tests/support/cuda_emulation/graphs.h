// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Stream capture and graphs of emulated devices. A graph is what was put on the streams of a
// capture, in that order; launching it puts all of it on streams again: the first stream's on the
// one that launches, the others' on streams of the graph's own. So branches of a graph are timed as
// the test chooses, as streams are (streams.h).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "tests/support/cuda_emulation/cuda_runtime.h"

namespace argosy::cuda_emulation {

struct Stream;

struct GraphNode {
  enum class Kind { work, call, event, external_event, wait };
  Kind kind = Kind::work;
  size_t stream = 0;                                   // of the capture's, in the order they came
  std::function<void()> work = {};                     // of a kernel, a copy
  std::function<cudaError_t(cudaStream_t)> call = {};  // puts what several ranks do on a stream
  cudaEvent_t event = nullptr;                         // recorded outside too, with each launch
  size_t awaited = 0;                                  // the event's node
};

struct Capture {
  std::thread::id thread;
  std::vector<Stream*> streams;  // the first began it
  std::vector<GraphNode> nodes;
  bool is_active = true, is_spoilt = false;
};

// Under the devices' lock. A call that no capture allows, by this thread: an error while it
// captures, which spoils the capture.
cudaError_t refuse_in_capture();
// Writes a node down, if the stream captures; *code is then what the call returns.
bool is_captured(Stream& stream, GraphNode node, cudaError_t* code);

// --- for libraries that put calls of several ranks on streams

bool is_capturing(cudaStream_t stream);
// put(stream) is called with each launch, without the devices' lock.
cudaError_t capture_call(cudaStream_t stream, std::function<cudaError_t(cudaStream_t)> put);

// Graphs launched so far, for tests that want to know that some were.
int64_t num_graph_launches();

}  // namespace argosy::cuda_emulation
