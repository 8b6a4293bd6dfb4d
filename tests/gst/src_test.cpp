// SPDX-License-Identifier: LGPL-2.1-or-later
// nv12slotsrc with real RTSP on loopback, and a proxy between that does what networks do.
#include <gio/gio.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "gst_test.h"
#include "proxy.h"
#include "rtsp_camera.h"
#include "src_player.h"

namespace nv12slot::gst {
namespace {

using std::chrono::duration_cast;
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

std::string with_uri(const std::string& uri, const std::string& more = "") {
  return "uri=" + uri + " " + more;
}

/// Quick about everything, as tests do not want to wait.
constexpr const char* kQuick =
    " backoff-min=50000000 backoff-max=200000000 packet-timeout=700000000 ";

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

// ---- What goes wrong from the start -----------------------------------------------------------

void expect_fault(const std::string& properties, const std::string& reason,
                  const std::string& secret = "no secret") {
  SrcPlayer player(properties + kQuick + " max-attempts=2 connect-timeout=1000000000");
  player.play();
  ASSERT_TRUE(player.wait_for_status("waiting", reason)) << properties;
  ASSERT_TRUE(player.wait_for_status("failed", reason)) << properties;
  EXPECT_NE(player.error(), "");
  EXPECT_EQ(player.status(), "failed");
  EXPECT_EQ(player.text_stat("last-outage-reason"), reason);
  EXPECT_EQ(player.stat("attempts"), 2U);
  for (const SrcPlayer::Told& told : player.told()) {
    if (told.reason != "none") {
      EXPECT_GT(told.text.size(), 10U) << "says what happened";
    }
  }
  EXPECT_EQ(player.all_text().find(secret), std::string::npos) << player.all_text();
}

/// A TCP server that says what it likes.
class RawServer {
 public:
  explicit RawServer(std::string says) : says_(std::move(says)) {
    thread_.run([this] {
      service_.reset(g_socket_service_new());
      port_ =
          g_socket_listener_add_any_inet_port(G_SOCKET_LISTENER(service_.get()), nullptr, nullptr);
      g_signal_connect(service_.get(), "incoming", G_CALLBACK(on_incoming), this);
      g_socket_service_start(service_.get());
    });
  }
  ~RawServer() {
    thread_.run([this] {
      connections_.clear();
      g_socket_service_stop(service_.get());
      service_.reset();
    });
  }
  [[nodiscard]] std::string uri() const { return RtspCamera::uri_of(port_); }

 private:
  static gboolean on_incoming(GSocketService*, GSocketConnection* connection, GObject*,
                              gpointer data) {
    auto* const self = static_cast<RawServer*>(data);
    GOutputStream* const out = g_io_stream_get_output_stream(G_IO_STREAM(connection));
    g_output_stream_write_all(out, self->says_.data(), self->says_.size(), nullptr, nullptr,
                              nullptr);
    self->connections_.emplace_back(static_cast<GSocketConnection*>(g_object_ref(connection)));
    return TRUE;
  }

  const std::string says_;
  soak::ContextThread thread_;
  soak::Ref<GSocketService> service_;
  std::vector<soak::Ref<GSocketConnection>> connections_;
  std::uint16_t port_ = 0;
};

TEST(SrcFaultTest, nobody_listens) {
  std::uint16_t port = 0;
  { port = RtspCamera().port(); }
  expect_fault(with_uri(RtspCamera::uri_of(port)), "unreachable");
}

TEST(SrcFaultTest, unknown_host) {
  expect_fault(with_uri("rtsp://no-such-camera.invalid/stream"), "unreachable");
}

TEST(SrcFaultTest, server_accepts_and_says_nothing) {
  const RawServer server("");
  expect_fault(with_uri(server.uri()), "connect-timeout");
}

TEST(SrcFaultTest, server_sends_garbage) {
  std::string garbage = "RTSP/9.9 banana\r\n\r\n";
  for (int i = 0; i < 5000; ++i) garbage.push_back(static_cast<char>(i * 37));
  const RawServer server(garbage);
  SrcPlayer player(with_uri(server.uri(), kQuick) + " max-attempts=2 connect-timeout=1000000000");
  player.play();
  ASSERT_TRUE(player.wait_for([&] { return player.status() == "failed"; }, "failed"));
}

TEST(SrcFaultTest, what_the_server_answered_is_told) {
  const RawServer server("RTSP/1.0 503 Service Unavailable\r\nCSeq: 1\r\n\r\n");
  SrcPlayer player(with_uri(server.uri(), kQuick) + " max-attempts=1");
  player.play();
  ASSERT_TRUE(player.wait_for_status("failed", "error"));
  EXPECT_NE(player.told().back().text.find("503"), std::string::npos) << player.told().back().text;
}

TEST(SrcFaultTest, server_describes_nonsense) {
  const std::string sdp = "v=0\r\nm=video banana RTP/AVP 96\r\na=rtpmap:96 H264/-1\r\n";
  const RawServer server(
      "RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n"
      "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\nContent-Length: " +
      std::to_string(sdp.size()) + "\r\n\r\n" + sdp);
  SrcPlayer player(with_uri(server.uri(), kQuick) + " max-attempts=2 connect-timeout=1000000000");
  player.play();
  ASSERT_TRUE(player.wait_for([&] { return player.status() == "failed"; }, "failed"));
}

TEST(SrcFaultTest, no_such_stream) {
  const RtspCamera camera;
  expect_fault(with_uri("rtsp://127.0.0.1:" + std::to_string(camera.port()) + "/nothing"),
               "not-found");
}

TEST(SrcFaultTest, camera_without_video) {
  const RtspCamera camera({.launch = "( audiotestsrc is-live=true ! alawenc ! rtppcmapay "
                                     "name=pay0 )",
                           .is_shared = false});
  expect_fault(with_uri(camera.uri()), "no-video");
}

TEST(SrcFaultTest, codec_that_nothing_here_decodes) {
  const RtspCamera camera({.launch = "( videotestsrc is-live=true ! "
                                     "video/x-raw,width=64,height=48,framerate=20/1 ! theoraenc ! "
                                     "rtptheorapay name=pay0 )",
                           .is_shared = false});
  expect_fault(with_uri(camera.uri()), "unsupported");
}

TEST(SrcFaultTest, wrong_password_is_told_and_shown_nowhere) {
  const RtspCamera camera({.user = "me", .password = "right"});
  const std::string address = "127.0.0.1:" + std::to_string(camera.port()) + "/camera";
  expect_fault(with_uri("rtsp://me:wr0ng-s3cret@" + address), "unauthorized", "wr0ng-s3cret");
  expect_fault(with_uri("rtsp://" + address), "unauthorized");
}

TEST(SrcFaultTest, uri_without_a_source) {
  expect_fault(with_uri("banana://tree"), "unsupported");
}

TEST(SrcFaultTest, longest_times_are_legal_and_no_source_gets_another_one) {
  // What the element has for an hour, rtspsrc has in a number that ends at 49 days.
  SrcPlayer player(
      "uri=rtsp://127.0.0.1:1/camera max-attempts=1 latency=9223372036854775807 "
      "connect-timeout=9223372036854775807 packet-timeout=9223372036854775807 "
      "frame-timeout=9223372036854775807 teardown-timeout=9223372036854775807 "
      "backoff-max=9223372036854775807 healthy-time=9223372036854775807");
  guint latency = 0;
  g_signal_connect(player.src(), "source-setup",
                   G_CALLBACK(+[](GstElement*, GstElement* source, guint* to) {
                     g_object_get(source, "latency", to, nullptr);
                   }),
                   &latency);
  player.play();
  ASSERT_TRUE(player.wait_for_status("failed", "unreachable"));
  EXPECT_EQ(latency, G_MAXUINT);
}

TEST(SrcFaultTest, wrong_settings_are_errors_at_once) {
  for (const char* const settings :
       {"", "uri=no-uri", "uri=rtsp://127.0.0.1/a backoff-min=2000000000 backoff-max=1"}) {
    SrcPlayer player(settings);
    EXPECT_EQ(player.play(), GST_STATE_CHANGE_FAILURE) << settings;
    EXPECT_NE(player.error(), "") << settings;
  }
}

// ---- Credentials ------------------------------------------------------------------------------

/// All that is logged during its life: of our categories and of RTSP's at 9, of the others at 5.
/// (At 9 these show no more, and take half a minute under a sanitizer.)
class DebugLog {
 public:
  explicit DebugLog(std::vector<std::string> secrets) {
    {
      MutexLock lock(kept().mutex);
      kept().secrets = std::move(secrets);
      kept().ours.clear();
      kept().talkative.clear();
    }
    gst_debug_remove_log_function(gst_debug_log_default);  // it is much
    gst_debug_add_log_function(keep, nullptr, nullptr);
    gst_debug_set_threshold_from_string("*:5,nv12slot*:9,rtsp*:9", TRUE);
  }
  ~DebugLog() {
    gst_debug_set_threshold_from_string("", TRUE);
    gst_debug_remove_log_function(keep);
    gst_debug_add_log_function(gst_debug_log_default, nullptr, nullptr);
  }
  DebugLog(const DebugLog&) = delete;
  DebugLog& operator=(const DebugLog&) = delete;

  /// What our own categories said.
  [[nodiscard]] static std::string ours() {
    MutexLock lock(kept().mutex);
    return kept().ours;
  }
  /// The categories of others that said a secret.
  [[nodiscard]] static std::set<std::string> talkative() {
    MutexLock lock(kept().mutex);
    return kept().talkative;
  }

 private:
  // Never gone: a thread may be in keep() when it is removed.
  struct Kept {
    Mutex mutex;
    std::vector<std::string> secrets NV12SLOT_GUARDED_BY(mutex);
    std::string ours NV12SLOT_GUARDED_BY(mutex);
    std::set<std::string> talkative NV12SLOT_GUARDED_BY(mutex);
  };
  static Kept& kept() {
    static auto& kept = *new Kept;
    return kept;
  }

  static void keep(GstDebugCategory* category, GstDebugLevel, const gchar*, const gchar*, gint,
                   GObject* object, GstDebugMessage* message, gpointer) {
    const std::string name = gst_debug_category_get_name(category);
    std::string line = gst_debug_message_get(message);
    if (object != nullptr && GST_IS_OBJECT(object)) {
      line += std::string(" ") + GST_STR_NULL(GST_OBJECT_NAME(object));
    }
    Kept& kept = DebugLog::kept();
    MutexLock lock(kept.mutex);
    if (name.rfind("nv12slot", 0) == 0) {
      kept.ours += line + "\n";
      return;
    }
    for (const std::string& secret : kept.secrets) {
      if (line.find(secret) != std::string::npos) kept.talkative.insert(name);
    }
  }
};

/// What an application can see of a pipeline: its dot file as GST_DEBUG_DUMP_DOT_DIR has it, and
/// every property of every element that can be read, "stats" among them.
std::string shown_of(GstElement* pipeline) {
  gchar* const dot = gst_debug_bin_to_dot_data(GST_BIN(pipeline), GST_DEBUG_GRAPH_SHOW_ALL);
  std::string shown = dot;
  g_free(dot);
  GstIterator* const elements = gst_bin_iterate_recurse(GST_BIN(pipeline));
  gst_iterator_foreach(
      elements,
      [](const GValue* value, gpointer to) {
        GObject* const element = static_cast<GObject*>(g_value_get_object(value));
        guint count = 0;
        GParamSpec** const specs =
            g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
        for (guint i = 0; i < count; ++i) {
          if ((specs[i]->flags & G_PARAM_READABLE) == 0) continue;
          GValue property = G_VALUE_INIT;
          g_object_get_property(element, specs[i]->name, &property);
          gchar* const text = g_strdup_value_contents(&property);
          *static_cast<std::string*>(to) += std::string(specs[i]->name) + "=" + text + "\n";
          g_free(text);
          g_value_unset(&property);
        }
        g_free(specs);
      },
      &shown);
  gst_iterator_free(elements);
  return shown;
}

const std::vector<std::string> kSecrets = {"s3cret-user", "ss/w0rd", "ss%2Fw0rd"};

void expect_no_secret(const std::string& shown) {
  EXPECT_FALSE(shown.empty());
  for (const std::string& secret : kSecrets) {
    EXPECT_EQ(shown.find(secret), std::string::npos) << shown;
  }
}

TEST(SrcCredentialsTest, in_the_uri_or_apart_they_open_the_camera_and_are_shown_nowhere) {
  const RtspCamera camera({.user = "s3cret-user", .password = "p@ss/w0rd"});
  const std::string address = "127.0.0.1:" + std::to_string(camera.port()) + "/camera";
  for (const std::string& properties :
       {"uri=rtsp://s3cret-user:p%40ss%2Fw0rd@" + address,
        "uri=rtsp://" + address + " user-id=s3cret-user user-pw=p@ss/w0rd"}) {
    SrcPlayer player(properties);
    // From here on: the parser logs the launch line itself.
    const DebugLog log(kSecrets);
    // What gst-launch-1.0 -v prints.
    gst_element_add_property_deep_notify_watch(player.pipeline(), nullptr, TRUE);
    player.play();
    ASSERT_TRUE(player.wait_for_frames(1));
    g_object_set(player.src(), "user-pw", "ss/w0rd of another", nullptr);
    gchar* uri = nullptr;
    g_object_get(player.src(), "uri", &uri, nullptr);
    EXPECT_EQ(std::string(uri), "rtsp://" + address);
    g_free(uri);
    expect_no_secret(shown_of(player.pipeline()));
    player.stop();
    expect_no_secret(player.all_text());
    expect_no_secret(DebugLog::ours());
    // Those that docs/security.md names: what they log of a login is GStreamer's own.
    const std::set<std::string> named{"GST_PROPERTIES", "rtspconnection", "rtspsrc"};
    for (const std::string& name : DebugLog::talkative()) {
      EXPECT_TRUE(named.count(name) == 1) << name << " shows the password";
    }
  }
}

/// A source that takes credentials in its URI only, and shows that in its error.
struct TalkativeSrc {
  GstElement parent;
  gchar* uri;
};
struct TalkativeSrcClass {
  GstElementClass parent_class;
};
void talkative_src_uri_init(gpointer iface, gpointer) {
  auto* const handler = static_cast<GstURIHandlerInterface*>(iface);
  handler->get_type = [](GType) { return GST_URI_SRC; };
  handler->get_protocols = [](GType) -> const gchar* const* {
    static const gchar* const protocols[] = {"talk", nullptr};
    return protocols;
  };
  handler->get_uri = [](GstURIHandler* self) {
    return g_strdup(reinterpret_cast<TalkativeSrc*>(self)->uri);
  };
  handler->set_uri = [](GstURIHandler* handled, const gchar* uri, GError**) -> gboolean {
    auto* const self = reinterpret_cast<TalkativeSrc*>(handled);
    g_free(self->uri);
    self->uri = g_strdup(uri);
    return TRUE;
  };
}

G_DEFINE_TYPE_WITH_CODE(TalkativeSrc, talkative_src, GST_TYPE_ELEMENT,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, talkative_src_uri_init))

std::atomic<bool> talk_had_password{false};

GstStateChangeReturn talkative_change_state(GstElement* element, GstStateChange transition) {
  if (transition != GST_STATE_CHANGE_READY_TO_PAUSED) {
    return GST_ELEMENT_CLASS(talkative_src_parent_class)->change_state(element, transition);
  }
  const gchar* const uri = reinterpret_cast<TalkativeSrc*>(element)->uri;
  talk_had_password = std::string(uri) == "talk://s3cret-user:p%40ss%2Fw0rd@camera";
  GST_ELEMENT_ERROR(element, RESOURCE, OPEN_READ, ("Could not open %s, p@ss/w0rd", uri),
                    ("refused: %s", uri));
  return GST_STATE_CHANGE_FAILURE;
}
void talkative_src_finalize(GObject* object) {
  g_free(reinterpret_cast<TalkativeSrc*>(object)->uri);
  G_OBJECT_CLASS(talkative_src_parent_class)->finalize(object);
}
void talkative_src_class_init(TalkativeSrcClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = talkative_src_finalize;
  GST_ELEMENT_CLASS(klass)->change_state = talkative_change_state;
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "talks", "Source", "talks", "us");
}
void talkative_src_init(TalkativeSrc*) {}

TEST(SrcCredentialsTest, what_a_source_says_of_its_uri_is_told_without_them) {
  gst_element_register(nullptr, "talkativesrc", GST_RANK_PRIMARY, talkative_src_get_type());
  const DebugLog log({});
  SrcPlayer player("uri=talk://s3cret-user:p%40ss%2Fw0rd@camera max-attempts=1");
  player.play();
  ASSERT_TRUE(player.wait_for_status("failed", "unreachable"));
  EXPECT_TRUE(talk_had_password) << "it is logged in with";
  EXPECT_NE(player.all_text().find("Could not open talk://***@camera, ***"), std::string::npos)
      << player.all_text();
  player.stop();
  expect_no_secret(player.all_text());
  expect_no_secret(DebugLog::ours());
}

TEST(SrcCredentialsTest, what_is_no_uri_is_shown_without_them) {
  for (const char* const uri :
       {"s3cret-user:p@ss/w0rd@camera/a", "rtsp:/s3cret-user:p@ss/w0rd@camera/a"}) {
    SrcPlayer player(std::string("max-attempts=1 uri=") + uri);
    player.play();
    ASSERT_TRUE(player.wait_for([&] { return !player.error().empty(); }, "an error"));
    expect_no_secret(player.all_text());
    expect_no_secret(shown_of(player.pipeline()));
  }
}

TEST(SrcCredentialsTest, cannot_be_read) {
  const ObjectPtr<GstElement> src(static_cast<GstElement*>(
      gst_object_ref_sink(gst_element_factory_make("nv12slotsrc", nullptr))));
  for (const char* const name : {"user-id", "user-pw"}) {
    const GParamSpec* const spec =
        g_object_class_find_property(G_OBJECT_GET_CLASS(src.get()), name);
    ASSERT_NE(spec, nullptr);
    EXPECT_EQ(spec->flags & G_PARAM_READABLE, 0) << name;
  }
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
