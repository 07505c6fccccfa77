// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/kubernetes.h"

#include <gtest/gtest.h>

#include "launch/yaml.h"
#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/support/texts.h"

namespace argosy {
namespace {

Plan plan_of(int64_t dp) {
  Plan plan;
  plan.model = read_model(std::string(ARGOSY_SOURCE_DIR) + "/configs/models/demo-moe.json").model;
  plan.cluster = "local-cpu";
  plan.mesh.dp = dp;
  plan.global_batch = dp;
  plan.layers_per_stage = {plan.model.num_layers};
  plan.recompute.assign(static_cast<size_t>(plan.model.num_layers), Recompute::none);
  return plan;
}

KubernetesJob job_of(int64_t ranks_per_node) {
  KubernetesJob job;
  job.image = "registry.example/argosy:1.0";
  job.claims = {"runs:/runs"};
  job.ranks_per_node = ranks_per_node;
  job.threads_per_rank = 12;
  job.plan_path = "plan.json";
  job.trainer_arguments = {"--data", "/runs/my text.txt", "--run-dir", "/runs/a"};
  return job;
}

std::string config_error(const KubernetesJob& job, int64_t dp = 16) {
  return config_error_of([&] { kubernetes_manifest(job, plan_of(dp)); });
}

TEST(Kubernetes, AnMpiJobHasALauncherAndWorkers) {
  KubernetesJob job = job_of(8);
  job.claims.emplace_back("corpora:/data/");
  job.memory = "512Gi";
  job.max_restarts = 3;
  job.name_space = "training";
  job.trainer_arguments.insert(job.trainer_arguments.end(),
                               {"--device", "cuda", "--checkpoint-every", "100"});
  const std::string manifest = kubernetes_manifest(job, plan_of(16));
  const size_t separator = manifest.find("---\n");
  ASSERT_NE(separator, std::string::npos);
  EXPECT_TRUE(manifest.starts_with(R"(apiVersion: v1
kind: ConfigMap
metadata:
  name: argosy-demo-moe-plan
  namespace: training
data:
  plan.json: |
    {
)")) << manifest;
  EXPECT_EQ(manifest.substr(separator), R"(---
apiVersion: kubeflow.org/v2beta1
kind: MPIJob
metadata:
  name: argosy-demo-moe
  namespace: training
spec:
  slotsPerWorker: 8
  launcherCreationPolicy: WaitForWorkersReady
  runPolicy:
    cleanPodPolicy: Running
    backoffLimit: 0
  mpiReplicaSpecs:
    Launcher:
      replicas: 1
      restartPolicy: Never
      template:
        metadata:
          annotations:
            cluster-autoscaler.kubernetes.io/safe-to-evict: "false"
        spec:
          terminationGracePeriodSeconds: 300
          containers:
          - name: launcher
            image: "registry.example/argosy:1.0"
            command:
            - argosy-launch
            args:
            - --plan
            - /etc/argosy/plan.json
            - --hostfile
            - /etc/mpi/hostfile
            - --bind-to
            - none
            - --threads-per-rank
            - "12"
            - --max-restarts
            - "3"
            - "--"
            - --data
            - "/runs/my text.txt"
            - --run-dir
            - /runs/a
            - --device
            - cuda
            - --checkpoint-every
            - "100"
            - --resume
            - auto
            resources:
              limits:
                cpu: "1"
                memory: "2Gi"
            lifecycle:
              preStop:
                exec:
                  command:
                  - /bin/sh
                  - "-c"
                  - "kill -USR1 1; while kill -0 1; do sleep 1; done"
            volumeMounts:
            - name: plan
              mountPath: /etc/argosy
              readOnly: true
            - name: claim-0
              mountPath: /runs
            - name: claim-1
              mountPath: /data
          volumes:
          - name: plan
            configMap:
              name: argosy-demo-moe-plan
          - name: claim-0
            persistentVolumeClaim:
              claimName: runs
          - name: claim-1
            persistentVolumeClaim:
              claimName: corpora
    Worker:
      replicas: 2
      restartPolicy: OnFailure
      template:
        spec:
          terminationGracePeriodSeconds: 300
          containers:
          - name: worker
            image: "registry.example/argosy:1.0"
            command:
            - /usr/sbin/sshd
            - "-De"
            resources:
              limits:
                cpu: "96"
                memory: "512Gi"
                nvidia.com/gpu: "8"
            lifecycle:
              preStop:
                exec:
                  command:
                  - /bin/sh
                  - "-c"
                  - "pkill -USR1 -x argosy-train; while pgrep -x argosy-train >/dev/null; do sleep 1; done"
            volumeMounts:
            - name: plan
              mountPath: /etc/argosy
              readOnly: true
            - name: claim-0
              mountPath: /runs
            - name: claim-1
              mountPath: /data
            - name: shm
              mountPath: /dev/shm
          volumes:
          - name: plan
            configMap:
              name: argosy-demo-moe-plan
          - name: claim-0
            persistentVolumeClaim:
              claimName: runs
          - name: claim-1
            persistentVolumeClaim:
              claimName: corpora
          - name: shm
            emptyDir:
              medium: Memory
)");
}

TEST(Kubernetes, ASmallJobTakesOnePodAndKeepsItsOwnResume) {
  KubernetesJob job = job_of(8);
  job.trainer_arguments = {"--plan", "plan.json", "--run-dir=/runs/a", "--resume", "none"};
  const std::string manifest = kubernetes_manifest(job, plan_of(2));
  for (const char* part :
       {"slotsPerWorker: 2\n", "    Worker:\n      replicas: 1\n", "cpu: \"24\"\n",
        "- --resume\n            - none\n            resources:"})
    EXPECT_TRUE(contains(manifest, part)) << part << " in\n" << manifest;
  for (const char* part :
       {"gpu", "--max-restarts", "namespace", "- --plan\n            - plan.json"})
    EXPECT_FALSE(contains(manifest, part)) << part << " in\n" << manifest;
}

TEST(Kubernetes, WhatItCannotKnowIsAskedFor) {
  KubernetesJob job = job_of(0);
  EXPECT_TRUE(contains(config_error(job), "--ranks-per-node is missing"));
  job = job_of(8);
  job.threads_per_rank = 0;
  EXPECT_TRUE(contains(config_error(job), "--threads-per-rank is missing"));
  job = job_of(8);
  job.image.clear();
  EXPECT_TRUE(contains(config_error(job), "--image is missing"));
  job = job_of(8);
  job.claims.clear();
  EXPECT_TRUE(contains(config_error(job), "--claim is missing"));
  EXPECT_EQ(config_error(job_of(8), 12),
            "--ranks-per-node: 8 does not divide the 12 ranks of --plan plan.json");
}

TEST(Kubernetes, ARunFolderOutlivesItsPod) {
  KubernetesJob job = job_of(8);
  for (const char* run_dir : {"/tmp/a", "runs/a", "/runs2/a"}) {
    job.trainer_arguments = {"--run-dir", run_dir};
    EXPECT_EQ(config_error(job), concat("--run-dir ", run_dir,
                                        ": on no volume of the job, so that "
                                        "it would go with its pod; valid: below /runs"));
  }
  job = job_of(8);
  job.max_restarts = 3;
  EXPECT_TRUE(contains(config_error(job), "--checkpoint-every"));
  job.trainer_arguments = {"--config", "/runs/run.cfg"};  // which is not here
  kubernetes_manifest(job, plan_of(16));
  job.trainer_arguments = {"--plan", "other.json"};
  EXPECT_TRUE(contains(config_error(job), "the trainer other.json"));
  job = job_of(8);
  job.trainer_arguments = {"--data", "\xff"};
  EXPECT_TRUE(contains(config_error(job), "UTF-8"));
}

TEST(Kubernetes, NamesThatItWouldRefuse) {
  for (const char* name : {"Llama", "8b", "-a", "a-", "a_b", "a.b", "a b"}) {
    KubernetesJob job = job_of(8);
    job.name = name;
    EXPECT_EQ(config_error(job), concat("--job-name: '", name,
                                        "'; valid: at most 54 of a-z, 0-9 "
                                        "and -, a letter first, no - at the end"));
    job = job_of(8);
    job.name_space = "a_b";
    EXPECT_TRUE(contains(config_error(job), "--namespace: 'a_b'; valid: at most 63"));
  }
  KubernetesJob job = job_of(8);
  job.name = std::string(54, 'a');  // and "-worker-1": 63, the most that a host's name has
  EXPECT_TRUE(contains(kubernetes_manifest(job, plan_of(16)), job.name));
  job.name += "a";
  EXPECT_TRUE(contains(config_error(job), "--job-name"));
  for (const char* claim : {"runs", "runs:", "runs:data", "Runs:/data", ":/data", "runs:/",
                            "a..b:/data", "runs:/data:ro"}) {
    job = job_of(8);
    job.claims = {claim};
    EXPECT_TRUE(contains(config_error(job), concat("--claim: '", claim, "'"))) << claim;
  }
  job = job_of(8);
  job.claims = {"a:/runs", "b.c:/runs/"};
  EXPECT_EQ(config_error(job),
            "--claim: /runs is given to a and to b.c; valid: a path of its own for each");
  for (const char* memory : {"512GiB", "Gi", "0Gi", "-1Gi", "1.5Gi", "64 Gi"}) {
    job = job_of(8);
    job.memory = memory;
    EXPECT_TRUE(contains(config_error(job), concat("--memory: '", memory, "'"))) << memory;
  }
  for (const char* image : {"my image", "-a", "a\nb"}) {
    job = job_of(8);
    job.image = image;
    EXPECT_TRUE(contains(config_error(job), "--image: '")) << image;
  }
}

TEST(Kubernetes, TheNameOfAModelBecomesAName) {
  Plan plan = plan_of(16);
  plan.model.name = "Llama_3.1-8B.";
  EXPECT_TRUE(contains(kubernetes_manifest(job_of(8), plan), "  name: argosy-llama-3-1-8b\n"));
  plan.model.name = std::string(80, 'a');
  EXPECT_TRUE(contains(kubernetes_manifest(job_of(8), plan),
                       concat("  name: argosy-", std::string(47, 'a'), "\n")));
}

TEST(Yaml, QuotesWhatWouldBeReadAsSomethingElse) {
  for (const char* text :
       {"",     "yes",        "No", "on",   "OFF",  "y",    "null",  "~",    "true", "1",    "1e3",
        "0x1f", "1_000",      ".5", ".inf", "-De",  "--",   "---",   "- a",  "a: b", "a #b", "#a",
        "*a",   "&a",         "!a", "%a",   "@a",   "'a",   "[a]",   "{a}",  "a,b",  "1:30", "=",
        "<<",   "2026-11-29", " a", "a ",   "a\tb", "a\nb", "\na\n", "a\n\n"}) {
    const std::string quoted = Json(text).dump();
    EXPECT_EQ(yaml_of_json(concat("{\"k\":", quoted, "}")), concat("k: ", quoted, "\n"));
  }
  for (const char* text :
       {"a", "/etc/mpi", "--plan", "--lr=3e-4", "nvidia.com/gpu", "kubeflow.org/v2"})
    EXPECT_EQ(yaml_of_json(concat("{\"k\":\"", text, "\"}")), concat("k: ", text, "\n"));
}

TEST(Yaml, NestsListsAndMaps) {
  EXPECT_EQ(yaml_of_json(R"({"a": {"b": [1, {"c": true, "d": [2]}, [3, 4]], "e": {}, "f": []},
                            "g": "one\n\n  two\n"})"),
            R"(a:
  b:
  - 1
  - c: true
    d:
    - 2
  - - 3
    - 4
  e: {}
  f: []
g: |
  one

    two
)");
}

}  // namespace
}  // namespace argosy
