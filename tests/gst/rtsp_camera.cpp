// SPDX-License-Identifier: LGPL-2.1-or-later
#include "rtsp_camera.h"

#include <gtest/gtest.h>

namespace nv12slot::gst {
namespace {

void ask_for(GstRTSPServer* server, const RtspCamera::Settings& settings,
             GstRTSPMediaFactory* factory) {
  const soak::Ref<GstRTSPAuth> auth(gst_rtsp_auth_new());
  GstRTSPToken* const token =
      gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "user", nullptr);
  gchar* const basic = gst_rtsp_auth_make_basic(settings.user.c_str(), settings.password.c_str());
  gst_rtsp_auth_add_basic(auth.get(), basic, token);
  g_free(basic);
  gst_rtsp_token_unref(token);
  gst_rtsp_server_set_auth(server, auth.get());
  gst_rtsp_media_factory_add_role(factory, "user", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS,
                                  G_TYPE_BOOLEAN, TRUE, GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
                                  G_TYPE_BOOLEAN, TRUE, nullptr);
}

void speak_tls(GstRTSPServer* server, const std::string& file) {
  GError* error = nullptr;
  const soak::Ref<GTlsCertificate> certificate(
      g_tls_certificate_new_from_file(file.c_str(), &error));
  if (certificate == nullptr) {
    ADD_FAILURE() << error->message;
    g_clear_error(&error);
    return;
  }
  const soak::Ref<GstRTSPAuth> auth(gst_rtsp_auth_new());
  gst_rtsp_auth_set_tls_certificate(auth.get(), certificate.get());
  GstRTSPToken* const anybody =
      gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "anybody", nullptr);
  gst_rtsp_auth_set_default_token(auth.get(), anybody);
  gst_rtsp_token_unref(anybody);
  gst_rtsp_server_set_auth(server, auth.get());
}

}  // namespace

std::string RtspCamera::video() {
  return "( videotestsrc is-live=true ! video/x-raw,format=I420,width=64,height=48,framerate=20/1 "
         "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 "
         "config-interval=-1 )";
}

RtspCamera::RtspCamera(Settings settings) : is_tls_(!settings.certificate.empty()) {
  thread_.run([&] {
    server_.reset(gst_rtsp_server_new());
    gst_rtsp_server_set_address(server_.get(), "127.0.0.1");
    gst_rtsp_server_set_service(server_.get(), std::to_string(settings.port).c_str());
    GstRTSPMediaFactory* const factory = gst_rtsp_media_factory_new();
    gst_rtsp_media_factory_set_launch(factory, settings.launch.c_str());
    gst_rtsp_media_factory_set_shared(factory, settings.is_shared);
    if (!settings.user.empty()) ask_for(server_.get(), settings, factory);
    if (is_tls_) {
      speak_tls(server_.get(), settings.certificate);
      gst_rtsp_media_factory_add_role(factory, "anybody", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS,
                                      G_TYPE_BOOLEAN, TRUE, GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
                                      G_TYPE_BOOLEAN, TRUE, nullptr);
    }
    const soak::Ref<GstRTSPMountPoints> mounts(gst_rtsp_server_get_mount_points(server_.get()));
    gst_rtsp_mount_points_add_factory(mounts.get(), "/camera", factory);
    source_ = gst_rtsp_server_attach(server_.get(), g_main_context_get_thread_default());
    port_ = static_cast<std::uint16_t>(gst_rtsp_server_get_bound_port(server_.get()));
  });
}

RtspCamera::~RtspCamera() {
  thread_.run([this] {
    gst_rtsp_server_client_filter(
        server_.get(),
        [](GstRTSPServer*, GstRTSPClient*, gpointer) { return GST_RTSP_FILTER_REMOVE; }, nullptr);
    GSource* const source =
        g_main_context_find_source_by_id(g_main_context_get_thread_default(), source_);
    if (source != nullptr) g_source_destroy(source);
    const soak::Ref<GstRTSPSessionPool> pool(gst_rtsp_server_get_session_pool(server_.get()));
    gst_rtsp_session_pool_filter(
        pool.get(),
        [](GstRTSPSessionPool*, GstRTSPSession*, gpointer) { return GST_RTSP_FILTER_REMOVE; },
        nullptr);
    server_.reset();
  });
}

}  // namespace nv12slot::gst
