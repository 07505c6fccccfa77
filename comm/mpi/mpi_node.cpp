// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/mpi/mpi_node.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "comm/mpi/mpi_check.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

// Where Open MPI keeps the memory of shared windows on Linux (its parameter
// osc_sm_backing_directory).
constexpr const char* kSharedFolder = "/dev/shm";
constexpr int64_t kMaxPlaces = 32;  // groups of a rank at a time: a mesh makes at most 13
constexpr int64_t kMinPlaces = 2;   // the world's and one more
constexpr int64_t kShare = 2;       // a window takes at most 1 / kShare of what is free

int64_t free_shared_bytes() {
  struct statvfs disk = {};
  if (statvfs(kSharedFolder, &disk) != 0) return 0;
  return static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
}

bool may_communicate() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  return !finalized && std::uncaught_exceptions() == 0;  // else peers may never follow
}

// Freeing is collective.
struct HostWindow {
  std::shared_ptr<const MpiHost> host;
  MPI_Win window = MPI_WIN_NULL;
  explicit HostWindow(std::shared_ptr<const MpiHost> host_) : host(std::move(host_)) {}
  ~HostWindow() {
    if (window != MPI_WIN_NULL && may_communicate()) MPI_Win_free(&window);
  }
  HostWindow(const HostWindow&) = delete;
  HostWindow& operator=(const HostWindow&) = delete;
};

// Writes zeros through the kernel: where the file system is full it answers EFAULT, while a store
// of ours would end the process by SIGBUS.
bool populate_with_zeros(std::byte* data, int64_t bytes) {
  const int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  if (zeros < 0) return false;
  int64_t done = 0;
  while (done < bytes) {
    const ssize_t n = read(zeros, data + done, static_cast<size_t>(bytes - done));
    if (n <= 0) break;
    done += n;
  }
  close(zeros);
  return done == bytes;
}

// Where a segment begins: Open MPI lays them behind a header of its own, at no alignment that could
// be relied on. All processes map the memory at whole pages, so that they agree on the place.
std::byte* first_page(void* base) {
  const auto address = reinterpret_cast<uintptr_t>(base);
  return static_cast<std::byte*>(base) +
         (kWindowPageBytes - address % kWindowPageBytes) % kWindowPageBytes;
}

// Segments of num_places places for all ranks of the host.
WindowMemory::Source map_segments(HostWindow& shared, int64_t num_places, int64_t place_bytes) {
  const MpiHost& host = *shared.host;
  MPI_Info info = MPI_INFO_NULL;
  check_mpi(MPI_Info_create(&info), "MPI_Info_create", host.world_rank());
  // Segments of their own pages, so that each rank touches its own first.
  check_mpi(MPI_Info_set(info, "alloc_shared_noncontig", "true"), "MPI_Info_set",
            host.world_rank());
  void* base = nullptr;
  const int code =
      MPI_Win_allocate_shared(static_cast<MPI_Aint>(num_places * place_bytes + kWindowPageBytes), 1,
                              info, host.comm(), &base, &shared.window);
  MPI_Info_free(&info);
  check_mpi(code, "MPI_Win_allocate_shared", host.world_rank());
  WindowMemory::Source source;
  source.own = host.rank();
  source.num_places = num_places;
  source.populate = populate_with_zeros;
  for (int peer = 0; peer < host.size(); ++peer) {
    MPI_Aint bytes = 0;
    int unit = 0;
    check_mpi(MPI_Win_shared_query(shared.window, peer, &bytes, &unit, &base),
              "MPI_Win_shared_query", host.world_rank());
    source.segments.push_back(first_page(base));
  }
  return source;
}

}  // namespace

MpiHost::MpiHost(MPI_Comm world, int world_rank) : world_rank_(world_rank) {
  check_mpi(MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, world_rank, MPI_INFO_NULL, &comm_),
            "MPI_Comm_split_type", world_rank);
  check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler",
            world_rank);
  check_mpi(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank", world_rank);
  check_mpi(MPI_Comm_size(comm_, &size_), "MPI_Comm_size", world_rank);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  // A machine with more CPUs than the set holds: as if each rank had its own.
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) CPU_SET(rank_ % CPU_SETSIZE, &cpus);
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &cpus, sizeof cpus, MPI_BYTE, MPI_BOR, comm_),
            "MPI_Allreduce", world_rank);
  num_cpus_ = CPU_COUNT(&cpus);
}

MpiHost::~MpiHost() {
  if (comm_ != MPI_COMM_NULL && may_communicate()) MPI_Comm_free(&comm_);
}

Node open_mpi_node(const std::shared_ptr<const MpiHost>& host, const Limits& limits) {
  const WindowLayout layout = layout_of(limits);
  const int64_t place_bytes = layout.place_bytes();
  // The first rank of the host decides: its rank names the node.
  const int64_t room = free_shared_bytes() / kShare / host->size() / place_bytes;
  int64_t decision[2] = {host->world_rank(), std::min(room, kMaxPlaces)};
  check_mpi(MPI_Bcast(decision, 2, MPI_INT64_T, 0, host->comm()), "MPI_Bcast", host->world_rank());
  Node node{static_cast<int>(decision[0]), nullptr, ""};
  if (host->size() == 1 || limits.window_slot_bytes == 0) return node;
  if (decision[1] < kMinPlaces) {
    node.obstacle =
        concat(kSharedFolder, " has ", free_shared_bytes(), " bytes free, a window of ",
               host->size(), " ranks needs ", kShare * kMinPlaces * host->size() * place_bytes);
    return node;
  }
  try {
    auto shared = std::make_shared<HostWindow>(host);
    WindowMemory::Source source = map_segments(*shared, decision[1], place_bytes);
    source.keeper = std::move(shared);
    node.memory = std::make_shared<WindowMemory>(std::move(source), layout);
  } catch (const Error& error) {
    node.obstacle = error.what();
  }
  int failed = node.memory == nullptr ? 1 : 0;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, host->comm()),
            "MPI_Allreduce", host->world_rank());
  if (failed != 0) {
    node.memory.reset();
    if (node.obstacle.empty()) node.obstacle = "another rank of the node has no window";
  }
  return node;
}

}  // namespace argosy
