// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// cuDNN is not emulated: cuda_check.h names its codes, no more.
#pragma once

enum cudnnStatus_t { CUDNN_STATUS_SUCCESS };
