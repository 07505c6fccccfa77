// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// A libnvidia-ml.so.1 of one GPU, "GPU-1", for machines without a driver.
#include <cstdio>
#include <cstring>

extern "C" {
int nvmlInit_v2() {
  return 0;
}
int nvmlShutdown() {
  return 0;
}
const char* nvmlErrorString(int code) {
  return code == 6 ? "Not Found" : "other";
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  *device = device;
  return std::strcmp(uuid, "GPU-1") == 0 ? 0 : 6;
}
int nvmlDeviceGetName(void*, char* name, unsigned length) {
  std::snprintf(name, length, "NVIDIA H200");
  return 0;
}
int nvmlDeviceGetClockInfo(void*, int type, unsigned* mhz) {
  *mhz = type == 1 ? 345 : 0;
  return 0;
}
int nvmlDeviceGetMaxClockInfo(void*, int type, unsigned* mhz) {
  *mhz = type == 1 ? 1980 : 0;
  return 0;
}
int nvmlDeviceGetPowerUsage(void*, unsigned* mw) {
  *mw = 78'400;
  return 0;
}
int nvmlDeviceGetEnforcedPowerLimit(void*, unsigned* mw) {
  *mw = 700'000;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void*, unsigned long long* memory) {
  memory[0] = 150'000'000'000;
  memory[1] = 149'000'000'000;
  memory[2] = 1'000'000'000;
  return 0;
}
}
