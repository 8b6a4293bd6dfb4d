// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Each call that the library makes of the driver fails, once and for good: when a device is opened,
// when an element starts, and while frames flow. What is to come of it stands in docs/faults.md.
// Each case has a process of its own, which must live, and end in time.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <thread>

#include "cuda_functions.h"
#include "nv12slot/log.h"
#include "nv12slot/mutex.h"
#include "nv12slot/slot_pool.h"
#include "page.h"
#include "standin_control.h"
#include "victims.h"

namespace {

/// Decoders that could not be closed, as the page says, are no leak that anybody has to hear of.
bool g_leaves_decoders = false;

}  // namespace

// LeakSanitizer asks it at exit.
extern "C" int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() {
  return g_leaves_decoders ? 1 : 0;
}

namespace nv12slot::gst {
namespace {

using standin::control;

constexpr Domain kDevice = 0;
constexpr Domain kPeer = 1;
constexpr unsigned kDeadline = 100;  // seconds, for one process
// Numbers of cuda.h, which this is built without.
constexpr int kUnknownError = 999;
constexpr int kNotSupported = 801;

constexpr const char* kOpening = "When a device is opened";
constexpr const char* kStarting = "When an element starts";
constexpr const char* kFlowing = "While frames flow";

#define NAME(function, ...) #function,
constexpr const char* kCalls[] = {NV12SLOT_CUDA_FUNCTIONS(NAME)
                                      NV12SLOT_CUDA_OPTIONAL_FUNCTIONS(NAME)};
#undef NAME

/// Warnings and errors of the log.
class Log {
 public:
  static void start() {
    set_log_sink([](LogLevel level, std::string_view line) {
      if (level < LogLevel::kWarning) return;
      MutexLock lock(mutex_);
      lines_.emplace_back(line);
    });
  }
  static std::vector<std::string> take() {
    MutexLock lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  static inline Mutex mutex_;
  static inline std::vector<std::string> lines_ NV12SLOT_GUARDED_BY(mutex_);
};

/// What is made of the driver's objects only where something else is missing or has failed.
void arrange(const std::string& call) {
  if (call == "cuMemAlloc" || call == "cuMemFree" || call == "cuCtxEnablePeerAccess") {
    control().fail("cuMemPoolCreate", kNotSupported, 0, -1);
  }
}
void arrange_for_victim(const std::string& call) {
  if (call == "cuGetErrorName" || call == "cuGetErrorString") {
    control().fail("cuStreamSynchronize", kUnknownError, 0, 1);
  }
}

/// The streams of a device that nobody uses, so that whoever needs one makes one.
class IdleStreams {
 public:
  explicit IdleStreams(Domain domain) : device_(Process::get().pool->device(domain).value()) {
    const auto made = [] { return control().calls("cuStreamCreateWithPriority"); };
    for (const std::uint64_t before = made(); made() == before;) {
      streams_.push_back(device_->take_stream().value());
    }
  }
  ~IdleStreams() {
    for (const StreamHandle stream : streams_) device_->give_stream(stream);
  }
  IdleStreams(const IdleStreams&) = delete;
  IdleStreams& operator=(const IdleStreams&) = delete;

 private:
  Device* const device_;
  std::vector<StreamHandle> streams_;
};

/// As it stands in a cell of the page: what became of which victim, and what was said.
class Cell {
 public:
  void add(const std::string& victim, const std::string& outcome,
           const std::vector<std::string>& said) {
    if (outcome != "whole") outcomes_ += (outcomes_.empty() ? "" : ", ") + victim + " " + outcome;
    for (const std::string& text : said) said_.insert(Page::get().word_for(text));
    EXPECT_TRUE(outcome == "whole" || !said.empty()) << victim << " says nothing of it";
  }
  [[nodiscard]] std::string text() const {
    std::string text = outcomes_.empty() ? "whole" : outcomes_;
    std::string words;
    for (const std::string& word : said_) words += (words.empty() ? "" : ", ") + word;
    return words.empty() ? text : text + " (" + words + ")";
  }

 private:
  std::string outcomes_;
  std::set<std::string> said_;
};

/// What the stand-in has alive; of both devices.
struct Objects {
  std::uint64_t allocations, streams, events, contexts;

  /// Once what was put into streams is done: memory is freed in their order.
  static Objects count() {
    for (int i = 0; i < 2000 && control().pending_operations(-1) > 0; ++i) g_usleep(500);
    return {control().live_allocations(-1), control().live_streams(-1), control().live_events(-1),
            control().live_contexts(-1)};
  }
  bool operator==(const Objects&) const = default;
};

void PrintTo(const Objects& objects, std::ostream* out) {
  *out << objects.allocations << " allocations, " << objects.streams << " streams, "
       << objects.events << " events, " << objects.contexts << " contexts";
}

/// Calls without which something stays alive.
bool is_needed_to_end(const std::string& call) {
  static const std::set<std::string> calls = {
      "cuCtxPushCurrent", "cuDevicePrimaryCtxRelease", "cuEventDestroy", "cuMemFree",
      "cuMemFreeAsync",   "cuMemPoolDestroy",          "cuStreamDestroy"};
  return calls.contains(call);
}

/// Waits for the closers of decoders.
bool no_decoder_is_left(std::uint64_t but) {
  for (int i = 0; i < 600 && control().live_decoders(-1) > but; ++i) g_usleep(500);
  return control().live_decoders(-1) <= but;
}

void expect_no_slot_lost(Domain domain) {
  EXPECT_TRUE(comes_to_be_unused(domain)) << "a slot of domain " << domain << " is lost";
  const PoolStats stats = Process::get().pool->stats(domain);
  EXPECT_EQ(stats.free + stats.quarantined, stats.slots + stats.reserve) << "domain " << domain;
}

/// One process: its victims, and those whom nothing may happen to.
class Case {
 public:
  explicit Case(const char* call) : call_(call) {
    control().reset();
    arrange(call);
    EXPECT_EQ(control().calls(nullptr), 0U) << "the driver is called before anything plays";
    on_host_ = std::make_unique<Bystander>(kHostDomain, nullptr);
    Log::start();  // after the plugin's own
  }
  ~Case() {
    on_device_.reset();
    on_host_.reset();
    expect_no_slot_lost(kDevice);
    expect_no_slot_lost(kPeer);
    expect_no_slot_lost(kHostDomain);
    EXPECT_EQ(control().hazards(), 0U) << control().last_hazard();
  }

  /// Others play from now on, on the device too.
  void open_devices() {
    ASSERT_NE(gst_nv12_slot_cuda_context(kDevice), nullptr);
    ASSERT_NE(gst_nv12_slot_cuda_context(kPeer), nullptr);
    on_device_ = std::make_unique<Bystander>(kDevice, &spared_);
  }

  /// Has the call fail at that moment, for each victim by itself, and compares with the page.
  /// Whether it was called.
  bool fail(const std::vector<Victim>& all, const char* heading, int count) {
    Cell cell;
    std::uint64_t failed = 0;
    for (const Victim& victim : all) {
      const std::uint64_t before = control().faults(call_);
      // How many of them there are depends on how far the devices are behind.
      std::optional<IdleStreams> of_device, of_peer;
      const auto inject = [&] {
        Log::take();
        if (heading != kOpening && call_ == std::string("cuStreamCreateWithPriority")) {
          of_device.emplace(kDevice);
          of_peer.emplace(kPeer);
        }
        arrange_for_victim(call_);
        control().fail(call_, kUnknownError, 0, count);
      };
      Moments moments = {.starting = [] {}, .flowing = [] {}, .each = [&] { play_others(); }};
      (heading == kFlowing ? moments.flowing : moments.starting) = inject;
      const Objects objects = Objects::count();
      Played played = play(victim, moments);
      if (victim.play == play_pool && !is_needed_to_end(call_)) {
        EXPECT_EQ(Objects::count(), objects) << "something is left of a pool that is gone";
      }
      no_decoder_is_left(decoders_lost_);
      control().fail(call_, 0, 0, 0);
      control().fail("cuStreamSynchronize", 0, 0, 0);
      // FFmpeg cannot close one whose context it cannot have.
      if (call_ == std::string("cuCtxPushCurrent")) decoders_lost_ = control().live_decoders(-1);
      g_leaves_decoders = decoders_lost_ > 0;
      for (const std::string& line : Log::take()) played.said.push_back(line);
      cell.add(victim.name, played.outcome(), played.said);
      failed += control().faults(call_) - before;
    }
    // Whether one more is needed than there are depends on how far the device is behind.
    if (heading == kFlowing && call_ == std::string("cuEventCreate")) return failed > 0;
    // So does whether a stream that comes back is waited for, which is warned of.
    if (heading == kFlowing && call_ == std::string("cuStreamSynchronize") && count < 0) {
      return failed > 0;
    }
    const Row* row = Page::get().find(heading, call_);
    const std::size_t column = count > 0 ? 1 : 2;
    const std::string expected =
        row != nullptr && row->size() > column ? (*row)[column] : "no row: not called";
    const std::string seen = failed > 0 ? cell.text() : "no row: not called";
    EXPECT_EQ(seen, expected) << "docs/faults.md, " << heading << ", " << call_ << ", "
                              << (count > 0 ? "once" : "for good");
    if (std::getenv("NV12SLOT_FAULTS_SHOW") != nullptr) {
      std::fprintf(stdout, "ROW\t%s\t%s\t%zu\t%s\n", heading, call_, column, seen.c_str());
      std::fflush(stdout);
    }
    return failed > 0;
  }

  /// That everything works again.
  void expect_recovery(const std::vector<Victim>& all) {
    for (const Victim& victim : all) {
      const Moments moments = {.starting = [] {}, .flowing = [] {}, .each = [&] { play_others(); }};
      const Played played = play(victim, moments);
      EXPECT_EQ(played.outcome(), "whole") << victim.name << " does not play again";
      EXPECT_TRUE(no_decoder_is_left(decoders_lost_));
    }
  }

  /// That elements leave nothing behind which grows; how many events there are depends on how far
  /// the device was behind.
  void expect_nothing_left() {
    constexpr unsigned kRounds = 3;
    const Objects before = Objects::count();
    for (unsigned i = 0; i < kRounds; ++i) expect_recovery(victims());
    const Objects after = Objects::count();
    EXPECT_LT(after.allocations, before.allocations + kRounds);
    EXPECT_LT(after.streams, before.streams + kRounds);
    EXPECT_LT(after.events, before.events + kRounds);
    EXPECT_EQ(after.contexts, before.contexts);
  }

 private:
  /// On a thread of its own, as a call that fails may leave something on it.
  Played play(const Victim& victim, const Moments& moments) {
    Played played;
    std::thread([&] { played = victim.play(spared_, moments); }).join();
    return played;
  }
  void play_others() {
    on_host_->play_one();
    if (on_device_ != nullptr) on_device_->play_one();
  }

  const char* const call_;
  std::uint64_t decoders_lost_ = 0;
  SparedThread spared_;
  std::unique_ptr<Bystander> on_host_, on_device_;
};

/// A device that is opened while the call fails.
void open_with(const char* call, int count) {
  alarm(kDeadline);
  {
    Case faulty(call);
    const bool was_called = faulty.fail({victims()[0], {"pool", play_pool}}, kOpening, count);
    // Whether there is a driver is asked once.
    if (was_called && std::string(call) != "cuInit") faulty.expect_recovery({victims()[0]});
  }
  end_case();
}

/// Elements that start and play while the call fails.
void play_with(const char* call, int count) {
  alarm(kDeadline);
  {
    Case faulty(call);
    faulty.open_devices();
    bool was_called = faulty.fail(victims(), kStarting, count);
    was_called = faulty.fail(victims(), kFlowing, count) || was_called;
    if (was_called) {
      faulty.expect_recovery(victims());
      faulty.expect_nothing_left();
    }
  }
  end_case();
}

class DriverFaultTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, DriverFaultTest, testing::ValuesIn(kCalls),
                         [](const auto& call) { return std::string(call.param); });

TEST_P(DriverFaultTest, once_when_a_device_is_opened) {
  EXPECT_EXIT(open_with(GetParam(), 1), testing::ExitedWithCode(0), "");
}

TEST_P(DriverFaultTest, for_good_when_a_device_is_opened) {
  EXPECT_EXIT(open_with(GetParam(), -1), testing::ExitedWithCode(0), "");
}

TEST_P(DriverFaultTest, once_while_elements_play) {
  EXPECT_EXIT(play_with(GetParam(), 1), testing::ExitedWithCode(0), "");
}

TEST_P(DriverFaultTest, for_good_while_elements_play) {
  EXPECT_EXIT(play_with(GetParam(), -1), testing::ExitedWithCode(0), "");
}

TEST(DriverFaults, the_page_has_each_call_and_no_other) {
  std::set<std::string> on_page;
  for (const char* heading : {kOpening, kStarting, kFlowing}) {
    for (const Row& row : Page::get().under(heading)) on_page.insert(row[0]);
  }
  std::set<std::string> in_code;
  for (const std::string call : kCalls) in_code.insert("`" + call + "`");
  EXPECT_EQ(on_page, in_code) << "a call that no table has is one that no test reaches";
}

}  // namespace
}  // namespace nv12slot::gst
