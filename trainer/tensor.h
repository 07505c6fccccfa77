// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A typed, shaped view of shared device memory: row-major, contiguous. Copies are cheap and share
// the memory.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "planner/spec/check.h"
#include "planner/spec/types.h"

namespace argosy {

class Storage;  // owns the bytes; gives them back to its DeviceContext

// Up to four dims.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    CHECK(dims.size() <= 4);
    for (int64_t d : dims) dims_[static_cast<size_t>(rank_++)] = d;
  }
  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  int64_t size() const {  // number of elements; 1 without dims
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[static_cast<size_t>(i)];
    return n;
  }
  bool operator==(const Shape&) const = default;

 private:
  std::array<int64_t, 4> dims_{};
  int rank_ = 0;
};
std::string to_string(const Shape& shape);  // "(2, 3)"

class Tensor {
 public:
  Tensor() = default;  // no memory: !defined()
  Tensor(std::shared_ptr<Storage> storage, void* data, Shape shape, DType dtype, Device device)
      : storage_(std::move(storage)), data_(data), shape_(shape), dtype_(dtype), device_(device) {}

  bool defined() const { return data_ != nullptr || (storage_ != nullptr); }
  const Shape& shape() const { return shape_; }
  int64_t dim(int i) const { return shape_[i]; }
  int64_t size() const { return shape_.size(); }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }
  int64_t bytes() const { return size() * size_in_bytes(dtype_); }

  void* raw() const { return data_; }
  template <typename T>
  T* data() const {
    return static_cast<T*>(data_);
  }

  Tensor view(Shape shape) const;                              // same elements, other dims
  Tensor rows(int64_t begin, int64_t end) const;               // part of dim 0
  Tensor flat(int64_t begin, int64_t end, Shape shape) const;  // elements [begin, end) as `shape`
  // Its bytes from `first` on as elements of `dtype`, for which they are aligned.
  Tensor bytes_as(int64_t first, Shape shape, DType dtype) const;
  const std::shared_ptr<Storage>& storage() const { return storage_; }
  void reset() { *this = Tensor(); }

 private:
  std::shared_ptr<Storage> storage_;
  void* data_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::fp32;
  Device device_ = Device::cpu;
};

}  // namespace argosy
