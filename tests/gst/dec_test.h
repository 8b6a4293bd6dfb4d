// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <mutex>
#include <utility>

#include "../decode/encode.h"
#include "gst_test.h"
#include "standin_control.h"

// What the tests of nv12slotdec share: the element between two pads of the test's, and what its
// pictures must be.
namespace nv12slot::gst {

inline constexpr Domain kDevice = 0;
inline constexpr GstClockTime kFrameTime = 40 * GST_MSECOND;
inline constexpr const char* kH264 =
    "video/x-h264,stream-format=byte-stream,alignment=au,parsed=true,framerate=25/1";
inline constexpr const char* kH265 =
    "video/x-h265,stream-format=byte-stream,alignment=au,parsed=true,framerate=25/1";
inline constexpr const char* kReordered =
    "preset=ultrafast,x264-params=bframes=2:b-adapt=0:scenecut=0";
inline constexpr const char* kIntra = "preset=ultrafast,tune=zerolatency,g=1";

/// A buffer that was pushed, with the caps that downstream had then.
struct Out {
  BufferPtr buffer;
  CapsPtr caps;

  [[nodiscard]] int width() const { return number("width"); }
  [[nodiscard]] int height() const { return number("height"); }
  /// Of a field of the caps; empty where it is missing.
  [[nodiscard]] std::string text(const char* field) const;
  [[nodiscard]] bool is_cuda() const;
  [[nodiscard]] bool has(guint flag) const { return GST_BUFFER_FLAG_IS_SET(buffer.get(), flag); }
  /// As picture() of gst_test.h.
  [[nodiscard]] std::vector<std::uint8_t> read() const {
    return read_picture(buffer.get(), width(), height());
  }

 private:
  [[nodiscard]] int number(const char* field) const;
};

/// nv12slotdec with properties as in a launch line, playing.
class DecHarness {
 public:
  explicit DecHarness(const std::string& properties, const char* sink_caps = nullptr);
  ~DecHarness();
  DecHarness(const DecHarness&) = delete;
  DecHarness& operator=(const DecHarness&) = delete;

  [[nodiscard]] GstHarness* get() const { return harness_; }
  [[nodiscard]] GstElement* element() const { return harness_->element; }
  [[nodiscard]] guint64 stat(const char* field) const { return gst::stat(element(), field); }
  [[nodiscard]] std::string path() const { return path_of(element()); }

  /// What comes before a stream.
  bool begin(const char* caps);
  /// Access unit by access unit, each with the time of its place in display order after those of
  /// earlier calls; until a flow return that is not OK, which is returned.
  GstFlowReturn push(const std::vector<decode::Unit>& units);
  GstFlowReturn push(const decode::Unit& unit);
  bool end() { return gst_harness_push_event(harness_, gst_event_new_eos()) != FALSE; }
  void flush();

  /// What came out since the last call. Any thread may push meanwhile.
  [[nodiscard]] std::vector<Out> take();
  /// begin(), push(), end(), take().
  std::vector<Out> play(const char* caps, const std::vector<decode::Unit>& units);
  /// Until the element goes. Messages of the type, in order; others stay.
  [[nodiscard]] std::vector<GstMessage*> messages(GstMessageType type);
  [[nodiscard]] bool asked_for_key_unit();

 private:
  static GstPadProbeReturn on_data(GstPad* pad, GstPadProbeInfo* info, gpointer self);

  GstHarness* harness_ = nullptr;
  ObjectPtr<GstBus> bus_;
  std::vector<GstMessage*> messages_;
  GstClockTime first_pts_ = 0;  // of the units of the next push()
  std::mutex mutex_;
  std::vector<Out> out_;
};

/// What the path messages of the harness say, one "path: why" each, in order.
[[nodiscard]] std::vector<std::string> paths_told(DecHarness& dec);
struct Problem {
  GQuark domain = 0;
  int code = 0;
  std::string text, debug;
};
/// Of the errors or warnings that were posted.
[[nodiscard]] std::vector<Problem> problems(DecHarness& dec, GstMessageType type);

/// What libavcodec by itself decodes the units to, in display order: NV12 as picture() of
/// gst_test.h, of more than 8 bits rounded as the documentation says.
[[nodiscard]] std::vector<std::vector<std::uint8_t>> reference(
    AVCodecID codec, const std::vector<decode::Unit>& units);

/// The `number`-th picture that the stand-in's decoder was given, from the corner on; `is_wide`: of
/// more than 8 bits, rounded.
[[nodiscard]] std::vector<std::uint8_t> standin_picture(unsigned number, int width, int height,
                                                        unsigned left = 0, unsigned top = 0,
                                                        bool is_wide = false);

/// Whether two pictures are the same, else where they begin to differ.
[[nodiscard]] testing::AssertionResult is_same(const std::vector<std::uint8_t>& shown,
                                               const std::vector<std::uint8_t>& right);

/// Closes the decoders that wait for a camera, and returns once they are.
void close_warm_decoders();

/// Begins without warm decoders. With the stand-in it ends with no reference left and no access out
/// of order.
class DecTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  [[nodiscard]] static bool has_standin() { return standin::control().present(); }
};

#define NEEDS_STANDIN() \
  if (!has_standin()) GTEST_SKIP() << "needs the stand-in driver"

/// On each path: "nvdec", which is the stand-in's, and "software".
class DecPathTest : public DecTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override;
  [[nodiscard]] static bool is_nvdec() { return std::string(GetParam()) == "nvdec"; }
  /// Properties: the path, and a device only for NVDEC.
  [[nodiscard]] static std::string on_path(const std::string& more = "");
};
#define ON_EACH_PATH(Test)                                                 \
  INSTANTIATE_TEST_SUITE_P(On, Test, testing::Values("nvdec", "software"), \
                           [](const auto& path) { return std::string(path.param); })

}  // namespace nv12slot::gst
