// SPDX-License-Identifier: LGPL-2.1-or-later
// nv12slotsrc with real RTSP on loopback, and a proxy between that does what networks do.
#include <gio/gio.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "gst_test.h"
#include "proxy.h"
#include "raw_server.h"
#include "rtsp_camera.h"
#include "src_player.h"

namespace nv12slot::gst {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

/// Critical messages are failures, but for one of rtspsrc's own (tests/meson.build).
void judge(const gchar* domain, GLogLevelFlags level, const gchar* message, gpointer) {
  const bool is_known = std::string(message).find("gst_event_set_seqnum") != std::string::npos;
  if ((level & G_LOG_LEVEL_CRITICAL) != 0 && !is_known) {
    ADD_FAILURE() << (domain != nullptr ? domain : "") << ": " << message;
  }
}
[[maybe_unused]] const GLogFunc g_judge = g_log_set_default_handler(judge, nullptr);

/// A camera behind a proxy.
class SrcTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(has_element("nv12slotsrc"));
    reset_pool();
  }

  [[nodiscard]] std::string proxied() const { return RtspCamera::uri_of(proxy.port()); }

  RtspCamera camera;
  soak::ContextThread thread;
  soak::Proxy proxy{thread, "127.0.0.1", camera.port(), 1};
};

void expect_times_to_rise(const std::vector<SrcPlayer::Frame>& frames) {
  for (std::size_t i = 1; i < frames.size(); ++i) {
    ASSERT_GT(frames[i].pts, frames[i - 1].pts) << "frame " << i;
  }
}

TEST_F(SrcTest, plays_a_camera) {
  SrcPlayer player(with_uri(camera.uri()));
  EXPECT_EQ(gst_element_set_state(player.pipeline(), GST_STATE_PAUSED),
            GST_STATE_CHANGE_NO_PREROLL);
  EXPECT_EQ(player.status(), "stopped") << "it plays now or never";
  player.play();
  ASSERT_TRUE(player.wait_for_status("connecting"));
  ASSERT_TRUE(player.wait_for_status("playing"));
  ASSERT_TRUE(player.wait_for_frames(30));
  expect_times_to_rise(player.frames());
  EXPECT_EQ(player.count_events(GST_EVENT_CAPS), 1U);
  EXPECT_EQ(player.text_stat("path"), "software");
  EXPECT_EQ(player.text_stat("last-outage-reason"), "none");
  EXPECT_GE(player.stat("frames"), 30U);
  EXPECT_GE(player.stat("packets"), 30U);
  EXPECT_GT(player.stat("bytes"), 1000U);
  EXPECT_EQ(player.stat("attempts"), 1U);
  EXPECT_LT(player.stat("time-to-first-frame"), 10 * GST_SECOND);
  player.stop();
  EXPECT_EQ(player.status(), "stopped");
  EXPECT_EQ(player.error(), "");
}

TEST_F(SrcTest, frames_are_dated_by_when_they_come) {
  SrcPlayer player(with_uri(camera.uri()));
  player.play();
  ASSERT_TRUE(player.wait_for_frames(5));
  std::this_thread::sleep_for(milliseconds(300));
  ASSERT_TRUE(player.wait_for_frames(1));
  const GstClockTime now = gst_element_get_current_running_time(player.pipeline());
  const GstClockTime last = player.frames().back().pts;
  EXPECT_LE(last, now);
  EXPECT_LT(now - last, GST_SECOND);
}

TEST_F(SrcTest, plays_a_camera_over_udp) {
  SrcPlayer player(with_uri(camera.uri(), "protocols=udp"));
  player.play();
  ASSERT_TRUE(player.wait_for_frames(30));
  expect_times_to_rise(player.frames());
  EXPECT_EQ(player.stat("attempts"), 1U);
}

/// Of a camera that sends another codec.
class SrcCodecTest : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};
INSTANTIATE_TEST_SUITE_P(
    Of, SrcCodecTest,
    testing::Values(std::pair("x265enc",
                              "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! "
                              "rtph265pay config-interval=-1"),
                    std::pair("jpegenc", "jpegenc ! rtpjpegpay"),
                    std::pair("vp8enc", "vp8enc deadline=1 keyframe-max-dist=10 ! rtpvp8pay")),
    [](const auto& of) { return std::string(of.param.first); });

TEST_P(SrcCodecTest, is_played_and_comes_back) {
  const auto& [encoder, launch] = GetParam();
  if (!has_element(encoder)) GTEST_SKIP() << "no " << encoder;
  reset_pool();
  const RtspCamera camera({.launch = std::string("( videotestsrc is-live=true ! "
                                                 "video/x-raw,format=I420,width=64,height=64,"
                                                 "framerate=20/1 ! ") +
                                     launch + " name=pay0 )"});
  soak::ContextThread thread;
  soak::Proxy proxy(thread, "127.0.0.1", camera.port(), 1);
  SrcPlayer player(with_uri(RtspCamera::uri_of(proxy.port()), kQuick));
  player.play();
  ASSERT_TRUE(player.wait_for_frames(20));
  proxy.cut();
  ASSERT_TRUE(player.wait_for([&] { return player.stat("reconnects") == 1; }, "a reconnect"));
  ASSERT_TRUE(player.wait_for_frames(10));
  expect_times_to_rise(player.frames());
}

/// A certificate that nobody signed but itself, with its key; empty where none can be made.
[[nodiscard]] std::string make_certificate() {
  const std::string path = testing::TempDir() + "nv12slotsrc-" + std::to_string(getpid()) + ".pem";
  const std::string command =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "
      "/CN=127.0.0.1 -keyout " +
      path + " -out " + path + ".crt";
  int status = -1;
  gchar *out = nullptr, *err = nullptr;
  if (!g_spawn_command_line_sync(command.c_str(), &out, &err, &status, nullptr)) return {};
  g_free(out);
  g_free(err);
  if (status != 0) return {};
  std::ifstream certificate(path + ".crt");
  std::ofstream(path, std::ios::app) << certificate.rdbuf();
  std::remove((path + ".crt").c_str());
  return path;
}

TEST(SrcTlsTest, is_played_where_its_certificate_is_not_asked_for_and_refused_where_it_is) {
  if (!g_tls_backend_supports_tls(g_tls_backend_get_default())) GTEST_SKIP() << "no TLS in GIO";
  const std::string certificate = make_certificate();
  if (certificate.empty()) GTEST_SKIP() << "no openssl to make a certificate with";
  reset_pool();
  const RtspCamera camera({.certificate = certificate});
  std::remove(certificate.c_str());
  {
    SrcPlayer player(with_uri(camera.uri(), "tls-validation-flags=0"));
    player.play();
    EXPECT_TRUE(player.wait_for_frames(20));
  }
  SrcPlayer strict(with_uri(camera.uri(), kQuick) + " max-attempts=1");
  strict.play();
  ASSERT_TRUE(strict.wait_for_status("failed", "unreachable"));
  EXPECT_EQ(strict.frames().size(), 0U);
  EXPECT_NE(strict.told().back().text.find("unknown-ca"), std::string::npos) << strict.all_text();
  EXPECT_NE(strict.all_text().find("tls-validation-flags"), std::string::npos);
}

/// What every outage has in common: times go on, the seam is marked, nothing was made anew.
void expect_seam(SrcPlayer& player, std::size_t before) {
  const std::vector<SrcPlayer::Frame> frames = player.frames();
  expect_times_to_rise(frames);
  std::size_t first = 0;
  for (std::size_t i = before; i < frames.size() && first == 0; ++i) {
    if ((frames[i].flags & GST_BUFFER_FLAG_DISCONT) != 0) first = i;
  }
  ASSERT_NE(first, 0U) << "no frame after the seam has DISCONT";
  ASSERT_EQ(player.gaps().size(), 1U);
  EXPECT_EQ(player.gaps()[0].second, frames[first].pts) << "the gap ends with the first frame";
  EXPECT_GT(player.gaps()[0].second, frames[first - 1].pts);
  EXPECT_EQ(player.count_events(GST_EVENT_CAPS), 1U) << "the caps did not change";
  EXPECT_EQ(player.count_events(GST_EVENT_STREAM_START), 1U);
  EXPECT_EQ(player.stat("decoders-opened"), 1U);
  EXPECT_EQ(player.stat("outages"), 1U);
  EXPECT_EQ(player.stat("reconnects"), 1U);
  EXPECT_EQ(player.stat("corrupted"), 0U) << "decoding began with a key picture";
  EXPECT_GT(player.stat("last-outage"), 0U);
  EXPECT_EQ(player.error(), "");
}

TEST_F(SrcTest, comes_back_after_its_connection_was_closed) {
  SrcPlayer player(with_uri(proxied(), kQuick));
  player.play();
  ASSERT_TRUE(player.wait_for_frames(15));
  const std::size_t before = player.frames().size();
  proxy.cut();
  ASSERT_TRUE(player.wait_for_status("waiting", "ended"));
  ASSERT_TRUE(player.wait_for_status("playing"));
  ASSERT_TRUE(player.wait_for_frames(15));
  expect_seam(player, before);
  EXPECT_EQ(player.stat("faults-ended"), 1U);
}

TEST_F(SrcTest, comes_back_after_its_connection_was_reset) {
  SrcPlayer player(with_uri(proxied(), kQuick));
  player.play();
  ASSERT_TRUE(player.wait_for_frames(15));
  const std::size_t before = player.frames().size();
  proxy.reset();
  ASSERT_TRUE(player.wait_for([&] { return player.stat("reconnects") == 1; }, "reconnect"));
  ASSERT_TRUE(player.wait_for_frames(15));
  expect_seam(player, before);
}

TEST_F(SrcTest, notices_a_camera_that_falls_silent) {
  SrcPlayer player(with_uri(proxied(), kQuick));
  player.play();
  ASSERT_TRUE(player.wait_for_frames(15));
  const std::size_t before = player.frames().size();
  proxy.stall();
  ASSERT_TRUE(player.wait_for_status("waiting", "packet-timeout"));
  ASSERT_TRUE(player.wait_for_status("playing"));
  ASSERT_TRUE(player.wait_for_frames(15));
  expect_seam(player, before);
  EXPECT_GE(player.stat("last-outage"), 700 * GST_MSECOND);
}

TEST_F(SrcTest, lives_through_bytes_that_changed_on_the_way) {
  SrcPlayer player(with_uri(proxied(), kQuick));
  player.play();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(player.wait_for_frames(15));
    proxy.flip();
  }
  ASSERT_TRUE(player.wait_for_frames(30));
  EXPECT_EQ(player.error(), "");
}

TEST(SrcServerTest, comes_back_when_its_server_does) {
  reset_pool();
  auto camera = std::make_unique<RtspCamera>();
  const std::uint16_t port = camera->port();
  SrcPlayer player(with_uri(camera->uri(), kQuick));
  player.play();
  ASSERT_TRUE(player.wait_for_frames(10));
  camera.reset();
  ASSERT_TRUE(player.wait_for_status("waiting", "unreachable"));
  ASSERT_TRUE(player.wait_for_status("waiting", "unreachable"));
  EXPECT_EQ(player.status() == "waiting" || player.status() == "connecting", true);
  camera = std::make_unique<RtspCamera>(
      RtspCamera::Settings{.launch = RtspCamera::video(), .port = port});
  ASSERT_EQ(camera->port(), port);
  ASSERT_TRUE(player.wait_for_status("playing"));
  ASSERT_TRUE(player.wait_for_frames(10));
  EXPECT_EQ(player.stat("outages"), 1U) << "one outage, of several tries";
  EXPECT_GE(player.stat("faults-unreachable"), 2U);
}

// ---- Removal ----------------------------------------------------------------------------------

TEST_F(SrcTest, stops_in_time_while_its_camera_hangs_and_its_frames_stay) {
  SrcPlayer player(with_uri(proxied(), "teardown-timeout=300000000"),
                   "appsink sync=false max-buffers=4 drop=true");
  player.play();
  ASSERT_TRUE(player.wait_for_frames(10));
  const ObjectPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(player.pipeline()), "sink"));
  GstSample* sample = nullptr;
  g_signal_emit_by_name(sink.get(), "pull-sample", &sample);
  ASSERT_NE(sample, nullptr);
  const std::vector<std::uint8_t> before = read_picture(gst_sample_get_buffer(sample), 64, 48);
  proxy.stall();
  const auto start = steady_clock::now();
  player.stop();
  EXPECT_LT(steady_clock::now() - start, seconds(3)) << "not 25 s, as of rtspsrc";
  EXPECT_EQ(read_picture(gst_sample_get_buffer(sample), 64, 48), before);
  gst_sample_unref(sample);
}

std::atomic<bool> hang_released{false};

/// A live source that hangs on its way down, as rtspsrc may.
struct HangingSrc {
  GstElement parent;
};
struct HangingSrcClass {
  GstElementClass parent_class;
};
void hanging_src_uri_init(gpointer iface, gpointer) {
  auto* const handler = static_cast<GstURIHandlerInterface*>(iface);
  handler->get_type = [](GType) { return GST_URI_SRC; };
  handler->get_protocols = [](GType) -> const gchar* const* {
    static const gchar* const protocols[] = {"hang", nullptr};
    return protocols;
  };
  handler->get_uri = [](GstURIHandler*) { return g_strdup("hang://"); };
  handler->set_uri = [](GstURIHandler*, const gchar*, GError**) -> gboolean { return TRUE; };
}

G_DEFINE_TYPE_WITH_CODE(HangingSrc, hanging_src, GST_TYPE_ELEMENT,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, hanging_src_uri_init))

GstStateChangeReturn hanging_change_state(GstElement* element, GstStateChange transition) {
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    while (!hang_released.load()) std::this_thread::sleep_for(milliseconds(5));
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(hanging_src_parent_class)->change_state(element, transition);
  return transition == GST_STATE_CHANGE_READY_TO_PAUSED ? GST_STATE_CHANGE_NO_PREROLL : result;
}
void hanging_src_class_init(HangingSrcClass* klass) {
  GST_ELEMENT_CLASS(klass)->change_state = hanging_change_state;
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "hangs", "Source", "hangs", "us");
}
void hanging_src_init(HangingSrc*) {}

TEST(SrcRemovalTest, a_source_that_hangs_is_left_alone_and_the_next_one_does_not_wait_for_it) {
  gst_element_register(nullptr, "hangingsrc", GST_RANK_PRIMARY, hanging_src_get_type());
  hang_released = false;
  SrcPlayer player(with_uri("hang://camera", kQuick) +
                   " connect-timeout=100000000 teardown-timeout=300000000");
  player.play();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(player.wait_for_status("waiting", "connect-timeout"));
  ASSERT_TRUE(player.wait_for([&] { return player.stat("teardowns-abandoned") >= 1; },
                              "a teardown to be given up"));
  EXPECT_GE(player.stat("attempts"), 4U);
  const auto start = steady_clock::now();
  player.stop();
  EXPECT_LT(steady_clock::now() - start, seconds(3));
  hang_released = true;
}

TEST_F(SrcTest, cameras_are_added_to_and_removed_from_a_playing_pipeline_by_any_thread) {
  const ObjectPtr<GstElement> pipeline(
      static_cast<GstElement*>(gst_object_ref_sink(gst_pipeline_new(nullptr))));
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  std::atomic<int> played{0};
  const auto come_and_go = [&] {
    for (int i = 0; i < 4; ++i) {
      GstElement* const src = gst_element_factory_make("nv12slotsrc", nullptr);
      GstElement* const sink = gst_element_factory_make("fakesink", nullptr);
      g_object_set(src, "uri", camera.uri().c_str(), "device", -1, nullptr);
      g_object_set(sink, "sync", FALSE, "async", FALSE, nullptr);
      gst_bin_add_many(GST_BIN(pipeline.get()), src, sink, nullptr);
      gst_element_link(src, sink);
      gst_element_sync_state_with_parent(sink);
      gst_element_sync_state_with_parent(src);
      const auto frames = [&] {
        GstStructure* stats = nullptr;
        g_object_get(src, "stats", &stats, nullptr);
        guint64 count = 0;
        gst_structure_get_uint64(stats, "frames", &count);
        gst_structure_free(stats);
        return count;
      };
      const auto until = steady_clock::now() + seconds(20);
      while (frames() < 3 && steady_clock::now() < until) {
        std::this_thread::sleep_for(milliseconds(10));
      }
      if (frames() >= 3) ++played;
      gst_object_ref(src);
      gst_element_set_state(src, GST_STATE_NULL);
      gst_element_set_state(sink, GST_STATE_NULL);
      gst_bin_remove_many(GST_BIN(pipeline.get()), src, sink, nullptr);
      gst_object_unref(src);
    }
  };
  std::thread other(come_and_go);
  come_and_go();
  other.join();
  EXPECT_EQ(played, 8);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

TEST_F(SrcTest, may_be_stopped_from_its_own_notification) {
  GstElement* const src = gst_element_factory_make("nv12slotsrc", nullptr);
  const ObjectPtr<GstElement> owned(static_cast<GstElement*>(gst_object_ref_sink(src)));
  g_object_set(src, "uri", camera.uri().c_str(), "device", -1, nullptr);
  std::atomic<bool> stopped{false};
  g_signal_connect(src, "notify::status",
                   G_CALLBACK(+[](GstElement* element, GParamSpec*, gpointer data) {
                     auto* const done = static_cast<std::atomic<bool>*>(data);
                     if (done->exchange(true)) return;
                     gst_element_set_state(element, GST_STATE_NULL);
                   }),
                   &stopped);
  gst_element_set_state(src, GST_STATE_PLAYING);
  const auto until = steady_clock::now() + seconds(20);
  while (GST_STATE(src) != GST_STATE_NULL && steady_clock::now() < until) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_EQ(GST_STATE(src), GST_STATE_NULL);
}

// ---- Playing on -------------------------------------------------------------------------------

TEST_F(SrcTest, plays_again_after_a_pause) {
  SrcPlayer player(with_uri(camera.uri()));
  player.play();
  ASSERT_TRUE(player.wait_for_frames(5));
  gst_element_set_state(player.pipeline(), GST_STATE_PAUSED);
  EXPECT_EQ(player.status(), "stopped");
  player.play();
  ASSERT_TRUE(player.wait_for_frames(5));
  expect_times_to_rise(player.frames());
}

TEST_F(SrcTest, ends_when_the_application_ends_it) {
  SrcPlayer player(with_uri(camera.uri()));
  player.play();
  ASSERT_TRUE(player.wait_for_frames(5));
  gst_element_send_event(player.pipeline(), gst_event_new_eos());
  EXPECT_TRUE(player.wait_for([&] { return player.count_events(GST_EVENT_EOS) == 1; }, "EOS"));
  EXPECT_EQ(player.status(), "stopped");
}

TEST_F(SrcTest, latest_only_gives_a_late_consumer_the_newest_frame_and_counts_the_others) {
  SrcPlayer player(with_uri(camera.uri(), "latest-only=true"));
  const ObjectPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(player.pipeline()), "sink"));
  g_object_set(sink.get(), "signal-handoffs", TRUE, nullptr);
  g_signal_connect(sink.get(), "handoff",
                   G_CALLBACK(+[](GstElement*, GstBuffer*, GstPad*, gpointer) {
                     std::this_thread::sleep_for(milliseconds(200));
                   }),
                   nullptr);
  player.play();
  ASSERT_TRUE(player.wait_for_frames(8));
  EXPECT_GE(player.stat("dropped-latest"), 8U) << "3 of 4 frames come while it is busy";
  const GstClockTime now = gst_element_get_current_running_time(player.pipeline());
  EXPECT_LT(now - player.frames().back().pts, GST_SECOND) << "what it gets is current";
}

TEST_F(SrcTest, another_source_may_be_set_up_by_the_application) {
  SrcPlayer player(with_uri(camera.uri()));
  std::atomic<int> set_up{0};
  g_signal_connect(player.src(), "source-setup",
                   G_CALLBACK(+[](GstElement*, GstElement* source, gpointer data) {
                     g_object_set(source, "user-agent", "a test", nullptr);
                     ++*static_cast<std::atomic<int>*>(data);
                   }),
                   &set_up);
  player.play();
  ASSERT_TRUE(player.wait_for_frames(3));
  EXPECT_EQ(set_up, 1);
}

// ---- Files ------------------------------------------------------------------------------------

/// An MP4 file of 20 pictures, a second of them.
class SrcFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    reset_pool();
    path = testing::TempDir() + "nv12slotsrc-" + std::to_string(getpid()) + ".mp4";
    const RunResult made = gst::play(
        "videotestsrc num-buffers=20 ! "
        "video/x-raw,format=I420,width=64,height=48,framerate=20/1 ! x264enc "
        "key-int-max=10 ! h264parse ! mp4mux ! filesink location=" +
        path);
    ASSERT_TRUE(made.eos) << made.error;
  }
  void TearDown() override { std::remove(path.c_str()); }
  [[nodiscard]] std::string uri() const { return "file://" + path; }

  std::string path;
};

TEST_F(SrcFileTest, a_file_is_played_to_its_end) {
  SrcPlayer player(with_uri(uri()));
  player.play();
  ASSERT_TRUE(player.wait_for([&] { return player.count_events(GST_EVENT_EOS) == 1; }, "EOS"));
  EXPECT_EQ(player.frames().size(), 20U);
  EXPECT_EQ(player.error(), "");
  EXPECT_EQ(player.status(), "stopped");
}

TEST_F(SrcFileTest, a_file_loops_with_times_that_go_on) {
  SrcPlayer player(with_uri(uri(), "loop=true"));
  player.play();
  ASSERT_TRUE(player.wait_for_frames(70));
  const std::vector<SrcPlayer::Frame> frames = player.frames();
  expect_times_to_rise(frames);
  for (std::size_t i = 1; i < frames.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(frames[i].pts - frames[i - 1].pts), 50e6, 1e6) << i;
  }
  EXPECT_GE(player.stat("loops"), 3U);
  EXPECT_EQ(player.stat("outages"), 0U);
  EXPECT_TRUE(player.gaps().empty());
  EXPECT_EQ(player.count_events(GST_EVENT_CAPS), 1U);
}

/// Packets of a codec, with nothing around them.
TEST_F(SrcFileTest, a_bare_stream_is_played_and_loops) {
  const std::string bare = path + ".h264";
  ASSERT_TRUE(gst::play("filesrc location=" + path +
                        " ! qtdemux ! h264parse ! "
                        "video/x-h264,stream-format=byte-stream ! filesink location=" +
                        bare)
                  .eos);
  {
    SrcPlayer player(with_uri("file://" + bare));
    player.play();
    EXPECT_TRUE(player.wait_for([&] { return player.count_events(GST_EVENT_EOS) == 1; }, "EOS"));
    EXPECT_EQ(player.frames().size(), 20U);
    EXPECT_EQ(player.error(), "");
  }
  SrcPlayer player(with_uri("file://" + bare, "loop=true"));
  player.play();
  EXPECT_TRUE(player.wait_for_frames(90));
  const std::vector<SrcPlayer::Frame> frames = player.frames();
  for (std::size_t i = 1; i < frames.size(); ++i) {
    EXPECT_EQ(frames[i].pts - frames[i - 1].pts, 50 * GST_MSECOND) << i;
  }
  std::remove(bare.c_str());
}

TEST_F(SrcFileTest, a_file_comes_over_http) {
  gchar* bytes = nullptr;
  gsize size = 0;
  ASSERT_TRUE(g_file_get_contents(path.c_str(), &bytes, &size, nullptr));
  const RawServer server("HTTP/1.0 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: " +
                         std::to_string(size) + "\r\n\r\n" + std::string(bytes, size));
  g_free(bytes);
  SrcPlayer player(with_uri("http" + server.uri().substr(4) + ".mp4", "live=no"));
  player.play();
  ASSERT_TRUE(player.wait_for([&] { return player.count_events(GST_EVENT_EOS) == 1; }, "EOS"));
  EXPECT_EQ(player.frames().size(), 20U);
}

TEST_F(SrcFileTest, a_missing_file_is_an_error) {
  SrcPlayer player(with_uri(uri() + ".not"));
  player.play();
  ASSERT_TRUE(player.wait_for_status("failed", "not-found"));
  EXPECT_NE(player.error(), "");
}

TEST_F(SrcFileTest, a_file_prerolls) {
  SrcPlayer player(with_uri(uri()), "fakesink");
  gst_element_set_state(player.pipeline(), GST_STATE_PAUSED);
  EXPECT_EQ(gst_element_get_state(player.pipeline(), nullptr, nullptr, 20 * GST_SECOND),
            GST_STATE_CHANGE_SUCCESS);
}

}  // namespace
}  // namespace nv12slot::gst
