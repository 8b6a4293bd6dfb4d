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

Slotted not_slotted(Outcome outcome) {
  return {.outcome = std::move(outcome)};
}

GstMemory* only_memory(GstBuffer* buffer) {
  return gst_buffer_n_memory(buffer) == 1 ? gst_buffer_peek_memory(buffer, 0) : nullptr;
}

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

Slotted Slotter::process(BufferPtr input, const SlotFiller::Exhaustion& exhaustion) {
  release_inputs(false);
  const SlotFiller::Run& run = filler_.run();
  const SlotFiller::Format& format = filler_.format();
  GstMemory* memory = only_memory(input.get());
  if (memory != nullptr && is_cuda_memory(memory) && run.device != nullptr &&
      cuda_memory_context(memory) != run.device->context()) {
    return not_slotted(not_a_frame(Outcome::Kind::kForeign,
                                   {Errc::kInvalidArgument, "CUDA memory of another context"}));
  }
  Result<InFlight> in_flight = run.source->begin_frame();
  if (!in_flight) return not_slotted(no_slot(in_flight.error()));

  SlotHold* hold = memory != nullptr ? SlotHold::find(memory) : nullptr;
  if (hold != nullptr && !hold->is_spilled() && hold->device().domain() == format.domain &&
      hold->layout().width == static_cast<std::uint32_t>(format.info.width) &&
      hold->layout().height == static_cast<std::uint32_t>(format.info.height) &&
      gst_buffer_get_size(input.get()) == hold->layout().size()) {
    return take_over(std::move(input), *hold, std::move(in_flight).value());
  }
  if (hold != nullptr && hold->is_spilled() &&
      (exhaustion.policy != OnExhausted::kHost || hold->is_overwritten())) {
    return not_slotted(not_a_frame(Outcome::Kind::kExhausted,
                                   {Errc::kExhausted, "upstream found no slot for the frame"}));
  }
  return {.outcome = copy(std::move(input), std::move(in_flight).value(), exhaustion),
          .path = Path::kCopy};
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
  if (filler_.readers_fence(hold.device().domain())) {
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

Slotted Slotter::take_over(BufferPtr input, SlotHold& hold, InFlight in_flight) {
  const TimePoint start = pool().clock().now();
  const SlotFiller::Format& format = filler_.format();
  const Domain domain = hold.device().domain();
  Path path = Path::kPassThrough;
  FramePtr frame = hold.frame();
  if (frame == nullptr) {
    path = Path::kDirect;
    Result<std::unique_ptr<Fence>> ready =
        finish_direct(gst_buffer_peek_memory(input.get(), 0), hold);
    if (!ready) {
      hold.quarantine(ready.error());
      return not_slotted(not_a_frame(Outcome::Kind::kFailed, ready.error()));
    }
    frame = hold.attach(registry(), std::move(in_flight), GST_BUFFER_PTS(input.get()),
                        std::move(ready).value(), format.info.colorimetry);
    if (frame == nullptr) {
      return not_slotted(
          not_a_frame(Outcome::Kind::kBadInput,
                      {Errc::kInvalidArgument, "its slot was given up after a failure"}));
    }
    if (filler_.readers_fence(domain)) frame_peek(frame.get()).set_all_readers_fence();
  }
  BufferPtr output(gst_buffer_make_writable(input.release()));
  buffer_add_slot_meta(output.get(), std::move(frame));
  return {.outcome = {.buffer = std::move(output),
                      .domain = domain,
                      .copy = pool().clock().now() - start},
          .path = path};
}

Result<bool> Slotter::write(const SlotHold& hold, StreamHandle slot_stream, GstBuffer* input,
                            const InputView& view) {
  const auto width = hold.layout().width;
  const auto height = hold.layout().height;
  const Domain to = hold.device().domain();
  if (!view.is_on_device()) {
    const Status status = hold.device().copy(hold.planes(), to, view.planes(), kHostDomain, width,
                                             height, slot_stream);
    // The input may be unmapped and written again as soon as this returns.
    const Status done = hold.device().synchronize(slot_stream);
    if (!status) return status.error();
    if (!done) return done.error();
    return false;
  }

  // From the device to either domain; the stream of a host slot can do no copy.
  Device& device = *filler_.run().device;
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
    if (!ordered) return ordered.error();
  }
  const Status status =
      device.copy(hold.planes(), to, view.planes(), device.domain(), width, height, stream);
  if (status && to != kHostDomain) return true;
  const Status done = device.synchronize(stream);
  if (!status) return status.error();
  if (!done) return done.error();
  return false;
}

Outcome Slotter::copy(BufferPtr input, InFlight in_flight,
                      const SlotFiller::Exhaustion& exhaustion) {
  const SlotFiller::Run& run = filler_.run();
  Result<InputView> view = InputView::map(input.get(), filler_.format().info,
                                          run.device != nullptr ? run.device->context() : nullptr);
  if (!view) return not_a_frame(Outcome::Kind::kBadInput, view.error());

  GstMemory* memory = only_memory(input.get());
  SlotHold* spilled = memory != nullptr ? SlotHold::find(memory) : nullptr;
  const bool is_spilled = spilled != nullptr && spilled->is_spilled();
  SlotFiller::Exhaustion at_most = exhaustion;
  if (is_spilled) at_most.policy = OnExhausted::kDrop;
  Outcome outcome = filler_.fill(std::move(in_flight), GST_BUFFER_PTS(input.get()),
                                 is_spilled ? kHostDomain : filler_.format().domain, at_most,
                                 [&](const SlotHold& hold, StreamHandle stream) {
                                   return write(hold, stream, input.get(), *view);
                                 });
  if (outcome.input_read) {
    pending_.push_back({std::move(*outcome.input_read), BufferPtr(gst_buffer_ref(input.get()))});
    outcome.input_read.reset();
  }
  if (outcome.kind != Outcome::Kind::kFrame) return outcome;
  if (is_spilled && spilled->is_overwritten()) {
    return not_a_frame(Outcome::Kind::kExhausted,
                       {Errc::kExhausted, "upstream found no slot for the frame"});
  }
  // DEEP leaves out the metas that hold on to the input's memory.
  gst_buffer_copy_into(
      outcome.buffer.get(), input.get(),
      static_cast<GstBufferCopyFlags>(GST_BUFFER_COPY_METADATA | GST_BUFFER_COPY_DEEP), 0,
      static_cast<gsize>(-1));
  return outcome;
}

void Slotter::release_inputs(bool wait) {
  while (!pending_.empty()) {
    const Fence& done = pending_.front().done;
    const Result<bool> complete = done.is_complete();
    // A device that failed does not read any more.
    if (complete.ok() && !complete.value()) {
      if (!wait) return;
      const Status waited = wait_for(done, *filler_.run().device);
      if (!waited) log(LogLevel::kError, "DEVICE " + waited.error().message);
    }
    pending_.pop_front();
  }
}

}  // namespace nv12slot::gst
