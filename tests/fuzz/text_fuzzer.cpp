// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What reads text or foreign numbers without an element around it, for libFuzzer: URIs with
// credentials, parameter sets, the environment, metas that others fill in.
//
//   which of them, then its input

#include <dlpack/dlpack.h>

#include <cstdlib>
#include <limits>

#include "../gst/gst_test.h"
#include "camerauri.h"
#include "fuzz_target.h"
#include "nv12slot/log.h"
#include "parameter_sets.h"

namespace nv12slot::fuzz {
namespace {

enum Which : std::uint8_t { kUri, kParameterSets, kEnvironment, kTensorMeta, kWhich };

Bytes to_input(Which which, std::string_view text) {
  Bytes input{which};
  append_text(input, text);
  return input;
}

Corpus make_seeds() {
  Corpus corpus;
  corpus["uri"] = to_input(kUri, "rtsp://me:p%40ss@camera:554/stream?x=1");
  corpus["uri-odd"] = to_input(kUri, "rtsp://me:p@s/s@[::1]:554/stream@2");
  corpus["uri-none"] = to_input(kUri, "me:pass@camera/stream");
  corpus["environment"] = to_input(kEnvironment, "64\n50.5");
  corpus["environment-odd"] = to_input(kEnvironment, "1e99\nnan");
  corpus["tensor"] = to_input(kTensorMeta, std::string(40, '\x01'));
  for (const Seed& seed : seeds()) {
    const bool is_h264 = seed.codec == AV_CODEC_ID_H264;
    if (!is_h264 && seed.codec != AV_CODEC_ID_HEVC && seed.codec != AV_CODEC_ID_VP8) continue;
    Bytes& input = corpus[seed.name] = Bytes{kParameterSets};
    append(input, seed.packets[0].bytes);
  }
  return corpus;
}

/// What was taken out can be put in again, and is the same then.
void read_uri(const std::string& uri) {
  const gst::CameraUri camera = gst::split_credentials(uri);
  const gst::CameraUri again = gst::split_credentials(gst::join_credentials(camera));
  static_cast<void>(gst::is_live_uri(camera.uri));
  if (camera.user.empty() || camera.uri.find("://") == std::string::npos) return;
  // What was after the last '@' may have one of its own in the path.
  if (gst::split_credentials(camera.uri).user.empty()) {
    require(
        again.uri == camera.uri && again.user == camera.user && again.password == camera.password,
        "credentials were not the same again: " + uri);
  }
}

void read_parameter_sets(std::span<const std::uint8_t> unit) {
  for (const AVCodecID codec : {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_VP8}) {
    require(decode::parameter_sets(codec, unit).size() <= unit.size(), "sets larger than the unit");
  }
  static_cast<void>(decode::is_idr(unit));
}

void read_environment(Input input) {
  setenv("NV12SLOT_POOL_CAP", std::string(input.text_until("\n")).c_str(), 1);
  setenv("NV12SLOT_POOL_COOLDOWN_MS", std::string(input.text_until("\n")).c_str(), 1);
  const PoolSettings settings = pool_settings_from_environment();
  require(settings.cap >= 1 && settings.cap <= SlotPool::kMaxCap, "a cap out of range");
  require(settings.cooldown >= Duration::zero() && settings.cooldown <= SlotPool::kMaxCooldown,
          "a cooldown out of range");
}

/// A tensor's meta that somebody else has filled in.
void read_tensor_meta(Input input) {
  const gst::BufferPtr buffer(gst_buffer_new());
  auto* const meta = reinterpret_cast<GstNv12TensorMeta*>(
      gst_buffer_add_meta(buffer.get(), GST_NV12_TENSOR_META_INFO, nullptr));
  const bool has_frame = (input.byte() & 1) != 0;
  if (has_frame) {
    GstHarness* const harness = gst::copy_harness("device=-1");
    gst_harness_set_src_caps_str(harness, gst::nv12_caps(16, 16).c_str());
    gst_harness_push(harness, gst::make_buffer(16, 16, 1).release());
    const gst::BufferPtr frame(gst_harness_pull(harness));
    meta->frame = gst_nv12_slot_frame_from_buffer(frame.get());
    gst_harness_teardown(harness);
  }
  meta->data = input.u64();
  meta->type = static_cast<GstNv12TensorType>(input.byte() % 4);
  for (guint& side : meta->shape) side = static_cast<guint>(input.u64());
  auto* const tensor = static_cast<DLManagedTensor*>(gst_nv12_tensor_meta_export_dlpack(meta));
  if (tensor != nullptr) {
    require(has_frame, "a tensor without memory");
    std::uint64_t elements = 1;
    for (int i = 0; i < tensor->dl_tensor.ndim; ++i) {
      const std::int64_t side = tensor->dl_tensor.shape[i];
      require(side > 0 && static_cast<std::uint64_t>(side) <=
                              std::numeric_limits<std::int64_t>::max() / elements,
              "a tensor of impossible shape");
      elements *= static_cast<std::uint64_t>(side);
    }
    gst_nv12_slot_dlpack_free(tensor);
  }
  const gst::BufferPtr copy(gst_buffer_copy(buffer.get()));
  static_cast<void>(gst_nv12_tensor_meta_get_item(meta, input.u16()));
}

}  // namespace
}  // namespace nv12slot::fuzz

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  nv12slot::fuzz::prepare(argc, argv, nv12slot::fuzz::make_seeds);
  nv12slot::set_log_sink([](nv12slot::LogLevel, std::string_view) {});
  nv12slot::gst::reset_pool();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nv12slot::fuzz;
  Input input({data, size});
  const std::uint8_t which = input.byte() % kWhich;
  const auto rest = input.take(size);
  switch (which) {
    case kUri:
      // Properties end at the first 0.
      read_uri(std::string(Input(rest).text_until(std::string_view("\0", 1))));
      break;
    case kParameterSets:
      read_parameter_sets(rest);
      break;
    case kEnvironment:
      read_environment(Input(rest));
      break;
    default:
      read_tensor_meta(Input(rest));
  }
  return 0;
}
