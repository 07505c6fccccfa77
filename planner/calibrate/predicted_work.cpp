// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/calibrate/predicted_work.h"

#include "planner/cost/collective.h"
#include "planner/cost/compute.h"
#include "planner/questions/price.h"
#include "planner/spec/check.h"
#include "planner/spec/work.h"

namespace argosy {

namespace {

Job job_of(const Plan& plan, const ClusterSpec& cluster) {
  Job job;
  job.model = plan.model;
  job.cluster = with_devices(cluster, plan.mesh.world_size());
  job.seq_len = plan.seq_len;
  job.global_batch = plan.global_batch;
  job.task = plan.task;
  job.lora = plan.lora;
  job.optimizer = plan.optimizer;
  job.precision = plan.precision;
  job.seed = plan.seed;
  return job;
}

// Whether a collective is timed as one: the pipeline's and the ring's transfers go on beside
// compute, and what they take is waiting.
bool is_counted(const CollectiveWork& work) {
  return work.axis != Axis::pp && work.kind != CollectiveKind::send &&
         work.kind != CollectiveKind::recv;
}

void add(const Job& job, const Plan& plan, const Pass& pass, double times, WorkSeconds* work) {
  for (const OpWork& op : pass.ops) {
    const double seconds = times * op_seconds(op, job.cluster.accelerator, job.precision);
    (op.kind == OpKind::matmul      ? work->matmul_s
     : op.kind == OpKind::attention ? work->attention_s
                                    : work->memory_s) += seconds;
  }
  for (const CollectiveWork& call : pass.collectives) {
    if (!is_counted(call)) continue;
    const GroupPlacement placement =
        place(plan.mesh, call.axis, plan.model.num_kv_heads, job.cluster);
    work->collective_s[static_cast<size_t>(call.kind)] +=
        times * static_cast<double>(call.count) *
        collective_seconds(call.kind, call.bytes, placement, job.cluster);
  }
}

}  // namespace

WorkSeconds predicted_work(const Plan& plan, const ClusterSpec& cluster) {
  const Job job = job_of(plan, cluster);
  const Candidate candidate = candidate_of(plan);
  LayerCostCache cache(job);
  WorkSeconds work;
  work.step_s = price(job, candidate, cache).plan.predicted.step_s;
  const double share = 1.0 / static_cast<double>(plan.mesh.pp);  // of the average rank
  const double microbatches = static_cast<double>(plan.num_microbatches());
  for (int64_t stage = 0; stage < plan.num_stages(); ++stage) {
    for (const LayerWork& layer : stage_work(plan, stage)) {
      add(job, plan, layer.forward, share * microbatches, &work);
      add(job, plan, layer.backward, share * microbatches, &work);
    }
  }
  for (int64_t rank = 0; rank < plan.mesh.pp; ++rank) {
    add(job, plan, step_work(plan, rank * plan.mesh.stage_size()), share, &work);
  }
  return work;
}

}  // namespace argosy
