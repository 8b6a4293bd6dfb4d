// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Strings of a launch line through gst_parse_launch, and the caps and buffers of a pipeline, for
// libFuzzer. Of our elements only, and what they are given is quoted, so that no input can have
// another element open or write a file. Lines:
//
//   the element's name               what it is not is nv12slotcopy
//   sink CAPS                        of downstream
//   caps CAPS                        of upstream
//   buffer SIZE MEMORIES             a buffer in so many parts
//   meta WIDTH HEIGHT OFFSET STRIDE OFFSET STRIDE    of the next buffer
//   PROPERTY=VALUE                   of the element

#include <array>
#include <charconv>
#include <cinttypes>
#include <cstdio>

#include "../gst/gst_test.h"
#include "fuzz_target.h"
#include "nv12slot/log.h"
#include "standin_control.h"

namespace nv12slot::fuzz {
namespace {

using standin::control;

constexpr Domain kDevice = 0;
constexpr std::size_t kLargestBuffer = std::size_t{1} << 20;
constexpr guint64 kMostTensorPixels = 1 << 18;
constexpr std::array kElements = {"nv12slotcopy", "nv12slotdec", "nv12slottensor", "nv12slotsrc"};

Corpus make_seeds() {
  const std::string frames =
      "caps video/x-raw,format=NV12,width=16,height=16,framerate=25/1\nbuffer 384 1\n"
      "meta 16 16 0 16 256 16\nbuffer 384 2\n";
  const std::array<std::string, 11> texts = {
      "nv12slotcopy\ndevice=-1\non-exhausted=block\ntimeout=1000\nquota=2\n" + frames,
      "nv12slotcopy\nsource-name=gate\npool-cap=8\npool-cooldown=0\nslow-frame-threshold=1\n"
      "sink video/x-raw,format=NV12\n" +
          frames,
      "nv12slotcopy\ncaps video/x-raw(memory:CUDAMemory),format=NV12,width=[2,16384],"
      "height={2,4},framerate=0/1\nbuffer 16 1\n",
      "nv12slotcopy\ncaps video/x-raw,format=NV12,width=2147483647,height=2147483647\nbuffer 9 1\n",
      "nv12slotdec\nforce-path=software\nmax-threads=1\nlow-latency=true\nmax-errors=-1\n"
      "caps video/x-h264,stream-format=byte-stream,alignment=au,parsed=true,width=16,height=16,"
      "framerate=25/1\nbuffer 100 1\n",
      "nv12slotdec\ndevice=-1\ndecoder-cache-cap=1\ncaps image/jpeg,codec_data=(buffer)ffd8\n"
      "buffer 100 1\n",
      "nv12slottensor\nwidth=8\nheight=8\nlayout=nhwc\ndtype=f16\nmean=<0.1,0.2,0.3>\nstd=<2.0>\n"
      "scale-mode=stretch\nbatch-size=2\nbatch-timeout=18446744073709551615\nborder=3.5\n" +
          frames,
      "nv12slottensor\ndtype=u8\nscale=1\nwidth=5\nheight=3\nchannel-order=bgr\n"
      "sink other/tensors\n" +
          frames,
      "nv12slottensor\nmean=<<0.1>,{0.2}>\nstd=<1,1/2,x>\n" + frames,
      "nv12slotsrc\nuri=rtsp://me:secret@127.0.0.1:1/camera\nprotocols=tcp+udp-mcast\n"
      "tls-validation-flags=0x1\nlatency=9223372036854775807\nconnect-timeout=1\n"
      "backoff-min=1\nbackoff-max=9223372036854775807\nlive=yes\nmax-attempts=3\n",
      "nv12slotsrc\nlocation=none\nlatest-only=true\nloop=true\nname=\"a b\"\n"};
  Corpus corpus;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    append_text(corpus["launch-" + std::to_string(i)], texts[i]);
  }
  return corpus;
}

/// What an input says, one thing after the other.
struct Step {
  enum class Kind { kCaps, kMeta, kBuffer } kind;
  std::string text;
};
struct Launch {
  std::string element = kElements[0];
  std::string properties;
  std::string sink_caps;
  std::vector<Step> steps;
};

bool takes(std::string_view& line, std::string_view word) {
  if (line.substr(0, word.size()) != word) return false;
  line.remove_prefix(word.size());
  return true;
}

/// One property, whose value no parser can take for anything else; empty if it has no name.
std::string quoted(std::string_view line) {
  const std::size_t equals = line.find('=');
  const std::string_view name = line.substr(0, equals);
  const bool is_name = !name.empty() && equals != std::string_view::npos &&
                       name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos;
  if (!is_name) return {};
  std::string property = std::string(name) + "=\"";
  for (const char c : line.substr(equals + 1)) {
    // GStreamer's lexer may take a quote after a backslash for the end, and what follows for
    // elements.
    if (c != '\0' && c != '"' && c != '\\') property += c;
  }
  return property + "\" ";
}

Launch read(Input input) {
  Launch launch;
  for (bool is_first = true; !input.is_empty(); is_first = false) {
    std::string_view line = input.text_until("\n");
    if (is_first) {
      for (const char* const element : kElements) {
        if (line == element) launch.element = element;
      }
    } else if (takes(line, "sink ")) {
      launch.sink_caps = line;
    } else if (takes(line, "caps ")) {
      launch.steps.push_back({Step::Kind::kCaps, std::string(line)});
    } else if (takes(line, "meta ")) {
      launch.steps.push_back({Step::Kind::kMeta, std::string(line)});
    } else if (takes(line, "buffer ")) {
      launch.steps.push_back({Step::Kind::kBuffer, std::string(line)});
    } else {
      launch.properties += quoted(line);
    }
  }
  return launch;
}

/// GStreamer's parsers tell what they do not take in critical messages of their own.
bool is_parsing = false;

/// nullptr for what GStreamer does not take.
gst::CapsPtr parse_caps(const std::string& text) {
  is_parsing = true;
  gst::CapsPtr caps(gst_caps_from_string(text.c_str()));
  is_parsing = false;
  return caps;
}

/// The numbers of a line; 0 for what is missing.
template <std::size_t kCount>
std::array<guint64, kCount> numbers(const std::string& line) {
  std::array<guint64, kCount> all{};
  const char* at = line.data();
  const char* const end = at + line.size();
  for (guint64& number : all) {
    while (at != end && *at == ' ') ++at;
    at = std::from_chars(at, end, number).ptr;
  }
  return all;
}

/// In as many memories as are asked for, of which each is an allocation of its own.
gst::BufferPtr make_buffer(const std::string& line, const std::string* meta) {
  const auto [size, parts] = numbers<2>(line);
  gst::BufferPtr buffer(gst_buffer_new());
  std::size_t left = std::min<std::size_t>(size, kLargestBuffer);
  for (guint64 part = parts % 4 + 1; part-- > 1;) {
    const std::size_t bytes = left / (part + 1);
    gst_buffer_append_memory(buffer.get(), gst_allocator_alloc(nullptr, bytes, nullptr));
    left -= bytes;
  }
  gst_buffer_append_memory(buffer.get(), gst_allocator_alloc(nullptr, left, nullptr));
  gst_buffer_memset(buffer.get(), 0, 0, static_cast<gsize>(-1));
  if (meta != nullptr) {
    const auto [width, height, y, y_stride, uv, uv_stride] = numbers<6>(*meta);
    gsize offsets[GST_VIDEO_MAX_PLANES] = {y, uv};
    gint strides[GST_VIDEO_MAX_PLANES] = {static_cast<gint>(y_stride),
                                          static_cast<gint>(uv_stride)};
    gst_buffer_add_video_meta_full(buffer.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12,
                                   static_cast<guint>(width), static_cast<guint>(height), 2,
                                   offsets, strides);
  }
  return buffer;
}

void drain(GstHarness* harness) {
  while (GstBuffer* const buffer = gst_harness_try_pull(harness)) gst_buffer_unref(buffer);
  while (GstEvent* const event = gst_harness_try_pull_event(harness)) gst_event_unref(event);
  while (GstEvent* const event = gst_harness_try_pull_upstream_event(harness)) {
    gst_event_unref(event);
  }
}

/// All of the element that can be asked, as gst-inspect and an application do.
void look_at(GstElement* element) {
  guint count = 0;
  GParamSpec** const specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
  for (guint i = 0; i < count; ++i) {
    if ((specs[i]->flags & G_PARAM_READABLE) == 0) continue;
    GValue value = G_VALUE_INIT;
    g_object_get_property(G_OBJECT(element), specs[i]->name, &value);
    g_free(g_strdup_value_contents(&value));
    g_value_unset(&value);
  }
  g_free(specs);
}

/// Tensors of an input's choice may be a gigabyte, which takes seconds to write.
bool is_small(GstElement* element) {
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), "batch-size") == nullptr)
    return true;
  guint width = 0;
  guint height = 0;
  guint batch = 0;
  g_object_get(element, "width", &width, "height", &height, "batch-size", &batch, nullptr);
  return width == 0 || height == 0 || batch == 0 || (width <= kMostTensorPixels / height / batch);
}

void play(const Launch& launch, GstElement* element) {
  // The harness takes a refusal of settings for its own failure.
  const bool is_refused =
      gst_element_set_state(element, GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE;
  gst_element_set_state(element, GST_STATE_NULL);
  if (is_refused) return;
  GstHarness* const harness = gst_harness_new_with_element(
      element, launch.element == "nv12slottensor" ? "sink_0" : "sink", "src");
  if (!launch.sink_caps.empty()) {
    gst::CapsPtr sink = parse_caps(launch.sink_caps);
    if (sink != nullptr) gst_harness_set_sink_caps(harness, sink.release());
  }
  gst_harness_play(harness);
  gst_pad_push_event(harness->srcpad, gst_event_new_stream_start("fuzz"));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  const std::string* meta = nullptr;
  GstClockTime pts = 0;
  for (const Step& step : launch.steps) {
    if (step.kind == Step::Kind::kMeta) meta = &step.text;
    if (step.kind == Step::Kind::kCaps) {
      const gst::CapsPtr caps = parse_caps(step.text);
      if (caps == nullptr || gst_caps_is_any(caps.get()) || gst_caps_is_empty(caps.get())) continue;
      const gst::CapsPtr possible(gst_pad_peer_query_caps(harness->srcpad, caps.get()));
      if (gst_caps_is_fixed(caps.get())) {
        const gst::QueryPtr allocation(gst_query_new_allocation(caps.get(), TRUE));
        gst_pad_peer_query(harness->srcpad, allocation.get());
        static_cast<void>(gst_pad_peer_query_accept_caps(harness->srcpad, caps.get()));
        gst_pad_push_event(harness->srcpad, gst_event_new_caps(caps.get()));
      }
      gst_pad_push_event(harness->srcpad, gst_event_new_segment(&segment));
    }
    if (step.kind == Step::Kind::kBuffer && is_small(element)) {
      gst::BufferPtr buffer = make_buffer(step.text, std::exchange(meta, nullptr));
      GST_BUFFER_PTS(buffer.get()) = pts += 40 * GST_MSECOND;
      gst_harness_push(harness, buffer.release());
    }
    drain(harness);
  }
  const gst::QueryPtr latency(gst_query_new_latency());
  gst_pad_peer_query(harness->sinkpad, latency.get());
  gst_pad_push_event(harness->srcpad, gst_event_new_eos());
  look_at(element);
  gst_harness_teardown(harness);
}

void run(const Launch& launch) {
  GError* error = nullptr;
  is_parsing = true;
  GstElement* const parsed =
      gst_parse_launch((launch.element + " " + launch.properties).c_str(), &error);
  is_parsing = false;
  g_clear_error(&error);
  // Process-wide settings are legal, and would be those of the next input.
  gst::reset_pool();
  if (parsed == nullptr) return;
  const gst::ObjectPtr<GstElement> element(static_cast<GstElement*>(gst_object_ref_sink(parsed)));
  look_at(parsed);
  if (launch.element != "nv12slotsrc") {
    // A pipeline where the properties name a second element: it has no pads to play.
    if (!GST_IS_BIN(parsed)) play(launch, parsed);
    return;
  }
  // A camera would be connected to in PLAYING.
  gst_element_set_state(parsed, GST_STATE_READY);
  look_at(parsed);
  gst_element_set_state(parsed, GST_STATE_NULL);
}

void judge(const gchar*, GLogLevelFlags level, const gchar* message, gpointer) {
  const bool is_ours = !is_parsing || std::string_view(message).find("gst_nv12") == 0;
  require((level & G_LOG_LEVEL_CRITICAL) == 0 || !is_ours, message);
}

}  // namespace
}  // namespace nv12slot::fuzz

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  nv12slot::fuzz::prepare(argc, argv, nv12slot::fuzz::make_seeds);
  nv12slot::set_log_sink([](nv12slot::LogLevel, std::string_view) {});
  // Warnings are about values that a property's type refuses, and properties that there are not.
  g_log_set_default_handler(nv12slot::fuzz::judge, nullptr);
  if (nv12slot::standin::control().present()) {
    nv12slot::standin::control().set_memory_limit(256 << 20);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nv12slot::fuzz;
  run(read(Input({data, size})));
  require(nv12slot::gst::comes_to_be_unused(nv12slot::kHostDomain),
          "a slot of the host was leaked");
  if (!control().present()) return 0;
  require(nv12slot::gst::comes_to_be_unused(kDevice), "a slot of the device was leaked");
  require(control().hazards() == 0, control().last_hazard());
  return 0;
}
