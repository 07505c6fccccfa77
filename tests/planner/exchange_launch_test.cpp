// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How many devices a script starts its program on.
#include <gtest/gtest.h>

#include "planner/exchange/launch.h"

namespace argosy {
namespace {

PeerLaunch launch(const std::string& text) {
  return launch_of(read_shell_command(text, ""), text);
}

void expect_launch(const std::string& text, int64_t num_devices, const std::string& said) {
  const PeerLaunch found = launch(text);
  EXPECT_EQ(found.num_devices, num_devices) << text;
  EXPECT_EQ(found.said, said) << text;
}

TEST(Launch, OfTorchrun) {
  expect_launch("torchrun --nnodes 32 --nproc_per_node=8 train.py --x 1", 256,
                "--nnodes 32 x --nproc_per_node 8");
  expect_launch("python -m torch.distributed.run --nproc-per-node 8 --nnodes=4 train.py --x 1", 32,
                "--nnodes 4 x --nproc-per-node 8");
  expect_launch(
      "N=2\nARGS=(--nproc_per_node 4 --nnodes ${N})\n/opt/bin/torchrun ${ARGS[@]} t.py --x", 8,
      "--nnodes 2 x --nproc_per_node 4");
  // Its default is one node, and one process there; the latter nobody means.
  expect_launch("torchrun --nproc_per_node 8 train.py --x 1", 8, "--nproc_per_node 8");
  expect_launch("torchrun train.py --x 1", 0, "");
}

TEST(Launch, NothingIsGuessed) {
  for (const char* text :
       {"torchrun --nproc_per_node gpu train.py --x 1",
        "torchrun --nproc_per_node 8 --nnodes 1:4 train.py --x 1",
        "torchrun --nproc_per_node 8 --nnodes $NODES train.py --x 1",
        "torchrun --nproc_per_node 8 --nnodes $SLURM_NNODES train.py --x 1",
        "deepspeed --hostfile hosts --num_gpus 8 train.py --x 1", "deepspeed train.py --x 1",
        "#SBATCH --nodes=many --gpus-per-node=8\nsrun python train.py --x 1",
        "#SBATCH --nodes=4\nsrun python train.py --x 1", "--num-layers 32", "python t.py --x 1"}) {
    expect_launch(text, 0, "");
  }
}

TEST(Launch, OfOtherLaunchers) {
  expect_launch("deepspeed --num_gpus 8 train.py --x 1", 8, "--num_gpus 8");
  expect_launch("deepspeed --hostfile h --num_nodes 2 --num_gpus 8 train.py --x 1", 16,
                "--num_nodes 2 x --num_gpus 8");
  expect_launch("accelerate launch --num_processes 16 --num_machines 2 t.py --x 1", 16,
                "--num_processes 16");
  expect_launch("mpirun -np 12 python t.py --x 1", 12, "-np 12");
  expect_launch("NGPU=4 CONFIG_FILE=a.toml ./run_train.sh --training.seq_len=8", 4, "NGPU=4");
  expect_launch("export NGPU=4 A=/bin/torchrun\n./run_train.sh --training.seq_len=8", 4, "NGPU=4");
  expect_launch("CONFIG_FILE=a.toml ./run_train.sh", 8, "the default of run_train.sh");
}

TEST(Launch, OfABatchJob) {
  const std::string job =
      "#!/bin/bash\n#SBATCH --nodes=32 --exclusive\n#SBATCH --gpus-per-node=h100:8  # all\n"
      "#SBATCH --ntasks-per-node=1\n";
  expect_launch(job + "srun python train.py --x 1", 256,
                "#SBATCH --nodes 32 x #SBATCH --gpus-per-node h100:8");
  expect_launch(job + "srun -N 2 --ntasks-per-node=4 python train.py --x 1", 8,
                "-N 2 x --ntasks-per-node 4");
  expect_launch(job + "srun torchrun --nnodes $SLURM_NNODES --nproc_per_node 4 t.py --x 1", 128,
                "#SBATCH --nodes 32 x --nproc_per_node 4");
  expect_launch(job +
                    "srun torchrun --nnodes ${SLURM_JOB_NUM_NODES} --nproc_per_node "
                    "$SLURM_GPUS_ON_NODE t.py --x 1",
                256, "#SBATCH --nodes 32 x #SBATCH --gpus-per-node h100:8");
  expect_launch(job + "RUN=\"python -u t.py --x 1\"\nsrun -l sh -c \"${RUN}\"", 256,
                "#SBATCH --nodes 32 x #SBATCH --gpus-per-node h100:8");
  expect_launch("#SBATCH -N 4\n#SBATCH --gres=gpu:8\nsrun python t.py --x 1", 32,
                "#SBATCH -N 4 x #SBATCH --gres gpu:8");
  expect_launch("#SBATCH --ntasks=24\nsrun python t.py --x 1", 24, "#SBATCH --ntasks 24");
}

}  // namespace
}  // namespace argosy
