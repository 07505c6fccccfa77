// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/comm/conformance.h"

namespace argosy {

const std::vector<ConformanceCheck>& conformance_checks() {
  static const std::vector<ConformanceCheck> checks = {
      {"all_reduce_adds_in_rank_order", check_all_reduce_adds_in_rank_order},
      {"all_reduce_max", check_all_reduce_max},
      {"reduce_scatter_ragged", check_reduce_scatter_ragged},
      {"reduce_scatter_in_place", check_reduce_scatter_in_place},
      {"bf16_is_rounded_once", check_bf16_is_rounded_once},
      {"results_repeat", check_results_repeat},
      {"all_gather_ragged", check_all_gather_ragged},
      {"all_gather_in_place", check_all_gather_in_place},
      {"all_to_all_variable", check_all_to_all_variable},
      {"broadcast_every_root", check_broadcast_every_root},
      {"send_recv_ring", check_send_recv_ring},
      {"send_keeps_order_and_tags", check_send_keeps_order_and_tags},
      {"several_in_flight", check_several_in_flight},
      {"waits_in_another_order", check_waits_in_another_order},
      {"progress_across_communicators", check_progress_across_communicators},
      {"destroyed_request_waits", check_destroyed_request_waits},
      {"test_finishes", check_test_finishes},
      {"split", check_split},
      {"barrier", check_barrier},
      {"wrong_arguments", check_wrong_arguments},
  };
  return checks;
}

}  // namespace argosy
