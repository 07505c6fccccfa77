// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/gpus.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace argosy {
namespace {

class GpusTest : public ::testing::Test {
 protected:
  GpusTest()
      : root_(std::filesystem::temp_directory_path() /
              ("argosy_gpus_" + std::to_string(::getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name())) {}
  ~GpusTest() override { std::filesystem::remove_all(root_); }

  void add_gpu(const std::string& address, const std::string& sysfs_name, const std::string& cpus) {
    std::filesystem::create_directories(root_ / "proc/driver/nvidia/gpus" / address);
    const auto folder = root_ / "sys/bus/pci/devices" / sysfs_name;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "local_cpulist") << cpus << "\n";
  }
  std::filesystem::path root_;
};

TEST_F(GpusTest, AreInTheOrderOfTheirAddresses) {
  EXPECT_EQ(gpus_of_machine(root_), std::nullopt);
  add_gpu("0000:C1:00.0", "0000:c1:00.0", "8-9,12");
  add_gpu("0000:18:00.0", "0000:18:00.0", "");
  const std::vector<Gpu> expected = {{"0000:18:00.0", {}}, {"0000:C1:00.0", {8, 9, 12}}};
  EXPECT_EQ(gpus_of_machine(root_), expected);
}

TEST_F(GpusTest, VisibleOnesAreThoseOfTheVariable) {
  const Gpu a{"a", {0}}, b{"b", {1}}, c{"c", {2}};
  const std::vector<Gpu> all = {a, b, c};
  EXPECT_EQ(visible_gpus(all, "2, 0"), (std::vector<Gpu>{c, a}));
  EXPECT_EQ(visible_gpus(all, "1,7,0"), (std::vector<Gpu>{b}));  // ends there, as in CUDA
  EXPECT_EQ(visible_gpus(all, "-1,0"), std::vector<Gpu>());
  EXPECT_EQ(visible_gpus(all, ""), std::vector<Gpu>());
  EXPECT_EQ(visible_gpus(all, "GPU-8932f937-d72c,GPU-11"), (std::vector<Gpu>{{}, {}}));
}

}  // namespace
}  // namespace argosy
