// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/kubernetes.h"

#include <algorithm>
#include <set>

#include "launch/batch.h"
#include "launch/devices.h"
#include "launch/kubernetes_names.h"
#include "launch/restart.h"
#include "launch/words.h"
#include "launch/yaml.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {
namespace {

constexpr int kGrace_s = 300;  // enough for a checkpoint of a large model
constexpr const char* kPlanFolder = "/etc/argosy";
constexpr const char* kHostfile = "/etc/mpi/hostfile";  // where the operator writes it

// Before a pod is told to end. All ranks save when one is asked to; the launcher then starts them
// again, where it may. Its own pod is that of the whole job.
constexpr const char* kAskRanks =
    "pkill -USR1 -x argosy-train; while pgrep -x argosy-train >/dev/null; do sleep 1; done";
constexpr const char* kAskLauncher = "kill -USR1 1; while kill -0 1; do sleep 1; done";

struct Pods {
  int64_t num_workers = 1, ranks = 1;  // ranks of each
};

Pods pods_of(const KubernetesJob& job, const Plan& plan) {
  const int64_t num_ranks = plan.mesh.world_size();
  const int64_t ranks = ranks_of_node({.scheduler = "kubernetes",
                                       .holder = "a worker's pod",
                                       .per_node = job.ranks_per_node,
                                       .threads_per_rank = job.threads_per_rank,
                                       .plan_path = job.plan_path,
                                       .planned = plan.devices},
                                      num_ranks);
  return {num_ranks / ranks, ranks};
}

// What is not on a volume goes with its pod. A --config file is read there, not here.
void check_run_dir(const KubernetesJob& job, const std::vector<VolumeClaim>& claims) {
  const bool has_config = has_argument(job.trainer_arguments, "--config");
  if (job.max_restarts > 0 && !has_config)
    restartable_run_dir(job.trainer_arguments, job.max_restarts);
  const auto run_dir = trainer_option(job.trainer_arguments, "run-dir");
  if (!run_dir) return;
  const bool is_kept = std::any_of(claims.begin(), claims.end(), [&](const VolumeClaim& claim) {
    return run_dir->starts_with(claim.path + "/");
  });
  if (is_kept) return;
  throw ConfigError(concat("--run-dir ", *run_dir,
                           ": on no volume of the job, so that it would go ",
                           "with its pod; valid: below ", claims.front().path));
}

Json launcher_arguments(const KubernetesJob& job) {
  Json words = Json::array({"--plan", concat(kPlanFolder, "/plan.json"), "--hostfile", kHostfile,
                            "--bind-to", "none", "--threads-per-rank",
                            std::to_string(job.threads_per_rank)});
  if (job.max_restarts > 0) {
    words.push_back("--max-restarts");
    words.push_back(std::to_string(job.max_restarts));
  }
  words.push_back("--");
  for (const std::string& word : without_option(job.trainer_arguments, "plan"))
    words.push_back(word);
  // Pods come and go: what is applied again, or was suspended, goes on.
  if (!trainer_option(job.trainer_arguments, "resume")) {
    words.push_back("--resume");
    words.push_back("auto");
  }
  return words;
}

Json volumes_of(const std::string& name, const std::vector<VolumeClaim>& claims) {
  Json volumes = Json::array({{{"name", "plan"}, {"configMap", {{"name", name + "-plan"}}}}});
  for (size_t i = 0; i < claims.size(); ++i) {
    volumes.push_back({{"name", concat("claim-", i)},
                       {"persistentVolumeClaim", {{"claimName", claims[i].name}}}});
  }
  return volumes;
}

Json mounts_of(const std::vector<VolumeClaim>& claims) {
  Json mounts = Json::array({{{"name", "plan"}, {"mountPath", kPlanFolder}, {"readOnly", true}}});
  for (size_t i = 0; i < claims.size(); ++i)
    mounts.push_back({{"name", concat("claim-", i)}, {"mountPath", claims[i].path}});
  return mounts;
}

Json ask_before_end(const char* script) {
  return {{"preStop", {{"exec", {{"command", Json::array({"/bin/sh", "-c", script})}}}}}};
}

Json pod_of(Json container, Json volumes) {
  return {{"terminationGracePeriodSeconds", kGrace_s},
          {"containers", Json::array({std::move(container)})},
          {"volumes", std::move(volumes)}};
}

Json launcher_of(const KubernetesJob& job, const std::string& name,
                 const std::vector<VolumeClaim>& claims) {
  const Json container = {{"name", "launcher"},
                          {"image", job.image},
                          {"command", Json::array({"argosy-launch"})},
                          {"args", launcher_arguments(job)},
                          {"resources", {{"limits", {{"cpu", "1"}, {"memory", "2Gi"}}}}},
                          {"lifecycle", ask_before_end(kAskLauncher)},
                          {"volumeMounts", mounts_of(claims)}};
  const Json annotations = {{"cluster-autoscaler.kubernetes.io/safe-to-evict", "false"}};
  return {{"replicas", 1},
          {"restartPolicy", "Never"},
          {"template",
           {{"metadata", {{"annotations", annotations}}},
            {"spec", pod_of(container, volumes_of(name, claims))}}}};
}

Json workers_of(const KubernetesJob& job, const std::string& name, const Pods& pods,
                const std::vector<VolumeClaim>& claims) {
  Json limits = {{"cpu", std::to_string(pods.ranks * job.threads_per_rank)}};
  if (!job.memory.empty()) limits["memory"] = job.memory;
  if (asks_for_gpus(job.trainer_arguments)) limits["nvidia.com/gpu"] = std::to_string(pods.ranks);
  // Through which ranks of a pod communicate, and NCCL too: Docker's 64 MB would not do.
  Json mounts = mounts_of(claims), volumes = volumes_of(name, claims);
  mounts.push_back({{"name", "shm"}, {"mountPath", "/dev/shm"}});
  volumes.push_back({{"name", "shm"}, {"emptyDir", {{"medium", "Memory"}}}});
  const Json container = {{"name", "worker"},
                          {"image", job.image},
                          {"command", Json::array({"/usr/sbin/sshd", "-De"})},
                          {"resources", {{"limits", limits}}},
                          {"lifecycle", ask_before_end(kAskRanks)},
                          {"volumeMounts", mounts}};
  return {{"replicas", pods.num_workers},
          {"restartPolicy", "OnFailure"},
          {"template", {{"spec", pod_of(container, volumes)}}}};
}

// Texts are the user's, and may be of any bytes.
std::string yaml_of(const Json& document) {
  try {
    return yaml_of_json(document.dump());
  } catch (const Json::type_error& error) {
    throw ConfigError(concat("a manifest is UTF-8, an argument is not: ", error.what()));
  }
}

Json metadata_of(const KubernetesJob& job, const std::string& name) {
  Json metadata = {{"name", name}};
  if (!job.name_space.empty()) metadata["namespace"] = job.name_space;
  return metadata;
}

}  // namespace

std::string kubernetes_manifest(const KubernetesJob& job, const Plan& plan) {
  const Pods pods = pods_of(job, plan);
  const std::string name = job_name(job.name, plan.model.name, pods.num_workers);
  if (!job.name_space.empty()) check_label(job.name_space, "--namespace");
  if (!job.memory.empty()) check_memory(job.memory);
  check_image(job.image);
  const std::vector<VolumeClaim> claims = volume_claims(job.claims);
  (void)trainer_words("argosy-train", job.plan_path, job.trainer_arguments);  // one plan
  check_run_dir(job, claims);
  const Json plan_map = {{"apiVersion", "v1"},
                         {"kind", "ConfigMap"},
                         {"metadata", metadata_of(job, name + "-plan")},
                         {"data", {{"plan.json", to_json(plan)}}}};
  // The launcher itself starts the ranks again: Kubernetes knows no mistakes, it would repeat them.
  const Json mpi_job = {{"apiVersion", "kubeflow.org/v2beta1"},
                        {"kind", "MPIJob"},
                        {"metadata", metadata_of(job, name)},
                        {"spec",
                         {{"slotsPerWorker", pods.ranks},
                          {"launcherCreationPolicy", "WaitForWorkersReady"},
                          {"runPolicy", {{"cleanPodPolicy", "Running"}, {"backoffLimit", 0}}},
                          {"mpiReplicaSpecs",
                           {{"Launcher", launcher_of(job, name, claims)},
                            {"Worker", workers_of(job, name, pods, claims)}}}}}};
  return concat(yaml_of(plan_map), "---\n", yaml_of(mpi_job));
}

}  // namespace argosy
