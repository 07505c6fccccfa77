// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// NCCL's functions on the host, in the place of the library: ranks are threads, streams are
// FakeQueues. As in NCCL, a communicator is there when all ranks have come, calls are taken late,
// each is on the queue until all have put theirs there, and sums have an order of their own.
#pragma once

namespace argosy {

// From now on communicators of this size report an error of a remote rank.
void break_fake_nccl(int size);
void mend_fake_nccl();
int num_fake_nccl_communicators();  // that were neither destroyed nor aborted

}  // namespace argosy
