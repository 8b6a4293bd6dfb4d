// SPDX-License-Identifier: LGPL-2.1-or-later
#include "server.h"

#include <fmt/format.h>
#include <gst/app/gstappsrc.h>
#include <gst/rtsp-server/rtsp-server.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

namespace soak {
namespace {

constexpr unsigned kPayloadType = 96;

/// One mount point.
struct Camera {
  const Clip* clip = nullptr;
  int fps = 0;
  unsigned number = 0;
};

/// One client's view of a camera.
struct Session {
  const Camera* camera;
  guint64 first = 0;  // picture of the clip that it began with
  guint64 sent = 0;
};

void push_next(GstElement* source, guint, gpointer user_data) {
  auto* session = static_cast<Session*>(user_data);
  const Clip& clip = *session->camera->clip;
  const auto fps = static_cast<guint64>(session->camera->fps);
  GstBuffer* unit = clip.units[(session->first + session->sent) % clip.units.size()].get();
  GstBuffer* buffer = gst_buffer_new();
  if (session->sent == 0) {
    // So that the description of the stream has them, as that of a camera does.
    gst_buffer_append_memory(
        buffer, gst_memory_new_wrapped(
                    GST_MEMORY_FLAG_READONLY, const_cast<char*>(clip.parameter_sets.data()),
                    clip.parameter_sets.size(), 0, clip.parameter_sets.size(), nullptr, nullptr));
  }
  gst_buffer_copy_into(
      buffer, unit, static_cast<GstBufferCopyFlags>(GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_MEMORY),
      0, static_cast<gsize>(-1));
  GST_BUFFER_PTS(buffer) = GST_BUFFER_DTS(buffer) =
      gst_util_uint64_scale(session->sent, GST_SECOND, fps);
  GST_BUFFER_DURATION(buffer) = GST_SECOND / fps;
  ++session->sent;
  gst_app_src_push_buffer(GST_APP_SRC(source), buffer);
}

void configure(GstRTSPMediaFactory*, GstRTSPMedia* media, gpointer user_data) {
  const auto* camera = static_cast<const Camera*>(user_data);
  const Ref<GstElement> bin{gst_rtsp_media_get_element(media)};
  const Ref<GstElement> source{gst_bin_get_by_name(GST_BIN(bin.get()), "pictures")};
  // Cameras are at different points of the clip, so that key pictures do not come all at once.
  const auto now = static_cast<guint64>(g_get_monotonic_time());
  const auto fps = static_cast<guint64>(camera->fps);
  auto* session = new Session{camera, now * fps / G_USEC_PER_SEC + guint64{camera->number} * 7};
  g_object_set_data_full(G_OBJECT(source.get()), "session", session,
                         [](gpointer gone) { delete static_cast<Session*>(gone); });
  g_signal_connect(source.get(), "need-data", G_CALLBACK(push_next), session);
}

void serve_until_killed(const ServeSettings& settings) {
  const std::vector<Clip> clips = load_clips(settings.clips);
  std::vector<Camera> cameras(settings.cameras);
  const Ref<GstRTSPServer> server{gst_rtsp_server_new()};
  gst_rtsp_server_set_address(server.get(), "127.0.0.1");
  gst_rtsp_server_set_service(server.get(), fmt::format("{}", settings.port).c_str());
  const Ref<GstRTSPMountPoints> mounts{gst_rtsp_server_get_mount_points(server.get())};
  for (unsigned i = 0; i < settings.cameras; ++i) {
    cameras[i] = {&clips[i % clips.size()], settings.clips.fps, i};
    GstRTSPMediaFactory* factory = gst_rtsp_media_factory_new();
    gst_rtsp_media_factory_set_launch(
        factory,
        fmt::format("( appsrc name=pictures format=time max-bytes=1 "
                    "caps=video/x-h264,stream-format=byte-stream,alignment=au,framerate={}/1 ! "
                    "rtph264pay name=pay0 pt={} config-interval=-1 aggregate-mode=zero-latency )",
                    settings.clips.fps, kPayloadType)
            .c_str());
    g_signal_connect(factory, "media-configure", G_CALLBACK(configure), &cameras[i]);
    gst_rtsp_mount_points_add_factory(mounts.get(), fmt::format("/cam{}", i).c_str(), factory);
  }
  if (gst_rtsp_server_attach(server.get(), nullptr) == 0) {
    throw std::runtime_error(fmt::format("cannot listen on port {} of 127.0.0.1", settings.port));
  }
  // Cameras that went without a word leave their sessions behind.
  g_timeout_add_seconds(
      5,
      [](gpointer of) -> gboolean {
        const Ref<GstRTSPSessionPool> pool{gst_rtsp_server_get_session_pool(GST_RTSP_SERVER(of))};
        gst_rtsp_session_pool_cleanup(pool.get());
        return G_SOURCE_CONTINUE;
      },
      server.get());
  fmt::print("port {}\n", gst_rtsp_server_get_bound_port(server.get()));
  std::fflush(stdout);
  const Ref<GMainLoop> loop{g_main_loop_new(nullptr, FALSE)};
  g_main_loop_run(loop.get());
}

}  // namespace

int serve(const ServeSettings& settings) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (settings.parent != 0 && getppid() != settings.parent) return 1;  // it ended before that
  // Ctrl-C is for the parent, which says when this is over.
  signal(SIGINT, SIG_IGN);
  gst_init(nullptr, nullptr);
  try {
    serve_until_killed(settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "soak: the server: {}\n", error.what());
  }
  return 1;
}

}  // namespace soak
