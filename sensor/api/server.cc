// SPDX-License-Identifier: Apache-2.0
#include "sensor/api/server.h"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "sensor/api/convert.h"
#include "sensor/api/kentry.grpc.pb.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// Rows of one message: enough to make the number of messages small, far below gRPC's 4 MiB.
constexpr size_t kBatchBytes = 128 << 10;
// Requests carry a flag or nothing.
constexpr int kMaxRequestBytes = 64 * 1024;
// gRPC's own bound on the threads that run calls. A client that asks and doesn't read holds one.
constexpr int kMaxThreads = 16;
constexpr int kIdleConnectionMs = 60'000;

class SensorService final : public v1::Sensor::Service {
 public:
  explicit SensorService(SensorState* state) : state_(state) {}

  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                         v1::Status* reply) override {
    ToMessage(state_->Status(), reply);
    return grpc::Status::OK;
  }

  grpc::Status ListProcesses(grpc::ServerContext*, const v1::ListProcessesRequest* request,
                             grpc::ServerWriter<v1::ProcessList>* writer) override {
    v1::ProcessList batch;
    size_t bytes = 0;
    for (const ProcessRow& row : state_->Processes(request->with_exited())) {
      v1::Process* message = batch.add_processes();
      ToMessage(row, message);
      bytes += message->ByteSizeLong();
      if (bytes < kBatchBytes) continue;
      if (!writer->Write(batch)) return grpc::Status::CANCELLED;
      batch.Clear();
      bytes = 0;
    }
    if (bytes > 0 && !writer->Write(batch)) return grpc::Status::CANCELLED;
    return grpc::Status::OK;
  }

  grpc::Status ReloadRules(grpc::ServerContext*, const v1::ReloadRulesRequest*,
                           v1::ReloadRulesReply* reply) override {
    const absl::StatusOr<std::string> result = state_->ReloadRules();
    reply->set_in_force(result.ok());
    reply->set_report(result.ok() ? *result : std::string(result.status().message()));
    return grpc::Status::OK;
  }

  grpc::Status SetPaused(grpc::ServerContext*, const v1::SetPausedRequest* request,
                         v1::SetPausedReply*) override {
    const absl::Status status = state_->SetPaused(request->paused());
    if (status.ok()) return grpc::Status::OK;
    return grpc::Status(grpc::StatusCode::ABORTED, std::string(status.message()));
  }

  grpc::Status SetTrusted(grpc::ServerContext*, const v1::SetTrustedRequest* request,
                          v1::SetTrustedReply*) override {
    const absl::Status status = state_->SetTrusted(request->path(), request->trusted());
    if (status.ok()) return grpc::Status::OK;
    // The paths in it need not be UTF-8, and gRPC takes any bytes.
    return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                        std::string(status.message()));
  }

 private:
  SensorState* const state_;
};

// Whether the other end may ask. The socket's mode says the same; this holds also where a
// filesystem or a careless chmod lets others connect.
bool MayAsk(int fd) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

}  // namespace

struct ApiServer::Impl {
  Impl(ApiSocket claimed, SensorState* state) : socket(std::move(claimed)), service(state) {}

  ~Impl() {
    if (accepting.joinable()) {
      const uint64_t one = 1;
      // An eventfd refuses only what would overflow it.
      [[maybe_unused]] const ssize_t written = write(stop_fd, &one, sizeof(one));
      accepting.join();
    }
    if (server) server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    if (stop_fd >= 0) close(stop_fd);
  }

  // gRPC is started with the first client: its ten threads and three megabytes are for those who
  // ask. Returns nullptr when it can't be.
  grpc::Server* Server() {
    if (server) return server.get();
    // gRPC writes to stderr by itself; what matters comes back as a status.
    gpr_set_log_function([](gpr_log_func_args*) {});
    grpc::ResourceQuota quota("kentry");
    quota.SetMaxThreads(kMaxThreads);
    grpc::ServerBuilder builder;
    builder.SetResourceQuota(quota)
        .SetMaxReceiveMessageSize(kMaxRequestBytes)
        .SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1)
        .SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1)
        .SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2)
        .AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleConnectionMs)
        .RegisterService(&service);
    server = builder.BuildAndStart();
    return server.get();
  }

  // gRPC's own listener unlinks whatever stands at the path and creates the socket with the
  // process's umask, so connections are accepted here and handed over.
  void Accept() {
    pollfd fds[] = {{.fd = socket.fd(), .events = POLLIN, .revents = 0},
                    {.fd = stop_fd, .events = POLLIN, .revents = 0}};
    for (;;) {
      if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
      if (fds[1].revents != 0) return;
      const int fd = accept4(socket.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0 && MayAsk(fd) && Server() != nullptr) {
        grpc::AddInsecureChannelFromFd(server.get(), fd);
      } else if (fd >= 0) {
        close(fd);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        // The connection stays in the queue and would be found again at once.
        poll(&fds[1], 1, 100);
      }
    }
  }

  ApiSocket socket;
  SensorService service;
  std::unique_ptr<grpc::Server> server;  // the accepting thread's
  int stop_fd = -1;
  std::thread accepting;
};

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Start(const std::string& socket_path,
                                                            SensorState* state) {
  ASSIGN_OR_RETURN(ApiSocket socket, ApiSocket::Claim(socket_path));
  return Start(std::move(socket), state);
}

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Start(ApiSocket socket, SensorState* state) {
  auto impl = std::make_unique<Impl>(std::move(socket), state);
  impl->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (impl->stop_fd < 0) return ErrnoError(errno, "can't create an eventfd");
  impl->accepting = std::thread([server = impl.get()] { server->Accept(); });
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(impl)));
}

ApiServer::ApiServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ApiServer::~ApiServer() = default;

}  // namespace kentry
