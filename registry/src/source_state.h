// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <thread>
#include <vector>

#include "nv12slot/source.h"

namespace nv12slot {

/// What a Source, its guards and its frames share; lives as long as the last of them. The mutex is
/// a leaf.
struct SourceState {
  SourceState(Clock& its_clock, std::string its_name, std::shared_ptr<Quota> its_quota)
      : clock(its_clock), name(std::move(its_name)), quota(std::move(its_quota)) {}

  /// Runs `callback` unless the source was closed. No lock is held meanwhile.
  template <typename Callback>
  void call_back(Callback callback) NV12SLOT_EXCLUDES(mutex);

  Clock& clock;
  const std::string name;
  const std::shared_ptr<Quota> quota;

  Mutex mutex;
  CondVar changed;
  bool refusing NV12SLOT_GUARDED_BY(mutex) = false;
  bool closed NV12SLOT_GUARDED_BY(mutex) = false;
  /// A callback that runs.
  struct Call {
    std::thread::id thread;
    bool is_closing = false;  ///< it is in Source::close()
  };
  std::vector<Call> calling_back NV12SLOT_GUARDED_BY(mutex);
  SourceStats stats NV12SLOT_GUARDED_BY(mutex);
};

template <typename Callback>
void SourceState::call_back(Callback callback) {
  const std::thread::id self = std::this_thread::get_id();
  {
    MutexLock lock(mutex);
    if (closed) return;
    calling_back.push_back({self});
  }
  callback();
  MutexLock lock(mutex);
  for (auto it = calling_back.begin(); it != calling_back.end(); ++it) {
    if (it->thread == self) {
      calling_back.erase(it);
      break;
    }
  }
  changed.notify_all();
}

}  // namespace nv12slot
