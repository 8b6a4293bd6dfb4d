// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Damaged streams through the parts of nv12slotdec without GstVideoDecoder around them, where ten
// thousand of them take seconds: a StreamDecoder, what puts pictures into slots, the FrameReaper.
// In software without a driver, and on the stand-in's NVDEC where it is the driver.

#include <array>
#include <memory>
#include <utility>

#include "../gst/gst_test.h"
#include "cudacontext.h"
#include "frame_reaper.h"
#include "frameformat.h"
#include "framewriter.h"
#include "mutate.h"
#include "nv12slot/cuda_device.h"
#include "slotfiller.h"
#include "standin_control.h"
#include "stream_decoder.h"
#include "streams.h"

namespace nv12slot::fuzz {
namespace {

using decode::Path;
using decode::Step;
using decode::StreamDecoder;
using standin::control;

constexpr Domain kDevice = 0;
/// After how many damaged streams a good one is to be decoded as ever.
constexpr unsigned kGoodOne = 8;
/// So many damaged streams come with the same codec and settings.
constexpr unsigned kOfOneCamera = 8;

/// In the stream, as nv12slotdec knows.
bool tells_its_format(AVCodecID codec) {
  return codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC || codec == AV_CODEC_ID_VP8;
}

/// How one stream is played.
struct Manner {
  bool slots_on_device = false;
  bool readers_wait = false;  // copies may be pending when the frame leaves
  bool is_flushed = false, is_stopped = false, is_skipping = false;  // in its middle
};

/// An element's decoding without the element; several streams one after the other.
class Camera {
 public:
  explicit Camera(Device* device)
      : filler_({.device = device,
                 .context = device != nullptr ? gst_nv12_slot_cuda_context(kDevice) : nullptr,
                 .source = std::make_shared<Source>(steady_clock(), "fuzz"),
                 .canceller = nullptr}),
        writer_(device) {}

  void set_stream(StreamDecoder::Stream stream) {
    if (!is_usable_) decoder_.set_stream({});
    is_usable_ = true;
    if (decoder_.is_same(stream)) return;
    drain();
    decoder_.set_stream(std::move(stream));
  }

  /// Number of pictures of these packets that came out; those of earlier ones do not count.
  unsigned play(const Packets& packets, const Manner& manner, Chance& chance) {
    manner_ = manner;
    first_ = number_;
    pictures_ = 0;
    const std::size_t middle = chance.below(packets.size());
    for (std::size_t i = 0; i < packets.size() && is_usable_; ++i) {
      if (i == middle && manner.is_flushed) decoder_.flush();
      if (i == middle && manner.is_stopped) decoder_.stop();
      decoder_.set_skips_unreferenced(manner.is_skipping && i >= middle);
      send(packets[i]);
    }
    return pictures_;
  }
  unsigned drain() {
    if (decoder_.decoder() == nullptr || !is_usable_) return pictures_;
    const Step step = decoder_.send_end();
    if (step == Step::kDone || step == Step::kEnd) receive_all();
    decoder_.flush();
    return pictures_;
  }
  void stop() { decoder_.stop(); }

  [[nodiscard]] const decode::DecoderCache& cache() const { return cache_; }
  [[nodiscard]] Path path() const { return decoder_.path(); }
  [[nodiscard]] unsigned errors() const { return errors_; }
  [[nodiscard]] unsigned refused() const { return refused_; }
  [[nodiscard]] unsigned on_device() const { return on_device_; }
  [[nodiscard]] unsigned on_host() const { return on_host_; }

 private:
  void send(const Packet& packet) {
    // As nv12slotdec does, which asks only of what the caps call a key frame.
    if (!packet.is_delta && decoder_.starts_new_format(packet.bytes)) drain();
    Step step = decoder_.send(packet.bytes, number_, !packet.is_delta);
    while (step == Step::kAgain && is_usable_) {
      const unsigned before = received_;
      receive_all();
      ASSERT_NE(received_, before) << "neither takes data nor gives a picture";
      step = decoder_.send(packet.bytes, number_, !packet.is_delta);
    }
    ++number_;
    if (check(step)) receive_all();
  }
  void receive_all() {
    while (is_usable_) {
      decode::FramePtr picture;
      const Step step = decoder_.receive(picture);
      if (step == Step::kAgain || step == Step::kEnd) return;
      ++received_;
      if (step == Step::kFrame) {
        output(picture);
        decoder_.give_back(std::move(picture));
      } else if (!check(step)) {
        return;
      }
    }
  }
  /// False where nothing more can be decoded.
  bool check(Step step) {
    switch (step) {
      case Step::kBadData:
      case Step::kNoSurface:
        ++errors_;
        return true;
      case Step::kDone:
      case Step::kWaiting:
        return true;
      case Step::kRefused:
        ++refused_;
        break;
      default:
        ADD_FAILURE() << "step " << static_cast<int>(step) << ": " << decoder_.error();
    }
    is_usable_ = false;
    return false;
  }

  void output(decode::FramePtr& picture) {
    if (picture->pts >= first_) ++pictures_;
    const bool is_surface = picture->format == AV_PIX_FMT_CUDA;
    ++(is_surface ? on_device_ : on_host_);
    const gst::FrameFormat format = gst::format_of(*picture);
    if (!nv12_layout(format.width, format.height, 1).ok()) return;  // one pixel wide
    gst::SlotFiller::Format wanted{.domain = manner_.slots_on_device ? kDevice : kHostDomain};
    gst_video_info_set_format(&wanted.info, GST_VIDEO_FORMAT_NV12, format.width, format.height);
    filler_.set_format(wanted);
    filler_.set_readers_fence(manner_.readers_wait);
    Result<InFlight> in_flight = filler_.run().source->begin_frame();
    ASSERT_TRUE(in_flight);
    gst::Outcome outcome =
        filler_.fill(std::move(in_flight).value(), 0, wanted.domain, {},
                     [&](const gst::SlotHold& hold, StreamHandle stream) {
                       return writer_.write(picture, *decoder_.decoder(), hold, stream);
                     });
    // A large picture may find no memory.
    EXPECT_TRUE(outcome.kind == gst::Outcome::Kind::kFrame ||
                outcome.kind == gst::Outcome::Kind::kExhausted)
        << outcome.error.message;
  }

  decode::DecoderCache cache_{steady_clock()};
  StreamDecoder decoder_{cache_};
  gst::SlotFiller filler_;
  gst::FrameWriter writer_;
  Manner manner_;
  bool is_usable_ = true;
  std::int64_t number_ = 0, first_ = 0;
  unsigned received_ = 0, pictures_ = 0, errors_ = 0, refused_ = 0, on_device_ = 0, on_host_ = 0;
};

class DecoderFuzzTest : public testing::Test {
 protected:
  void SetUp() override {
    gst::reset_pool();
    if (!control().present()) return;
    control().reset();
    control().set_memory_limit(256 << 20);  // what a damaged size asks for is refused
    ASSERT_NE(gst_nv12_slot_cuda_context(kDevice), nullptr);
    device_ = Process::get().pool->device(kDevice).value();
  }
  void TearDown() override {
    if (control().present()) control().reset();
  }

  StreamDecoder::Stream stream_of(const Seed& seed, Path force = Path::kNone) {
    return {.codec = seed.codec,
            .device = device_,
            .force = force,
            .format = tells_its_format(seed.codec) ? "" : seed.caps,
            .extradata = seed.codec_data,
            .threads = 1};
  }
  Manner manner_of(Chance& chance) {
    return {.slots_on_device = device_ != nullptr && !chance.one_in(4),
            .readers_wait = chance.one_in(2),
            .is_flushed = chance.one_in(16),
            .is_stopped = chance.one_in(16),
            .is_skipping = chance.one_in(16)};
  }
  void expect_nothing_left() {
    EXPECT_TRUE(gst::comes_to_be_unused(kHostDomain)) << "a slot of the host was leaked";
    if (device_ == nullptr) return;
    EXPECT_EQ(Process::get().pool->stats(kDevice).quarantined, 0U) << "a slot was given up";
    EXPECT_TRUE(gst::comes_to_be_unused(kDevice)) << "a slot of the device was leaked";
    EXPECT_EQ(control().hazards(), 0U) << control().last_hazard();
  }

  Device* device_ = nullptr;
};

TEST_F(DecoderFuzzTest, every_encoder_is_here) {
  std::string missing;
  for (const std::string& name : missing_seeds()) missing += name + "; ";
  if (!missing.empty()) GTEST_SKIP() << missing;
}

TEST_F(DecoderFuzzTest, undamaged_streams_give_all_their_pictures) {
  unsigned on_device = 0;
  for (const Seed& seed : seeds()) {
    Chance chance(0);
    Camera camera(device_);
    camera.set_stream(stream_of(seed));
    camera.play(seed.packets, {.slots_on_device = device_ != nullptr}, chance);
    EXPECT_EQ(camera.drain(), seed.pictures) << seed.name;
    EXPECT_EQ(camera.errors(), 0U) << seed.name;
    on_device += camera.on_device();
  }
  EXPECT_EQ(on_device > 0, device_ != nullptr);
  expect_nothing_left();
}

TEST_F(DecoderFuzzTest, stream_that_changes_its_size_gives_all_its_pictures) {
  for (const Seed& seed : seeds()) {
    for (const Seed& other : seeds()) {
      if (other.codec != seed.codec || &other == &seed || !seed.codec_data.empty()) continue;
      Chance chance(0);
      Camera camera(device_);
      camera.set_stream(stream_of(seed));
      for (const Seed* part : {&seed, &other, &seed}) {
        camera.play(part->packets, {.slots_on_device = device_ != nullptr}, chance);
        camera.drain();
      }
      EXPECT_EQ(camera.on_device() + camera.on_host(), 2 * seed.pictures + other.pictures)
          << seed.name << ", " << other.name;
      EXPECT_EQ(camera.errors(), 0U) << seed.name << ", " << other.name;
    }
  }
  expect_nothing_left();
}

TEST_F(DecoderFuzzTest, damaged_streams_do_no_harm) {
  ASSERT_FALSE(seeds().empty());
  {
    Camera camera(device_);
    unsigned late = 0, stuck = 0;
    for_each_stream([&](std::uint32_t number) {
      // A camera stays the same for some streams: to open a decoder takes longer than to use it.
      Chance settings(~(number / kOfOneCamera));
      const Seed& seed = settings.of(seeds());
      SCOPED_TRACE(seed.name);
      StreamDecoder::Stream stream =
          stream_of(seed, settings.one_in(4) ? Path::kSoftware : Path::kNone);
      stream.low_latency = settings.one_in(8);
      if (settings.one_in(16)) stream.codec = settings.of(seeds()).codec;
      stream.frame_threads = settings.one_in(16);
      if (stream.frame_threads) stream.threads = 2;
      Chance chance(number);
      const Packets packets = mutate(seed, seeds(), chance);
      // Work that takes its time finds those who do not wait for it.
      if (device_ != nullptr) control().set_delay(chance.one_in(8) ? 100 : 0, 0);
      {
        const MayLeak may_leak(device_ != nullptr && stream.codec == AV_CODEC_ID_MJPEG);
        camera.set_stream(stream);
        camera.play(packets, manner_of(chance), chance);
        if (chance.one_in(2)) camera.drain();
      }
      if (chance.one_in(kGoodOne)) {
        camera.set_stream(stream_of(seed, stream.force));
        camera.play(seed.packets, {.slots_on_device = device_ != nullptr}, chance);
        if (camera.drain() != seed.pictures && may_lose_first(seed.codec)) {
          ++late;
          camera.play(seed.packets, {.slots_on_device = device_ != nullptr}, chance);
        }
        if (camera.drain() != seed.pictures && may_get_stuck(seed.codec)) {
          ++stuck;
          camera.stop();
          camera.play(seed.packets, {.slots_on_device = device_ != nullptr}, chance);
        }
        EXPECT_EQ(camera.drain(), seed.pictures) << "of a good stream after a damaged one";
      }
      expect_nothing_left();
      EXPECT_EQ(camera.cache().stats().hung, 0U);
    });
    std::printf(
        "%u pictures on NVDEC, %u in software, %u errors, %u streams refused, %u late, %u stuck\n",
        camera.on_device(), camera.on_host(), camera.errors(), camera.refused(), late, stuck);
  }
  // The camera's cache has waited for all that were parked.
  if (device_ == nullptr) return;
  EXPECT_EQ(control().live_decoders(kDevice), 0U);
}

}  // namespace
}  // namespace nv12slot::fuzz
