// SPDX-License-Identifier: LGPL-2.1-or-later
#include "proxy.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>
#include <vector>

namespace soak {
namespace {

/// Makes closing a reset.
void set_abortive(GSocket* socket) {
  const linger now{1, 0};
  setsockopt(g_socket_get_fd(socket), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace

/// One connection of the element, and the one to the server that belongs to it.
class Proxy::Link {
 public:
  Link(Proxy& proxy, GSocketConnection* client)
      : proxy_(proxy), client_(G_SOCKET_CONNECTION(g_object_ref(client))) {
    const Ref<GSocketClient> connector{g_socket_client_new()};
    auto* call = new Connecting{this};
    connecting_ = call;
    g_socket_client_connect_to_host_async(connector.get(), proxy.host_.c_str(), proxy.server_port_,
                                          call->cancellable.get(), on_connected, call);
  }
  ~Link() {
    if (connecting_ != nullptr) {
      connecting_->link = nullptr;
      g_cancellable_cancel(connecting_->cancellable.get());
    }
    if (is_abortive_) set_abortive(g_socket_connection_get_socket(client_.get()));
    for (GSocketConnection* connection : {client_.get(), server_.get()}) {
      if (connection == nullptr) continue;
      g_socket_close(g_socket_connection_get_socket(connection), nullptr);
    }
  }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void stall() { is_stalled_ = true; }
  void make_abortive() { is_abortive_ = true; }

 private:
  /// Outlives the link where the link goes first.
  struct Connecting {
    Link* link;
    Ref<GCancellable> cancellable{g_cancellable_new()};
  };
  /// One direction.
  struct Flow {
    Link* link = nullptr;
    GSocket* from = nullptr;
    GSocket* to = nullptr;
    std::vector<char> pending;  // read and not yet sent
    SourcePtr source;           // waits for `from` to have bytes, or for `to` to take them
  };

  static void on_connected(GObject* connector, GAsyncResult* result, gpointer data) {
    const std::unique_ptr<Connecting> call{static_cast<Connecting*>(data)};
    Ref<GSocketConnection> server{
        g_socket_client_connect_to_host_finish(G_SOCKET_CLIENT(connector), result, nullptr)};
    if (call->link == nullptr) return;
    Link& link = *call->link;
    link.connecting_ = nullptr;
    if (server == nullptr) {  // nobody listens there: as if nobody listened here
      link.is_abortive_ = true;
      link.proxy_.drop(link);
      return;
    }
    link.server_ = std::move(server);
    link.proxy_.connections_.fetch_add(1);
    GSocket* const near = g_socket_connection_get_socket(link.client_.get());
    GSocket* const far = g_socket_connection_get_socket(link.server_.get());
    g_socket_set_blocking(near, FALSE);
    g_socket_set_blocking(far, FALSE);
    link.up_.from = link.down_.to = near;
    link.up_.to = link.down_.from = far;
    link.up_.link = link.down_.link = &link;
    link.watch(link.up_);
    link.watch(link.down_);
  }

  void watch(Flow& flow) {
    const bool has_pending = !flow.pending.empty();
    flow.source.reset(g_socket_create_source(has_pending ? flow.to : flow.from,
                                             has_pending ? G_IO_OUT : G_IO_IN, nullptr));
    const GSocketSourceFunc on_ready = [](GSocket*, GIOCondition, gpointer data) -> gboolean {
      auto* ready = static_cast<Flow*>(data);
      if (!ready->link->carry(*ready)) ready->link->proxy_.drop(*ready->link);
      return G_SOURCE_CONTINUE;
    };
    g_source_set_callback(flow.source.get(), G_SOURCE_FUNC(on_ready), &flow, nullptr);
    g_source_attach(flow.source.get(), g_main_context_get_thread_default());
  }

  /// Moves what there is. False when the connection has ended.
  bool carry(Flow& flow) {
    const bool had_pending = !flow.pending.empty();
    if (!had_pending) {
      std::array<char, 65536> bytes;
      const gssize size =
          receive(g_socket_receive(flow.from, bytes.data(), bytes.size(), nullptr, &error_));
      if (size == 0) return false;
      if (size < 0 || is_stalled_) return true;
      if (&flow == &down_) proxy_.flip_some(bytes.data(), static_cast<std::size_t>(size));
      flow.pending.assign(bytes.data(), bytes.data() + size);
    }
    const gssize sent =
        receive(g_socket_send(flow.to, flow.pending.data(), flow.pending.size(), nullptr, &error_));
    if (sent == 0) return false;
    if (sent > 0) flow.pending.erase(flow.pending.begin(), flow.pending.begin() + sent);
    if (had_pending != !flow.pending.empty()) watch(flow);
    return true;
  }

  /// What a call on a socket gave: more than 0; -1: nothing now; 0: the connection has ended.
  gssize receive(gssize result) {
    if (result >= 0) return result;
    const bool would_block = g_error_matches(error_, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
    g_clear_error(&error_);
    return would_block ? -1 : 0;
  }

  Proxy& proxy_;
  Ref<GSocketConnection> client_, server_;
  Connecting* connecting_ = nullptr;
  GError* error_ = nullptr;
  bool is_stalled_ = false, is_abortive_ = false;
  Flow up_, down_;  // to the server, to the element; last, as they go before their sockets
};

Proxy::Proxy(ContextThread& thread, std::string host, std::uint16_t port, unsigned seed)
    : thread_(thread), host_(std::move(host)), server_port_(port), random_(seed) {
  std::string problem;
  thread_.run([&] {
    service_.reset(g_socket_service_new());
    const Ref<GInetAddress> loopback{g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4)};
    const Ref<GSocketAddress> any{g_inet_socket_address_new(loopback.get(), 0)};
    GSocketAddress* bound = nullptr;
    GError* error = nullptr;
    if (!g_socket_listener_add_address(G_SOCKET_LISTENER(service_.get()), any.get(),
                                       G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, nullptr, &bound,
                                       &error)) {
      problem = "cannot listen on 127.0.0.1: " + take_text(error);
      return;
    }
    port_ = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
    g_object_unref(bound);
    g_signal_connect(service_.get(), "incoming", G_CALLBACK(on_incoming), this);
  });
  if (!problem.empty()) throw std::runtime_error(problem);
}

Proxy::~Proxy() {
  thread_.run([this] {
    g_socket_service_stop(service_.get());
    g_socket_listener_close(G_SOCKET_LISTENER(service_.get()));
    service_.reset();
    links_.clear();
  });
}

gboolean Proxy::on_incoming(GSocketService*, GSocketConnection* connection, GObject*,
                            gpointer self) {
  auto* proxy = static_cast<Proxy*>(self);
  proxy->links_.push_back(std::make_unique<Link>(*proxy, connection));
  return TRUE;
}

void Proxy::drop(Link& link) {
  // Changes are of one connection; the next one is whole.
  flips_left_.store(0);
  links_.remove_if([&](const std::unique_ptr<Link>& other) { return other.get() == &link; });
}

void Proxy::cut() {
  thread_.run([this] {
    links_.clear();
    flips_left_.store(0);
  });
}

void Proxy::reset() {
  thread_.run([this] {
    for (const auto& link : links_) link->make_abortive();
    links_.clear();
    flips_left_.store(0);
  });
}

void Proxy::stall() {
  thread_.run([this] {
    for (const auto& link : links_) link->stall();
  });
}

void Proxy::flip() {
  thread_.run([this] {
    if (links_.empty()) return;
    until_flip_ = random_() % (kFlipSpan / kFlips);
    flips_left_.store(kFlips);
  });
}

void Proxy::flip_some(char* bytes, std::size_t size) {
  while (flips_left_.load() > 0 && until_flip_ < size) {
    bytes[until_flip_] = static_cast<char>(bytes[until_flip_] ^ (1 + random_() % 255));
    until_flip_ += 1 + random_() % (2 * kFlipSpan / kFlips);
    flips_left_.fetch_sub(1);
  }
  if (flips_left_.load() > 0) until_flip_ -= size;
}

}  // namespace soak
