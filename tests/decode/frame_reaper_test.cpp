// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The reaper and the backlogs it empties, on a device whose fences a test completes; and on the
// stand-in with frames of NVDEC.
#include "frame_reaper.h"

#include <atomic>
#include <thread>

#include "../pool/fake_clock.h"
#include "../pool/fake_device.h"
#include "decode_test.h"

namespace nv12slot::decode {
namespace {

/// Frames that were freed, and where.
struct Freed {
  std::atomic<unsigned> count{0};
  std::atomic<int> thread{0};  // of the last one
};

FramePtr make_frame(Freed& freed) {
  FramePtr frame(av_frame_alloc());
  frame->buf[0] = av_buffer_create(
      static_cast<std::uint8_t*>(av_malloc(1)), 1,
      [](void* to, std::uint8_t* data) {
        auto& log = *static_cast<Freed*>(to);
        log.thread = gettid();
        ++log.count;
        av_free(data);
      },
      &freed, 0);
  return frame;
}

class FrameReaperTest : public testing::Test {
 protected:
  FrameReaperTest() {
    device_.set_auto_complete(false);
    stream_ = device_.take_stream().value();
  }
  ~FrameReaperTest() override { device_.give_stream(stream_); }

  /// Gives a frame that is read until complete() or complete_all().
  void give_read() { reaper_->give(backlog_, make_frame(freed_), fence()); }
  void give_free() { reaper_->give(backlog_, make_frame(freed_), std::nullopt); }
  Fence fence() { return Fence::record(device_, stream_).value(); }
  [[nodiscard]] bool frees(unsigned count) {
    return eventually([&] { return freed_.count == count; });
  }

  FakeDevice device_;
  StreamHandle stream_ = nullptr;
  Freed freed_;
  FakeClock clock_;
  std::shared_ptr<SurfaceBacklog> backlog_ = std::make_shared<SurfaceBacklog>(device_);
  std::unique_ptr<FrameReaper> reaper_ = std::make_unique<FrameReaper>(clock_);
};

TEST_F(FrameReaperTest, a_frame_is_given_back_within_the_interval_on_the_reapers_thread) {
  give_free();
  clock_.wait_for_waiter();
  clock_.advance(FrameReaper::kInterval - Duration(1));
  EXPECT_EQ(freed_.count, 0u);
  clock_.advance(Duration(1));
  EXPECT_TRUE(frees(1));
  EXPECT_NE(freed_.thread, gettid());
}

TEST_F(FrameReaperTest, frames_of_one_decoder_that_become_many_are_given_back_at_once) {
  static_assert(FrameReaper::kUrgent == 2);
  give_free();
  clock_.wait_for_waiter();
  give_free();
  EXPECT_TRUE(frees(2)) << "the clock stands still";
  EXPECT_NE(freed_.thread, gettid());
}

TEST_F(FrameReaperTest, frames_of_several_decoders_are_not_many_of_one) {
  const auto other = std::make_shared<SurfaceBacklog>(device_);
  give_free();
  clock_.wait_for_waiter();
  reaper_->give(other, make_frame(freed_), std::nullopt);
  clock_.wait_for_waiter();
  EXPECT_EQ(freed_.count, 0u);
  clock_.advance(FrameReaper::kInterval);
  EXPECT_TRUE(frees(2));
}

TEST_F(FrameReaperTest, a_frame_that_is_still_read_is_kept_over_any_number_of_intervals) {
  give_read();
  for (int i = 0; i < 5; ++i) {
    const unsigned queries = device_.count("is_complete");
    clock_.wait_for_waiter();
    clock_.advance(FrameReaper::kInterval);
    ASSERT_TRUE(eventually([&] { return device_.count("is_complete") > queries; }));
  }
  EXPECT_EQ(freed_.count, 0u);
  device_.complete_all();
  ASSERT_TRUE(eventually([&] { return backlog_->size() == 1; }));  // the reaper put it back
  clock_.wait_for_waiter();
  clock_.advance(FrameReaper::kInterval);
  EXPECT_TRUE(frees(1));
}

TEST_F(FrameReaperTest, the_oldest_is_given_back_by_the_caller_where_too_many_wait) {
  for (std::size_t i = 0; i < SurfaceBacklog::kMost; ++i) {
    EXPECT_EQ(backlog_->add(make_frame(freed_), fence()), i + 1);
  }
  EXPECT_EQ(freed_.count, 0u);
  EXPECT_EQ(device_.count("synchronize"), 0u);
  EXPECT_EQ(backlog_->add(make_frame(freed_), fence()), SurfaceBacklog::kMost);
  EXPECT_EQ(freed_.count, 1u);
  EXPECT_EQ(freed_.thread, gettid());
  // After a wait for its reader.
  EXPECT_EQ(device_.count("wait"), 1u);
  EXPECT_EQ(device_.count("synchronize"), 1u);
  device_.complete_all();
}

TEST_F(FrameReaperTest, the_caller_does_not_wait_for_a_reader_that_is_done) {
  for (std::size_t i = 0; i < SurfaceBacklog::kMost; ++i)
    backlog_->add(make_frame(freed_), fence());
  device_.complete_all();
  backlog_->add(make_frame(freed_), std::nullopt);
  EXPECT_EQ(freed_.count, 1u);
  EXPECT_EQ(device_.count("synchronize"), 0u);
}

TEST_F(FrameReaperTest, frames_are_given_back_in_order_and_not_past_one_that_is_read) {
  backlog_->add(make_frame(freed_), fence());
  backlog_->add(make_frame(freed_), std::nullopt);
  EXPECT_EQ(backlog_->reap(), 2u);
  EXPECT_EQ(freed_.count, 0u);
  device_.complete_all();
  EXPECT_EQ(backlog_->reap(), 0u);
  EXPECT_EQ(freed_.count, 2u);
}

TEST_F(FrameReaperTest, a_backlog_that_goes_waits_for_its_readers) {
  backlog_->add(make_frame(freed_), fence());
  backlog_.reset();
  EXPECT_EQ(freed_.count, 1u);
  EXPECT_EQ(device_.count("synchronize"), 1u);
}

TEST_F(FrameReaperTest, a_backlog_that_went_is_forgotten) {
  give_free();
  clock_.wait_for_waiter();
  backlog_.reset();
  EXPECT_EQ(freed_.count, 1u);
  clock_.advance(FrameReaper::kInterval);
  reaper_.reset();
}

TEST_F(FrameReaperTest, a_failed_device_reads_nothing_any_more) {
  give_read();
  device_.fail("is_complete", Errc::kDeviceFailed, -1);
  clock_.wait_for_waiter();
  clock_.advance(FrameReaper::kInterval);
  EXPECT_TRUE(frees(1));
}

// A decoder that is about to be closed must not be closed by the reaper instead:
//   reaper:  takes the frame, asks whether it is read ........ puts it back
//   closer:                             empties the backlog ^ sees nothing
TEST_F(FrameReaperTest, whoever_empties_a_backlog_waits_for_what_another_has_in_its_hands) {
  backlog_->add(make_frame(freed_), fence());
  std::atomic<bool> is_asking{false};
  std::atomic<bool> may_answer{false};
  device_.set_hook([&](const FakeCall& call) {
    if (call.name != "is_complete" || is_asking.exchange(true)) return;
    while (!may_answer) std::this_thread::yield();
  });
  std::thread reaper([&] { backlog_->reap(); });
  ASSERT_TRUE(eventually([&] { return is_asking.load(); }));
  std::thread closer([&] {
    backlog_->reap(true);
    EXPECT_EQ(freed_.count, 1u);
  });
  // Time enough to get it wrong.
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  may_answer = true;
  closer.join();
  reaper.join();
  EXPECT_EQ(backlog_->size(), 0u);
  device_.set_hook({});
}

// ---- With frames of NVDEC
// -------------------------------------------------------------------------

class NvdecFramesTest : public DecodeTest {
 protected:
  void SetUp() override {
    NEEDS_STANDIN();
    NEEDS_ENCODER("libx264");
    units_ = encode({});
    decoder_ = open(on_nvdec());
  }
  FramePtr next() {
    FramePtr frame;
    EXPECT_EQ(decoder_->send(units_[at_].data, static_cast<std::int64_t>(at_)), Step::kDone);
    EXPECT_EQ(decoder_->receive(frame), Step::kFrame);
    ++at_;
    return frame;
  }
  [[nodiscard]] std::uint64_t unmapped() const { return standin_.calls("cuvidUnmapVideoFrame64"); }

  std::vector<Unit> units_;
  std::size_t at_ = 0;
  std::unique_ptr<Decoder> decoder_;
  FakeClock clock_;
};

TEST_F(NvdecFramesTest, surfaces_are_unmapped_on_the_reapers_thread_only) {
  FrameReaper reaper(clock_);
  for (std::uint64_t given = 0; given < 10; given += 2) {
    reaper.give(decoder_->backlog(), next(), std::nullopt);
    reaper.give(decoder_->backlog(), next(), std::nullopt);
    // The reaper may still be at the pair before, and take the first of these with it: the second
    // is then given back within the interval.
    ASSERT_TRUE(eventually([&] {
      clock_.advance(FrameReaper::kInterval);
      return unmapped() == given + 2;
    }));
  }
  EXPECT_EQ(standin_.thread_calls("cuvidUnmapVideoFrame64", gettid()), 0u);
}

TEST_F(NvdecFramesTest, a_surface_stays_mapped_until_its_reader_is_done) {
  FrameReaper reaper(clock_);
  const StreamHandle readers = device().take_stream().value();
  {
    const standin::StreamGate gate(readers);
    reaper.give(decoder_->backlog(), next(), Fence::record(device(), readers).value());
    const std::uint64_t queries = standin_.calls("cuEventQuery");
    clock_.wait_for_waiter();
    clock_.advance(FrameReaper::kInterval);
    ASSERT_TRUE(eventually([&] { return standin_.calls("cuEventQuery") > queries; }));
    ASSERT_TRUE(eventually([&] { return decoder_->backlog()->size() == 1; }));
    EXPECT_EQ(unmapped(), 0u);
  }
  ASSERT_TRUE(device().synchronize(readers));
  clock_.wait_for_waiter();
  clock_.advance(FrameReaper::kInterval);
  EXPECT_TRUE(eventually([&] { return unmapped() == 1; }));
  device().give_stream(readers);
}

TEST_F(NvdecFramesTest, every_device_has_a_reaper_of_its_own) {
  EXPECT_EQ(&FrameReaper::of(device(0)), &FrameReaper::of(device(0)));
  EXPECT_NE(&FrameReaper::of(device(0)), &FrameReaper::of(device(1)));
}

}  // namespace
}  // namespace nv12slot::decode
