// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensormaker.h"

#include <gst/nv12slot/nv12slotmeta.h>

#include <optional>
#include <utility>

#include "analyticstensor.h"
#include "cudamemory.h"
#include "inputview.h"
#include "slotfiller.h"

namespace nv12slot::gst {
namespace {

SlotPool& pool() {
  return *Process::get().pool;
}

ColourMatrix matrix_of(const GstVideoInfo& info) {
  switch (info.colorimetry.matrix) {
    case GST_VIDEO_COLOR_MATRIX_BT601:
      return ColourMatrix::kBt601;
    case GST_VIDEO_COLOR_MATRIX_BT709:
      return ColourMatrix::kBt709;
    case GST_VIDEO_COLOR_MATRIX_BT2020:
      return ColourMatrix::kBt2020;
    case GST_VIDEO_COLOR_MATRIX_FCC:
      return ColourMatrix::kFcc;
    case GST_VIDEO_COLOR_MATRIX_SMPTE240M:
      return ColourMatrix::kSmpte240m;
    default:
      // What GStreamer takes for pictures of that size, too.
      return info.height > 576 ? ColourMatrix::kBt709 : ColourMatrix::kBt601;
  }
}

Colour colour_of(const GstVideoInfo& info) {
  const GstVideoChromaSite site = info.chroma_site;
  const bool is_left = (site & GST_VIDEO_CHROMA_SITE_H_COSITED) != 0;
  const bool is_top = (site & GST_VIDEO_CHROMA_SITE_V_COSITED) != 0;
  // Unknown is what MPEG-2 and all that came after have by default.
  const bool is_centre = (site & GST_VIDEO_CHROMA_SITE_NONE) != 0;
  return {.matrix = matrix_of(info),
          .full_range = info.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255,
          .site = is_left && is_top ? ChromaSite::kTopLeft
                  : is_centre       ? ChromaSite::kCentre
                                    : ChromaSite::kLeft};
}

}  // namespace

const char* to_string(TensorPath path) {
  switch (path) {
    case TensorPath::kNone:
      return "none";
    case TensorPath::kZeroCopy:
      return "zero-copy";
    case TensorPath::kPeer:
      return "peer";
    case TensorPath::kHost:
      return "host";
  }
  return "none";
}

/// A picture where it is now, and where its tensor goes.
struct TensorMaker::Picture {
  BufferPtr buffer;               // keeps the two below
  FrameRef frame;                 // of the slot it is in, if it is in one
  std::optional<InputView> view;  // if not
  std::optional<Lease> copy;      // where it was brought to
  Device* device = nullptr;
  TensorPicture place;

  [[nodiscard]] bool is_on_host() const { return device->domain() == kHostDomain; }
  /// It is read in its owner's slot.
  [[nodiscard]] bool is_in_slot() const { return frame && !copy; }
};

TensorMaker::TensorMaker(Run run, Device& device, const TensorWriter& writer,
                         std::size_t batch_bytes)
    : run_(std::move(run)),
      device_(device),
      writer_(writer),
      spec_(writer.spec()),
      batch_bytes_(batch_bytes) {}

TensorMaker::~TensorMaker() {
  give_up();
}

Result<std::unique_ptr<TensorMaker>> TensorMaker::open(Run run, const TensorSpec& spec) {
  Device* device = run.device;
  if (device == nullptr) {
    Result<Device*> host = pool().device(kHostDomain);
    if (!host) return host.error();
    device = *host;
  }
  Result<TensorWriter> writer = TensorWriter::open(*device, spec);
  if (!writer) return writer.error();
  const std::size_t bytes = spec.frame_bytes();
  if (run.batch_size == 0 || bytes > kMaxSlotBytes / run.batch_size) {
    return Error{Errc::kInvalidArgument, "a batch of " + std::to_string(run.batch_size) +
                                             " tensors of " + std::to_string(bytes) +
                                             " bytes is larger than a slot can be, " +
                                             std::to_string(kMaxSlotBytes) + " bytes"};
  }
  const std::size_t batch_bytes = bytes * run.batch_size;
  return std::unique_ptr<TensorMaker>(
      new TensorMaker(std::move(run), *device, *writer, batch_bytes));
}

Result<std::unique_ptr<SlotHold>> TensorMaker::take_slot(Domain domain, Duration timeout) {
  Result<Lease> lease =
      pool().acquire({.domain = domain,
                      .on_exhausted = OnExhausted::kBlock,
                      .timeout = timeout,
                      .canceller = run_.canceller,
                      .bytes = (batch_bytes_ + kByteStep - 1) / kByteStep * kByteStep});
  if (!lease) return lease.error();
  stream_ = lease->stream();
  return std::make_unique<SlotHold>(std::move(lease).value());
}

Status TensorMaker::begin(Duration timeout) {
  timeout_ = timeout;
  Result<std::unique_ptr<SlotHold>> hold = take_slot(device_.domain(), timeout);
  if (!hold) return hold.error();
  hold_ = std::move(hold).value();
  return {};
}

Result<TensorMaker::Picture> TensorMaker::find(const TensorInput& input) {
  Picture picture;
  GstBuffer* const buffer = input.buffer.get();
  picture.buffer.reset(gst_buffer_ref(buffer));
  TensorPicture& place = picture.place;
  place.width = static_cast<std::uint32_t>(input.info.width);
  place.height = static_cast<std::uint32_t>(input.info.height);
  place.colour = colour_of(input.info);
  place.tensor = hold_->planes().y + items_.size() * spec_.frame_bytes();
  const GstNv12SlotMeta* const meta = gst_buffer_get_nv12_slot_meta(buffer);
  if (meta != nullptr && meta->frame != nullptr) {
    picture.frame = frame_peek(meta->frame);
    picture.device = &picture.frame.device();
    place.planes = picture.frame.planes();
    const Nv12Layout& layout = picture.frame.layout();
    if (layout.width < place.width || layout.height < place.height) {
      return Error{Errc::kInvalidArgument, "its slot has a smaller picture than the caps"};
    }
    return picture;
  }
  Result<InputView> view =
      InputView::map(buffer, input.info, run_.device != nullptr ? run_.device->context() : nullptr);
  if (!view) return view.error();
  Result<Device*> device =
      view->is_on_device() ? Result<Device*>(run_.device) : pool().device(kHostDomain);
  if (!device) return device.error();
  picture.device = *device;
  place.planes = view->planes();
  picture.view.emplace(std::move(view).value());
  return picture;
}

Result<Lease> TensorMaker::take_copy(const Picture& picture, Domain domain) {
  Result<Lease> copy = pool().acquire({.domain = domain,
                                       .width = picture.place.width,
                                       .height = picture.place.height,
                                       .on_exhausted = OnExhausted::kBlock,
                                       .timeout = timeout_,
                                       .canceller = run_.canceller});
  // Nobody else reads it, and what is done with it is waited for or fenced.
  if (copy) copy->set_needs_cooldown(false);
  return copy;
}

Status TensorMaker::bring_to_host(Picture& picture) {
  Result<Lease> copy = take_copy(picture, kHostDomain);
  if (!copy) return copy.error();
  Device& from = *picture.device;
  const TakenStream stream(from);
  if (!stream.get()) return stream.get().error();
  if (picture.frame) {
    if (Status ready = picture.frame.wait(*stream.get()); !ready) return ready;
  }
  TensorPicture& place = picture.place;
  const Status copied = from.copy(copy->planes(), kHostDomain, place.planes, from.domain(),
                                  place.width, place.height, *stream.get());
  const Status done = from.synchronize(*stream.get());
  if (!copied || !done) {
    // It may go on: neither side is used again by what was promised.
    if (picture.frame) picture.frame.set_reader_without_fence();
    copy->quarantine(copied ? done.error() : copied.error());
    return copied ? done : copied;
  }
  place.planes = copy->planes();
  picture.device = &copy->device();
  picture.copy.emplace(std::move(copy).value());
  return {};
}

Status TensorMaker::bring_to_device(Picture& picture) {
  Result<Lease> copy = take_copy(picture, device_.domain());
  if (!copy) return copy.error();
  TensorPicture& place = picture.place;
  const Status copied = device_.copy(copy->planes(), device_.domain(), place.planes, kHostDomain,
                                     place.width, place.height, stream_);
  // The host's picture may be written again as soon as this returns.
  const Status done = device_.synchronize(stream_);
  if (!copied || !done) {
    copy->quarantine(copied ? done.error() : copied.error());
    return copied ? done : copied;
  }
  place.planes = copy->planes();
  picture.device = &device_;
  picture.copy.emplace(std::move(copy).value());
  return {};
}

Result<TensorPath> TensorMaker::bring(Picture& picture) {
  if (picture.device == &device_) return TensorPath::kZeroCopy;
  const bool to_host = device_.domain() == kHostDomain;
  if (!to_host && !picture.is_on_host() && device_.read_from(*picture.device)) {
    return TensorPath::kPeer;
  }
  if (!picture.is_on_host()) {
    if (Status brought = bring_to_host(picture); !brought) return brought.error();
  }
  if (!to_host) {
    if (Status brought = bring_to_device(picture); !brought) return brought.error();
  }
  return TensorPath::kHost;
}

Result<TensorPath> TensorMaker::try_to_add(const TensorInput& input) {
  Result<Picture> found = find(input);
  if (!found) return found.error();
  Picture picture = std::move(found).value();
  if (picture.view && picture.view->is_on_device()) {
    StreamHandle writer = nullptr;
    if (cuda_memory_is_pending(gst_buffer_peek_memory(input.buffer.get(), 0), &writer)) {
      Result<Fence> written = Fence::record(device_, writer);
      if (!written) return written.error();
      if (Status ordered = written->make_wait(stream_); !ordered) return ordered.error();
    }
    read_until_finished_.emplace_back(gst_buffer_ref(input.buffer.get()));
  }
  Result<TensorPath> path = bring(picture);
  if (!path) return path.error();
  if (Status can_be = writer_.check(picture.place); !can_be) return can_be.error();
  if (picture.is_in_slot()) {
    if (Status ready = picture.frame.wait(stream_); !ready) return ready.error();
  }
  describe(input, picture);
  unwritten_.push_back(std::move(picture));
  return path;
}

Result<TensorPath> TensorMaker::add(const TensorInput& input) {
  Result<TensorPath> path = try_to_add(input);
  if (path) return path;
  const Error& why = path.error();
  // Nothing was done yet of a picture that is none, or that no slot was there to bring it to.
  const bool costs_itself_alone =
      why.code == Errc::kInvalidArgument || no_slot(why).kind == Outcome::Kind::kExhausted;
  if (!costs_itself_alone) give_up();
  return why;
}

Status TensorMaker::write() {
  if (unwritten_.empty()) return {};
  std::vector<Picture> pictures = std::exchange(unwritten_, {});
  std::vector<TensorPicture> places;
  places.reserve(pictures.size());
  for (const Picture& picture : pictures) places.push_back(picture.place);
  Status status = writer_.write(places, stream_);
  // Whatever came of it, some may be read.
  for (Picture& picture : pictures) {
    if (Status fenced = fence(picture); status) status = std::move(fenced);
  }
  if (!status) give_up();
  return status;
}

Status TensorMaker::fence(Picture& picture) {
  if (device_.domain() == kHostDomain) return {};
  if (picture.is_in_slot()) return picture.frame.fence(stream_, &device_);
  if (!picture.copy) return {};
  Result<Fence> read = Fence::record(device_, stream_);
  if (!read) {
    picture.copy->quarantine(read.error());
    return read.error();
  }
  picture.copy->add_fence(std::move(read).value());
  return {};
}

void TensorMaker::describe(const TensorInput& input, const Picture& picture) {
  const auto& [planes, width, height, colour, tensor] = picture.place;
  const Placement placement = place(spec_, width, height);
  items_.push_back({.frame_id = picture.frame ? picture.frame.id() : 0,
                    .source_name = g_strdup(picture.frame ? picture.frame.source_name().c_str()
                                                          : input.pad_name.c_str()),
                    .pts = GST_BUFFER_PTS(input.buffer.get()),
                    .width = width,
                    .height = height,
                    .scale_x = placement.scale_x,
                    .scale_y = placement.scale_y,
                    .offset_x = static_cast<gdouble>(placement.x),
                    .offset_y = static_cast<gdouble>(placement.y)});
}

Result<std::unique_ptr<SlotHold>> TensorMaker::copy_to_host() {
  const std::uintptr_t source = hold_->planes().y;
  const StreamHandle stream = stream_;
  Result<std::unique_ptr<SlotHold>> copy = take_slot(kHostDomain, timeout_);
  stream_ = stream;
  if (!copy) return copy;
  const Status copied = device_.copy_bytes((*copy)->planes().y, kHostDomain, source,
                                           device_.domain(), batch_bytes_, stream);
  const Status done = device_.synchronize(stream);
  if (!copied || !done) {
    const Error why = copied ? done.error() : copied.error();
    (*copy)->quarantine(why);
    return why;
  }
  return copy;
}

Result<BufferPtr> TensorMaker::finish(bool on_device, bool readers_fence, GstClockTime pts) {
  if (Status written = write(); !written) return written.error();
  Result<InFlight> in_flight = run_.source->begin_frame();
  if (!in_flight) {
    give_up();
    return in_flight.error();
  }
  const auto fail = [&](const Error& error) {
    Error why = error;  // may be of what is given up
    give_up();
    return why;
  };
  const bool is_made_on_device = device_.domain() != kHostDomain;
  std::unique_ptr<Fence> ready;
  if (is_made_on_device && on_device && readers_fence && read_until_finished_.empty()) {
    Result<Fence> fence = Fence::record(device_, stream_);
    if (!fence) return fail(fence.error());
    ready = std::make_unique<Fence>(std::move(fence).value());
  } else if (is_made_on_device && !on_device) {
    Result<std::unique_ptr<SlotHold>> copy = copy_to_host();
    if (!copy) return fail(copy.error());
    hold_ = std::move(copy).value();
  } else if (is_made_on_device) {
    if (Status done = device_.synchronize(stream_); !done) return fail(done.error());
  }
  read_until_finished_.clear();

  SlotHold& held = *hold_;
  BufferPtr buffer(gst_buffer_new());
  GstMemory* const memory = byte_memory_new(std::move(hold_), batch_bytes_, run_.context);
  if (memory == nullptr) {
    return fail({Errc::kDeviceFailed, "gst-cuda did not wrap the slot"});
  }
  gst_buffer_append_memory(buffer.get(), memory);
  FramePtr frame = held.attach(*Process::get().registry, std::move(in_flight).value(), pts,
                               std::move(ready), GstVideoColorimetry{});
  if (readers_fence) frame_peek(frame.get()).set_all_readers_fence();

  auto* const meta = reinterpret_cast<GstNv12TensorMeta*>(
      gst_buffer_add_meta(buffer.get(), GST_NV12_TENSOR_META_INFO, nullptr));
  meta->frame = frame.release();
  meta->data = held.planes().y;
  switch (spec_.type) {
    case TensorType::kU8:
      meta->type = GST_NV12_TENSOR_UINT8;
      break;
    case TensorType::kF16:
      meta->type = GST_NV12_TENSOR_FLOAT16;
      break;
    case TensorType::kF32:
      meta->type = GST_NV12_TENSOR_FLOAT32;
      break;
  }
  const bool planar = spec_.layout == TensorLayout::kNchw;
  meta->shape[0] = run_.batch_size;
  meta->shape[1] = planar ? 3 : spec_.height;
  meta->shape[2] = planar ? spec_.height : spec_.width;
  meta->shape[3] = planar ? spec_.width : 3;
  meta->n_items = size();
  meta->items = g_new(GstNv12TensorItem, items_.size());
  std::copy(items_.begin(), items_.end(), meta->items);
  items_.clear();  // the names are the meta's now
  add_analytics_tensor(buffer.get(), *meta);
  return buffer;
}

void TensorMaker::give_up() {
  if (hold_ != nullptr && device_.domain() != kHostDomain) {
    // Kernels may write into the slot, and read what is let go.
    if (Status done = device_.synchronize(stream_); !done) hold_->quarantine(done.error());
  }
  hold_.reset();
  unwritten_.clear();
  read_until_finished_.clear();
  for (const GstNv12TensorItem& item : items_) g_free(item.source_name);
  items_.clear();
}

}  // namespace nv12slot::gst
