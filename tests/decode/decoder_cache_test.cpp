// SPDX-License-Identifier: LGPL-2.1-or-later
#include "decoder_cache.h"

#include <atomic>
#include <thread>

#include "../pool/fake_clock.h"
#include "decode_test.h"

namespace nv12slot::decode {
namespace {

class DecoderCacheTest : public DecodeTest {
 protected:
  std::unique_ptr<Decoder> take(const DecoderSpec& spec) {
    Result<std::unique_ptr<Decoder>> taken = cache_.take(spec);
    EXPECT_TRUE(taken) << taken.error().message;
    return std::move(taken).value();
  }
  /// Takes one and decodes with it, so that it is worth keeping.
  std::unique_ptr<Decoder> take_used(const DecoderSpec& spec) {
    std::unique_ptr<Decoder> decoder = take(spec);
    std::vector<Shown> shown;
    send_all(*decoder, units_, shown);
    EXPECT_TRUE(decoder->is_warm());
    return decoder;
  }
  /// Warm ones, each of a format of its own.
  void park_used(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      DecoderSpec spec = on_nvdec();
      spec.format = std::to_string(parked_++);
      cache_.park(take_used(spec));
    }
  }
  [[nodiscard]] bool closes(std::uint64_t count) {
    return eventually([&] { return cache_.stats().closed == count; });
  }

  FakeClock clock_;
  DecoderCache cache_{clock_};
  std::vector<Unit> units_;
  unsigned parked_ = 0;
};

class NvdecCacheTest : public DecoderCacheTest {
 protected:
  void SetUp() override {
    NEEDS_STANDIN();
    NEEDS_ENCODER("libx264");
    units_ = encode({});
  }
};

// ---- Decoders that stay open
// ----------------------------------------------------------------------

struct Warm {
  const char* name;
  Encoding encoding;
  bool is_drained;  // before it is parked
};

class WarmTest : public DecoderCacheTest, public testing::WithParamInterface<Warm> {};

TEST_P(WarmTest, a_parked_decoder_goes_on_without_a_call_that_opens_or_closes_anything) {
  NEEDS_STANDIN();
  const Encoding& encoding = GetParam().encoding;
  NEEDS_ENCODER(encoding.encoder);
  const std::vector<Unit> units = encode(encoding);
  const DecoderSpec spec = on_nvdec(avcodec_find_encoder_by_name(encoding.encoder)->id);
  std::uint32_t before = 0;
  {
    std::unique_ptr<Decoder> decoder = take(spec);
    std::vector<Shown> shown;
    if (GetParam().is_drained) {
      shown = play(*decoder, units);
    } else {
      send_all(*decoder, units, shown);
    }
    before = static_cast<std::uint32_t>(standin_.calls("cuvidDecodePicture"));
    cache_.park(std::move(decoder));
  }
  standin_.reset();
  std::unique_ptr<Decoder> decoder = take(spec);
  const std::vector<Shown> shown = play(*decoder, units);
  ASSERT_EQ(shown.size(), units.size());
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto number = static_cast<std::uint32_t>(shown[i].number);
    ASSERT_LT(number, units.size());
    EXPECT_EQ(units[number].pts, static_cast<std::int64_t>(i));
    EXPECT_TRUE(is_standin_picture(shown[i], before + number)) << i;
  }
  for (const char* call : {"cuvidCreateDecoder", "cuvidDestroyDecoder", "cuMemAlloc", "cuMemFree",
                           "cuStreamCreate", "cuStreamCreateWithPriority"}) {
    EXPECT_EQ(standin_.calls(call), 0u) << call;
  }
  EXPECT_EQ(cache_.stats().reused, 1u);
  EXPECT_EQ(cache_.stats().opened, 1u);
}

constexpr const char* kReordered = "preset=ultrafast,x264-params=bframes=2:b-adapt=0:scenecut=0";
constexpr const char* kH265 = "preset=ultrafast,x265-params=log-level=none:pools=none:bframes=2";

INSTANTIATE_TEST_SUITE_P(
    Codecs, WarmTest,
    testing::Values(
        Warm{"h264", {}, false}, Warm{"h264_reordered", {.options = kReordered}, false},
        Warm{"h265", {.encoder = "libx265", .options = kH265}, false},
        Warm{"h265_drained", {.encoder = "libx265", .options = kH265}, true},
        Warm{"mpeg2", {.encoder = "mpeg2video", .options = "bf=2"}, false},
        Warm{"mpeg2_drained", {.encoder = "mpeg2video", .options = "bf=2"}, true},
        Warm{"mjpeg", {.encoder = "mjpeg", .pixels = AV_PIX_FMT_YUVJ420P, .options = ""}, false}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(NvdecCacheTest, a_decoder_of_another_spec_is_not_taken) {
  DecoderSpec spec = on_nvdec();
  spec.format = "64 x 64";
  cache_.park(take_used(spec));
  DecoderSpec other = spec;
  other.codec = AV_CODEC_ID_HEVC;
  static_cast<void>(take(other));
  other = spec;
  other.format = "96 x 64";
  static_cast<void>(take(other));
  other = spec;
  other.low_latency = true;
  static_cast<void>(take(other));
  other = spec;
  other.extradata = {1};
  static_cast<void>(take(other));
  other = spec;
  other.device = &device(1);
  static_cast<void>(take(other));
  EXPECT_EQ(cache_.stats().reused, 0u);
  EXPECT_EQ(cache_.stats().parked, 1u);
  EXPECT_TRUE(take(spec)->is_warm());
  EXPECT_EQ(cache_.stats().reused, 1u);
  EXPECT_EQ(cache_.stats().parked, 0u);
}

TEST_F(NvdecCacheTest, a_decoder_is_taken_by_one_camera_only) {
  cache_.park(take_used(on_nvdec()));
  const std::unique_ptr<Decoder> first = take(on_nvdec());
  const std::unique_ptr<Decoder> second = take(on_nvdec());
  EXPECT_TRUE(first->is_warm());
  EXPECT_FALSE(second->is_warm());
}

TEST_F(NvdecCacheTest, of_several_the_one_that_was_parked_last_is_taken) {
  std::unique_ptr<Decoder> early = take_used(on_nvdec());
  std::unique_ptr<Decoder> late = take_used(on_nvdec());
  const Decoder* const expected = late.get();
  cache_.park(std::move(early));
  cache_.park(std::move(late));
  EXPECT_EQ(take(on_nvdec()).get(), expected);
}

TEST_F(NvdecCacheTest, a_decoder_that_decoded_nothing_is_closed_instead_of_parked) {
  cache_.park(take(on_nvdec()));
  EXPECT_EQ(cache_.stats().parked, 0u);
  EXPECT_TRUE(closes(1));
}

TEST_F(NvdecCacheTest, a_decoder_of_a_failed_device_is_closed_instead_of_parked) {
  std::unique_ptr<Decoder> decoder = take_used(on_nvdec());
  standin_.stick(0, nullptr, kCudaIllegalAddress);
  EXPECT_EQ(decoder->send(units_[0].data, 0), Step::kLost);
  cache_.park(std::move(decoder));
  EXPECT_EQ(cache_.stats().parked, 0u);
  EXPECT_TRUE(closes(1));
  standin_.stick(0, nullptr, 0);
}

TEST_F(NvdecCacheTest, a_camera_that_skipped_pictures_leaves_a_decoder_that_does_not) {
  std::unique_ptr<Decoder> decoder = take_used(on_nvdec());
  decoder->set_skips_unreferenced(true);
  cache_.park(std::move(decoder));
  const std::vector<Unit> units = encode({.pictures = 12, .options = kReordered});
  EXPECT_EQ(play(*take(on_nvdec()), units).size(), 12u);
}

TEST_F(DecoderCacheTest, software_is_never_parked) {
  NEEDS_ENCODER("libx264");
  const std::unique_ptr<Decoder> first = take(in_software());
  std::unique_ptr<Decoder> second = take(in_software());
  cache_.park(std::move(second));
  EXPECT_EQ(cache_.stats().parked, 0u);
  EXPECT_EQ(cache_.stats().opened, 2u);
  EXPECT_TRUE(closes(1));
}

TEST_F(DecoderCacheTest, no_decoder_at_all_may_be_parked_or_closed) {
  cache_.park(nullptr);
  cache_.close(nullptr);
  EXPECT_EQ(cache_.stats().closing, 0u);
}

TEST_F(DecoderCacheTest, a_decoder_that_does_not_open_is_an_error_and_not_counted) {
  EXPECT_EQ(cache_.take(in_software(AV_CODEC_ID_TTF)).code(), Errc::kInvalidArgument);
  EXPECT_EQ(cache_.stats().opened, 0u);
}

// ---- How many, and how long
// -----------------------------------------------------------------------

TEST_F(NvdecCacheTest, more_than_the_cap_are_not_parked_and_the_longest_idle_one_goes) {
  ASSERT_TRUE(cache_.set_cap(2));
  park_used(3);
  EXPECT_EQ(cache_.stats().parked, 2u);
  EXPECT_EQ(cache_.stats().evicted, 1u);
  EXPECT_TRUE(closes(1));
  DecoderSpec spec = on_nvdec();
  spec.format = "0";
  EXPECT_FALSE(take(spec)->is_warm());
  spec.format = "2";
  EXPECT_TRUE(take(spec)->is_warm());
}

TEST_F(NvdecCacheTest, a_cap_that_is_lowered_closes_what_is_too_many) {
  park_used(3);
  ASSERT_TRUE(cache_.set_cap(0));
  EXPECT_EQ(cache_.stats().parked, 0u);
  EXPECT_TRUE(closes(3));
  park_used(1);
  EXPECT_TRUE(closes(4));
  EXPECT_EQ(cache_.stats().evicted, 4u);
}

TEST_F(DecoderCacheTest, a_cap_of_more_than_256_is_refused) {
  EXPECT_TRUE(cache_.set_cap(256));
  const Status status = cache_.set_cap(257);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.code(), Errc::kInvalidArgument);
  EXPECT_NE(status.error().message.find("0 to 256"), std::string::npos) << status.error().message;
  EXPECT_EQ(cache_.stats().cap, 256u);
}

TEST_F(NvdecCacheTest, what_nobody_takes_in_time_is_closed) {
  park_used(1);
  clock_.wait_for_waiter();
  clock_.advance(DecoderCache::kDefaultIdleTimeout - Duration(1));
  EXPECT_EQ(cache_.stats().parked, 1u);
  clock_.advance(Duration(1));
  EXPECT_TRUE(closes(1));
  EXPECT_EQ(cache_.stats().parked, 0u);
  EXPECT_EQ(cache_.stats().expired, 1u);
}

TEST_F(NvdecCacheTest, each_has_a_time_of_its_own) {
  park_used(1);
  clock_.wait_for_waiter();
  clock_.advance(std::chrono::seconds(20));
  park_used(1);
  clock_.wait_for_waiter();
  clock_.advance(std::chrono::seconds(10));
  EXPECT_TRUE(closes(1));
  EXPECT_EQ(cache_.stats().parked, 1u);
  clock_.wait_for_waiter();
  clock_.advance(std::chrono::seconds(20));
  EXPECT_TRUE(closes(2));
}

/// Time that a test moves and nobody is told of, as it is with real time: waits end by themselves.
class SilentClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return TimePoint(Duration(now_ns_.load())); }
  // The analysis does not see that the caller holds the lock.
  void wait_until(CondVar&, MutexLock& lock, TimePoint) override
      NV12SLOT_TSA(no_thread_safety_analysis) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  }
  void advance(Duration by) { now_ns_ += by.count(); }

 private:
  std::atomic<Duration::rep> now_ns_{1};
};

TEST_F(NvdecCacheTest, a_thread_that_closed_before_is_told_of_what_expired) {
  SilentClock clock;
  DecoderCache cache(clock);
  for (std::uint64_t i = 0; i < 2; ++i) {
    std::unique_ptr<Decoder> decoder = cache.take(on_nvdec()).value();
    std::vector<Shown> shown;
    send_all(*decoder, units_, shown);
    cache.park(std::move(decoder));
    clock.advance(DecoderCache::kDefaultIdleTimeout);
    EXPECT_TRUE(eventually([&] { return cache.stats().closed == i + 1; }));
  }
}

TEST_F(NvdecCacheTest, another_time_out_holds_for_those_that_are_parked) {
  park_used(1);
  clock_.wait_for_waiter();
  clock_.advance(std::chrono::seconds(3));
  cache_.set_idle_timeout(std::chrono::seconds(3));
  EXPECT_EQ(cache_.idle_timeout(), std::chrono::seconds(3));
  EXPECT_TRUE(closes(1));
}

TEST_F(NvdecCacheTest, without_a_time_nothing_stays_parked) {
  cache_.set_idle_timeout(Duration(0));
  park_used(1);
  EXPECT_EQ(cache_.stats().parked, 0u);
  EXPECT_TRUE(closes(1));
}

// ---- Closes that hang
// -----------------------------------------------------------------------------

// A decoder's close waits for the work on its surfaces, which a gate in its stream holds.
class HungCloseTest : public NvdecCacheTest {
 protected:
  /// Closes a decoder that hangs in cuvidDestroyDecoder until its gate is opened.
  std::unique_ptr<standin::StreamGate> close_hanging() {
    std::unique_ptr<Decoder> decoder = take_used(on_nvdec());
    auto gate = std::make_unique<standin::StreamGate>(decoder->stream());
    const std::uint64_t destroyed = standin_.calls("cuvidDestroyDecoder");
    EXPECT_EQ(decoder->send(units_[0].data, 0), Step::kDone);
    FramePtr frame;
    EXPECT_EQ(decoder->receive(frame), Step::kFrame);
    EXPECT_TRUE(device().run([&] { frame.reset(); }));
    cache_.close(std::move(decoder));
    EXPECT_TRUE(eventually([&] { return standin_.calls("cuvidDestroyDecoder") == destroyed + 1; }));
    return gate;
  }
  void let_it_hang() {
    clock_.wait_for_waiter();
    clock_.advance(DecoderCache::kHung);
  }
};

TEST_F(HungCloseTest, nobody_who_parks_or_closes_waits_for_a_close) {
  const auto gate = close_hanging();
  EXPECT_EQ(standin_.thread_calls("cuvidDestroyDecoder", gettid()), 0u);
  park_used(2);
  cache_.close(take_used(on_nvdec()));
  ASSERT_TRUE(cache_.set_cap(1));
  const DecoderCacheStats stats = cache_.stats();
  EXPECT_EQ(stats.closing, 3u);
  EXPECT_EQ(stats.closed, 0u);
  EXPECT_EQ(stats.parked, 1u);
  gate->open();
  EXPECT_TRUE(closes(3));
  EXPECT_EQ(cache_.stats().closing, 0u);
}

TEST_F(HungCloseTest, a_close_counts_as_hung_after_5_seconds_and_not_before) {
  static_assert(DecoderCache::kHung == std::chrono::seconds(5));
  // What expires at that moment shows that the keeper has looked.
  cache_.set_idle_timeout(DecoderCache::kHung - Duration(1));
  const auto gate = close_hanging();
  park_used(1);
  clock_.wait_for_waiter();
  clock_.advance(DecoderCache::kHung - Duration(1));
  ASSERT_TRUE(eventually([&] { return cache_.stats().expired == 1; }));
  EXPECT_EQ(cache_.stats().hung, 0u);
  EXPECT_EQ(cache_.stats().closing, 2u);
  clock_.advance(Duration(1));
  EXPECT_TRUE(eventually([&] { return cache_.stats().hung == 1; }));
  EXPECT_TRUE(closes(1));
  EXPECT_EQ(cache_.stats().closing, 0u);
  gate->open();
  EXPECT_TRUE(closes(2));
}

TEST_F(HungCloseTest, a_new_thread_closes_the_others) {
  const auto gate = close_hanging();
  cache_.close(take_used(on_nvdec()));
  let_it_hang();
  EXPECT_TRUE(closes(1));
  cache_.close(take_used(on_nvdec()));
  EXPECT_TRUE(closes(2));
  EXPECT_EQ(cache_.stats().hung, 1u);
  int threads[8] = {};
  EXPECT_EQ(standin_.callers("cuvidDestroyDecoder", threads, 8), 2u);
  gate->open();
  EXPECT_TRUE(closes(3));
}

TEST_F(HungCloseTest, a_close_that_comes_back_after_all_hangs_no_longer) {
  const auto gate = close_hanging();
  let_it_hang();
  ASSERT_TRUE(eventually([&] { return cache_.stats().hung == 1; }));
  gate->open();
  EXPECT_TRUE(eventually([&] { return cache_.stats().hung == 0; }));
  EXPECT_EQ(cache_.stats().closed, 1u);
}

TEST_F(HungCloseTest, several_may_hang) {
  const auto first = close_hanging();
  let_it_hang();
  ASSERT_TRUE(eventually([&] { return cache_.stats().hung == 1; }));
  const auto second = close_hanging();
  let_it_hang();
  EXPECT_TRUE(eventually([&] { return cache_.stats().hung == 2; }));
  second->open();
  EXPECT_TRUE(eventually([&] { return cache_.stats().hung == 1; }));
  first->open();
  EXPECT_TRUE(closes(2));
}

TEST_F(HungCloseTest, a_cache_that_goes_does_not_wait_for_one_that_hangs) {
  auto cache = std::make_unique<DecoderCache>(clock_);
  Result<std::unique_ptr<Decoder>> taken = cache->take(on_nvdec());
  ASSERT_TRUE(taken);
  std::unique_ptr<Decoder> decoder = std::move(taken).value();
  const standin::StreamGate gate(decoder->stream());
  ASSERT_EQ(decoder->send(units_[0].data, 0), Step::kDone);
  FramePtr frame;
  ASSERT_EQ(decoder->receive(frame), Step::kFrame);
  ASSERT_TRUE(device().run([&] { frame.reset(); }));
  cache->close(std::move(decoder));
  ASSERT_TRUE(eventually([&] { return standin_.calls("cuvidDestroyDecoder") == 1; }));
  let_it_hang();
  ASSERT_TRUE(eventually([&] { return cache->stats().hung == 1; }));
  cache.reset();  // else hangs
  gate.open();
  EXPECT_TRUE(eventually([&] { return standin_.live_decoders(-1) == 0; }));
}

TEST_F(NvdecCacheTest, a_cache_that_goes_closes_everything) {
  {
    DecoderCache cache(clock_);
    for (int i = 0; i < 3; ++i) {
      std::unique_ptr<Decoder> decoder = cache.take(on_nvdec()).value();
      std::vector<Shown> shown;
      send_all(*decoder, {units_[0]}, shown);
      if (i == 0) {
        cache.close(std::move(decoder));
      } else {
        cache.park(std::move(decoder));
      }
    }
  }
  EXPECT_EQ(standin_.live_decoders(-1), 0u);
}

}  // namespace
}  // namespace nv12slot::decode
