// SPDX-License-Identifier: LGPL-2.1-or-later
#include "slotfiller.h"

#include <utility>

namespace nv12slot::gst {

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

Outcome SlotFiller::fill(InFlight in_flight, GstClockTime pts, Domain wanted,
                         const Exhaustion& exhaustion, const Write& write) {
  SlotPool& pool = *Process::get().pool;
  Clock& clock = pool.clock();
  const TimePoint start = clock.now();
  Result<Lease> lease = pool.acquire({.domain = wanted,
                                      .width = static_cast<std::uint32_t>(format_.info.width),
                                      .height = static_cast<std::uint32_t>(format_.info.height),
                                      .on_exhausted = exhaustion.policy,
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
  const Result<bool> is_pending = write(*hold, stream);
  if (!is_pending) {
    // Anything else means that nothing was written.
    if (is_pending.code() == Errc::kDeviceFailed) return fail(is_pending.error());
    return is_pending.code() == Errc::kInvalidArgument
               ? not_a_frame(Outcome::Kind::kBadInput, is_pending.error())
               : no_slot(is_pending.error());
  }

  std::unique_ptr<Fence> ready;
  std::optional<Fence> input_read;
  const bool stays_pending = is_pending.value() && domain != kHostDomain && readers_fence(domain);
  if (stays_pending) {
    Result<Fence> for_readers = Fence::record(hold->device(), stream);
    if (!for_readers) return fail(for_readers.error());
    Result<Fence> for_input = Fence::record(hold->device(), stream);
    if (!for_input) return fail(for_input.error());
    ready = std::make_unique<Fence>(std::move(for_readers).value());
    input_read = std::move(for_input).value();
  }
  // While the device writes.
  SlotHold& held = *hold;
  BufferPtr output(slot_buffer_new(std::move(hold), format_.info, run_.context, nullptr));
  if (output == nullptr) {
    Outcome outcome = not_a_frame(Outcome::Kind::kFailed,
                                  {Errc::kDeviceFailed, "gst-cuda did not wrap the slot"});
    outcome.input_read = std::move(input_read);
    return outcome;
  }
  if (is_pending.value() && !stays_pending) {
    if (const Status done = held.device().synchronize(stream); !done) {
      held.quarantine(done.error());
      return not_a_frame(Outcome::Kind::kFailed, done.error());
    }
  }
  FramePtr frame = held.attach(*Process::get().registry, std::move(in_flight), pts,
                               std::move(ready), format_.info.colorimetry);
  if (readers_fence(domain)) frame_peek(frame.get()).set_all_readers_fence();
  buffer_add_slot_meta(output.get(), std::move(frame));
  return {.buffer = std::move(output),
          .domain = domain,
          .input_read = std::move(input_read),
          .acquire = acquired - start,
          .copy = clock.now() - acquired};
}

}  // namespace nv12slot::gst
