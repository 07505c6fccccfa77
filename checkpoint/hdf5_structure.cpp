// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/hdf5_structure.h"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {
namespace {

// Data begins at multiples of a memory page, and so do I/O and mmap.
constexpr hsize_t kAlignmentBytes = 4096;

// Silences HDF5's own printing on this thread while it lives.
class QuietHdf5 {
 public:
  QuietHdf5() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~QuietHdf5() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
  QuietHdf5(const QuietHdf5&) = delete;
  QuietHdf5& operator=(const QuietHdf5&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

// H5Ewalk2 visits the innermost call last when walking downward: that one knows the cause. Where
// the system refused, its words are enough; HDF5 puts a clock, addresses and a line break around
// them.
herr_t keep_description(unsigned, const H5E_error2_t* error, void* text) {
  std::string description = error->desc != nullptr ? error->desc : "";
  constexpr std::string_view kBegin = "error message = '";
  if (const size_t begin = description.find(kBegin); begin != std::string::npos) {
    description.erase(0, begin + kBegin.size());
    description.resize(std::min(description.find('\''), description.size()));
  }
  *static_cast<std::string*>(text) = description;
  return 0;
}

[[noreturn]] void throw_hdf5_error(const char* call, const std::string& what) {
  std::string reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_description, &reason);
  throw Error(concat(call, " ", what, ": ", reason.empty() ? "failed" : reason));
}

// The checked wrapper: every HDF5 call passes its result through one of these.
hid_t checked_id(hid_t id, const char* call, const std::string& what) {
  if (id < 0) throw_hdf5_error(call, what);
  return id;
}
void checked(herr_t status, const char* call, const std::string& what) {
  if (status < 0) throw_hdf5_error(call, what);
}

// An HDF5 identifier and the call that releases it.
class Handle {
 public:
  Handle(hid_t id, herr_t (*release)(hid_t)) : id_(id), release_(release) {}
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), release_(other.release_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) release_(id_);
  }
  hid_t get() const { return id_; }
  // The destructor cannot report; a file's close must.
  void close(const char* call, const std::string& what) {
    checked(release_(std::exchange(id_, H5I_INVALID_HID)), call, what);
  }

 private:
  hid_t id_;
  herr_t (*release_)(hid_t);
};

// 1 sign, 8 exponent, 7 fraction bits, bias 127: readers that know no bf16 open it as fp32.
Handle bf16_type() {
  Handle type(checked_id(H5Tcopy(H5T_IEEE_F32LE), "H5Tcopy", "bf16"), H5Tclose);
  checked(H5Tset_fields(type.get(), 15, 7, 8, 0, 7), "H5Tset_fields", "bf16");
  checked(H5Tset_size(type.get(), 2), "H5Tset_size", "bf16");
  checked(H5Tset_ebias(type.get(), 127), "H5Tset_ebias", "bf16");
  return type;
}

Handle file_type(DType dtype) {
  switch (dtype) {
    case DType::fp64:
      return {checked_id(H5Tcopy(H5T_IEEE_F64LE), "H5Tcopy", "fp64"), H5Tclose};
    case DType::fp32:
      return {checked_id(H5Tcopy(H5T_IEEE_F32LE), "H5Tcopy", "fp32"), H5Tclose};
    case DType::int32:
      return {checked_id(H5Tcopy(H5T_STD_I32LE), "H5Tcopy", "int32"), H5Tclose};
    case DType::int16:  // parts of master weights, which are stored whole
    case DType::uint8:  // parts of weights in NF4, which are stored as what they mean
      break;
    case DType::bf16:
      return bf16_type();
  }
  CHECK(false, "dtype ", static_cast<int>(dtype));
  return bf16_type();
}

void write_attribute(hid_t object, const char* name, const std::vector<int64_t>& values) {
  const hsize_t count = values.size();
  const Handle space(checked_id(H5Screate_simple(1, &count, nullptr), "H5Screate_simple", name),
                     H5Sclose);
  const Handle attribute(
      checked_id(H5Acreate2(object, name, H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                 "H5Acreate2", name),
      H5Aclose);
  checked(H5Awrite(attribute.get(), H5T_NATIVE_INT64, values.data()), "H5Awrite", name);
}

// The oldest file format: bugs that crash readers of damaged files are in the newer ones.
Handle file_access() {
  Handle access(checked_id(H5Pcreate(H5P_FILE_ACCESS), "H5Pcreate", "file access"), H5Pclose);
  checked(H5Pset_libver_bounds(access.get(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V18),
          "H5Pset_libver_bounds", "earliest");
  checked(H5Pset_alignment(access.get(), kAlignmentBytes, kAlignmentBytes), "H5Pset_alignment",
          "4096");
  return access;
}

// Space in the file at once, nothing written into it.
Handle dataset_creation() {
  Handle creation(checked_id(H5Pcreate(H5P_DATASET_CREATE), "H5Pcreate", "dataset"), H5Pclose);
  checked(H5Pset_layout(creation.get(), H5D_CONTIGUOUS), "H5Pset_layout", "contiguous");
  checked(H5Pset_alloc_time(creation.get(), H5D_ALLOC_TIME_EARLY), "H5Pset_alloc_time", "early");
  checked(H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER), "H5Pset_fill_time", "never");
  return creation;
}

Handle link_creation() {
  Handle creation(checked_id(H5Pcreate(H5P_LINK_CREATE), "H5Pcreate", "link"), H5Pclose);
  checked(H5Pset_create_intermediate_group(creation.get(), 1), "H5Pset_create_intermediate_group",
          "link");
  return creation;
}

int64_t create_dataset(hid_t file, const DatasetSpec& spec, hid_t links, hid_t creation) {
  const std::array<hsize_t, 2> shape = {static_cast<hsize_t>(spec.box.rows.size()),
                                        static_cast<hsize_t>(spec.box.cols.size())};
  const Handle space(
      checked_id(H5Screate_simple(2, shape.data(), nullptr), "H5Screate_simple", spec.path),
      H5Sclose);
  const Handle type = file_type(spec.dtype);
  const Handle dataset(checked_id(H5Dcreate2(file, spec.path.c_str(), type.get(), space.get(),
                                             links, creation, H5P_DEFAULT),
                                  "H5Dcreate2", spec.path),
                       H5Dclose);
  write_attribute(dataset.get(), "tensor_shape", {spec.rows, spec.cols});
  write_attribute(dataset.get(), "rows", {spec.box.rows.begin, spec.box.rows.end});
  write_attribute(dataset.get(), "cols", {spec.box.cols.begin, spec.box.cols.end});
  const haddr_t offset = H5Dget_offset(dataset.get());
  if (offset == HADDR_UNDEF) throw_hdf5_error("H5Dget_offset", spec.path);
  return static_cast<int64_t>(offset);
}

}  // namespace

std::vector<int64_t> create_hdf5_structure(const std::filesystem::path& path, int64_t step,
                                           const std::vector<DatasetSpec>& datasets) {
  const QuietHdf5 quiet;
  const Handle access = file_access();
  Handle file(checked_id(H5Fcreate(path.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, access.get()),
                         "H5Fcreate", path.string()),
              H5Fclose);
  write_attribute(file.get(), "step", {step});
  const Handle links = link_creation();
  const Handle creation = dataset_creation();
  std::vector<int64_t> offsets;
  offsets.reserve(datasets.size());
  for (const DatasetSpec& spec : datasets) {
    offsets.push_back(create_dataset(file.get(), spec, links.get(), creation.get()));
  }
  file.close("H5Fclose", path.string());
  return offsets;
}

}  // namespace argosy
