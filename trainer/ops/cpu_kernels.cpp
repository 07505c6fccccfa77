// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/cpu_kernels.h"

#include <setjmp.h>
#include <signal.h>

#include <array>
#include <mutex>

#include "planner/spec/bfloat16.h"
#include "planner/spec/check.h"

namespace argosy::ops::detail {
namespace {

// A signal handler takes no arguments of ours, so where a thread returns to is a variable of the
// thread; null except during its trial.
thread_local sigjmp_buf* return_point = nullptr;

void leave_trial(int) {
  if (return_point != nullptr) siglongjmp(*return_point, 1);
  signal(SIGILL, SIG_DFL);  // not of a trial: raised again and fatal
}

// False if body() meets an illegal instruction: a CPUID that promises more than the machine holds.
template <typename Body>
bool runs_legally(const Body& body) {
  static std::mutex one_at_a_time;  // a handler is the process's
  const std::lock_guard lock(one_at_a_time);
  struct sigaction ours = {}, before = {};
  ours.sa_handler = leave_trial;
  sigaction(SIGILL, &ours, &before);
  sigjmp_buf here;
  volatile bool legal = false;
  if (sigsetjmp(here, 1) == 0) {
    return_point = &here;
    body();
    legal = true;
  }
  return_point = nullptr;
  sigaction(SIGILL, &before, nullptr);
  return legal;
}

// Whole panels and parts of them, odd numbers of k.
constexpr int64_t kTrialColumns = kPanelColumns, kTrialK = 77;

float pattern(int64_t i, int64_t k) {  // exact in bf16
  return static_cast<float>((i * 37 + k * 11) % 29 - 14) / 16.0f;
}

template <typename T>
struct TrialMatrix {
  std::array<T, kMostPanelRows * kTrialK> values;
  TrialMatrix() {
    for (int64_t i = 0; i < kMostPanelRows; ++i) {
      for (int64_t k = 0; k < kTrialK; ++k)
        values[static_cast<size_t>(i * kTrialK + k)] = T(pattern(i, k));
    }
  }
  MatrixView view(DType dtype) const { return {values.data(), dtype, kTrialK, false}; }
};

struct alignas(64) Trial {
  std::array<unsigned char, kMostPanelRows * 96 * kWordBytes> a, b;  // 77 words, in whole chunks
  std::array<float, kMostPanelRows* kPanelColumns> c = {};
};

template <typename T>
void run_trial(const CpuKernel& kernel, int64_t rows, Trial* trial) {
  const TrialMatrix<T> matrix;
  const MatrixView view = matrix.view(kernel.dtype);
  kernel.pack_rows(view, {0, rows}, {0, kTrialK}, trial->a.data());
  kernel.pack_columns(view, {0, kTrialColumns}, {0, kTrialK}, trial->b.data());
  kernel.begin();
  for (const bool accumulate : {false, true}) {
    kernel.multiply(rows, kernel.words(kTrialK), trial->a.data(), trial->b.data(), trial->c.data(),
                    kPanelColumns, accumulate);
  }
  kernel.end();
}

bool is_right(int64_t rows, const Trial& trial) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < kTrialColumns; ++j) {
      float sum = 0;
      for (int64_t k = 0; k < kTrialK; ++k) sum += pattern(i, k) * pattern(j, k);
      const float got = trial.c[static_cast<size_t>(i * kPanelColumns + j)];
      // Multiples of 2^-8 below 2^7: exact in fp32 in any order.
      if (!(got == 2 * sum)) return false;
    }
  }
  return true;
}

KernelChoice choose(DType dtype) {
  KernelChoice choice;
  for (const CpuKernel* kernel : supported_kernels(dtype)) {
    if (multiplies_right(*kernel)) {
      choice.kernel = kernel;
      return choice;
    }
    choice.warning += concat("; the ", kernel->name, " kernel for ", to_string(dtype),
                             " failed its trial on this CPU and is not used");
  }
  return choice;
}

}  // namespace

bool multiplies_right(const CpuKernel& kernel) {
  for (const int64_t rows : {kernel.panel_rows, kernel.panel_rows / 2, kernel.panel_rows / 2 - 1}) {
    Trial trial;
    const bool legal = runs_legally([&] {
      if (kernel.dtype == DType::bf16) {
        run_trial<bfloat16>(kernel, rows, &trial);
      } else {
        run_trial<float>(kernel, rows, &trial);
      }
    });
    if (!legal || !is_right(rows, trial)) return false;
  }
  return true;
}

const KernelChoice& kernel_choice(DType dtype) {
  CHECK(dtype == DType::fp32 || dtype == DType::bf16, to_string(dtype));
  static const KernelChoice fp32 = choose(DType::fp32), bf16 = choose(DType::bf16);
  return dtype == DType::fp32 ? fp32 : bf16;
}

const CpuKernel* packed_kernel(DType dtype) {
  if (dtype != DType::fp32 && dtype != DType::bf16) return nullptr;
  const CpuKernel* fp32 = kernel_choice(DType::fp32).kernel;
  if (fp32 == nullptr) return nullptr;  // attention unpacks its results by it
  const CpuKernel* kernel = kernel_choice(dtype).kernel;
  return kernel != nullptr ? kernel : fp32;
}

}  // namespace argosy::ops::detail
