// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/parallel/host_update.h"

#include <algorithm>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/integers.h"
#include "trainer/device/host_backend.h"
#include "trainer/device/pinned_copies.h"

namespace argosy {

namespace {

// A cache line of bf16: pieces of a load begin with one of their own.
constexpr int64_t kPieceStep = 32;

Tensor part_of(const Tensor& flat, int64_t begin, int64_t size) {
  return flat.defined() ? flat.flat(begin, begin + size, {size}) : Tensor();
}

}  // namespace

HostMemory::HostMemory(DeviceContext& device, DType weights, DType gradients, int64_t load_elements)
    : device_(device),
      host_(Device::cpu, make_host_backend(device.backend())),
      load_elements_(load_elements) {
  CHECK(load_elements > 0, load_elements, " elements a load");
  scale_ = host_.empty({1}, DType::fp64, MemoryCategory::workspace);
  if (device.backend().is_host_memory()) return;
  for (Slot& slot : slots_) {
    slot.grads = host_.empty({load_elements}, gradients, MemoryCategory::workspace);
    slot.params = host_.empty({load_elements}, weights, MemoryCategory::workspace);
  }
  DeviceStreams& streams = *device.backend().streams();
  down_ = streams.make_queue();
  up_ = streams.make_queue();
}

HostUpdate::HostUpdate(HostMemory& memory, std::vector<ops::UpdatePart> parts,
                       const Tensor& grad_scale)
    : memory_(memory), parts_(std::move(parts)) {
  DeviceBackend& device = memory_.device_.backend();
  if (!device.is_host_memory()) {
    plan_loads();
    // What goes up was waited for on its way down, so that this is behind these ops too.
    memory_.down_->wait_for(*device.streams()->compute().mark());
    for (size_t i = 0; i < std::min(loads_.size(), HostMemory::kNumSlots); ++i) begin_down(i);
  }
  device.download(grad_scale.raw(), memory_.scale_.raw(), memory_.scale_.bytes());
}

// Parts one after the other, cut where a load is full.
void HostUpdate::plan_loads() {
  int64_t at = memory_.load_elements_;  // as if a load before were full
  for (size_t part = 0; part < parts_.size(); ++part) {
    for (int64_t from = 0; from < parts_[part].params.size();) {
      if (at >= memory_.load_elements_) {
        loads_.emplace_back();
        at = 0;
      }
      const int64_t size = std::min(parts_[part].params.size() - from, memory_.load_elements_ - at);
      loads_.back().push_back({part, from, size, at});
      from += size;
      at = round_up(at + size, kPieceStep);
    }
  }
}

void HostUpdate::begin_down(size_t load) {
  HostMemory::Slot& slot = slot_of(load);
  if (slot.up) memory_.down_->wait_for(*slot.up);  // still read by the load before
  PinnedCopies& copies = *memory_.device_.backend().pinned_copies();
  const auto copy = [&](const Tensor& from, const Tensor& to) {
    copies.begin(*memory_.down_, from.raw(), to.raw(), from.bytes());
  };
  for (const Piece& piece : loads_[load]) {
    const ops::UpdatePart& part = parts_[piece.part];
    copy(part_of(part.grads, piece.from, piece.size), part_of(slot.grads, piece.at, piece.size));
    copy(part_of(part.params, piece.from, piece.size), part_of(slot.params, piece.at, piece.size));
  }
  slot.down = memory_.down_->mark();
}

void HostUpdate::update(size_t load, const Apply& apply) {
  HostMemory::Slot& slot = slot_of(load);
  memory_.device_.backend().streams()->wait(*slot.down);
  std::vector<ops::UpdatePart> here;
  here.reserve(loads_[load].size());
  for (const Piece& piece : loads_[load]) {
    const ops::UpdatePart& part = parts_[piece.part];
    here.push_back({.grads = part_of(slot.grads, piece.at, piece.size),
                    .params = part_of(slot.params, piece.at, piece.size),
                    .rest = part_of(part.rest, piece.from, piece.size),
                    .exp_avg = part_of(part.exp_avg, piece.from, piece.size),
                    .exp_avg_sq = part_of(part.exp_avg_sq, piece.from, piece.size),
                    .weight_decay = part.weight_decay});
  }
  apply(here, memory_.scale_);
  PinnedCopies& copies = *memory_.device_.backend().pinned_copies();
  for (size_t i = 0; i < here.size(); ++i) {
    const Piece& piece = loads_[load][i];
    const Tensor to = part_of(parts_[piece.part].params, piece.from, piece.size);
    copies.begin_upload(*memory_.up_, here[i].params.raw(), to.raw(), to.bytes());
  }
  slot.up = memory_.up_->mark();
  if (load + HostMemory::kNumSlots < loads_.size()) begin_down(load + HostMemory::kNumSlots);
}

void HostUpdate::advance(size_t num_parts, const Apply& apply) {
  CHECK(num_parts <= parts_.size(), num_parts, " of ", parts_.size(), " parts");
  DeviceBackend& device = memory_.device_.backend();
  if (device.is_host_memory()) {
    if (num_parts <= num_updated_) return;
    apply(std::span(parts_).subspan(num_updated_, num_parts - num_updated_), memory_.scale_);
    num_updated_ = num_parts;
    return;
  }
  const size_t before = num_updated_;
  while (num_updated_ < loads_.size() && loads_[num_updated_].front().part < num_parts) {
    update(num_updated_++, apply);
  }
  if (num_updated_ > before) device.streams()->compute().wait_for(*memory_.up_->mark());
}

}  // namespace argosy
