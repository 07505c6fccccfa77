// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/packed_save.h"

#include <cstring>
#include <memory>
#include <utility>

#include "trainer/packed_pieces.h"
#include "trainer/parallel/value_gather.h"

namespace argosy {

namespace {

// Bytes of a tensor on the host.
std::vector<char> bytes_of(const Tensor& x) {
  std::vector<char> bytes(static_cast<size_t>(x.bytes()));
  backend_of(x).download(x.raw(), bytes.data(), x.bytes());
  return bytes;
}

class OwnedMemory : public PieceMemory {
 public:
  void write(const void*, void*, int64_t, int64_t, int64_t) override {
    CHECK(false, "what is saved is not written");
  }
};

// Values as they are.
class OwnedValues : public OwnedMemory {
 public:
  explicit OwnedValues(const Tensor& values) : bytes_(bytes_of(values)) {}
  void* address() { return bytes_.data(); }
  void read(const void* data, void* host, int64_t bytes) override {
    std::memcpy(host, data, static_cast<size_t>(bytes));
  }

 private:
  std::vector<char> bytes_;
};

// Rows of a matrix in NF4.
class OwnedNf4 : public OwnedMemory {
 public:
  OwnedNf4(DeviceContext& device, const ops::Nf4Matrix& rows, DType dtype)
      : device_(device),
        codes_(bytes_of(rows.codes)),
        scales_(bytes_of(rows.scales)),
        tile_scales_(bytes_of(rows.tile_scales)),
        rows_{rows.box, on_host(rows.codes, &codes_), on_host(rows.scales, &scales_),
              on_host(rows.tile_scales, &tile_scales_)},
        dtype_(dtype) {}

  // Of an element: a number to count from, that nobody reads at.
  void* address(int64_t element) { return codes_.data() + element * size_in_bytes(dtype_); }

  void read(const void* data, void* host, int64_t bytes) override {
    const int64_t first = (static_cast<const char*>(data) - codes_.data()) / size_in_bytes(dtype_);
    const Range elements = {first, first + bytes / size_in_bytes(dtype_)};
    if (elements.empty()) return;
    const int64_t cols = rows_.box.cols.size();
    const Range range = nf4_rows_around(elements, cols);
    const ops::Nf4Matrix from = nf4_rows(rows_, range);
    const ops::Nf4Matrix there =
        ops::empty_nf4(device_, {from.box}, MemoryCategory::workspace).front();
    upload(from.codes, there.codes);
    upload(from.scales, there.scales);
    upload(from.tile_scales, there.tile_scales);
    PackedMemory values(device_, there, dtype_);
    values.read(values.address(first - range.begin * cols), host, bytes);
  }

 private:
  static Tensor on_host(const Tensor& like, std::vector<char>* bytes) {
    return Tensor(nullptr, bytes->data(), like.shape(), like.dtype(), Device::cpu);
  }
  void upload(const Tensor& from, const Tensor& to) const {
    device_.backend().upload(from.raw(), to.raw(), from.bytes());
  }

  DeviceContext& device_;
  std::vector<char> codes_, scales_, tile_scales_;
  ops::Nf4Matrix rows_;  // of these
  DType dtype_;
};

// Elements `mine` of a local tensor, counted from its first, out of the bytes of its bucket.
void append_owned(const ParameterStore& store, const LocalTensor& local, const Tensor& bucket,
                  Range mine, std::vector<TensorPiece>* pieces) {
  std::shared_ptr<PieceMemory> memory;
  void* address = nullptr;
  if (store.is_in_4_bits(local)) {
    const int64_t cols = local.box.cols.size();
    const Range rows = nf4_rows_around(mine, cols);
    const auto owned = std::make_shared<OwnedNf4>(
        store.device(), nf4_rows(store.nf4_in(bucket, local), rows), store.dtype());
    address = owned->address(mine.begin - rows.begin * cols);
    memory = owned;
  } else {
    const auto owned = std::make_shared<OwnedValues>(
        store.values_in(bucket, local).flat(mine.begin, mine.end, {mine.size()}));
    address = owned->address();
    memory = owned;
  }
  const TensorSpec& spec = store.spec_of(local);
  auto* data = static_cast<char*>(address);
  for (const Box& box : boxes_of_flat_range(local.box, mine)) {
    pieces->push_back(
        {spec.name, "parameter", spec.rows, spec.cols, store.dtype(), box, data, memory});
    data += box.size() * size_in_bytes(store.dtype());
  }
}

void append_owned_of_bucket(const LayerContext& ctx, const ParameterStore& store, Domain domain,
                            int index, std::vector<TensorPiece>* pieces) {
  ValueGather gather = start_value_gather(ctx, store, domain, index, MemoryCategory::workspace);
  gather.request.wait();
  const Range owned = store.layout()[domain].buckets[static_cast<size_t>(index)].owned;
  for (const LocalTensor& local : store.layout().tensors) {
    if (local.domain != domain || local.bucket != index || !local.counts) continue;
    const Range mine = intersect(local.elements(), owned);
    if (mine.empty()) continue;
    append_owned(store, local, gather.values, {mine.begin - local.offset, mine.end - local.offset},
                 pieces);
  }
}

}  // namespace

std::vector<TensorPiece> owned_packed_pieces(const LayerContext& ctx, const ParameterStore& store) {
  const UnrecordedScope control(ctx.groups);  // of no step
  std::vector<TensorPiece> pieces;
  for (int d = 0; d < kNumDomains; ++d) {
    const auto domain = static_cast<Domain>(d);
    const std::vector<Bucket>& buckets = store.layout()[domain].buckets;
    for (size_t i = 0; i < buckets.size(); ++i) {
      if (store.is_packed_shard(domain, buckets[i]))
        append_owned_of_bucket(ctx, store, domain, static_cast<int>(i), &pieces);
    }
  }
  return pieces;
}

}  // namespace argosy
