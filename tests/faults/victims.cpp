// SPDX-License-Identifier: LGPL-2.1-or-later
#include "victims.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>

#include "nv12slot/cuda_device.h"
#include "nv12slot/slot_pool.h"
#include "standin_control.h"

namespace nv12slot::gst {
namespace {

using standin::control;

constexpr int kSide = 32;
constexpr Domain kDevice = 0;
constexpr Domain kPeer = 1;
constexpr unsigned kWarm = 2;   // pictures before "flowing"
constexpr unsigned kAfter = 3;  // and after it
constexpr const char* kH264Caps =
    "video/x-h264,stream-format=byte-stream,alignment=au,parsed=true,framerate=25/1";

/// An element between two pads, and what it posts.
class Element {
 public:
  Element(const std::string& launch, const char* sink_pad, const char* sink_caps)
      : bus_(gst_bus_new()), is_for_device_(launch.find("device=-1") == std::string::npos) {
    const ObjectPtr<GstElement> element(
        static_cast<GstElement*>(gst_object_ref_sink(gst_parse_launch(launch.c_str(), nullptr))));
    gst_element_set_bus(element.get(), bus_.get());
    // A harness expects that it starts, which it need not here.
    is_playing_ =
        gst_element_set_state(element.get(), GST_STATE_PAUSED) == GST_STATE_CHANGE_SUCCESS;
    if (!is_playing_) {
      gst_element_set_state(element.get(), GST_STATE_NULL);
      gst_element_set_bus(element.get(), nullptr);
      return;
    }
    harness_ = gst_harness_new_with_element(element.get(), sink_pad, "src");
    gst_harness_set_live(harness_, FALSE);
    if (sink_caps != nullptr) gst_harness_set_sink_caps_str(harness_, sink_caps);
    gst_harness_play(harness_);
  }
  ~Element() {
    if (harness_ == nullptr) return;
    gst_element_set_bus(harness_->element, nullptr);
    gst_harness_teardown(harness_);
  }
  Element(const Element&) = delete;
  Element& operator=(const Element&) = delete;

  [[nodiscard]] bool is_playing() const { return is_playing_; }
  [[nodiscard]] GstElement* get() const { return harness_->element; }
  void set_caps(const std::string& caps) {
    if (is_playing_) gst_harness_set_src_caps_str(harness_, caps.c_str());
  }
  GstFlowReturn push(BufferPtr buffer) {
    return is_playing_ ? gst_harness_push(harness_, buffer.release()) : GST_FLOW_ERROR;
  }
  BufferPtr pull() { return BufferPtr(is_playing_ ? gst_harness_try_pull(harness_) : nullptr); }

  /// Moves what was posted to `played`.
  void hear(Played& played) {
    while (GstMessage* message = gst_bus_pop(bus_.get())) {
      GError* error = nullptr;
      if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        gst_message_parse_error(message, &error, nullptr);
        played.ended = true;
      } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
        gst_message_parse_warning(message, &error, nullptr);
      }
      if (error != nullptr) played.said.emplace_back(error->message);
      g_clear_error(&error);
      // Which is no warning, as nothing is lost by it.
      if (gst_message_has_name(message, "nv12slotdec-path") != FALSE) {
        const GstStructure* const structure = gst_message_get_structure(message);
        const std::string path = gst_structure_get_string(structure, "path");
        if (path == "software" && is_for_device_) played.said.emplace_back("path software");
      }
      gst_message_unref(message);
    }
  }

 private:
  ObjectPtr<GstBus> bus_;
  const bool is_for_device_;
  bool is_playing_ = false;
  GstHarness* harness_ = nullptr;
};

std::string on(Domain domain) {
  return " device=" + std::to_string(domain);
}

bool is_on_host(GstBuffer* buffer) {
  return !gst_memory_is_type(gst_buffer_peek_memory(buffer, 0), "gst.cuda.memory");
}

/// Counts what came, having `is_right` look at it.
void take(Played& played, BufferPtr buffer, SparedThread& reader,
          const std::function<bool(GstBuffer*)>& is_right) {
  ++played.came;
  reader.run([&] {
    EXPECT_TRUE(is_right(buffer.get())) << "picture " << played.given << " is not right";
    buffer.reset();
  });
}

/// Gives kWarm + kAfter pictures; `play` gives the i-th one and takes what comes.
Played play_all(Element& element, const Moments& moments,
                const std::function<GstFlowReturn(Played&, unsigned)>& play) {
  Played played;
  for (unsigned i = 0; i < kWarm + kAfter && !played.ended; ++i) {
    if (i == kWarm) moments.flowing();
    const unsigned came = played.came;
    ++played.given;
    const GstFlowReturn flow = play(played, i);
    element.hear(played);
    if (flow != GST_FLOW_OK && !played.ended) {
      // What pushed would post an error of its own, if it is one.
      EXPECT_LE(flow, GST_FLOW_NOT_NEGOTIATED) << gst_flow_get_name(flow) << " at picture " << i;
      played.said.push_back(std::string("flow ") + gst_flow_get_name(flow));
      played.ended = true;
    }
    played.last_came = played.came > came;
    moments.each();
  }
  element.hear(played);
  return played;
}

Played play_copy(Domain domain, SparedThread& reader, const Moments& moments) {
  moments.starting();
  Element copy("nv12slotcopy" + on(domain), "sink", nullptr);
  copy.set_caps(nv12_caps(kSide, kSide));
  return play_all(copy, moments, [&](Played& played, unsigned i) {
    const GstFlowReturn flow = copy.push(make_buffer(kSide, kSide, i));
    if (BufferPtr out = copy.pull()) {
      if (domain != kHostDomain && is_on_host(out.get())) ++played.on_host;
      take(played, std::move(out), reader, [&](GstBuffer* buffer) {
        return read_picture(buffer, kSide, kSide) == picture(kSide, kSide, i);
      });
    }
    return flow;
  });
}

/// Whether it is one that the stand-in's decoder gives, or the `number`-th that was encoded.
bool is_decoded(GstBuffer* buffer, unsigned number) {
  constexpr int kWidth = 64;  // of the stream
  const std::vector<std::uint8_t> bytes = read_picture(buffer, kWidth, kWidth);
  if (bytes.empty()) return false;
  const auto is_flat = [&](std::uint8_t byte) {
    return std::abs(byte - decode::level(number)) <= 3;
  };
  if (std::all_of(bytes.begin(), bytes.begin() + kWidth * kWidth, is_flat)) return true;
  for (unsigned given = 0; given < 256; ++given) {
    if (bytes[0] != standin_luma(given, 0, 0)) continue;
    bool same = true;
    for (std::size_t at = 0; at < static_cast<std::size_t>(kWidth * kWidth) && same; ++at) {
      same = bytes[at] == standin_luma(given, static_cast<std::uint32_t>(at % kWidth),
                                       static_cast<std::uint32_t>(at / kWidth));
    }
    return same;
  }
  return false;
}

Played play_dec(Domain domain, SparedThread& reader, const Moments& moments) {
  moments.starting();
  Element dec("nv12slotdec max-threads=1 decoder-cache-cap=0" + on(domain), "sink", nullptr);
  dec.set_caps(kH264Caps);
  return play_all(dec, moments, [&](Played& played, unsigned i) {
    const decode::Unit& unit = encoded_stream()[i];
    BufferPtr buffer(gst_buffer_new_memdup(unit.data.data(), unit.data.size()));
    GST_BUFFER_PTS(buffer.get()) = i * 40 * GST_MSECOND;
    GST_BUFFER_DURATION(buffer.get()) = 40 * GST_MSECOND;
    const GstFlowReturn flow = dec.push(std::move(buffer));
    while (BufferPtr out = dec.pull()) {
      if (domain != kHostDomain && is_on_host(out.get())) ++played.on_host;
      const auto number = static_cast<unsigned>(GST_BUFFER_PTS(out.get()) / (40 * GST_MSECOND));
      take(played, std::move(out), reader,
           [&](GstBuffer* shown) { return is_decoded(shown, number); });
    }
    return flow;
  });
}

/// A picture of one grey, which a tensor shows as one value.
BufferPtr grey(guint8 luma) {
  std::vector<guint8> bytes(kSide * kSide * 3 / 2, luma);
  std::fill(bytes.begin() + kSide * kSide, bytes.end(), guint8{128});
  return BufferPtr(gst_buffer_new_memdup(bytes.data(), bytes.size()));
}

bool is_grey(GstBuffer* tensor, guint8 luma) {
  std::vector<float> values(gst_buffer_get_size(tensor) / sizeof(float));
  gst_buffer_extract(tensor, 0, values.data(), values.size() * sizeof(float));
  const float right = static_cast<float>(luma - 16) / 219;
  return !values.empty() && std::all_of(values.begin(), values.end(), [&](float value) {
    return std::abs(value - right) < 0.01F;
  });
}

/// Frames of `from` into a tensor of `domain`.
Played play_tensor(Domain domain, Domain from, const char* sink_caps, SparedThread& reader,
                   const Moments& moments) {
  std::unique_ptr<Element> camera;
  reader.run([&] {
    camera = std::make_unique<Element>("nv12slotcopy" + on(from), "sink", nullptr);
    camera->set_caps(nv12_caps(kSide, kSide, false) + ",colorimetry=bt709");
    // So that it has a slot already.
    EXPECT_EQ(camera->push(grey(0)), GST_FLOW_OK);
    EXPECT_NE(camera->pull(), nullptr);
  });
  moments.starting();
  Played played;
  {
    Element tensor("nv12slottensor width=16 height=16 timeout=100000000" + on(domain), "sink_0",
                   sink_caps);
    tensor.set_caps(nv12_caps(kSide, kSide, from != kHostDomain) + ",colorimetry=bt709");
    played = play_all(tensor, moments, [&](Played& now, unsigned i) {
      const auto luma = static_cast<guint8>(40 + 10 * i);
      BufferPtr frame;
      reader.run([&] {
        EXPECT_EQ(camera->push(grey(luma)), GST_FLOW_OK);
        frame = camera->pull();
      });
      const GstFlowReturn flow = tensor.push(std::move(frame));
      // Its own thread makes the tensor, or drops it.
      const guint64 due = i + 1;
      while (flow == GST_FLOW_OK && now.came + stat(tensor.get(), "dropped") < due) {
        tensor.hear(now);
        if (now.ended) break;
        if (BufferPtr out = tensor.pull()) {
          take(now, std::move(out), reader, [&](GstBuffer* shown) { return is_grey(shown, luma); });
        } else {
          g_usleep(100);
        }
      }
      return flow;
    });
  }
  reader.run([&] { camera.reset(); });
  return played;
}

}  // namespace

std::string Played::outcome() const {
  if (ended) return "ends";
  if (came == given) return on_host == 0 ? "whole" : "host";
  return last_came ? "drops" : "nothing";
}

void end_case() {
  // GoogleTest prints none in the process of a death test.
  const testing::TestResult& result =
      *testing::UnitTest::GetInstance()->current_test_info()->result();
  for (int i = 0; i < result.total_part_count(); ++i) {
    const testing::TestPartResult& part = result.GetTestPartResult(i);
    if (!part.failed()) continue;
    std::fprintf(stderr, "%s:%d: %s\n", part.file_name(), part.line_number(), part.message());
  }
  std::exit(result.Failed() ? 1 : 0);
}

const std::vector<Victim>& victims() {
  static const std::vector<Victim> all = {
      {"copy", [](SparedThread& reader,
                  const Moments& moments) { return play_copy(kDevice, reader, moments); }},
      {"dec", [](SparedThread& reader,
                 const Moments& moments) { return play_dec(kDevice, reader, moments); }},
      {"tensor",
       [](SparedThread& reader, const Moments& moments) {
         return play_tensor(kDevice, kDevice, "other/tensors", reader, moments);
       }},
      {"peer",
       [](SparedThread& reader, const Moments& moments) {
         return play_tensor(kDevice, kPeer, "other/tensors(memory:CUDAMemory)", reader, moments);
       }},
  };
  return all;
}

const std::vector<Victim>& host_victims() {
  static const std::vector<Victim> all = {
      {"copy", [](SparedThread& reader,
                  const Moments& moments) { return play_copy(kHostDomain, reader, moments); }},
      {"dec", [](SparedThread& reader,
                 const Moments& moments) { return play_dec(kHostDomain, reader, moments); }},
      {"tensor",
       [](SparedThread& reader, const Moments& moments) {
         return play_tensor(kHostDomain, kHostDomain, "other/tensors", reader, moments);
       }},
  };
  return all;
}

Played play_pool(SparedThread&, const Moments& moments) {
  moments.starting();
  Played played;
  const auto take = [&played](const auto& result) {
    ++played.given;
    played.last_came = result.ok();
    if (result.ok()) {
      ++played.came;
    } else {
      played.said.push_back("pool: " + result.error().message);
    }
    return result.ok();
  };
  SlotPool pool(steady_clock(), [](Domain domain) { return open_cuda_device(domain); },
                {.cap = 2, .cooldown = Duration(0)});
  // Each size twice what it was before: the smaller ones are retired.
  for (std::uint32_t side = 32; side <= 128; side *= 2) {
    std::vector<Lease> leases;
    for (int i = 0; i < 2; ++i) {
      Result<Lease> lease = pool.acquire({.domain = kDevice, .width = side, .height = side});
      if (!take(lease)) continue;
      Result<Fence> fence = Fence::record(lease->device(), lease->stream());
      if (take(fence)) lease->add_fence(std::move(fence).value());
      leases.push_back(std::move(lease).value());
    }
    leases.clear();
    // Until their fences are complete.
    for (int i = 0; i < 1000 && pool.stats(kDevice).cooling > 0; ++i) g_usleep(100);
    moments.each();
  }
  return played;
}

Bystander::Bystander(Domain domain, SparedThread* thread) : thread_(thread) {
  run([&] {
    harness_ = copy_harness("device=" + std::to_string(domain));
    gst_harness_set_src_caps_str(harness_, nv12_caps(kSide, kSide).c_str());
  });
}

Bystander::~Bystander() {
  run([&] { gst_harness_teardown(harness_); });
}

void Bystander::run(const std::function<void()>& work) {
  if (thread_ != nullptr) {
    thread_->run(work);
  } else {
    work();
  }
}

void Bystander::play_one() {
  run([&] {
    const unsigned seed = played_++;
    EXPECT_EQ(gst_harness_push(harness_, make_buffer(kSide, kSide, seed).release()), GST_FLOW_OK);
    const BufferPtr frame(gst_harness_try_pull(harness_));
    ASSERT_NE(frame, nullptr) << "another camera's picture did not come";
    EXPECT_EQ(read_picture(frame.get(), kSide, kSide), picture(kSide, kSide, seed))
        << "another camera's picture is not right";
  });
}

const std::vector<decode::Unit>& encoded_stream() {
  static const std::vector<decode::Unit> units =
      decode::has_encoder("libx264")
          ? decode::encode(
                {.pictures = kWarm + kAfter, .options = "preset=ultrafast,tune=zerolatency,g=1"})
          : std::vector<decode::Unit>();
  return units;
}

}  // namespace nv12slot::gst
