// SPDX-License-Identifier: LGPL-2.1-or-later
// What nv12slotsrc says where a camera cannot be played from the start, and what it never says.
#include <gio/gio.h>

#include <atomic>
#include <set>
#include <string>

#include "gst_test.h"
#include "raw_server.h"
#include "rtsp_camera.h"
#include "src_player.h"

namespace nv12slot::gst {
namespace {

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

}  // namespace
}  // namespace nv12slot::gst
