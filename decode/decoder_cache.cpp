// SPDX-License-Identifier: LGPL-2.1-or-later
#include "decoder_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "nv12slot/log.h"
#include "nv12slot/thread.h"

namespace nv12slot::decode {
struct DecoderCache::State : std::enable_shared_from_this<State> {
  struct Parked {
    std::unique_ptr<Decoder> decoder;
    TimePoint since;
  };
  /// One closer thread.
  struct Closer {
    bool is_closing = false;
    bool is_hung = false;  // another has taken its place
    TimePoint since{};
  };

  explicit State(Clock& c) : clock(c) {}

  void notify() {
    keeper_changed.notify_all();
    closer_changed.notify_all();
  }
  void start_threads() NV12SLOT_REQUIRES(mutex);
  void queue(std::unique_ptr<Decoder> decoder) NV12SLOT_REQUIRES(mutex);
  void expire() NV12SLOT_REQUIRES(mutex);
  void evict() NV12SLOT_REQUIRES(mutex);
  /// Declares the close that runs hung if it takes too long.
  [[nodiscard]] bool check_closer() NV12SLOT_REQUIRES(mutex);
  [[nodiscard]] TimePoint next_deadline() const NV12SLOT_REQUIRES(mutex);
  void keep() NV12SLOT_EXCLUDES(mutex);
  void close_all(const std::shared_ptr<Closer>& self) NV12SLOT_EXCLUDES(mutex);

  Clock& clock;
  mutable Mutex mutex;
  // One for the keeper and one for the closer: where several threads wait for the same one, glibc
  // lets who notifies wait, with the mutex held, for a thread that was woken before and has not run
  // yet; a camera must not wait for that.
  CondVar keeper_changed;
  CondVar closer_changed;
  std::vector<Parked> parked NV12SLOT_GUARDED_BY(mutex);  // longest idle first
  std::deque<std::unique_ptr<Decoder>> to_close NV12SLOT_GUARDED_BY(mutex);
  std::shared_ptr<Closer> closer NV12SLOT_GUARDED_BY(mutex);
  std::thread keeper_thread NV12SLOT_GUARDED_BY(mutex);
  std::thread closer_thread NV12SLOT_GUARDED_BY(mutex);
  unsigned cap NV12SLOT_GUARDED_BY(mutex) = kDefaultCap;
  Duration idle_timeout NV12SLOT_GUARDED_BY(mutex) = kDefaultIdleTimeout;
  bool stopping NV12SLOT_GUARDED_BY(mutex) = false;
  DecoderCacheStats stats NV12SLOT_GUARDED_BY(mutex);
};

void DecoderCache::State::start_threads() {
  // Where there is no thread to be had, decoders wait, and the next call tries again.
  if (!keeper_thread.joinable()) {
    static_cast<void>(start_thread(keeper_thread, ThreadName::kKeeper,
                                   [self = shared_from_this()] { self->keep(); }));
  }
  if (closer == nullptr && !to_close.empty()) {
    auto made = std::make_shared<Closer>();
    if (start_thread(closer_thread, ThreadName::kCloser,
                     [self = shared_from_this(), made] { self->close_all(made); })) {
      closer = made;
    }
  }
}

void DecoderCache::State::queue(std::unique_ptr<Decoder> decoder) {
  to_close.push_back(std::move(decoder));
  start_threads();
  notify();  // the closer; who expires decoders is the keeper as well
}

void DecoderCache::State::expire() {
  const TimePoint now = clock.now();
  while (!parked.empty() && (now - parked.front().since >= idle_timeout)) {
    ++stats.expired;
    queue(std::move(parked.front().decoder));
    parked.erase(parked.begin());
  }
}

void DecoderCache::State::evict() {
  while (parked.size() > cap) {
    ++stats.evicted;
    queue(std::move(parked.front().decoder));
    parked.erase(parked.begin());
  }
}

bool DecoderCache::State::check_closer() {
  if (closer == nullptr || !closer->is_closing || clock.now() - closer->since < kHung) return false;
  closer->is_hung = true;
  closer.reset();
  closer_thread.detach();
  ++stats.hung;
  start_threads();
  return true;
}

TimePoint DecoderCache::State::next_deadline() const {
  TimePoint next = TimePoint::max();
  if (!parked.empty()) next = parked.front().since + idle_timeout;
  if (closer != nullptr && closer->is_closing) next = std::min(next, closer->since + kHung);
  return next;
}

void DecoderCache::State::keep() {
  MutexLock lock(mutex);
  while (!stopping) {
    expire();
    if (check_closer()) {
      lock.unlock();
      log(LogLevel::kError,
          fmt::format(
              "DECODER a decoder has been closing for {} s and is not waited for: its device "
              "memory stays taken until it comes back",
              std::chrono::duration_cast<std::chrono::seconds>(kHung).count()));
      lock.lock();
      continue;
    }
    start_threads();
    const TimePoint next = next_deadline();
    if (next == TimePoint::max()) {
      keeper_changed.wait(lock);
    } else if (clock.now() < next) {
      clock.wait_until(keeper_changed, lock, next);
    }
  }
}

void DecoderCache::State::close_all(const std::shared_ptr<Closer>& self) {
  MutexLock lock(mutex);
  while (!self->is_hung) {
    if (to_close.empty()) {
      if (stopping) return;
      closer_changed.wait(lock);
      continue;
    }
    std::unique_ptr<Decoder> decoder = std::move(to_close.front());
    to_close.pop_front();
    self->is_closing = true;
    self->since = clock.now();
    keeper_changed.notify_all();  // it has a new deadline
    lock.unlock();
    decoder.reset();
    lock.lock();
    self->is_closing = false;
    ++stats.closed;
    if (self->is_hung) --stats.hung;  // it came back after all
    keeper_changed.notify_all();
  }
}

DecoderCache::DecoderCache(Clock& clock) : state_(std::make_shared<State>(clock)) {}

DecoderCache::~DecoderCache() {
  std::thread keeper;
  std::thread closer;
  {
    MutexLock lock(state_->mutex);
    for (State::Parked& parked : state_->parked) state_->queue(std::move(parked.decoder));
    state_->parked.clear();
    state_->stopping = true;
    keeper = std::move(state_->keeper_thread);
    closer = std::move(state_->closer_thread);
  }
  state_->notify();
  if (keeper.joinable()) keeper.join();
  if (closer.joinable()) closer.join();
}

DecoderCache& DecoderCache::process() {
  static auto& cache = *new DecoderCache(steady_clock());
  return cache;
}

Result<std::unique_ptr<Decoder>> DecoderCache::take(const DecoderSpec& spec) {
  if (spec.path == Path::kNvdec) {
    MutexLock lock(state_->mutex);
    auto& parked = state_->parked;
    // The one that was parked last: the longest idle ones may go.
    const auto found = std::find_if(parked.rbegin(), parked.rend(), [&](const State::Parked& p) {
      return p.decoder->spec() == spec;
    });
    if (found != parked.rend()) {
      std::unique_ptr<Decoder> decoder = std::move(found->decoder);
      parked.erase(std::next(found).base());
      ++state_->stats.reused;
      return decoder;
    }
  }
  Result<std::unique_ptr<Decoder>> opened = Decoder::open(spec);
  if (opened) {
    MutexLock lock(state_->mutex);
    ++state_->stats.opened;
  }
  return opened;
}

void DecoderCache::park(std::unique_ptr<Decoder> decoder) {
  if (decoder == nullptr) return;
  if (!decoder->is_warm()) {
    close(std::move(decoder));
    return;
  }
  decoder->retire();  // surfaces that hold pictures come back
  {
    MutexLock lock(state_->mutex);
    state_->parked.push_back({std::move(decoder), state_->clock.now()});
    state_->expire();
    state_->evict();
    state_->start_threads();
  }
  state_->notify();
}

void DecoderCache::close(std::unique_ptr<Decoder> decoder) {
  if (decoder == nullptr) return;
  {
    MutexLock lock(state_->mutex);
    state_->queue(std::move(decoder));
  }
  state_->notify();
}

Status DecoderCache::set_cap(unsigned cap) {
  if (cap > kMaxCap) {
    return Error{Errc::kInvalidArgument,
                 fmt::format("{} parked decoders; 0 to {} are possible", cap, kMaxCap)};
  }
  {
    MutexLock lock(state_->mutex);
    state_->cap = cap;
    state_->evict();
  }
  state_->notify();
  return {};
}

void DecoderCache::set_idle_timeout(Duration timeout) {
  {
    MutexLock lock(state_->mutex);
    state_->idle_timeout = timeout;
    state_->expire();
  }
  state_->notify();
}

Duration DecoderCache::idle_timeout() const {
  MutexLock lock(state_->mutex);
  return state_->idle_timeout;
}

DecoderCacheStats DecoderCache::stats() const {
  MutexLock lock(state_->mutex);
  DecoderCacheStats stats = state_->stats;
  stats.cap = state_->cap;
  stats.parked = static_cast<unsigned>(state_->parked.size());
  stats.closing = static_cast<unsigned>(state_->to_close.size()) +
                  (state_->closer != nullptr && state_->closer->is_closing ? 1 : 0);
  return stats;
}

}  // namespace nv12slot::decode
