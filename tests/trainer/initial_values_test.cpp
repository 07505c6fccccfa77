// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a start loads it does not make first.
#include <gtest/gtest.h>

#include "tests/planner/tiny_models.h"
#include "trainer/device/host_copy.h"
#include "trainer/layers/parameters.h"
#include "trainer/ops/elementwise.h"
#include "trainer/start_point.h"

namespace argosy {
namespace {

StartPoint start_from(const char* checkpoint, const char* adapter, Restore restore) {
  StartPoint start;
  start.checkpoint = checkpoint;
  start.adapter = adapter;
  start.restore = restore;
  return start;
}

TEST(InitialValues, AreThoseThatNothingIsLoadedOver) {
  EXPECT_EQ(values_to_make(start_from("", "", Restore::base)), InitialValues::all);
  EXPECT_EQ(values_to_make(start_from("", "peft", Restore::base)), InitialValues::all);
  EXPECT_EQ(values_to_make(start_from("base", "", Restore::base)), InitialValues::adapters);
  EXPECT_EQ(values_to_make(start_from("base", "peft", Restore::base)), InitialValues::none);
  EXPECT_EQ(values_to_make(start_from("step_5", "", Restore::resume)), InitialValues::none);
}

bool is_all_zero(const Tensor& values) {
  for (const double value : copy_to_doubles(values)) {
    if (value != 0) return false;
  }
  return true;
}

// Which values are made over zeros; of an adapter the first factor alone is not zero.
void expect_made(InitialValues which, bool base, bool adapters) {
  Plan plan = tiny_plan(tiny_llama(), Mesh());
  plan.task = Task::lora;
  plan.lora.rank = 2;
  plan.lora.targets = {"all-linear"};
  DeviceContext device(Device::cpu);
  ParameterStore store(device, plan, 0);
  for (size_t d = 0; d < kNumDomains; ++d) {
    const Tensor& values = store.values(static_cast<Domain>(d));
    if (values.defined()) ops::fill_zero(device, values);
  }
  store.initialize(7, which);
  for (const LocalTensor& local : store.layout().tensors) {
    const TensorSpec& spec = store.spec_of(local);
    if (spec.lora == LoraPart::b) continue;
    const bool is_made = spec.lora == LoraPart::none ? base : adapters;
    EXPECT_EQ(is_all_zero(store.kept(local).at(0).values), !is_made) << spec.name;
  }
}

TEST(InitialValues, AreMadeForAdaptersAlone) {
  expect_made(InitialValues::all, true, true);
  expect_made(InitialValues::adapters, false, true);
  expect_made(InitialValues::none, false, false);
}

}  // namespace
}  // namespace argosy
