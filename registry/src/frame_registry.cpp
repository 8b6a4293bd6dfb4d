// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/frame_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "frame_record.h"
#include "nv12slot/log.h"
#include "source_state.h"

namespace nv12slot {
namespace {

constexpr Duration kEvictEvery = std::chrono::seconds(1);

// An id is the place in the table, counted from 1, below the number of its use.
constexpr FrameId make_id(std::size_t place, std::uint32_t use) {
  return (FrameId{use} << 32) | static_cast<std::uint32_t>(place + 1);
}

}  // namespace

struct FrameRegistry::Table {
  struct Place {
    FrameRecord* record = nullptr;
    std::uint32_t use = 0;
  };

  /// The frame of that id, or nullptr. It may be on its way out: its references may be 0.
  FrameRecord* find(FrameId id) NV12SLOT_REQUIRES(mutex) {
    const std::size_t place = static_cast<std::uint32_t>(id) - std::size_t{1};
    if (place >= places.size() || places[place].record == nullptr) return nullptr;
    return places[place].record->id == id ? places[place].record : nullptr;
  }

  Mutex mutex;
  std::vector<Place> places NV12SLOT_GUARDED_BY(mutex);
  std::vector<std::uint32_t> free_places NV12SLOT_GUARDED_BY(mutex);
  RegistryStats stats NV12SLOT_GUARDED_BY(mutex);
  Duration age_limit NV12SLOT_GUARDED_BY(mutex){0};
  TimePoint next_eviction NV12SLOT_GUARDED_BY(mutex){};
};

namespace {

// Takes a reference unless the last one is gone already.
bool try_reference(FrameRecord& record) {
  unsigned references = record.references.load(std::memory_order_relaxed);
  while (references != 0) {
    if (record.references.compare_exchange_weak(references, references + 1,
                                                std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

}  // namespace

FrameRegistry::FrameRegistry(Clock& clock) : clock_(clock), table_(std::make_unique<Table>()) {}

FrameRegistry::~FrameRegistry() = default;

FrameRef FrameRegistry::attach(Lease lease, InFlight in_flight, std::uint64_t pts,
                               ReleaseCallback on_release, std::unique_ptr<Fence> ready,
                               const FrameColour& colour) {
  auto record = std::make_unique<FrameRecord>(*this, std::move(lease), std::move(in_flight));
  record->pts = pts;
  record->on_release = std::move(on_release);
  record->ready = std::move(ready);
  record->colour = colour;
  record->attached = clock_.now();
  {
    SourceState& source = *record->in_flight.state_;
    MutexLock lock(source.mutex);
    ++source.stats.attached;
  }

  bool evict = false;
  FrameRecord* frame = record.release();
  {
    MutexLock lock(table_->mutex);
    std::size_t place = table_->places.size();
    if (table_->free_places.empty()) {
      table_->places.emplace_back();
    } else {
      place = table_->free_places.back();
      table_->free_places.pop_back();
    }
    Table::Place& entry = table_->places[place];
    entry.record = frame;
    frame->id = make_id(place, ++entry.use);
    ++table_->stats.frames;
    ++table_->stats.attached;
    if (table_->age_limit > Duration::zero() && frame->attached >= table_->next_eviction) {
      table_->next_eviction = frame->attached + kEvictEvery;
      evict = true;
    }
  }
  FrameRef reference(frame);
  if (evict) evict_old();
  return reference;
}

FrameRef FrameRegistry::lookup(FrameId id) {
  MutexLock lock(table_->mutex);
  FrameRecord* record = table_->find(id);
  if (record == nullptr || !try_reference(*record)) {
    ++table_->stats.stale_lookups;
    return {};
  }
  return FrameRef(record);
}

bool FrameRegistry::hold(FrameId id) {
  MutexLock lock(table_->mutex);
  FrameRecord* record = table_->find(id);
  // References by id are told apart by nothing: one that was taken after an eviction would be given
  // back by a holder that the eviction took its own from.
  if (record == nullptr || record->was_evicted || !try_reference(*record)) {
    ++table_->stats.stale_lookups;
    return false;
  }
  if (record->held_by_id++ == 0) ++table_->stats.held;
  return true;
}

bool FrameRegistry::unhold(FrameId id) {
  FrameRecord* record = nullptr;
  {
    MutexLock lock(table_->mutex);
    record = table_->find(id);
    if (record == nullptr || record->held_by_id == 0) return false;
    if (--record->held_by_id == 0) --table_->stats.held;
  }
  drop(record);
  return true;
}

void FrameRegistry::drop(FrameRecord* record) {
  if (record->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;

  {
    MutexLock lock(table_->mutex);
    const auto place = static_cast<std::uint32_t>(record->id) - 1;
    table_->places[place].record = nullptr;
    // A place whose numbers are used up is not used again, so that no id ever is.
    if (table_->places[place].use < UINT32_MAX) table_->free_places.push_back(place);
    --table_->stats.frames;
    ++table_->stats.released;
  }
  SourceState& source = *record->in_flight.state_;
  if (record->on_release) source.call_back([&] { record->on_release(record->id); });
  {
    MutexLock lock(source.mutex);
    ++source.stats.released;
  }
  {
    MutexLock lock(record->mutex);
    for (Fence& fence : record->fences) record->lease.add_fence(std::move(fence));
    record->fences.clear();
  }
  if (record->ready != nullptr) record->lease.add_fence(std::move(*record->ready));
  record->lease.set_needs_cooldown(!record->all_readers_fence.load());
  delete record;
}

void FrameRegistry::set_age_limit(Duration limit) {
  MutexLock lock(table_->mutex);
  table_->age_limit = limit;
  table_->next_eviction = {};
}

std::size_t FrameRegistry::evict_old() {
  struct Evicted {
    FrameRecord* record;
    unsigned references;
  };
  std::vector<Evicted> evicted;
  {
    MutexLock lock(table_->mutex);
    if (table_->age_limit <= Duration::zero()) return 0;
    const TimePoint now = clock_.now();
    for (Table::Place& place : table_->places) {
      FrameRecord* record = place.record;
      if (record == nullptr || record->held_by_id == 0) continue;
      if (now - record->attached <= table_->age_limit) continue;
      evicted.push_back({record, std::exchange(record->held_by_id, 0U)});
      record->was_evicted = true;
      --table_->stats.held;
      ++table_->stats.evicted;
    }
  }
  for (const Evicted& frame : evicted) {
    SourceState& source = *frame.record->in_flight.state_;
    {
      MutexLock lock(source.mutex);
      ++source.stats.evicted;
    }
    log(LogLevel::kWarning,
        fmt::format("EVICTED frame {:#x} of source {}: held by id longer than the age limit",
                    frame.record->id, source.name));
    for (unsigned i = 0; i < frame.references; ++i) drop(frame.record);
  }
  return evicted.size();
}

RegistryStats FrameRegistry::stats() const {
  MutexLock lock(table_->mutex);
  return table_->stats;
}

Duration FrameRegistry::oldest_age(const Source& source) const {
  MutexLock lock(table_->mutex);
  const TimePoint now = clock_.now();
  Duration oldest{0};
  for (const Table::Place& place : table_->places) {
    if (place.record == nullptr || place.record->in_flight.state_ != source.state_) continue;
    oldest = std::max(oldest, now - place.record->attached);
  }
  return oldest;
}

}  // namespace nv12slot
