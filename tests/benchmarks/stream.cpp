// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream.h"

#include <gst/app/gstappsink.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "machine.h"

namespace nv12slot::bench {

const std::string& stream_file() {
  // Never destroyed: what exit() calls still uses it.
  static const std::string& file = *new std::string([] {
    if (const char* given = std::getenv("NV12SLOT_STREAM")) return std::string(given);
    if (!has_element("x264enc") || !has_element("h264parse")) return std::string();
    std::string made = (std::filesystem::temp_directory_path() / "nv12slot-XXXXXX.h264").string();
    const int handle = mkstemps(made.data(), 5);
    if (handle < 0) return std::string();
    close(handle);
    GstElement* encode = gst_parse_launch(
        ("videotestsrc num-buffers=60 pattern=ball ! video/x-raw,format=I420,width=320,height=240,"
         "framerate=30/1 ! x264enc tune=zerolatency key-int-max=30 ! "
         "video/x-h264,stream-format=byte-stream ! filesink location=\"" +
         made + "\"")
            .c_str(),
        nullptr);
    gst_element_set_state(encode, GST_STATE_PLAYING);
    GstBus* bus = gst_element_get_bus(encode);
    gst_message_unref(gst_bus_timed_pop_filtered(
        bus, GST_CLOCK_TIME_NONE,
        static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
    gst_object_unref(bus);
    gst_element_set_state(encode, GST_STATE_NULL);
    gst_object_unref(encode);
    std::atexit([] { std::filesystem::remove(stream_file()); });
    return made;
  }());
  return file;
}

Stream::Stream(const std::string& file) {
  if (file.empty() || !has_element("h264parse")) return;
  GstElement* pipeline =
      gst_parse_launch(("filesrc location=\"" + file +
                        "\" ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au ! "
                        "appsink name=sink sync=false")
                           .c_str(),
                       nullptr);
  GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  while (GstSample* sample = gst_app_sink_pull_sample(GST_APP_SINK(sink))) {
    if (caps_ == nullptr) caps_ = gst_caps_ref(gst_sample_get_caps(sample));
    GstBuffer* picture = gst_buffer_copy(gst_sample_get_buffer(sample));
    GST_BUFFER_PTS(picture) = GST_BUFFER_DTS(picture) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_FLAG_UNSET(picture, GST_BUFFER_FLAG_DISCONT);
    pictures_.push_back(picture);
    gst_sample_unref(sample);
  }
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(sink);
  gst_object_unref(pipeline);
}

Stream::~Stream() {
  for (GstBuffer* picture : pictures_) gst_buffer_unref(picture);
  gst_clear_caps(&caps_);
}

const Stream& stream() {
  // Never destroyed: the threads of GStreamer may outlive main().
  static const Stream& stream = *new Stream(stream_file());
  return stream;
}

}  // namespace nv12slot::bench
