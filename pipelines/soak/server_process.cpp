// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server_process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace soak {

ServerProcess::ServerProcess(unsigned cameras, const ClipSettings& clips)
    : cameras_(cameras), clips_(clips) {
  start();
  while (!is_up()) g_main_context_iteration(nullptr, TRUE);
}

void ServerProcess::start() {
  std::vector<std::string> words = {"/proc/self/exe",
                                    "serve",
                                    fmt::format("--cameras={}", cameras_),
                                    fmt::format("--port={}", port_),
                                    fmt::format("--parent={}", getpid()),
                                    fmt::format("--folder={}", clips_.folder),
                                    fmt::format("--clips={}", clips_.clips),
                                    fmt::format("--size={}x{}", clips_.width, clips_.height),
                                    fmt::format("--fps={}", clips_.fps)};
  for (const std::string& file : clips_.files) words.push_back("--clip=" + file);
  std::vector<const char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(word.c_str());
  arguments.push_back(nullptr);
  GError* error = nullptr;
  process_.reset(g_subprocess_newv(arguments.data(), G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error));
  if (process_ == nullptr) throw std::runtime_error("cannot start a server: " + take_text(error));
  output_.reset(g_data_input_stream_new(g_subprocess_get_stdout_pipe(process_.get())));
  reading_.reset(g_cancellable_new());
  g_data_input_stream_read_line_async(output_.get(), G_PRIORITY_DEFAULT, reading_.get(), on_line,
                                      this);
}

void ServerProcess::on_line(GObject* stream, GAsyncResult* result, gpointer self) {
  GError* error = nullptr;
  char* line =
      g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(stream), result, nullptr, &error);
  const bool was_cancelled = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error(&error);
  if (was_cancelled) return;  // `self` has killed it, or is gone
  auto* server = static_cast<ServerProcess*>(self);
  const std::string_view text = line != nullptr ? line : "";
  constexpr std::string_view kPort = "port ";
  if (text.starts_with(kPort)) {
    const std::string_view number = text.substr(kPort.size());
    std::from_chars(number.data(), number.data() + number.size(), server->port_);
    server->is_up_ = true;
  } else {
    server->process_.reset();  // it said on standard error what is wrong
  }
  g_free(line);
}

bool ServerProcess::is_up() {
  if (process_ == nullptr) {
    throw std::runtime_error("the server of the simulated cameras ended by itself");
  }
  return is_up_;
}

void ServerProcess::kill() {
  is_up_ = false;
  if (process_ == nullptr) return;
  g_cancellable_cancel(reading_.get());
  g_subprocess_force_exit(process_.get());
  g_subprocess_wait(process_.get(), nullptr, nullptr);
  process_.reset();
  output_.reset();
}

}  // namespace soak
