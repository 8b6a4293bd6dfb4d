// SPDX-License-Identifier: LGPL-2.1-or-later
#include "slotter.h"

#include <utility>

#include "cudamemory.h"
#include "nv12slot/log.h"

namespace nv12slot::gst {
namespace {

SlotPool& pool() {
  return *Process::get().pool;
}
FrameRegistry& registry() {
  return *Process::get().registry;
}

Outcome not_a_frame(Outcome::Kind kind, Error error) {
  return {.kind = kind, .error = std::move(error)};
}

Outcome no_slot(Error error) {
  using Kind = Outcome::Kind;
  switch (error.code) {
    case Errc::kCancelled:
    case Errc::kSourceClosed:
    case Errc::kExiting:
      return not_a_frame(Kind::kFlushing, std::move(error));
    case Errc::kExhausted:
    case Errc::kQuotaExceeded:
    case Errc::kTimedOut:
    case Errc::kOutOfMemory:
      return not_a_frame(Kind::kExhausted, std::move(error));
    default:
      return not_a_frame(Kind::kFailed, std::move(error));
  }
}

GstMemory* only_memory(GstBuffer* buffer) {
  return gst_buffer_n_memory(buffer) == 1 ? gst_buffer_peek_memory(buffer, 0) : nullptr;
}

/// A stream of the device's for work that belongs to no slot.
class TakenStream {
 public:
  explicit TakenStream(Device& device) : device_(device), stream_(device.take_stream()) {}
  ~TakenStream() {
    if (stream_) device_.give_stream(*stream_);
  }
  TakenStream(const TakenStream&) = delete;
  TakenStream& operator=(const TakenStream&) = delete;
  [[nodiscard]] const Result<StreamHandle>& get() const { return stream_; }

 private:
  Device& device_;
  Result<StreamHandle> stream_;
};

/// Blocks until `fence` is complete.
Status wait_for(const Fence& fence, Device& device) {
  const TakenStream stream(device);
  if (!stream.get()) return stream.get().error();
  const Status ordered = fence.make_wait(stream.get().value());
  return ordered ? device.synchronize(stream.get().value()) : ordered;
}

}  // namespace

const char* to_string(Path path) {
  switch (path) {
    case Path::kDirect:
      return "direct";
    case Path::kCopy:
      return "copy";
    case Path::kPassThrough:
      return "pass-through";
    case Path::kNone:
      break;
  }
  return "none";
}

Slotter::~Slotter() {
  release_inputs(true);
}

Outcome Slotter::process(BufferPtr input, const Exhaustion& exhaustion) {
  release_inputs(false);
  GstMemory* memory = only_memory(input.get());
  if (memory != nullptr && is_cuda_memory(memory) && run_.device != nullptr &&
      cuda_memory_context(memory) != run_.device->context()) {
    return not_a_frame(Outcome::Kind::kForeign,
                       {Errc::kInvalidArgument, "CUDA memory of another context"});
  }
  Result<InFlight> in_flight = run_.source->begin_frame();
  if (!in_flight) return no_slot(in_flight.error());

  SlotHold* hold = memory != nullptr ? SlotHold::find(memory) : nullptr;
  if (hold != nullptr && !hold->is_spilled() && hold->device().domain() == format_.domain &&
      hold->layout().width == static_cast<std::uint32_t>(format_.info.width) &&
      hold->layout().height == static_cast<std::uint32_t>(format_.info.height) &&
      gst_buffer_get_size(input.get()) == hold->layout().size()) {
    return take_over(std::move(input), *hold, std::move(in_flight).value());
  }
  if (hold != nullptr && hold->is_spilled() &&
      (exhaustion.policy != OnExhausted::kHost || hold->is_overwritten())) {
    return not_a_frame(Outcome::Kind::kExhausted,
                       {Errc::kExhausted, "upstream found no slot for the frame"});
  }
  return copy(std::move(input), std::move(in_flight).value(), exhaustion);
}

Result<std::unique_ptr<Fence>> Slotter::finish_direct(GstMemory* memory, const SlotHold& hold) {
  if (!is_cuda_memory(memory)) return std::unique_ptr<Fence>();
  // What the CPU wrote comes to the device when somebody maps the memory there.
  GstMapInfo map;
  if (!gst_memory_map(memory, &map, static_cast<GstMapFlags>(GST_MAP_READ | kMapCuda))) {
    return Error{Errc::kDeviceFailed, "the slot cannot be mapped on its device"};
  }
  gst_memory_unmap(memory, &map);
  StreamHandle stream = nullptr;
  if (!cuda_memory_is_pending(memory, &stream)) return std::unique_ptr<Fence>();
  if (readers_fence(hold.device().domain())) {
    Result<Fence> fence = Fence::record(hold.device(), stream);
    if (!fence) return fence.error();
    // Or gst-cuda would wait for the stream, and for later frames in it, on the thread that gives
    // the memory up. The fence is what keeps the slot.
    cuda_memory_set_complete(memory);
    return std::make_unique<Fence>(std::move(fence).value());
  }
  const Status done = hold.device().synchronize(stream);
  if (!done) return done.error();
  cuda_memory_set_complete(memory);
  return std::unique_ptr<Fence>();
}

Outcome Slotter::take_over(BufferPtr input, SlotHold& hold, InFlight in_flight) {
  const TimePoint start = pool().clock().now();
  const Domain domain = hold.device().domain();
  Path path = Path::kPassThrough;
  FramePtr frame = hold.frame();
  if (frame == nullptr) {
    path = Path::kDirect;
    Result<std::unique_ptr<Fence>> ready =
        finish_direct(gst_buffer_peek_memory(input.get(), 0), hold);
    if (!ready) {
      hold.quarantine(ready.error());
      return not_a_frame(Outcome::Kind::kFailed, ready.error());
    }
    frame = hold.attach(registry(), std::move(in_flight), GST_BUFFER_PTS(input.get()),
                        std::move(ready).value());
    if (frame == nullptr) {
      return not_a_frame(Outcome::Kind::kBadInput,
                         {Errc::kInvalidArgument, "its slot was given up after a failure"});
    }
    if (readers_fence(domain)) frame_peek(frame.get()).set_all_readers_fence();
  }
  BufferPtr output(gst_buffer_make_writable(input.release()));
  buffer_add_slot_meta(output.get(), std::move(frame));
  return {.buffer = std::move(output),
          .domain = domain,
          .path = path,
          .copy = pool().clock().now() - start};
}

Status Slotter::fill(const SlotHold& hold, StreamHandle slot_stream, GstBuffer* input,
                     const InputView& view) {
  const auto width = hold.layout().width;
  const auto height = hold.layout().height;
  const Domain to = hold.device().domain();
  if (!view.is_on_device()) {
    Status status = hold.device().copy(hold.planes(), to, view.planes(), kHostDomain, width, height,
                                       slot_stream);
    // The input may be unmapped and written again as soon as this returns.
    const Status done = hold.device().synchronize(slot_stream);
    return status ? done : status;
  }

  // From the device to either domain; the stream of a host slot can do no copy.
  Device& device = *run_.device;
  std::unique_ptr<TakenStream> taken;
  StreamHandle stream = slot_stream;
  if (to == kHostDomain) {
    taken = std::make_unique<TakenStream>(device);
    if (!taken->get()) return taken->get().error();
    stream = taken->get().value();
  }
  GstMemory* memory = gst_buffer_peek_memory(input, 0);
  StreamHandle writer = nullptr;
  if (cuda_memory_is_pending(memory, &writer)) {
    Result<Fence> written = Fence::record(device, writer);
    if (!written) return written.error();
    const Status ordered = written->make_wait(stream);
    if (!ordered) return ordered;
  }
  const Status status =
      device.copy(hold.planes(), to, view.planes(), device.domain(), width, height, stream);
  if (status && to != kHostDomain && readers_fence(to)) return {};  // readers wait, not we
  const Status done = device.synchronize(stream);
  return status ? done : status;
}

Outcome Slotter::copy(BufferPtr input, InFlight in_flight, const Exhaustion& exhaustion) {
  Clock& clock = pool().clock();
  const TimePoint start = clock.now();
  Result<InputView> view = InputView::map(
      input.get(), format_.info, run_.device != nullptr ? run_.device->context() : nullptr);
  if (!view) return not_a_frame(Outcome::Kind::kBadInput, view.error());

  GstMemory* memory = only_memory(input.get());
  SlotHold* spilled = memory != nullptr ? SlotHold::find(memory) : nullptr;
  const bool is_spilled = spilled != nullptr && spilled->is_spilled();
  Result<Lease> lease =
      pool().acquire({.domain = is_spilled ? kHostDomain : format_.domain,
                      .width = static_cast<std::uint32_t>(format_.info.width),
                      .height = static_cast<std::uint32_t>(format_.info.height),
                      .on_exhausted = is_spilled ? OnExhausted::kDrop : exhaustion.policy,
                      .timeout = exhaustion.timeout,
                      .quota = run_.source->quota(),
                      .canceller = run_.canceller});
  const TimePoint acquired = clock.now();
  if (!lease) {
    Outcome outcome = no_slot(lease.error());
    outcome.acquire = acquired - start;
    return outcome;
  }
  const Domain domain = lease->domain();
  const StreamHandle stream = lease->stream();
  auto hold = std::make_unique<SlotHold>(std::move(lease).value());

  const auto fail = [&](const Error& error) {
    // The copy may be under way: the input must outlive it. Whether this fails too is no matter.
    static_cast<void>(hold->device().synchronize(stream));
    hold->quarantine(error);
    return not_a_frame(Outcome::Kind::kFailed, error);
  };
  const Status filled = fill(*hold, stream, input.get(), *view);
  if (!filled) return fail(filled.error());
  if (is_spilled && spilled->is_overwritten()) {
    return not_a_frame(Outcome::Kind::kExhausted,
                       {Errc::kExhausted, "upstream found no slot for the frame"});
  }

  const bool is_async = view->is_on_device() && domain != kHostDomain && readers_fence(domain);
  std::unique_ptr<Fence> ready;
  if (is_async) {
    Result<Fence> for_readers = Fence::record(hold->device(), stream);
    if (!for_readers) return fail(for_readers.error());
    Result<Fence> for_input = Fence::record(hold->device(), stream);
    if (!for_input) return fail(for_input.error());
    ready = std::make_unique<Fence>(std::move(for_readers).value());
    pending_.push_back({std::move(for_input).value(), BufferPtr(gst_buffer_ref(input.get()))});
  }

  FramePtr frame =
      hold->attach(registry(), std::move(in_flight), GST_BUFFER_PTS(input.get()), std::move(ready));
  if (readers_fence(domain)) frame_peek(frame.get()).set_all_readers_fence();
  BufferPtr output(slot_buffer_new(std::move(hold), format_.info, run_.context, nullptr));
  if (output == nullptr) {
    return not_a_frame(Outcome::Kind::kFailed,
                       {Errc::kDeviceFailed, "gst-cuda did not wrap the slot"});
  }
  // DEEP leaves out the metas that hold on to the input's memory.
  gst_buffer_copy_into(
      output.get(), input.get(),
      static_cast<GstBufferCopyFlags>(GST_BUFFER_COPY_METADATA | GST_BUFFER_COPY_DEEP), 0,
      static_cast<gsize>(-1));
  buffer_add_slot_meta(output.get(), std::move(frame));
  return {.buffer = std::move(output),
          .domain = domain,
          .path = Path::kCopy,
          .acquire = acquired - start,
          .copy = clock.now() - acquired};
}

void Slotter::release_inputs(bool wait) {
  while (!pending_.empty()) {
    const Fence& done = pending_.front().done;
    const Result<bool> complete = done.is_complete();
    // A device that failed does not read any more.
    if (complete.ok() && !complete.value()) {
      if (!wait) return;
      const Status waited = wait_for(done, *run_.device);
      if (!waited) log(LogLevel::kError, "DEVICE " + waited.error().message);
    }
    pending_.pop_front();
  }
}

}  // namespace nv12slot::gst
