// SPDX-License-Identifier: LGPL-2.1-or-later
#include "reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace soak {

using nv12slot::MutexLock;
using std::chrono::milliseconds;

namespace {

// A reader that is this many frames of a camera behind leaves the next ones out, so that it is no
// reason for a pool to be full.
constexpr unsigned kMostWaiting = 4;
// How often a device is asked whether reads are done: the time after which one is known to be.
constexpr milliseconds kPoll{1};

}  // namespace

GstNv12SlotFrame* Reader::Held::get() const {
  return frame ? frame.get() : gst_buffer_get_nv12_slot_meta(buffer.get())->frame;
}

Reader::Reader(const ReaderSettings& settings)
    : settings_(settings),
      random_(settings.seed),
      frames_(settings.cameras.size()),
      shared_(settings.cameras.size()) {
  thread_ = std::thread([this] {
    try {
      run();
    } catch (const std::exception& error) {
      MutexLock lock(mutex_);
      ++record_.changed;  // nobody knows
      fault(error.what());
      is_stopping_ = true;
      incoming_.clear();
    }
  });
}

void Reader::submit(unsigned camera, GstBuffer* buffer, bool is_promised) {
  MutexLock lock(mutex_);
  Shared& shared = shared_.at(camera);
  if (is_stopping_ || shared.waiting >= kMostWaiting) {
    ++record_.skipped;
    return;
  }
  ++shared.waiting;
  ++shared.held;
  incoming_.push_back({camera, shared.life, is_promised, Ref<GstBuffer>(gst_buffer_ref(buffer))});
  changed_.notify_one();
}

void Reader::camera_destroyed(unsigned camera) {
  MutexLock lock(mutex_);
  ++shared_.at(camera).life;
}

void Reader::end_warm_up() {
  MutexLock lock(mutex_);
  is_warm_ = true;
}

void Reader::finish() {
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

ReaderRecord Reader::record() const {
  MutexLock lock(mutex_);
  return record_;
}

unsigned Reader::held(unsigned camera) const {
  MutexLock lock(mutex_);
  return shared_.at(camera).held;
}

void Reader::fault(const std::string& text) {
  if (record_.first_fault.empty()) record_.first_fault = text;
}

GpuReads& Reader::gpu(int device) {
  if (gpu_ == nullptr) {
    gpu_ = std::make_unique<GpuReads>(device, static_cast<unsigned>(frames_.size()));
  }
  return *gpu_;
}

void Reader::run() {
  for (;;) {
    const auto now = Clock::now();
    end_keeping(now, false);
    // First, as late reads are late only for so long.
    const std::optional<Clock::time_point> due = see_to_reads(now);
    MutexLock lock(mutex_);
    if (!incoming_.empty()) {
      Incoming incoming = std::move(incoming_.front());
      incoming_.pop_front();
      --shared_[incoming.camera].waiting;
      const std::size_t most = settings_.hold + (is_warm_ ? 0 : settings_.extra);
      lock.unlock();
      take(std::move(incoming), most);
      lock.lock();
    } else if (is_stopping_) {
      break;
    } else {
      // Kept frames are looked at now and then.
      changed_.wait_until(lock,
                          std::min(due.value_or(now + milliseconds(100)), now + milliseconds(100)));
    }
  }
  end_keeping(Clock::now(), true);
  for (PerCamera& camera : frames_) {
    while (!camera.ring.empty()) {
      let_go(std::move(camera.ring.front()));
      camera.ring.pop_front();
    }
  }
  while (const auto due = see_to_reads(Clock::now())) std::this_thread::sleep_until(*due);
  gpu_.reset();
}

void Reader::take(Incoming incoming, std::size_t most) {
  GstNv12SlotMeta* meta = gst_buffer_get_nv12_slot_meta(incoming.buffer.get());
  if (meta == nullptr) {
    MutexLock lock(mutex_);
    ++record_.without_slot;
    --shared_[incoming.camera].held;
    fault("a buffer of " + settings_.cameras[incoming.camera] + " that is no slot frame");
    return;
  }
  auto held = std::make_unique<Held>();
  held->camera = incoming.camera;
  held->life = incoming.life;
  held->is_promised = incoming.is_promised;
  held->id = gst_nv12_slot_frame_get_id(meta->frame);
  held->device = gst_nv12_slot_frame_get_device(meta->frame);
  gst_nv12_slot_frame_get_planes(meta->frame, &held->planes);
  if (random_() % 2 == 0) {
    held->buffer = std::move(incoming.buffer);
  } else {
    held->frame.reset(gst_nv12_slot_frame_ref(meta->frame));
    incoming.buffer.reset();
  }
  if (held->device < 0) {
    held->first = ReadOutcome{host_sum(held->planes), false};
  } else {
    GpuReads& reads = gpu(held->device);
    held->reads[0] = reads.begin(held->get(), held->camera, milliseconds(0));
    reads.fence(held->get(), held->camera);
  }
  PerCamera& camera = frames_[held->camera];
  camera.ring.push_back(std::move(held));
  // One more than came in, as long as there are too many: all that was held for the warm-up, read
  // at once, would keep the device from the cameras' pictures for some 0.3 s.
  for (int i = 0; i < 2 && camera.ring.size() > most; ++i) shift(camera);
}

void Reader::shift(PerCamera& camera) {
  std::unique_ptr<Held> oldest = std::move(camera.ring.front());
  camera.ring.pop_front();
  if (camera.kept == nullptr) {
    oldest->until = Clock::now() + kKeep;
    camera.kept = std::move(oldest);
  } else {
    let_go(std::move(oldest));
  }
}

void Reader::end_keeping(Clock::time_point now, bool at_once) {
  for (PerCamera& camera : frames_) {
    if (camera.kept != nullptr && (at_once || camera.kept->until <= now)) {
      let_go(std::move(camera.kept));
    }
  }
}

void Reader::let_go(std::unique_ptr<Held> held) {
  held->is_late = !held->is_promised && settings_.late.count() > 0 && random_() % 2 == 0;
  if (held->device >= 0) {
    GpuReads& reads = gpu(held->device);
    held->reads[1] = reads.begin(held->get(), held->camera, settings_.kernel);
    if (!held->is_late) reads.fence(held->get(), held->camera);
  } else if (!held->is_late) {
    held->last = ReadOutcome{host_sum(held->planes), false};
  }
  // The cooldown begins after this.
  held->released = Clock::now();
  // The rest of the time is for reading itself.
  const auto latest = static_cast<unsigned>(settings_.late.count()) * 2 / 3;
  held->due = held->released + milliseconds(random_() % (latest + 1));
  held->buffer.reset();
  held->frame.reset();
  {
    MutexLock lock(mutex_);
    --shared_[held->camera].held;
  }
  under_way_.push_back(std::move(held));
}

std::optional<Reader::Clock::time_point> Reader::see_to_reads(Clock::time_point now) {
  std::optional<Clock::time_point> next;
  const auto is_judged = [&](const std::unique_ptr<Held>& held) {
    if (held->device < 0) {
      if (held->is_late && now < held->due) {
        next = std::min(next.value_or(held->due), held->due);
        return false;
      }
      if (held->is_late) held->last = ReadOutcome{host_sum(held->planes), false};
    } else {
      for (auto [read, outcome] :
           {std::pair{&held->reads[0], &held->first}, std::pair{&held->reads[1], &held->last}}) {
        if (!*read || *outcome) continue;
        *outcome = gpu_->take(**read);
        if (*outcome) continue;
        next = now + kPoll;
        return false;
      }
    }
    judge(*held, Clock::now());
    return true;
  };
  std::erase_if(under_way_, is_judged);
  return next;
}

void Reader::judge(const Held& held, Clock::time_point now) {
  MutexLock lock(mutex_);
  if (!held.first || !held.last) {  // too many kernels under way to read it
    ++record_.skipped;
    return;
  }
  const auto after = now - held.released;
  // Later than it said, a reader has no right to find its frame unchanged.
  if (held.is_late && after > settings_.late) {
    ++record_.late_unjudged;
    return;
  }
  const bool has_changed = held.last->changed || held.first->sum != held.last->sum;
  ++(held.is_late ? record_.late_checked : record_.checked);
  if (held.life != shared_[held.camera].life) ++record_.outlived;
  if (!has_changed) return;
  ++(held.is_late ? record_.late_changed : record_.changed);
  fault(held.is_late ? fmt::format("frame {} of {}, read {:.0f} ms after it was let go", held.id,
                                   settings_.cameras[held.camera],
                                   std::chrono::duration<double, std::milli>(after).count())
                     : fmt::format("frame {} of {}, while it was held", held.id,
                                   settings_.cameras[held.camera]));
}

}  // namespace soak
