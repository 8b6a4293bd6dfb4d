// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sixteen threads do everything that the pool and the registry can do, at once: for
// ThreadSanitizer, and for what only time finds. Every frame carries a pattern that its number
// gives, and every reader checks all of it. With a driver or the stand-in the slots are a device's
// and readers are kernels; the host's take what does not fit.
//
// NV12SLOT_STRESS_SECONDS says for how long; 5 s with ThreadSanitizer, else 1 s.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../standin/standin_control.h"
#include "nv12slot/cuda_device.h"
#include "nv12slot/frame_registry.h"
#include "nv12slot/host_device.h"
#include "nv12slot/log.h"
#include "nv12slot/slot_pool.h"
#include "picture.h"

namespace nv12slot {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kSide = 64;  // of a picture, in pixels
constexpr unsigned kCameras = 5;
constexpr unsigned kConsumers = 6;
constexpr unsigned kThreads = 16;

/// A thread's dice.
class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  unsigned below(unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(engine_); }
  bool one_in(unsigned n) { return below(n) == 0; }

 private:
  std::minstd_rand engine_;
};

/// The pool, the registry and the threads. What goes wrong is counted, and said once.
class Everything {
 public:
  Everything() {
    if (pool_.device(0)) domain_ = 0;
  }

  void start() {
    for (unsigned i = 0; i < kCameras; ++i) add([this](Dice& dice) { play_camera(dice); });
    for (unsigned i = 0; i < kConsumers; ++i) add([this](Dice& dice) { consume(dice); });
    add([this](Dice& dice) { make_tensors(dice); });
    add([this](Dice& dice) { change_settings(dice); });
    add([this](Dice&) { watch(); });
    add([this](Dice&) { evict(); });
    add([this](Dice& dice) { cancel(dice); });
  }

  void stop() {
    stopping_ = true;
    canceller_.cancel();
    for (std::thread& thread : threads_) thread.join();
    for (Place& place : board_) {
      MutexLock lock(place.mutex);
      place.frame.reset();
    }
  }

  /// Nobody joins the threads.
  void leave_running() {
    for (std::thread& thread : threads_) thread.detach();
  }

  void fail(const std::string& what) {
    if (failures_.fetch_add(1) == 0) ADD_FAILURE() << what;
  }
  /// Once exit() has begun every call of the driver is refused, which is no failure.
  void fail(const char* what, const Error& error) {
    if (error.code != Errc::kExiting) fail(std::string(what) + ": " + error.message);
  }
  void check(const Status& status, const char* what) {
    if (!status) fail(what, status.error());
  }
  void check(bool ok, const char* what) {
    if (!ok) fail(what);
  }

  [[nodiscard]] unsigned failures() const { return failures_; }
  [[nodiscard]] std::uint64_t frames() const { return numbers_; }
  [[nodiscard]] std::uint64_t reads() const { return reads_; }
  [[nodiscard]] std::size_t threads() const { return threads_.size(); }
  [[nodiscard]] SlotPool& pool() { return pool_; }
  [[nodiscard]] FrameRegistry& registry() { return registry_; }

 private:
  /// Where cameras leave frames: a reference that the consumers share, and the name.
  struct Place {
    Mutex mutex;
    FrameRef frame NV12SLOT_GUARDED_BY(mutex);
    std::atomic<FrameId> id{0};
  };

  template <typename Work>
  void add(Work work) {
    const auto seed = static_cast<unsigned>(threads_.size() + 1);
    threads_.emplace_back([work, seed]() mutable {
      Dice dice(seed);
      work(dice);
    });
  }

  AcquireRequest request(Dice& dice, std::shared_ptr<Quota> quota) {
    constexpr std::array kPolicies = {OnExhausted::kDrop, OnExhausted::kBlock, OnExhausted::kHost};
    return {.domain = domain_,
            .width = kSide,
            .height = dice.one_in(8) ? 2 * kSide : kSide,  // slots of two sizes come and go
            .on_exhausted = kPolicies[dice.below(kPolicies.size())],
            .timeout = milliseconds(20),
            .quota = std::move(quota),
            .canceller = &canceller_};
  }

  void play_camera(Dice& dice) {
    const auto quota = std::make_shared<Quota>(8);
    while (!stopping_) {
      Source source(pool_.clock(), "camera", quota);
      const auto is_closed = std::make_shared<std::atomic<bool>>(false);
      for (unsigned left = 1 + dice.below(60); left > 0 && !stopping_; --left) {
        play_frame(dice, source, is_closed);
      }
      if (dice.one_in(2)) source.refuse();
      if (dice.one_in(3)) (void)source.wait_until_idle(pool_.clock().now() + milliseconds(2));
      source.close();
      *is_closed = true;
    }  // a callback that fires from here on would use a source that is gone
  }

  void play_frame(Dice& dice, Source& source, const std::shared_ptr<std::atomic<bool>>& is_closed) {
    Result<InFlight> guard = source.begin_frame();
    if (!guard) return;  // a callback has closed the source
    Result<Lease> lease = pool_.acquire(request(dice, source.quota()));
    if (!lease) return;
    const std::uint64_t number = numbers_.fetch_add(1) + 1;
    Picture picture(kSide, kSide, kSide, kSide);
    picture.draw(static_cast<unsigned>(number));
    Device& device = lease->device();
    const StreamHandle stream = lease->stream();
    Status copied = device.copy(lease->planes(), device.domain(), picture.planes(), kHostDomain,
                                kSide, kSide, stream);
    std::unique_ptr<Fence> ready;
    if (dice.one_in(2)) {
      Result<Fence> fence = Fence::record(device, stream);
      if (fence) ready = std::make_unique<Fence>(std::move(fence).value());
    }
    if (ready == nullptr && copied) copied = device.synchronize(stream);
    if (!copied) return fail("copy", copied.error());

    ReleaseCallback on_release;
    if (dice.one_in(2)) {
      on_release = [this, &source, is_closed, dwells = dice.one_in(8),
                    closes = dice.one_in(50)](FrameId) {
        check(!*is_closed, "a callback fired after close()");
        if (closes) source.close();
        if (dwells) std::this_thread::sleep_for(milliseconds(1));
        check(!*is_closed, "close() did not wait for a callback");
      };
    }
    FrameRef frame = registry_.attach(std::move(lease).value(), std::move(guard).value(), number,
                                      std::move(on_release), std::move(ready));
    frame.set_all_readers_fence();
    if (dice.one_in(4)) frame.set_reader_without_fence();
    Place& place = board_[dice.below(board_.size())];
    place.id = frame.id();
    const FrameRef keep = dice.one_in(2) ? frame : FrameRef();
    {
      MutexLock lock(place.mutex);
      std::swap(place.frame, frame);
    }
    frame.reset();
    // The picture's memory stays until the copy has read it.
    check(device.synchronize(stream), "synchronize");
  }

  void consume(Dice& dice) {
    // What the reader's kernel reads into.
    StreamHandle stream = nullptr;
    std::optional<Lease> scratch;
    while (!stopping_ && !scratch) {
      Result<Lease> lease =
          scratch_pool_.acquire({.domain = domain_, .width = kSide, .height = kSide});
      if (!lease) return fail("no scratch memory", lease.error());
      scratch.emplace(std::move(lease).value());
      stream = scratch->stream();
    }
    while (!stopping_) {
      Place& place = board_[dice.below(board_.size())];
      FrameRef frame;
      const FrameId id = place.id;
      if (dice.one_in(3)) {
        MutexLock lock(place.mutex);
        // Some take it away, so that the name may be looked up while the last reference goes.
        frame = dice.one_in(2) ? std::move(place.frame) : place.frame;
      } else if (id != 0) {
        const bool held = dice.one_in(2) && registry_.hold(id);
        frame = registry_.lookup(id);
        check(!frame || frame.id() == id, "lookup() found another frame");
        // Some forget it, which is what eviction is for.
        if (held && !dice.one_in(10)) (void)registry_.unhold(id);
      }
      if (frame) read(dice, std::move(frame), *scratch, stream);
    }
  }

  /// Reads all of the frame by way of `scratch`, and gives it up before the read has ended or
  /// after.
  void read(Dice& dice, FrameRef frame, Lease& scratch, StreamHandle stream) {
    const std::uint64_t number = frame.pts();
    const bool on_host = frame.domain() == kHostDomain;
    Picture seen(kSide, kSide, kSide, kSide);
    Status status = frame.wait(stream);
    const Domain to = on_host ? kHostDomain : scratch.domain();
    const Nv12Planes planes = on_host ? seen.planes() : scratch.planes();
    if (status) {
      status =
          frame.device().copy(planes, to, frame.planes(), frame.domain(), kSide, kSide, stream);
    }
    if (status && !on_host) {
      if (dice.one_in(2)) {
        status = frame.fence(stream);
      } else {
        status = scratch.device().synchronize(stream);
      }
    }
    frame.reset();
    if (status && !on_host) {
      status = scratch.device().copy(seen.planes(), kHostDomain, planes, to, kSide, kSide, stream);
      if (status) status = scratch.device().synchronize(stream);
    }
    if (!status) return fail("read", status.error());
    Picture expected(kSide, kSide, kSide, kSide);
    expected.draw(static_cast<unsigned>(number));
    check(seen.samples() == expected.samples(), "a frame changed while it was read");
    ++reads_;
  }

  void make_tensors(Dice& dice) {
    const auto quota = std::make_shared<Quota>(3);
    while (!stopping_) {
      AcquireRequest bytes = request(dice, quota);
      bytes.width = bytes.height = 0;
      bytes.bytes = 1000 + dice.below(3) * 1000;
      if (dice.one_in(2)) bytes = request(dice, quota);
      Result<Lease> lease = pool_.acquire(bytes);
      if (!lease) continue;
      Result<Fence> fence = Fence::record(lease->device(), lease->stream());
      if (fence) lease->add_fence(std::move(fence).value());
      lease->set_needs_cooldown(dice.one_in(2));
    }
  }

  void change_settings(Dice& dice) {
    while (!stopping_) {
      check(pool_.set_cap(2 + dice.below(24)), "set_cap");
      check(pool_.set_cooldown(std::chrono::microseconds(dice.below(3) * 500)), "set_cooldown");
      std::this_thread::sleep_for(milliseconds(1));
    }
  }

  void watch() {
    while (!stopping_) {
      for (const Domain domain : pool_.domains()) {
        const PoolStats stats = pool_.stats(domain);
        check(stats.free + stats.active + stats.cooling + stats.quarantined <=
                  stats.slots + stats.reserve,
              "more slots have a state than there are");
        check(stats.byte_active <= stats.byte_slots, "more byte slots are leased than there are");
        check(stats.quarantined == 0, "a slot is in quarantine");
      }
      const RegistryStats stats = registry_.stats();
      check(stats.attached - stats.released == stats.frames, "frames are miscounted");
      check(stats.held <= stats.frames, "more frames are held than there are");
      std::this_thread::sleep_for(milliseconds(1));
    }
  }

  void evict() {
    registry_.set_age_limit(milliseconds(20));
    while (!stopping_) {
      (void)registry_.evict_old();
      std::this_thread::sleep_for(milliseconds(5));
    }
  }

  void cancel(Dice& dice) {
    while (!stopping_) {
      canceller_.cancel();
      if (!stopping_) canceller_.reset();
      std::this_thread::sleep_for(milliseconds(1 + dice.below(10)));
    }
    canceller_.cancel();
  }

  static DeviceOpener opener() {
    return [](Domain domain) -> Result<std::unique_ptr<Device>> {
      if (domain == kHostDomain) return std::unique_ptr<Device>(new HostDevice);
      return open_cuda_device(domain);
    };
  }

  Domain domain_ = kHostDomain;
  SlotPool pool_{steady_clock(), opener(), PoolSettings{}};
  SlotPool scratch_pool_{steady_clock(), opener(), PoolSettings{}};
  FrameRegistry registry_{steady_clock()};
  Canceller canceller_{pool_};
  std::array<Place, 8> board_;
  std::atomic<bool> stopping_{false};
  std::atomic<unsigned> failures_{0};
  std::atomic<std::uint64_t> numbers_{0};
  std::atomic<std::uint64_t> reads_{0};
  std::vector<std::thread> threads_;
};

milliseconds duration() {
#if defined(__SANITIZE_THREAD__)
  constexpr double kSeconds = 5;
#else
  constexpr double kSeconds = 1;
#endif
  const char* text = std::getenv("NV12SLOT_STRESS_SECONDS");
  const double seconds = text != nullptr ? std::atof(text) : kSeconds;
  return milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

class StressTest : public testing::Test {
 protected:
  StressTest() {
    set_log_sink([](LogLevel, std::string_view) {});
    if (standin_.present()) standin_.reset();
  }
  ~StressTest() override { set_log_sink(nullptr); }

  const standin::Control& standin_ = standin::control();
};

TEST_F(StressTest, sixteen_threads_do_everything_at_once) {
  auto everything = std::make_unique<Everything>();
  everything->start();
  EXPECT_EQ(everything->threads(), kThreads);
  std::this_thread::sleep_for(duration());
  everything->stop();

  // What consumers forgot.
  everything->registry().set_age_limit(Duration(1));
  std::this_thread::sleep_for(milliseconds(1));
  (void)everything->registry().evict_old();
  const RegistryStats frames = everything->registry().stats();
  EXPECT_EQ(frames.frames, 0u);
  EXPECT_EQ(frames.held, 0u);
  EXPECT_EQ(frames.released, everything->frames());
  std::this_thread::sleep_for(milliseconds(5));  // the longest cooldown, and more
  for (const Domain domain : everything->pool().domains()) {
    const PoolStats slots = everything->pool().stats(domain);
    EXPECT_EQ(slots.free, slots.slots) << "of domain " << domain << " are not all free";
    EXPECT_EQ(slots.byte_active, 0u);
  }
  EXPECT_EQ(everything->failures(), 0u);
  EXPECT_GT(everything->reads(), 0u);
  std::printf("%llu frames, %llu reads, %llu evicted, %llu found gone\n",
              static_cast<unsigned long long>(everything->frames()),
              static_cast<unsigned long long>(everything->reads()),
              static_cast<unsigned long long>(frames.evicted),
              static_cast<unsigned long long>(frames.stale_lookups));
  everything.reset();
  if (standin_.present()) {
    EXPECT_EQ(standin_.hazards(), 0u) << standin_.last_hazard();
  }
}

// Nobody stops: exit() begins, and ends, while every thread is busy.
TEST_F(StressTest, process_exits_while_everything_goes_on) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        auto* everything = new Everything;
        everything->start();
        everything->leave_running();
        while (everything->reads() < 50 && everything->failures() == 0) {
          std::this_thread::sleep_for(milliseconds(1));
        }
        std::exit(everything->failures() == 0 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace nv12slot
