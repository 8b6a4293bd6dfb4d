// SPDX-License-Identifier: LGPL-2.1-or-later
//
// mean-luma [SOURCE]: reads every frame of a camera in its slot with a CUDA kernel of its own, or
// with the CPU where there is no GPU. SOURCE is what comes before nv12slotcopy in a launch line and
// ends in NV12.
#include <gst/app/gstappsink.h>
#include <gst/nv12slot/nv12slot.h>

#include <cstdio>
#include <memory>
#include <string>

#include "mean_luma_kernel.h"

namespace {

struct Reader {
  std::unique_ptr<LumaKernel> kernel;  // nullptr: the CPU reads
  std::uint64_t frames = 0, pixels = 0, on_device = 0;
  std::uint64_t host_sum = 0;
};

bool read_on_device(LumaKernel& kernel, GstNv12SlotFrame* frame) {
  GstNv12SlotPlanes planes;
  gst_nv12_slot_frame_get_planes(frame, &planes);
  // The kernel runs after the copy that fills the slot, and the slot is used again after the
  // kernel. Neither call blocks, so this thread is back before the picture is even there.
  return gst_nv12_slot_frame_wait(frame, kernel.stream()) &&
         kernel.add(planes.data[0], planes.stride[0], planes.width, planes.height) &&
         gst_nv12_slot_frame_fence(frame, -1, kernel.stream());
}

bool read_on_host(std::uint64_t& sum, GstNv12SlotFrame* frame) {
  GstNv12SlotMap map;
  if (!gst_nv12_slot_frame_map(frame, &map)) return false;
  for (guint y = 0; y < map.height; ++y) {
    for (guint x = 0; x < map.width; ++x) sum += map.data[0][y * map.stride[0] + x];
  }
  gst_nv12_slot_frame_unmap(frame, &map);
  return true;
}

bool read(Reader& reader, GstNv12SlotFrame* frame) {
  GstNv12SlotPlanes planes;
  gst_nv12_slot_frame_get_planes(frame, &planes);
  ++reader.frames;
  reader.pixels += std::uint64_t{planes.width} * planes.height;
  if (reader.kernel == nullptr || gst_nv12_slot_frame_get_device(frame) < 0) {
    return read_on_host(reader.host_sum, frame);
  }
  ++reader.on_device;
  return read_on_device(*reader.kernel, frame);
}

// On the streaming thread.
GstFlowReturn on_new_sample(GstAppSink* sink, gpointer user_data) {
  GstSample* sample = gst_app_sink_pull_sample(sink);
  if (sample == nullptr) return GST_FLOW_EOS;
  GstNv12SlotFrame* frame = gst_nv12_slot_frame_from_buffer(gst_sample_get_buffer(sample));
  gst_sample_unref(sample);  // the frame does not need it
  if (frame == nullptr) return GST_FLOW_OK;
  const bool well = read(*static_cast<Reader*>(user_data), frame);
  gst_nv12_slot_frame_unref(frame);
  return well ? GST_FLOW_OK : GST_FLOW_ERROR;
}

void attach(Reader& reader, GstElement* pipeline) {
  GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  GstAppSinkCallbacks callbacks{};
  callbacks.new_sample = on_new_sample;
  gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, &reader, nullptr);
  // read() waits and fences, so this consumer may promise it: before the first caps.
  GstPad* pad = gst_element_get_static_pad(sink, "sink");
  gst_nv12_slot_declare_reader(pad);
  gst_object_unref(pad);
  gst_object_unref(sink);
}

// Until the end or an error, which is printed.
bool play(GstElement* pipeline) {
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstBus* bus = gst_element_get_bus(pipeline);
  GstMessage* message = gst_bus_timed_pop_filtered(
      bus, GST_CLOCK_TIME_NONE, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  const bool well = GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
  if (!well) {
    GError* error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    std::fprintf(stderr, "%s\n", error->message);
    g_error_free(error);
  }
  gst_message_unref(message);
  gst_object_unref(bus);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  return well;
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Reader reader;
  if (gst_nv12_slot_cuda_context(0) != nullptr) reader.kernel = LumaKernel::open(0);

  const std::string source =
      argc > 1 ? argv[1] : "videotestsrc num-buffers=100 ! video/x-raw,format=NV12";
  const std::string launch = source + " ! nv12slotcopy source-name=front device=" +
                             (reader.kernel != nullptr ? "0" : "-1") +
                             " ! appsink name=sink sync=false enable-last-sample=false";
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(launch.c_str(), &error);
  if (pipeline == nullptr || error != nullptr) {
    std::fprintf(stderr, "%s\n", error->message);
    g_error_free(error);
    if (pipeline != nullptr) gst_object_unref(pipeline);
    return 1;
  }
  attach(reader, pipeline);
  const bool well = play(pipeline);
  gst_object_unref(pipeline);

  // What is still in the stream is waited for here: the slots' memory is there as long as that
  // takes.
  const std::uint64_t sum = reader.host_sum + (reader.kernel != nullptr ? reader.kernel->sum() : 0);
  std::printf(
      "%llu frames, %llu of them read on device 0, mean luma %.1f\n",
      static_cast<unsigned long long>(reader.frames),
      static_cast<unsigned long long>(reader.on_device),
      reader.pixels > 0 ? static_cast<double>(sum) / static_cast<double>(reader.pixels) : 0.0);
  return well && reader.frames > 0 ? 0 : 1;
}
