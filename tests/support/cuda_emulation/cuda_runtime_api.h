// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include "tests/support/cuda_emulation/cuda_runtime.h"
