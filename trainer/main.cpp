// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-train: the only file of the trainer that knows MPI, signals, standard streams and exit
// codes.
#include <chrono>
#include <csignal>
#include <iostream>
#include <thread>

#include "comm/mpi/mpi_communicator.h"
#include "trainer/generate_command.h"
#include "trainer/measure_command.h"
#include "trainer/options.h"
#include "trainer/train_command.h"

namespace {

// Set by SIGUSR1 (Slurm's warning before preemption, forwarded by mpirun) and SIGTERM; a handler
// can reach nothing else.
volatile std::sig_atomic_t stop_signal = 0;

void remember_signal(int signal) {
  stop_signal = signal;
}

void install_signal_handlers() {
  struct sigaction action = {};
  action.sa_handler = remember_signal;
  sigaction(SIGUSR1, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int run(const argosy::TrainOptions& options, argosy::Communicator& world, int local_ranks) {
  using argosy::TrainMode;
  switch (options.mode) {
    case TrainMode::help:
      if (world.rank() == 0) std::cout << options.help;
      return argosy::kExitDone;
    case TrainMode::generate:
      return run_generate(options, world, std::cout);
    case TrainMode::measure:
      return run_measure(options, world, local_ranks, std::cout);
    case TrainMode::train:
      break;
  }
  install_signal_handlers();
  return run_training(options, world,
                      {.local_ranks = local_ranks,
                       .stop_requested = [] { return stop_signal != 0; },
                       .out = &std::cout});
}

// Ranks that fail alike tell it once: rank 0 speaks and ends the job before the others' patience is
// over. A rank alone just returns: an abort would add MPI's own words.
int fail(argosy::Communicator& world, int exit_code, const std::string& message) {
  constexpr auto kPatience = std::chrono::seconds(2);
  std::signal(SIGTERM, SIG_DFL);  // mpirun's way to end us; there is nothing left to save
  if (world.rank() != 0) std::this_thread::sleep_for(kPatience);
  std::cerr << "argosy-train: "
            << (world.rank() != 0 ? "rank " + std::to_string(world.rank()) + ": " : "") << message
            << std::endl;
  if (world.size() > 1) {
    world.abort(exit_code);
    std::_Exit(exit_code);
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  argosy::MpiEnvironment mpi(argc, argv);
  const std::unique_ptr<argosy::Communicator> world = mpi.world();
  argosy::TrainOptions options;
  try {
    options = argosy::parse_train_options(argc, argv);
  } catch (const argosy::ConfigError& error) {  // the same on every rank: no need to kill anybody
    if (world->rank() == 0) std::cerr << "argosy-train: " << error.what() << std::endl;
    return argosy::kExitUserError;
  }
  try {
    return run(options, *world, mpi.local_size());
  } catch (const argosy::ConfigError& error) {
    return fail(*world, argosy::kExitUserError, error.what());
  } catch (const std::exception& error) {
    return fail(*world, argosy::kExitFailure, error.what());
  }
}
