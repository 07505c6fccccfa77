// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/nvml.h"

#include <dlfcn.h>

#include <array>
#include <cmath>
#include <cstdio>

#include "planner/spec/check.h"

namespace argosy {
namespace {

// From NVIDIA's NVML API reference: the binary interface that all versions since 2013 keep.
using NvmlDevice = struct nvmlDevice_st*;
struct NvmlMemory {
  unsigned long long total, free, used;
};
constexpr int kSuccess = 0;
constexpr int kClockSm = 1;

class Nvml {
 public:
  explicit Nvml(const std::string& library)
      : library_(library), handle_(dlopen(library.c_str(), RTLD_NOW)) {
    if (handle_ == nullptr) {
      const char* text = dlerror();
      throw Error(concat("NVML: dlopen failed: ", text != nullptr ? text : library));
    }
    call("nvmlInit_v2");
  }
  ~Nvml() {
    if (auto* shutdown = reinterpret_cast<int (*)()>(dlsym(handle_, "nvmlShutdown"))) shutdown();
    dlclose(handle_);
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  // The one check of every call.
  template <typename... Args>
  void call(const char* name, Args... args) const {
    const int code = function<int(Args...)>(name)(args...);
    if (code == kSuccess) return;
    throw Error(concat("NVML: ", name, " failed: ",
                       function<const char*(int)>("nvmlErrorString")(code), " (code ", code, ")"));
  }

 private:
  template <typename Signature>
  Signature* function(const char* name) const {
    void* symbol = dlsym(handle_, name);
    if (symbol == nullptr) throw Error(concat("NVML: ", library_, " has no ", name));
    return reinterpret_cast<Signature*>(symbol);
  }
  std::string library_;
  void* handle_;
};

}  // namespace

GpuState read_gpu_state(const std::string& uuid, const std::string& library) {
  const Nvml nvml(library);
  NvmlDevice device = nullptr;
  nvml.call("nvmlDeviceGetHandleByUUID", uuid.c_str(), &device);
  std::array<char, 96> name{};  // NVML_DEVICE_NAME_V2_BUFFER_SIZE
  unsigned clock_mhz = 0, max_clock_mhz = 0, power_mw = 0, limit_mw = 0;
  NvmlMemory memory{};
  nvml.call("nvmlDeviceGetName", device, name.data(), static_cast<unsigned>(name.size()));
  nvml.call("nvmlDeviceGetClockInfo", device, kClockSm, &clock_mhz);
  nvml.call("nvmlDeviceGetMaxClockInfo", device, kClockSm, &max_clock_mhz);
  nvml.call("nvmlDeviceGetPowerUsage", device, &power_mw);
  nvml.call("nvmlDeviceGetEnforcedPowerLimit", device, &limit_mw);
  nvml.call("nvmlDeviceGetMemoryInfo", device, &memory);
  return {.name = name.data(),
          .sm_clock_mhz = clock_mhz,
          .max_sm_clock_mhz = max_clock_mhz,
          .power_w = power_mw / 1e3,
          .power_limit_w = limit_mw / 1e3,
          .used_bytes = static_cast<int64_t>(memory.used),
          .total_bytes = static_cast<int64_t>(memory.total)};
}

std::string describe(const GpuState& state) {
  const auto gib = [](int64_t bytes) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f", static_cast<double>(bytes) / (1 << 30));
    return std::string(text.data());
  };
  return concat(state.name, ", SM ", state.sm_clock_mhz, " of ", state.max_sm_clock_mhz, " MHz, ",
                std::round(state.power_w), " of ", std::round(state.power_limit_w), " W, ",
                gib(state.used_bytes), " of ", gib(state.total_bytes), " GiB");
}

}  // namespace argosy
