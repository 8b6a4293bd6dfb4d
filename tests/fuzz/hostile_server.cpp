// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hostile_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "fuzz_target.h"

namespace nv12slot::fuzz {
namespace {

/// False once the client is gone.
bool send_all(int client, const void* data, std::size_t size) {
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t sent = send(client, at, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

/// The next request's head; empty once the client is gone. `unread` keeps what came behind it.
std::string receive_request(int client, std::string& unread) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  std::array<char, 4096> buffer{};
  std::size_t end = 0;
  while ((end = unread.find(kEnd)) == std::string::npos) {
    const ssize_t received = recv(client, buffer.data(), buffer.size(), 0);
    if (received <= 0) return {};
    unread.append(buffer.data(), static_cast<std::size_t>(received));
  }
  const std::string request = unread.substr(0, end + kEnd.size());
  unread.erase(0, end + kEnd.size());
  return request;
}

/// "CSeq: 7", which every answer repeats.
std::string sequence_of(const std::string& request) {
  const std::size_t at = request.find("CSeq:");
  return at == std::string::npos ? "CSeq: 0" : request.substr(at, request.find('\r', at) - at);
}

}  // namespace

HostileServer::HostileServer() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  require(socket_ >= 0 && bind(socket_, any, size) == 0 && listen(socket_, 16) == 0 &&
              getsockname(socket_, any, &size) == 0,
          "no server on loopback");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

HostileServer::~HostileServer() {
  is_over_ = true;
  shutdown(socket_, SHUT_RDWR);
  thread_.join();
  close(socket_);
}

void HostileServer::say(Says says) {
  const std::lock_guard lock(mutex_);
  says_ = std::make_shared<Says>(std::move(says));
}

void HostileServer::run() {
  while (!is_over_) {
    const int client = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    std::shared_ptr<const Says> says;
    {
      const std::lock_guard lock(mutex_);
      says = says_;
    }
    serve(client, *says);
    close(client);
  }
}

void HostileServer::serve(int client, const Says& says) const {
  std::string unread;
  for (std::string request; !(request = receive_request(client, unread)).empty();) {
    const bool is_describe = request.rfind("DESCRIBE", 0) == 0;
    const bool is_play = request.rfind("PLAY", 0) == 0;
    std::string answer = "RTSP/1.0 200 OK\r\n" + sequence_of(request) + "\r\n";
    if (request.rfind("OPTIONS", 0) == 0) answer += "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n";
    if (request.rfind("SETUP", 0) == 0) {
      answer += "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
    }
    if (is_play) answer += "Session: 1\r\n";
    answer += says.headers;
    if (is_describe) {
      answer +=
          "Content-Type: application/sdp\r\nContent-Length: " + std::to_string(says.sdp.size()) +
          "\r\n";
    }
    answer += "\r\n";
    if (is_describe) answer += says.sdp;
    if (!send_all(client, answer.data(), answer.size())) return;
    if (!is_play) continue;
    if (!send_all(client, says.stream.data(), says.stream.size())) return;
    shutdown(client, SHUT_WR);
  }
}

}  // namespace nv12slot::fuzz
