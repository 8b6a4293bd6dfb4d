// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "nv12slot/device.h"
#include "nv12slot/fence.h"

namespace nv12slot {

class DomainPool;
struct Slot;

/// The sole right to a slot, from acquire until release. Move-only; the destructor releases it.
/// One thread at a time. The pool is never destroyed while leases are out (it outlives the
/// process' last lease; a pool made by a test must outlive its leases).
///
/// ```
/// auto lease = pool.acquire({.domain = 0, .width = 1920, .height = 1080});
/// if (!lease) return lease.error();
/// lease->device().copy(lease->planes(), 0, source, 0, 1920, 1080, lease->stream());
/// ```
class Lease {
 public:
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  [[nodiscard]] Device& device() const;
  [[nodiscard]] Domain domain() const;
  /// The layout of the picture asked for; the slot may be larger. Empty (Nv12Layout{}) where bytes
  /// were asked for.
  [[nodiscard]] const Nv12Layout& layout() const { return layout_; }
  /// The picture's planes. Where bytes were asked for, `y` is their address and the rest is 0.
  [[nodiscard]] Nv12Planes planes() const;
  /// Bytes of the slot, at least layout().size() or the bytes asked for.
  [[nodiscard]] std::size_t capacity() const;
  /// The slot's own non-blocking stream; nullptr on the host.
  [[nodiscard]] StreamHandle stream() const;
  /// Names the slot in logs and statistics; unique within its domain, stable for its life.
  [[nodiscard]] unsigned slot_id() const;

  /// The slot is not handed out again before `fence` is complete.
  void add_fence(Fence fence) { fences_.push_back(std::move(fence)); }

  /// Whether the slot cools for the pool's cooldown after release (the default), because somebody
  /// may read it, or still write it, without a fence. false: the fences say everything, and a slot
  /// with none is free at once.
  void set_needs_cooldown(bool needs) { needs_cooldown_ = needs; }

  /// Gives the slot up for good: something failed and nobody knows what may still write to it.
  /// Counted and logged. The lease is empty afterwards.
  void quarantine(const Error& why);

  /// Releases now. The lease is empty afterwards; releasing an empty one does nothing.
  void release();

 private:
  friend class DomainPool;
  Lease(DomainPool& pool, Slot& slot, const Nv12Layout& layout)
      : pool_(&pool), slot_(&slot), layout_(layout) {}

  DomainPool* pool_;
  Slot* slot_;  // nullptr once released or moved from
  Nv12Layout layout_;
  bool needs_cooldown_ = true;
  std::vector<Fence> fences_;
};

}  // namespace nv12slot
