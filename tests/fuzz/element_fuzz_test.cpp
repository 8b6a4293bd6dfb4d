// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Damaged streams through the whole of nv12slotdec: what is damaged in the data, and besides what
// comes around it: caps that lie, buffers without or with too much data, times, events in between.
// In software without a driver, and on the stand-in's NVDEC where it is the driver.

#include <array>
#include <memory>
#include <utility>

#include "element_camera.h"
#include "mutate.h"
#include "standin_control.h"
#include "streams.h"

namespace nv12slot::fuzz {
namespace {

using standin::control;

constexpr Domain kDevice = 0;
/// After how many damaged streams a good one is to be decoded as ever.
constexpr unsigned kGoodOne = 4;

/// Caps that do not tell the truth, but which the element may be given.
std::string lying_caps(const Seed& seed, const std::vector<Seed>& all, Chance& chance) {
  if (chance.one_in(4)) {
    const Seed& other = chance.of(all);
    return other.codec == AV_CODEC_ID_MJPEG ? seed.caps : other.caps;  // MayLeak
  }
  const gst::CapsPtr caps(gst_caps_from_string(seed.caps.c_str()));
  GstCaps* const to = caps.get();
  static const std::vector<int> kSides{1, 2, 17, 96, 4096, 16384, 65536};
  switch (chance.below(7)) {
    case 0:
      gst_caps_set_simple(to, "width", G_TYPE_INT, chance.of(kSides), "height", G_TYPE_INT,
                          chance.of(kSides), nullptr);
      break;
    case 1:
      gst_caps_set_simple(to, "framerate", GST_TYPE_FRACTION, chance.one_in(2) ? 0 : G_MAXINT, 1,
                          nullptr);
      break;
    case 2:
      gst_caps_set_simple(to, "interlace-mode", G_TYPE_STRING, "interleaved", nullptr);
      break;
    case 3:
      gst_caps_set_simple(to, "pixel-aspect-ratio", GST_TYPE_FRACTION, G_MAXINT, 1, nullptr);
      break;
    case 4:
      gst_structure_remove_fields(gst_caps_get_structure(to, 0), "width", "height", "framerate",
                                  "codec_data", nullptr);
      break;
    default: {
      Bytes data = seed.codec_data.empty() ? chance.of(seed.packets).bytes : seed.codec_data;
      for (std::uint8_t& byte : data) {
        if (chance.one_in(8)) byte = chance.byte();
      }
      const gst::BufferPtr buffer = Camera::make(data);
      gst_caps_set_simple(to, "codec_data", GST_TYPE_BUFFER, buffer.get(), nullptr);
      break;
    }
  }
  gchar* const text = gst_caps_to_string(to);
  std::string lies = text;
  g_free(text);
  return lies;
}

/// The data as such, in several memories, without any, or with much behind it.
gst::BufferPtr odd_buffer(const Bytes& bytes, Chance& chance) {
  switch (chance.below(24)) {
    case 0:
      return gst::BufferPtr(gst_buffer_new());
    case 1:
      return Camera::make({});
    case 2: {
      Bytes large = bytes;
      large.resize(std::size_t{1} << 20, chance.one_in(2) ? 0 : chance.byte());
      return Camera::make(large);
    }
    case 3: {
      const std::size_t half = bytes.size() / 2;
      const auto middle = bytes.begin() + static_cast<std::ptrdiff_t>(half);
      return gst::BufferPtr(gst_buffer_append(Camera::make({bytes.begin(), middle}).release(),
                                              Camera::make({middle, bytes.end()}).release()));
    }
    default:
      return Camera::make(bytes);
  }
}

/// What may come between two buffers of a stream.
void interrupt(Camera& camera, const Seed& seed, Chance& chance) {
  switch (chance.below(32)) {
    case 0:
      camera.flush();
      camera.begin(seed.caps);
      break;
    case 1:
      camera.push(gst_event_new_gap(chance.below(1u << 30), GST_SECOND));
      break;
    case 2:
      camera.begin(lying_caps(seed, seeds(), chance));
      break;
    case 3:
      camera.reconfigure();
      break;
    case 4: {
      const gst::QueryPtr query(gst_query_new_latency());
      gst_pad_peer_query(camera.harness()->sinkpad, query.get());
      break;
    }
    case 5:
      // Downstream is late: pictures that nothing needs are not decoded.
      gst_pad_push_event(camera.harness()->sinkpad,
                         gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, GST_SECOND, GST_SECOND));
      break;
    default:
      break;
  }
}

class ElementFuzzTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!gst::has_element("nv12slotdec")) GTEST_SKIP() << "built without FFmpeg";
    gst::reset_pool();
    if (!control().present()) return;
    control().reset();
    control().set_memory_limit(256 << 20);  // what a damaged size asks for is refused
  }
  void TearDown() override {
    if (control().present()) control().reset();
  }

  static void expect_nothing_left() {
    EXPECT_TRUE(gst::comes_to_be_unused(kHostDomain)) << "a slot of the host was leaked";
    if (!control().present()) return;
    EXPECT_EQ(Process::get().pool->stats(kDevice).quarantined, 0U) << "a slot was given up";
    EXPECT_TRUE(gst::comes_to_be_unused(kDevice)) << "a slot of the device was leaked";
    EXPECT_EQ(control().hazards(), 0U) << control().last_hazard();
  }

  /// No more than that are left once what is to be closed is closed, which other threads do.
  static void expect_decoders(unsigned most) {
    for (int i = 0; i < 5000 && control().live_decoders(kDevice) > most; ++i) g_usleep(1000);
    EXPECT_LE(control().live_decoders(kDevice), most);
  }

  /// Whether pictures of it may still come.
  static bool play(Camera& camera, const Seed& seed, Chance& chance) {
    const Packets packets = mutate(seed, seeds(), chance);
    const MayLeak may_leak(control().present() && seed.codec == AV_CODEC_ID_MJPEG);
    camera.set_holding(chance.one_in(4));
    if (control().present()) control().set_delay(chance.one_in(16) ? 5000 : 0, 0);
    bool goes_on = camera.begin(chance.one_in(4) ? lying_caps(seed, seeds(), chance) : seed.caps);
    for (const Packet& packet : packets) {
      if (!goes_on) break;
      interrupt(camera, seed, chance);
      goes_on = camera.push(packet, odd_buffer(packet.bytes, chance)) == GST_FLOW_OK;
    }
    camera.set_holding(false);
    return end(camera, goes_on, chance);
  }
  static bool end(Camera& camera, bool went_on, Chance& chance) {
    // After an error only a restart helps.
    switch (went_on ? chance.below(8) : 6 + chance.below(2)) {
      case 0:
        return true;  // the next stream comes at once
      case 1:
      case 2:
        camera.flush();
        break;
      case 6:
        camera.restart();
        break;
      case 7:
        camera.destroy();
        break;
      default:
        camera.push(gst_event_new_eos());
        camera.flush();
    }
    return false;
  }
};

TEST_F(ElementFuzzTest, undamaged_streams_give_all_their_pictures) {
  for (const Kind& kind : kKinds) {
    Camera camera(kind);
    for (const Seed& seed : seeds()) {
      EXPECT_EQ(camera.play_good(seed), seed.pictures) << seed.name << ", " << kind.properties;
    }
  }
  expect_nothing_left();
}

TEST_F(ElementFuzzTest, damaged_streams_do_no_harm) {
  ASSERT_FALSE(seeds().empty());
  std::vector<std::unique_ptr<Camera>> cameras;
  for (const Kind& kind : kKinds) cameras.push_back(std::make_unique<Camera>(kind));
  for_each_stream([&](std::uint32_t number) {
    Chance chance(number);
    const Seed& seed = chance.of(seeds());
    const std::size_t at = chance.below(cameras.size());
    Camera& camera = *cameras[at];
    SCOPED_TRACE(seed.name + ", " + kKinds[at].properties);
    const bool some_are_left = play(camera, seed, chance);
    if (chance.one_in(kGoodOne)) {
      unsigned good = camera.play_good(seed);
      if (good < seed.pictures && may_lose_first(seed.codec)) good = camera.play_good(seed);
      if (good < seed.pictures && may_get_stuck(seed.codec)) {
        camera.restart();
        good = camera.play_good(seed);
      }
      // Those that were left come too, and GstVideoDecoder mixes up their times with the good
      // ones'.
      EXPECT_TRUE(good == seed.pictures || (some_are_left && good > seed.pictures))
          << good << " pictures of a good stream after a damaged one";
    }
    expect_nothing_left();
  });
  unsigned pictures = 0;
  for (const auto& camera : cameras) pictures += camera->pictures();
  std::printf("%u pictures\n", pictures);
  cameras.clear();
  if (!control().present()) return;
  // Open decoders are parked for the next camera; without room for them all are closed.
  expect_decoders(16);
  const gst::ObjectPtr<GstElement> element(static_cast<GstElement*>(
      gst_object_ref_sink(gst_element_factory_make("nv12slotdec", nullptr))));
  g_object_set(element.get(), "decoder-cache-cap", 0u, nullptr);
  expect_decoders(0);
}

}  // namespace
}  // namespace nv12slot::fuzz
