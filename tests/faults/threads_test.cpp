// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Each thread of the project's own stands still for 5 s, while frames flow that it has to do with.
// Other cameras must not notice, and afterwards everything must go on, and end.
//
// Each case has a process of its own. All run at the same time, as they mostly wait.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "nv12slot/thread.h"
#include "page.h"
#include "standin_control.h"
#include "stopped_thread.h"
#include "victims.h"

namespace nv12slot::gst {
namespace {

using std::chrono::steady_clock;

constexpr Domain kDevice = 0;
constexpr std::chrono::seconds kStop{5};
constexpr unsigned kDeadline = 120;  // seconds, for one process
constexpr const char* kHeading = "Threads";

// Those of GStreamer's that run our tasks are named after their pads, in this test's pipelines.
#define NAME(name, text) text,
constexpr const char* kThreads[] = {NV12SLOT_THREADS(NAME) "tensor:src", "feed:src"};
#undef NAME

/// Two cameras whose every thread is in use: H.264 through nv12slotdec into tensors, whose decoder
/// is closed at its end, and a file that nv12slotsrc plays.
class Everything {
 public:
  explicit Everything(const std::string& file) {
    GError* error = nullptr;
    dec_ = GST_ELEMENT(gst_parse_bin_from_description(
        "nv12slotdec decoder-cache-cap=0 max-threads=1 ! nv12slottensor name=tensor width=16 "
        "height=16",
        TRUE, &error));
    EXPECT_EQ(error, nullptr) << error->message;
    harness_ = gst_harness_new_with_element(dec_, "sink", "src");
    gst_harness_set_drop_buffers(harness_, TRUE);
    gst_harness_set_sink_caps_str(harness_, "other/tensors(memory:CUDAMemory)");
    gst_harness_play(harness_);
    gst_harness_set_src_caps_str(harness_,
                                 "video/x-h264,stream-format=byte-stream,alignment=au,"
                                 "parsed=true,framerate=25/1");
    src_.reset(static_cast<GstElement*>(gst_object_ref_sink(gst_parse_launch(
        ("nv12slotsrc loop=true device=-1 uri=file://" + file + " ! fakesink name=sink").c_str(),
        nullptr))));
    const ObjectPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(src_.get()), "sink"));
    const ObjectPtr<GstPad> pad(gst_element_get_static_pad(sink.get(), "sink"));
    gst_pad_add_probe(
        pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo*, gpointer count) {
          ++*static_cast<std::atomic<unsigned>*>(count);
          return GST_PAD_PROBE_OK;
        },
        &src_frames_, nullptr);
    gst_element_set_state(src_.get(), GST_STATE_PLAYING);
  }
  ~Everything() {
    gst_element_set_state(src_.get(), GST_STATE_NULL);
    gst_harness_teardown(harness_);
    gst_object_unref(dec_);
  }
  Everything(const Everything&) = delete;
  Everything& operator=(const Everything&) = delete;

  /// Gives the decoder a picture; may block while its thread or the tensors' stands still.
  void push_one() {
    const decode::Unit& unit = encoded_stream()[pushed_ % encoded_stream().size()];
    GstBuffer* const buffer = gst_buffer_new_memdup(unit.data.data(), unit.data.size());
    GST_BUFFER_PTS(buffer) = pushed_++ * 40 * GST_MSECOND;
    EXPECT_EQ(gst_harness_push(harness_, buffer), GST_FLOW_OK);
  }
  [[nodiscard]] unsigned tensors() const { return gst_harness_buffers_received(harness_); }
  [[nodiscard]] unsigned src_frames() const { return src_frames_; }

 private:
  GstElement* dec_ = nullptr;
  GstHarness* harness_ = nullptr;
  ObjectPtr<GstElement> src_;
  std::atomic<unsigned> src_frames_{0};
  guint64 pushed_ = 0;
};

template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 40000 && !condition(); ++i) g_usleep(1000);
  return condition();
}

/// For the reaper.
void retire_slots() {
  SlotPool& pool = *Process::get().pool;
  EXPECT_TRUE(pool.set_cap(1));
  EXPECT_TRUE(pool.set_cap(64));
}

/// For the keeper and the closer.
void open_and_close_decoder(SparedThread& reader) {
  for (const Victim& victim : victims()) {
    if (std::string(victim.name) != "dec") continue;
    const Moments moments = {.starting = [] {}, .flowing = [] {}, .each = [] {}};
    EXPECT_EQ(victim.play(reader, moments).outcome(), "whole");
  }
}

/// Does the same work whenever it is asked to, on a thread that is there before anything stops.
class Trial {
 public:
  explicit Trial(std::function<void()> work)
      : work_(std::move(work)), thread_([this] { loop(); }) {}
  ~Trial() {
    stopping_ = true;
    thread_.join();
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  /// Whether it is done in time. Allocates nothing, as the allocator may be what is held.
  bool passes(std::chrono::milliseconds within) {
    ++asked_;
    for (auto i = within.count(); i > 0 && answered_ != asked_; --i) g_usleep(1000);
    return answered_ == asked_;
  }
  void wait() const {
    while (answered_ != asked_) g_usleep(1000);
  }

 private:
  void loop() {
    while (!stopping_) {
      if (answered_ == asked_) {
        g_usleep(1000);
        continue;
      }
      work_();
      ++answered_;
    }
  }

  const std::function<void()> work_;
  std::atomic<unsigned> asked_{0}, answered_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

/// What all threads share that is not the project's: whoever stands still in it holds up everybody.
void use_driver_and_allocator() {
  static_cast<void>(standin::control().hazards());
  for (std::size_t size = 16; size <= std::size_t{1} << 20; size *= 2) {
    for (int i = 0; i < 16; ++i) g_free(g_malloc(size));
  }
}

/// Stops it where it holds none of that, and outside the moments for which our own locks are held:
/// a thread that is in them again and again waits there.
void stop_outside_locks(std::optional<StoppedThread>& stopped, const std::string& name,
                        Trial& shared, Trial& others) {
  constexpr int kMostOften = 2;
  int times_held_up = 0;
  for (int i = 0; i < 50 && times_held_up <= kMostOften; ++i) {
    stopped.emplace(name);
    if (shared.passes(std::chrono::milliseconds(300))) {
      if (others.passes(kStop / 2)) return;
      ++times_held_up;
    }
    stopped.reset();
    shared.wait();
    others.wait();
  }
  EXPECT_LE(times_held_up, kMostOften) << "other cameras were held up, again and again";
  stopped.emplace(name);
}

[[noreturn]] void stop_one(const std::string& name, const std::string& file) {
  alarm(kDeadline);
  {
    SparedThread reader;
    Bystander on_host(kHostDomain, nullptr);
    Bystander on_device(kDevice, &reader);
    Trial shared(use_driver_and_allocator);
    Trial others([&] {
      on_host.play_one();
      on_device.play_one();
    });
    {
      Everything everything(file);
      std::atomic<bool> done{false};
      std::thread pusher([&] {
        while (!done) {
          everything.push_one();
          g_usleep(2000);
        }
      });
      EXPECT_TRUE(eventually([&] { return everything.tensors() > 3; }));
      EXPECT_TRUE(eventually([&] { return everything.src_frames() > 3; }));
      open_and_close_decoder(reader);
      retire_slots();
      {
        std::optional<StoppedThread> stopped;
        stop_outside_locks(stopped, name, shared, others);
        EXPECT_TRUE(stopped->is_stopped()) << "there is no thread " << name;
        // There is work for it, and another camera comes and goes.
        retire_slots();
        open_and_close_decoder(reader);
        const auto until = steady_clock::now() + kStop;
        steady_clock::duration longest{};
        while (stopped->is_stopped() && steady_clock::now() < until) {
          const auto began = steady_clock::now();
          on_host.play_one();
          on_device.play_one();
          longest = std::max(longest, steady_clock::now() - began);
          g_usleep(10000);
        }
        // A machine that is busy may take its time, but not until the thread goes on.
        EXPECT_LT(longest, kStop / 2) << "another camera was held up";
      }
      const unsigned tensors = everything.tensors();
      const unsigned frames = everything.src_frames();
      EXPECT_TRUE(eventually([&] { return everything.tensors() > tensors + 3; }));
      EXPECT_TRUE(eventually([&] { return everything.src_frames() > frames + 3; }));
      done = true;
      pusher.join();
    }
    open_and_close_decoder(reader);
    retire_slots();
  }
  EXPECT_TRUE(eventually([] { return standin::control().live_decoders(-1) == 0; }));
  EXPECT_TRUE(comes_to_be_unused(kDevice));
  EXPECT_TRUE(comes_to_be_unused(kHostDomain));
  EXPECT_EQ(standin::control().hazards(), 0U) << standin::control().last_hazard();
  std::exit(testing::Test::HasFailure() ? 1 : 0);
}

class ThreadTest : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    file_ = std::filesystem::temp_directory_path() /
            ("nv12slot-threads-" + std::to_string(getpid()) + ".mp4");
    std::fflush(nullptr);
    // Apart from this process, which must have no thread when it is forked.
    const pid_t writer = fork();
    ASSERT_GE(writer, 0);
    if (writer == 0) {
      const RunResult written = play(
          "videotestsrc num-buffers=250 ! video/x-raw,format=I420,width=64,height=64,"
          "framerate=25/1 ! x264enc speed-preset=ultrafast tune=zerolatency key-int-max=25 ! "
          "mp4mux ! filesink location=" +
          file_.string());
      std::_Exit(written.eos ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(writer, &status, 0), writer);
    ASSERT_EQ(status, 0) << "no file was written";
    for (const char* name : kThreads) {
      const pid_t child = fork();
      ASSERT_GE(child, 0);
      if (child == 0) stop_one(name, file_);
      children_[name] = child;
    }
  }
  static void TearDownTestSuite() { std::filesystem::remove(file_); }

  static inline std::filesystem::path file_;
  static inline std::map<std::string, pid_t> children_;
};
INSTANTIATE_TEST_SUITE_P(Of, ThreadTest, testing::ValuesIn(kThreads), [](const auto& name) {
  std::string text = name.param;
  for (char& c : text) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return text;
});

TEST_P(ThreadTest, that_stands_still_for_5_s_holds_no_other_camera_up) {
  int status = 0;
  ASSERT_EQ(waitpid(children_[GetParam()], &status, 0), children_[GetParam()]);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << (WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "its failures are above");
}

TEST(Threads, the_page_has_each_thread_and_no_other) {
  std::set<std::string> on_page;
  for (const Row& row : Page::get().under(kHeading)) on_page.insert(row[0]);
  std::set<std::string> in_code;
  for (const std::string name : kThreads) in_code.insert("`" + name + "`");
  EXPECT_EQ(on_page, in_code);
}

}  // namespace
}  // namespace nv12slot::gst
