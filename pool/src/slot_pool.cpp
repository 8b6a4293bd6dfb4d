// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/slot_pool.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "domain_pool.h"
#include "nv12slot/log.h"

namespace nv12slot {

void Canceller::cancel() {
  cancelled_.store(true);
  pool_.wake_all();
}

SlotPool::SlotPool(Clock& clock, DeviceOpener open, const PoolSettings& settings)
    : clock_(clock),
      opener_(std::move(open)),
      cap_(settings.cap),
      cooldown_ns_(settings.cooldown.count()) {}

SlotPool::~SlotPool() {
  for (auto& domain : domains_) delete domain.load();
}

DomainPool* SlotPool::opened(Domain domain) const {
  return domains_[static_cast<std::size_t>(domain + 1)].load(std::memory_order_acquire);
}

Result<DomainPool*> SlotPool::open(Domain domain) {
  if (!is_valid_domain(domain)) {
    return Error{
        Errc::kInvalidArgument,
        fmt::format("no domain {}: use -1 for the host or a CUDA device number from 0 to {}",
                    domain, kMaxDomains - 2)};
  }
  if (DomainPool* pool = opened(domain)) return pool;

  const auto index = static_cast<std::size_t>(domain + 1);
  MutexLock lock(open_mutex_);
  while (opening_[index]) open_changed_.wait(lock);
  if (DomainPool* pool = opened(domain)) return pool;
  opening_[index] = true;
  lock.unlock();
  Result<std::unique_ptr<Device>> device = opener_(domain);
  lock.lock();
  opening_[index] = false;
  open_changed_.notify_all();
  if (!device) return device.error();
  auto* pool = new DomainPool(std::move(device).value(), clock_, cap_, cooldown_ns_);
  domains_[index].store(pool, std::memory_order_release);
  return pool;
}

Result<Lease> SlotPool::acquire(const AcquireRequest& request) {
  Result<DomainPool*> pool = open(request.domain);
  if (!pool) return pool.error();
  Result<Lease> lease = pool.value()->acquire(request);
  if (lease || request.on_exhausted != OnExhausted::kHost || request.domain == kHostDomain) {
    return lease;
  }
  if (lease.code() != Errc::kExhausted && lease.code() != Errc::kQuotaExceeded &&
      lease.code() != Errc::kOutOfMemory) {
    return lease;
  }
  Result<DomainPool*> host = open(kHostDomain);
  if (!host) return lease;
  Result<Lease> fallback = host.value()->acquire(request);
  if (!fallback) return lease;
  pool.value()->count_host_fallback();
  return fallback;
}

Result<Device*> SlotPool::device(Domain domain) {
  Result<DomainPool*> pool = open(domain);
  if (!pool) return pool.error();
  return &pool.value()->device();
}

void SlotPool::wake_all() {
  for (auto& domain : domains_) {
    if (DomainPool* pool = domain.load(std::memory_order_acquire)) pool->wake();
  }
}

Status SlotPool::set_cap(unsigned cap) {
  if (cap < 1 || cap > kMaxCap) {
    return Error{Errc::kInvalidArgument,
                 fmt::format("a pool cap of {} slots is out of range: 1 to {}", cap, kMaxCap)};
  }
  cap_.store(cap);
  for (auto& domain : domains_) {
    if (DomainPool* pool = domain.load(std::memory_order_acquire)) pool->trim();
  }
  wake_all();
  return {};
}

Status SlotPool::set_cooldown(Duration cooldown) {
  if (cooldown < Duration::zero() || cooldown > kMaxCooldown) {
    return Error{Errc::kInvalidArgument,
                 fmt::format("a cooldown of {} ns is out of range: 0 to {} s", cooldown.count(),
                             kMaxCooldown / std::chrono::seconds(1))};
  }
  cooldown_ns_.store(cooldown.count());
  return {};
}

PoolSettings SlotPool::settings() const {
  return {.cap = cap_.load(), .cooldown = Duration(cooldown_ns_.load())};
}

PoolStats SlotPool::stats(Domain domain) const {
  DomainPool* pool = is_valid_domain(domain) ? opened(domain) : nullptr;
  if (pool != nullptr) return pool->stats();
  PoolStats none;
  none.cap = cap_.load();
  return none;
}

std::vector<Domain> SlotPool::domains() const {
  std::vector<Domain> domains;
  for (Domain domain = kHostDomain; is_valid_domain(domain); ++domain) {
    if (opened(domain) != nullptr) domains.push_back(domain);
  }
  return domains;
}

PoolSettings pool_settings_from_environment() {
  PoolSettings settings;
  const auto read = [](const char* name, auto apply) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0') return;
    double value = 0;
    const char* end = text + std::strlen(text);
    const auto parsed = std::from_chars(text, end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || !apply(value)) {
      log(LogLevel::kWarning,
          fmt::format("{}={} is not a number in range and is ignored", name, text));
    }
  };
  read("NV12SLOT_POOL_CAP", [&](double cap) {
    if (!(cap >= 1 && cap <= SlotPool::kMaxCap) || cap != static_cast<unsigned>(cap)) return false;
    settings.cap = static_cast<unsigned>(cap);
    return true;
  });
  read("NV12SLOT_POOL_COOLDOWN_MS", [&](double milliseconds) {
    const std::chrono::duration<double, std::milli> cooldown(milliseconds);
    if (!(milliseconds >= 0 && cooldown <= SlotPool::kMaxCooldown)) return false;
    settings.cooldown = std::chrono::duration_cast<Duration>(cooldown);
    return true;
  });
  return settings;
}

}  // namespace nv12slot
