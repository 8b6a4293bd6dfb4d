// SPDX-License-Identifier: LGPL-2.1-or-later

#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace nv12slot::standin {
namespace {

// Freed memory stays mapped up to this much, so that a stale pointer meets the poison.
constexpr size_t kQuarantineBytes = size_t{64} << 20;
constexpr size_t kGranularity = 512;

size_t round_up(size_t size) {
  return (size + kGranularity - 1) / kGranularity * kGranularity;
}

}  // namespace

Allocation* Memory::allocate(size_t size, int device, CUcontext context, MemoryKind kind) {
  if (size > SIZE_MAX - kGranularity) return nullptr;
  const size_t charged = round_up(size);
  const bool on_device = kind != MemoryKind::kHost;
  if (on_device && !charge(device, charged)) return nullptr;
  void* base = mmap(nullptr, charged, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    if (on_device) discharge(device, charged);
    return nullptr;
  }
  const auto address = reinterpret_cast<uintptr_t>(base);
  return &(allocations_[address] = {address, size, device, context, kind, false, next_id_++, {}});
}

Allocation* Memory::adopt(void* address, size_t size, CUcontext context) {
  const auto base = reinterpret_cast<uintptr_t>(address);
  return &(allocations_[base] = {
               base, size, 0, context, MemoryKind::kRegistered, false, next_id_++, {}});
}

void Memory::free(uintptr_t base) {
  const auto found = allocations_.find(base);
  const Allocation allocation = found->second;
  allocations_.erase(found);
  if (allocation.kind == MemoryKind::kRegistered) return;
  const size_t mapped = round_up(allocation.size);
  if (allocation.kind != MemoryKind::kHost) discharge(allocation.device, mapped);
  std::memset(reinterpret_cast<void*>(base), kPoison, std::min(mapped, kQuarantineBytes));
  freed_.push_back({base, mapped});
  freed_bytes_ += mapped;
  while (freed_bytes_ > kQuarantineBytes) {
    munmap(reinterpret_cast<void*>(freed_.front().base), freed_.front().size);
    freed_bytes_ -= freed_.front().size;
    freed_.pop_front();
  }
}

void Memory::free_of_context(CUcontext context) {
  std::vector<uintptr_t> bases;
  for (const auto& [base, allocation] : allocations_) {
    if (allocation.context == context) bases.push_back(base);
  }
  for (const uintptr_t base : bases) free(base);
}

Allocation* Memory::find(uintptr_t address) {
  auto next = allocations_.upper_bound(address);
  if (next == allocations_.begin()) return nullptr;
  Allocation& candidate = std::prev(next)->second;
  return address - candidate.base < candidate.size ? &candidate : nullptr;
}

bool Memory::was_freed(uintptr_t address) const {
  return std::any_of(freed_.begin(), freed_.end(),
                     [&](const Freed& freed) { return address - freed.base < freed.size; });
}

bool Memory::charge(int device, uint64_t bytes) {
  uint64_t& used = used_[device];
  if (bytes > limit_ || used > limit_ - bytes) return false;
  used += bytes;
  return true;
}

void Memory::discharge(int device, uint64_t bytes) {
  used_[device] -= bytes;
}

uint64_t Memory::used(int device) const {
  const auto found = used_.find(device);
  return found == used_.end() ? 0 : found->second;
}

uint64_t Memory::live(int device) const {
  return static_cast<uint64_t>(
      std::count_if(allocations_.begin(), allocations_.end(), [&](const auto& entry) {
        const Allocation& allocation = entry.second;
        return allocation.device == device &&
               (allocation.kind == MemoryKind::kDevice || allocation.kind == MemoryKind::kManaged);
      }));
}

uint64_t Memory::live_host() const {
  return static_cast<uint64_t>(
      std::count_if(allocations_.begin(), allocations_.end(), [](const auto& entry) {
        return entry.second.kind == MemoryKind::kHost ||
               entry.second.kind == MemoryKind::kRegistered;
      }));
}

}  // namespace nv12slot::standin
