// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Bitstreams through nv12slotdec, for libFuzzer; on the stand-in's NVDEC where it is the driver.
//
//   kind (kKinds), stream (seeds(), whose caps it has), then of each access unit
//   what comes before it, its length in two bytes, its bytes

#include "element_camera.h"
#include "fuzz_target.h"
#include "standin_control.h"
#include "streams.h"

namespace nv12slot::fuzz {
namespace {

using standin::control;

constexpr Domain kDevice = 0;
constexpr std::size_t kLargestUnit = 65535;
constexpr std::uint8_t kDelta = 0x80;

/// What may come before a unit, in the lower bits of its first byte.
enum class Before : std::uint8_t {
  kNothing,
  kFlush,
  kGap,
  kEnd,
  kCapsAgain,
  kReconfigure,
  kRestart
};

Bytes to_input(std::size_t kind, std::size_t stream, const Packets& packets) {
  Bytes input{static_cast<std::uint8_t>(kind), static_cast<std::uint8_t>(stream)};
  for (const Packet& packet : packets) {
    const std::size_t size = std::min(packet.bytes.size(), kLargestUnit);
    input.push_back(packet.is_delta ? kDelta : 0);
    append_u16(input, size);
    append(input, std::span(packet.bytes).first(size));
  }
  return input;
}

Corpus make_seeds() {
  Corpus corpus;
  for (std::size_t i = 0; i < seeds().size(); ++i) {
    corpus[seeds()[i].name] = to_input(i % kKinds.size(), i, seeds()[i].packets);
  }
  return corpus;
}

void come_before(Before what, Camera& camera, const Seed& seed) {
  switch (what) {
    case Before::kFlush:
      camera.flush();
      camera.begin(seed.caps);
      break;
    case Before::kGap:
      camera.push(gst_event_new_gap(GST_SECOND, GST_SECOND));
      break;
    case Before::kEnd:
      camera.push(gst_event_new_eos());
      camera.flush();
      camera.begin(seed.caps);
      break;
    case Before::kCapsAgain:
      camera.begin(seed.caps);
      break;
    case Before::kReconfigure:
      camera.reconfigure();
      break;
    case Before::kRestart:
      camera.restart();
      camera.begin(seed.caps);
      break;
    default:
      break;
  }
}

void play(Input input) {
  const Kind& kind = kKinds[input.byte() % kKinds.size()];
  const Seed& seed = seeds()[input.byte() % seeds().size()];
  const MayLeak may_leak(control().present() && seed.codec == AV_CODEC_ID_MJPEG);
  Camera camera(kind);
  bool goes_on = camera.begin(seed.caps);
  for (GstClockTime number = 0; goes_on && !input.is_empty(); ++number) {
    const std::uint8_t flags = input.byte();
    come_before(static_cast<Before>(flags & 7), camera, seed);
    Packet packet{.pts = number * 40 * GST_MSECOND, .is_delta = (flags & kDelta) != 0};
    const auto unit = input.take(input.u16());
    packet.bytes.assign(unit.begin(), unit.end());
    goes_on = camera.push(packet, Camera::make(packet.bytes)) == GST_FLOW_OK;
  }
  if (goes_on) camera.push(gst_event_new_eos());
}

}  // namespace
}  // namespace nv12slot::fuzz

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  using namespace nv12slot::fuzz;
  prepare(argc, argv, make_seeds);
  nv12slot::gst::reset_pool();
  if (control().present()) control().set_memory_limit(256 << 20);
  static_cast<void>(seeds());  // before the first input is timed
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nv12slot::fuzz;
  play(Input({data, size}));
  require(nv12slot::gst::comes_to_be_unused(nv12slot::kHostDomain),
          "a slot of the host was leaked");
  if (!control().present()) return 0;
  require(nv12slot::gst::comes_to_be_unused(kDevice), "a slot of the device was leaked");
  require(nv12slot::Process::get().pool->stats(kDevice).quarantined == 0, "a slot was given up");
  require(control().hazards() == 0, control().last_hazard());
  return 0;
}
