// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <future>
#include <thread>

#include "gst_raii.h"

namespace soak {

/// A thread that runs a GMainContext of its own, which is its thread-default one.
class ContextThread {
 public:
  ContextThread() : context_(g_main_context_new()), loop_(g_main_loop_new(context_.get(), FALSE)) {
    thread_ = std::thread([this] {
      g_main_context_push_thread_default(context_.get());
      g_main_loop_run(loop_.get());
      g_main_context_pop_thread_default(context_.get());
    });
  }
  ~ContextThread() {
    run([this] { g_main_loop_quit(loop_.get()); });
    thread_.join();
  }
  ContextThread(const ContextThread&) = delete;
  ContextThread& operator=(const ContextThread&) = delete;

  /// Runs `work` on the thread and waits for it. Not to be called from the thread.
  void run(const std::function<void()>& work) {
    struct Call {
      const std::function<void()>& work;
      std::promise<void> done;
    } call{work, {}};
    const SourcePtr source{g_idle_source_new()};
    g_source_set_priority(source.get(), G_PRIORITY_HIGH);
    g_source_set_callback(
        source.get(),
        [](gpointer data) -> gboolean {
          auto* called = static_cast<Call*>(data);
          called->work();
          called->done.set_value();
          return G_SOURCE_REMOVE;
        },
        &call, nullptr);
    g_source_attach(source.get(), context_.get());
    call.done.get_future().wait();
  }

 private:
  const Ref<GMainContext> context_;
  const Ref<GMainLoop> loop_;
  std::thread thread_;
};

}  // namespace soak
