// SPDX-License-Identifier: LGPL-2.1-or-later
#include "demo_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "nv12slot/device.h"
#include "nv12slot/process.h"

namespace demo {

using nv12slot::FrameRef;
using nv12slot::MutexLock;
using nv12slot::Result;

namespace {

/// Eight bytes at a time, so that it keeps up with many cameras; any changed bit changes the sum.
std::uint64_t add_rows(std::uint64_t sum, std::uintptr_t plane, std::size_t pitch,
                       std::uint32_t bytes, std::uint32_t rows) {
  for (std::uint32_t row = 0; row < rows; ++row) {
    const auto* at = reinterpret_cast<const unsigned char*>(plane + row * pitch);
    std::uint32_t column = 0;
    for (; column + 8 <= bytes; column += 8) {
      std::uint64_t word;
      std::memcpy(&word, at + column, 8);
      sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
      sum ^= sum >> 29;
    }
    for (; column < bytes; ++column) sum = (sum ^ at[column]) * 0x100000001B3u;
  }
  return sum;
}

std::uint64_t sum_of(const nv12slot::Nv12Planes& planes, const nv12slot::Nv12Layout& layout) {
  const std::uint64_t luma = add_rows(0, planes.y, planes.y_pitch, layout.width, layout.height);
  return add_rows(luma, planes.uv, planes.uv_pitch, layout.width, layout.height / 2);
}

}  // namespace

struct Engine::Download {
  nv12slot::Device* device = nullptr;
  nv12slot::StreamHandle stream = nullptr;
  std::vector<unsigned char> picture;

  ~Download() {
    if (device != nullptr) device->give_stream(stream);
  }
};

Engine::Engine(unsigned cameras, std::chrono::milliseconds hold, unsigned seed)
    : hold_(hold), random_(seed), download_(std::make_unique<Download>()), cameras_(cameras) {
  thread_ = std::thread([this] { run(); });
}

Engine::~Engine() {
  finish();
}

void Engine::submit(unsigned camera, BufferPtr buffer) {
  MutexLock lock(mutex_);
  PerCamera& state = cameras_.at(camera);
  ++state.held;
  incoming_.push({camera, state.generation, std::move(buffer)});
  changed_.notify_one();
}

unsigned Engine::camera_destroyed(unsigned camera) {
  MutexLock lock(mutex_);
  PerCamera& state = cameras_.at(camera);
  ++state.generation;
  return state.held;
}

unsigned Engine::held(unsigned camera) const {
  MutexLock lock(mutex_);
  return cameras_.at(camera).held;
}

EngineCounts Engine::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

void Engine::finish() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Engine::fault(const std::string& text) {
  if (counts_.first_fault.empty()) counts_.first_fault = text;
}

void Engine::run() {
  MutexLock lock(mutex_);
  while (!stopping_ || !incoming_.empty() || !heap_.empty()) {
    if (!incoming_.empty()) {
      Incoming incoming = std::move(incoming_.front());
      incoming_.pop();
      lock.unlock();
      take(std::move(incoming));
      lock.lock();
    } else if (!heap_.empty() && (stopping_ || heap_.front()->until <= Clock::now())) {
      lock.unlock();
      std::pop_heap(heap_.begin(), heap_.end(), Later());
      std::unique_ptr<Held> held = std::move(heap_.back());
      heap_.pop_back();
      let_go(std::move(held));
      lock.lock();
    } else if (heap_.empty()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, heap_.front()->until);
    }
  }
}

void Engine::take(Incoming incoming) {
  GstNv12SlotMeta* meta = gst_buffer_get_nv12_slot_meta(incoming.buffer.get());
  if (meta == nullptr) {
    MutexLock lock(mutex_);
    ++counts_.without_slot;
    --cameras_.at(incoming.camera).held;
    fault("a buffer that is no slot frame");
    return;
  }

  auto held = std::make_unique<Held>();
  held->camera = incoming.camera;
  held->generation = incoming.generation;
  held->id = gst_nv12_slot_frame_get_id(meta->frame);
  if (const auto sum = checksum(held->id)) {
    held->checksum = sum.value();
  } else {
    MutexLock lock(mutex_);
    fault(sum.error().message);
  }
  held->until = Clock::now() + std::chrono::milliseconds(
                                   std::uniform_int_distribution<std::chrono::milliseconds::rep>(
                                       0, hold_.count())(random_));
  if (random_() % 2 == 0) {
    held->buffer = std::move(incoming.buffer);
  } else {
    held->frame.reset(gst_nv12_slot_frame_ref(meta->frame));
  }
  heap_.push_back(std::move(held));
  std::push_heap(heap_.begin(), heap_.end(), Later());
}

void Engine::let_go(std::unique_ptr<Held> held) {
  std::string wrong;
  if (const auto sum = checksum(held->id); !sum) {
    wrong = sum.error().message;
  } else if (sum.value() != held->checksum) {
    wrong = fmt::format("a frame of camera {} changed while it was held", held->camera);
  }
  const unsigned camera = held->camera;
  const unsigned generation = held->generation;
  held.reset();

  MutexLock lock(mutex_);
  ++counts_.checked;
  if (!wrong.empty()) {
    ++counts_.changed;
    fault(wrong);
  }
  PerCamera& state = cameras_.at(camera);
  if (state.generation != generation) ++counts_.outlived;
  --state.held;
}

Result<std::uint64_t> Engine::checksum(std::uint64_t id) {
  const FrameRef frame = nv12slot::Process::get().registry->lookup(id);
  if (!frame) {
    return nv12slot::Error{nv12slot::Errc::kInvalidArgument, "a frame was gone while it was held"};
  }
  if (frame.domain() == nv12slot::kHostDomain) return sum_of(frame.planes(), frame.layout());

  nv12slot::Device& device = frame.device();
  if (download_->device == nullptr) {
    Result<nv12slot::StreamHandle> stream = device.take_stream();
    if (!stream) return stream.error();
    download_->device = &device;
    download_->stream = *stream;
  }
  const nv12slot::Nv12Layout& layout = frame.layout();
  download_->picture.resize(layout.size());
  const auto base = reinterpret_cast<std::uintptr_t>(download_->picture.data());
  const nv12slot::Nv12Planes host = {base, base + layout.uv_offset(), layout.pitch, layout.pitch};

  // The three steps of every reader: order the stream after the copy, read, leave a fence.
  nv12slot::Status status = frame.wait(download_->stream);
  if (status.ok()) {
    status = device.copy(host, nv12slot::kHostDomain, frame.planes(), frame.domain(), layout.width,
                         layout.height, download_->stream);
  }
  if (status.ok()) status = frame.fence(download_->stream);
  if (status.ok()) status = device.synchronize(download_->stream);
  if (!status.ok()) return status.error();
  return sum_of(host, layout);
}

}  // namespace demo
