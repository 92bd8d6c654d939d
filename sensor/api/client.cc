// SPDX-License-Identifier: Apache-2.0
#include "sensor/api/client.h"

#include <grpc/support/log.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "fmt/format.h"
#include "sensor/api/convert.h"
#include "sensor/api/kentry.grpc.pb.h"
#include "sensor/api/socket.h"
#include "sensor/util/status.h"

namespace kentry {

struct ApiClient::Impl {
  void SetDeadline(grpc::ClientContext* context) const {
    context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout));
  }

  absl::Status ToStatus(const grpc::Status& status) const {
    switch (status.error_code()) {
      case grpc::StatusCode::OK:
        return absl::OkStatus();
      case grpc::StatusCode::UNAVAILABLE:
        return absl::UnavailableError(
            fmt::format("the kentry daemon on {} closed the connection", path));
      case grpc::StatusCode::DEADLINE_EXCEEDED:
        return absl::DeadlineExceededError(
            fmt::format("the kentry daemon on {} did not answer in {}", path,
                        std::string(absl::FormatDuration(timeout))));
      default:
        return absl::InternalError(fmt::format("the kentry daemon on {} answers: {} (gRPC code {})",
                                               path, status.error_message(),
                                               static_cast<int>(status.error_code())));
    }
  }

  std::string path;
  absl::Duration timeout;
  std::unique_ptr<v1::Sensor::Stub> stub;
};

absl::StatusOr<std::unique_ptr<ApiClient>> ApiClient::Connect(const std::string& socket_path,
                                                              absl::Duration timeout) {
  gpr_set_log_function([](gpr_log_func_args*) {});
  ASSIGN_OR_RETURN(const int fd, ConnectToDaemon(socket_path, timeout));
  auto impl = std::make_unique<Impl>();
  impl->path = socket_path;
  impl->timeout = timeout;
  // The name goes into the :authority header only; the channel owns the descriptor.
  impl->stub = v1::Sensor::NewStub(grpc::CreateInsecureChannelFromFd("kentry", fd));
  return std::unique_ptr<ApiClient>(new ApiClient(std::move(impl)));
}

ApiClient::ApiClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ApiClient::~ApiClient() = default;

absl::StatusOr<SensorStatus> ApiClient::Status() {
  grpc::ClientContext context;
  impl_->SetDeadline(&context);
  v1::Status reply;
  RETURN_IF_ERROR(impl_->ToStatus(impl_->stub->GetStatus(&context, {}, &reply)));
  return FromMessage(reply);
}

absl::StatusOr<std::vector<ProcessRow>> ApiClient::Processes(bool with_exited) {
  grpc::ClientContext context;
  impl_->SetDeadline(&context);
  v1::ListProcessesRequest request;
  request.set_with_exited(with_exited);
  const auto reader = impl_->stub->ListProcesses(&context, request);
  std::vector<ProcessRow> rows;
  v1::ProcessList batch;
  while (reader->Read(&batch)) {
    for (const v1::Process& process : batch.processes()) rows.push_back(FromMessage(process));
  }
  RETURN_IF_ERROR(impl_->ToStatus(reader->Finish()));
  return rows;
}

absl::StatusOr<std::string> ApiClient::ReloadRules() {
  grpc::ClientContext context;
  impl_->SetDeadline(&context);
  v1::ReloadRulesReply reply;
  RETURN_IF_ERROR(impl_->ToStatus(impl_->stub->ReloadRules(&context, {}, &reply)));
  if (!reply.in_force()) return absl::InvalidArgumentError(reply.report());
  return reply.report();
}

absl::Status ApiClient::SetPaused(bool paused) {
  grpc::ClientContext context;
  impl_->SetDeadline(&context);
  v1::SetPausedRequest request;
  request.set_paused(paused);
  v1::SetPausedReply reply;
  return impl_->ToStatus(impl_->stub->SetPaused(&context, request, &reply));
}

absl::Status ApiClient::SetTrusted(const std::string& path, bool trusted) {
  grpc::ClientContext context;
  impl_->SetDeadline(&context);
  v1::SetTrustedRequest request;
  request.set_path(path);
  request.set_trusted(trusted);
  v1::SetTrustedReply reply;
  return impl_->ToStatus(impl_->stub->SetTrusted(&context, request, &reply));
}

}  // namespace kentry
