// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/mpi/mpi_communicator.h"

#include <mpi.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>

#include "comm/message/message_communicator.h"
#include "comm/mpi/mpi_check.h"
#include "comm/mpi/mpi_node.h"
#include "comm/mpi/mpi_transport.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr int kRankUnknown = -1;  // before MPI has told

int64_t num_cores() {
  return sysconf(_SC_NPROCESSORS_ONLN);
}

// Polls for a while, since an answer is often a microsecond away, then offers the core to whoever
// waits for it; at once where ranks share cores.
class MpiWaiter : public Waiter {
 public:
  explicit MpiWaiter(bool cores_are_shared) : spins_(cores_are_shared ? 0 : 1000) {}
  void pass_begins() override {}
  void idle(int64_t idle_passes) override {
    if (idle_passes > spins_) sched_yield();
  }

 private:
  int64_t spins_;
};

// Open MPI's own blocking calls (initialisation, making groups) poll as well. It must know before
// MPI_Init; whoever set the variable keeps his choice.
void yield_when_oversubscribed() {
  const char* ranks_here = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  if (ranks_here && std::atoll(ranks_here) > num_cores()) {
    constexpr int kKeepExisting = 0;
    setenv("OMPI_MCA_mpi_yield_when_idle", "1", kKeepExisting);
  }
}

}  // namespace

MpiEnvironment::MpiEnvironment(int& argc, char**& argv)
    : exceptions_at_start_(std::uncaught_exceptions()) {
  yield_when_oversubscribed();
  int provided = 0, rank = 0;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread",
            kRankUnknown);
  for (const MPI_Comm comm : {MPI_COMM_WORLD, MPI_COMM_SELF}) {
    check_mpi(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler",
              kRankUnknown);
  }
  check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank", kRankUnknown);
  if (provided < MPI_THREAD_FUNNELED) {
    throw Error(concat("rank ", rank, ": MPI_Init_thread grants thread level ", provided,
                       ", MPI_THREAD_FUNNELED (", MPI_THREAD_FUNNELED, ") is needed"));
  }
  host_ = std::make_shared<const MpiHost>(MPI_COMM_WORLD, rank);
}

MpiEnvironment::~MpiEnvironment() {
  host_.reset();
  // MPI_Finalize waits for all ranks; on the way out of a failure it could wait for ever.
  if (std::uncaught_exceptions() == exceptions_at_start_) MPI_Finalize();
}

int MpiEnvironment::local_rank() const {
  return host_->rank();
}

int MpiEnvironment::local_size() const {
  return host_->size();
}

int MpiEnvironment::local_cpus() const {
  return host_->num_cpus();
}

std::unique_ptr<Communicator> MpiEnvironment::world(const Limits& limits) const {
  const int rank = host_->world_rank();
  constexpr double kNoTimeLimit = 0.0;
  auto engine = std::make_shared<Engine>(
      std::make_unique<MpiWaiter>(host_->size() > host_->num_cpus()), rank, kNoTimeLimit);
  return make_message_communicator(make_mpi_transport(MPI_COMM_WORLD, rank), std::move(engine),
                                   limits, open_mpi_node(host_, limits), rank);
}

}  // namespace argosy
