// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <condition_variable>
#include <mutex>

// Clang's thread-safety analysis (-Wthread-safety); nothing with other compilers.
#if defined(__clang__)
#define NV12SLOT_TSA(x) __attribute__((x))
#else
#define NV12SLOT_TSA(x)
#endif
#define NV12SLOT_GUARDED_BY(x) NV12SLOT_TSA(guarded_by(x))
#define NV12SLOT_REQUIRES(...) NV12SLOT_TSA(requires_capability(__VA_ARGS__))
#define NV12SLOT_EXCLUDES(...) NV12SLOT_TSA(locks_excluded(__VA_ARGS__))

namespace nv12slot {

/// std::mutex that the analysis understands, and that looks a few times before it sleeps: what the
/// library does under its locks takes tens of nanoseconds, waking a thread takes microseconds.
class NV12SLOT_TSA(capability("mutex")) Mutex {
 public:
  void lock() NV12SLOT_TSA(acquire_capability()) {
    for (int pauses = 1; pauses <= kMostPauses; pauses *= 2) {
      if (mutex_.try_lock()) return;
      for (int i = 0; i < pauses; ++i) relax();
    }
    mutex_.lock();
  }
  void unlock() NV12SLOT_TSA(release_capability()) { mutex_.unlock(); }

 private:
  // Some 20 us in all. Less, or looking more often, is slower where many threads compete (measured
  // with eight: docs/performance.md).
  static constexpr int kMostPauses = 512;

  static void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  std::mutex mutex_;
};

/// Scoped lock that can be dropped for a slow call in between: lock, unlock(), lock().
class NV12SLOT_TSA(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) NV12SLOT_TSA(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() NV12SLOT_TSA(release_capability()) {
    if (held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void lock() NV12SLOT_TSA(acquire_capability()) {
    mutex_.lock();
    held_ = true;
  }
  void unlock() NV12SLOT_TSA(release_capability()) {
    held_ = false;
    mutex_.unlock();
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

/// Waits with a MutexLock. The analysis sees the lock as held throughout, which is what callers
/// may rely on before and after, not during the wait.
using CondVar = std::condition_variable_any;

}  // namespace nv12slot
