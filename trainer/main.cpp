// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-train: the only file of the trainer that knows MPI, signals, standard streams and exit
// codes.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <thread>

#include "checkpoint/exchange.h"
#include "comm/mpi/mpi_communicator.h"
#include "comm/nccl/nccl_communicator.h"
#include "planner/spec/cores.h"
#include "trainer/device/device_context.h"
#include "trainer/generate_command.h"
#include "trainer/measure_command.h"
#include "trainer/options.h"
#include "trainer/placement.h"
#include "trainer/run/run_dir.h"
#include "trainer/run_setup.h"
#include "trainer/tokenize_command.h"
#include "trainer/train_command.h"
#include "trainer/verify_command.h"

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

// On the watchdog's thread, which must not communicate: an exit without MPI_Finalize makes mpirun
// end the others. Every rank has time to say where it hangs before the first one exits.
[[noreturn]] void end_hanging_job(const std::filesystem::path& run_dir, const std::string& where) {
  constexpr auto kTimeToSpeak = std::chrono::seconds(3);
  const std::string message = "nothing moves: " + where + "; --watchdog ends the job";
  std::cerr << "argosy-train: " << message << std::endl;
  argosy::write_failure_of_rank(run_dir, argosy::kExitFailure, message);
  std::this_thread::sleep_for(kTimeToSpeak);
  std::_Exit(argosy::kExitFailure);
}

int run_on(const argosy::TrainOptions& options, argosy::DeviceContext& device,
           argosy::Communicator& world, const argosy::MpiEnvironment& mpi,
           argosy::StartTimes& start_times) {
  using argosy::TrainMode;
  argosy::ops::apply_policy(device, options.policy);
  switch (options.mode) {
    case TrainMode::help:
      return argosy::kExitDone;
    case TrainMode::verify:
      return run_verify(options, device, world, std::cout);
    case TrainMode::generate:
      return run_generate(options, device, world, std::cout, std::cerr);
    case TrainMode::tokenize:
      return run_tokenize(options, world, std::cout);
    case TrainMode::measure:
      return run_measure(options, device, world, mpi.local_size(), std::cout);
    case TrainMode::train:
      break;
  }
  install_signal_handlers();
  return run_training(
      options, device, world,
      {.local_ranks = mpi.local_size(),
       .local_cpus = mpi.local_cpus(),
       .stop_requested = [] { return stop_signal != 0; },
       .out = &std::cout,
       .start_times = &start_times,
       .on_stall = [&](const std::string& where) { end_hanging_job(options.run_dir, where); }});
}

// Collective. Opens the rank's GPU; all ranks go on or all throw. A rank keeps to the CPUs near its
// GPU before the first thread is started.
std::unique_ptr<argosy::DeviceContext> open_device(const argosy::TrainOptions& options,
                                                   argosy::Communicator& world,
                                                   const argosy::MpiEnvironment& mpi) {
  if (options.device == argosy::Device::cpu) {
    return std::make_unique<argosy::DeviceContext>(options.device);
  }
  std::unique_ptr<argosy::DeviceContext> device;
  const argosy::Outcome mine = argosy::attempt([&] {
    const int gpu = argosy::gpu_of_rank({.local_rank = mpi.local_rank(),
                                         .local_size = mpi.local_size(),
                                         .num_visible = argosy::count_cuda_devices(),
                                         .share_gpus = options.share_gpus});
    argosy::keep_to_cpus(argosy::cpus_near_pci_device(argosy::pci_address_of_cuda_device(gpu)));
    device = std::make_unique<argosy::DeviceContext>(options.device, gpu);
  });
  argosy::throw_if_failed(argosy::agree(world, mine));
  return device;
}

// On the rank's device, whose memory the ranks exchange without the host.
int run(const argosy::TrainOptions& options, argosy::Communicator& world,
        const argosy::MpiEnvironment& mpi, argosy::StartTimes& start_times) {
  if (options.mode == argosy::TrainMode::help) {
    if (world.rank() == 0) std::cout << options.help;
    return argosy::kExitDone;
  }
  const std::unique_ptr<argosy::DeviceContext> device = open_device(options, world, mpi);
  argosy::DeviceStreams* streams = device->backend().streams();
  if (streams == nullptr) return run_on(options, *device, world, mpi, start_times);
  argosy::prepare_nccl_environment(world.rank(), options.share_gpus);
  const std::unique_ptr<argosy::Communicator> gpus = argosy::make_nccl_communicator(
      world.split(0, world.rank()), *streams, {.share_devices = options.share_gpus});
  start_times.lap("GPU");
  return run_on(options, *device, *gpus, mpi, start_times);
}

// Ranks that fail alike tell it once: rank 0 speaks and ends the job before the others' patience is
// over. One that fails alone says so in the run folder too, where rank 0 cannot. A job of one rank
// just returns: an abort would add MPI's own words.
int fail(argosy::Communicator& world, const std::filesystem::path& run_dir, int exit_code,
         const std::string& what) {
  constexpr auto kPatience = std::chrono::seconds(2);
  std::signal(SIGTERM, SIG_DFL);  // mpirun's way to end us; there is nothing left to save
  std::string message = what;
  if (world.rank() != 0) {
    std::this_thread::sleep_for(kPatience);
    message = "rank " + std::to_string(world.rank()) + ": " + what;
    argosy::write_failure_of_rank(run_dir, exit_code, message);
  }
  std::cerr << "argosy-train: " << message << std::endl;
  if (world.size() > 1) {
    world.abort(exit_code);
    std::_Exit(exit_code);
  }
  return exit_code;
}

// Collective. A rank that cannot read the --config file, or finds another one than rank 0, must
// not leave the others waiting: all return or all throw.
argosy::TrainOptions read_options(argosy::Communicator& world, int argc, char** argv) {
  argosy::TrainOptions options;
  const argosy::Outcome mine =
      argosy::attempt([&] { options = argosy::parse_train_options(argc, argv); });
  argosy::throw_if_failed(argosy::agree(world, mine));
  const std::string of_root = argosy::broadcast_string(world, options.resolved);
  const argosy::Outcome same = argosy::attempt([&] {
    if (options.resolved == of_root) return;
    throw argosy::ConfigError(
        "its options are not those of rank 0; valid: the same command line "
        "and --config file on every machine");
  });
  argosy::throw_if_failed(argosy::agree(world, same));
  return options;
}

// A token that is generated is hundreds of products of microseconds each, after which threads wait
// for each other. GCC's libgomp spins for 300,000 rounds, milliseconds, before a waiting thread
// sleeps; where another job has a core, every wait takes that long (0.6 tokens a second instead of
// 90 were seen). It reads its environment when it is loaded, so the program begins once more.
void bound_spinning_of_generate(int argc, char** argv) {
  constexpr const char *kSpinCount = "GOMP_SPINCOUNT", *kSpins = "2000";  // about 20 us
  const auto generates = [](std::string_view word) { return word.starts_with("--generate"); };
  if (std::none_of(argv + 1, argv + argc, generates)) return;
  if (std::getenv(kSpinCount) != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv(kSpinCount, kSpins, /*overwrite=*/1);
  execv("/proc/self/exe", argv);  // where it returns, all goes on as it was
}

// Before there are ranks, of which each would end with a mistake, and mpirun tell of them all.
bool asks_for_check(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc,
                     [](std::string_view word) { return word == "--check-options"; });
}

int check_options(int argc, char** argv) {
  const argosy::Outcome outcome = argosy::attempt([&] {
    const argosy::TrainOptions options = argosy::parse_train_options(argc, argv);
    const bool needs_plan =
        options.mode == argosy::TrainMode::train || options.mode == argosy::TrainMode::verify;
    if (needs_plan) argosy::open_plan(options);
  });
  if (outcome.ok()) return argosy::kExitDone;
  std::cerr << "argosy-train: " << outcome.message << std::endl;
  const bool is_mistake = outcome.kind == argosy::Outcome::Kind::config_error;
  return is_mistake ? argosy::kExitUserError : argosy::kExitFailure;
}

}  // namespace

int main(int argc, char** argv) {
  if (asks_for_check(argc, argv)) return check_options(argc, argv);
  bound_spinning_of_generate(argc, argv);
  argosy::StartTimes start_times;
  argosy::prepare_cuda_environment();
  argosy::MpiEnvironment mpi(argc, argv);
  start_times.lap("MPI");
  const std::unique_ptr<argosy::Communicator> world = mpi.world();
  start_times.lap("window");
  argosy::TrainOptions options;
  try {
    options = read_options(*world, argc, argv);
    start_times.lap("options");
    return run(options, *world, mpi, start_times);
  } catch (const argosy::AgreedConfigError& error) {  // on every rank: no need to kill anybody
    if (world->rank() == 0) std::cerr << "argosy-train: " << error.what() << std::endl;
    return argosy::kExitUserError;
  } catch (const argosy::ConfigError& error) {
    return fail(*world, options.run_dir, argosy::kExitUserError, error.what());
  } catch (const std::exception& error) {
    return fail(*world, options.run_dir, argosy::kExitFailure, error.what());
  }
}
