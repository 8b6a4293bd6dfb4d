// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camerarun.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

#include "camerafeed.h"
#include "camerasettings.h"
#include "nv12slot/thread.h"
#include "sourcefault.h"

GST_DEBUG_CATEGORY_EXTERN(nv12slotsrc_debug);
#define GST_CAT_DEFAULT nv12slotsrc_debug

namespace nv12slot::gst {

using camera::Fault;
using camera::Seen;
using camera::Status;
using Kind = EncodedQueue::Item::Kind;

namespace {

// Of all runs of all cameras, so that no connection is taken for one before it.
std::atomic<std::uint64_t> connections{0};

double seconds_since(TimePoint now, std::optional<TimePoint> then) {
  return then ? std::chrono::duration<double>(now - *then).count() : -1;
}

}  // namespace

std::shared_ptr<CameraRun> CameraRun::start(Setup setup) {
  auto run = std::make_shared<CameraRun>(Private{}, std::move(setup));
  const bool started = start_thread(run->thread_, ThreadName::kCamera, [run] { run->run(); });
  return started ? run : nullptr;
}

CameraRun::CameraRun(Private, Setup setup)
    : setup_(std::move(setup)), state_(std::random_device()()) {}

CameraRun::~CameraRun() = default;

void CameraRun::stop() {
  {
    MutexLock lock(mutex_);
    quit_ = true;
    changed_.notify_all();
  }
  if (!thread_.joinable()) return;
  if (thread_.get_id() == std::this_thread::get_id()) {
    disconnect(Kind::kOutage);
    thread_.detach();  // it holds itself, and ends when it is back from the callback
    return;
  }
  thread_.join();
}

void CameraRun::wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void CameraRun::post(News news) {
  MutexLock lock(mutex_);
  news_.push_back(std::move(news));
  changed_.notify_all();
}

void CameraRun::fault(Fault fault, std::string text) {
  MutexLock lock(mutex_);
  news_.push_back({number_, fault, std::move(text)});
  changed_.notify_all();
}

void CameraRun::ended(std::uint64_t connection) {
  post({connection, Fault::kNone, {}});
}

CameraRun::Snapshot CameraRun::snapshot() {
  MutexLock lock(mutex_);
  Snapshot snapshot;
  snapshot.status = state_.status();
  snapshot.stats = state_.stats();
  snapshot.packets = packets_;
  snapshot.bytes = bytes_;
  if (connection_ != nullptr) {
    const CameraConnection::Traffic traffic = connection_->traffic();
    snapshot.packets += traffic.packets;
    snapshot.bytes += traffic.bytes;
  }
  for (const Closing& closing : closing_) {
    if (!closing.connection->is_closed()) ++snapshot.teardowns_pending;
  }
  snapshot.teardowns_abandoned = abandoned_;
  return snapshot;
}

// ---- The thread -------------------------------------------------------------------------------

void CameraRun::run() {
  MutexLock lock(mutex_);
  Action action = state_.start(steady_clock().now(), setup_.settings);
  while (!quit_) {
    if (action != Action::kNone) {
      lock.unlock();
      perform(action);
      lock.lock();
    }
    if (const std::optional<Change> change = this->change()) {
      lock.unlock();
      if (setup_.changed) setup_.changed(*change);
      lock.lock();
      if (quit_) break;  // the callback may have stopped the element, and it is gone
    }
    // Behind the error, or the application would take it for the end of a camera that is well.
    if (action == Action::kGiveUp) setup_.queue->end(Kind::kEnd);
    woken_ = false;
    const TimePoint now = steady_clock().now();
    look_after_closing(now);
    action = next_action(now);
    if (action == Action::kNone && state_.status() == told_) sleep(lock, now);
  }
  [[maybe_unused]] const Action last = state_.stop();
  lock.unlock();
  disconnect(Kind::kOutage);
  lock.lock();
  while (!closing_.empty()) {
    const Closing closing = closing_.back();
    lock.unlock();
    const bool closed = closing.connection->wait_closed(closing.deadline);
    lock.lock();
    closing_.pop_back();
    if (!closed) ++abandoned_;
  }
}

void CameraRun::sleep(MutexLock& lock, TimePoint now) {
  std::optional<TimePoint> until = state_.deadline(now, seen());
  for (const Closing& closing : closing_) {
    until = until ? std::min(*until, closing.deadline) : closing.deadline;
  }
  if (!news_.empty() || woken_ || quit_) return;
  if (until) {
    steady_clock().wait_until(changed_, lock, *until);
  } else {
    changed_.wait(lock);
  }
}

Seen CameraRun::seen() {
  Seen seen = feed_seen(setup_.feed, number_);
  if (connection_ == nullptr) return seen;
  const CameraConnection::Traffic traffic = connection_->traffic();
  const EncodedQueue::Backlog backlog = setup_.queue->backlog();
  seen.is_held_back = backlog.is_held_back;
  seen.was_held_back = backlog.was_held_back;
  seen.first_packet = traffic.first;
  seen.last_packet = traffic.last;
  return seen;
}

CameraRun::Action CameraRun::next_action(TimePoint now) {
  const Seen seen = this->seen();
  while (!news_.empty()) {
    News news = std::move(news_.front());
    news_.pop_front();
    if (news.connection != number_ || connection_ == nullptr) continue;  // given up before
    text_ = std::move(news.text);
    const Action action =
        news.fault == Fault::kNone ? state_.end(now, seen) : state_.fault(now, seen, news.fault);
    if (action != Action::kNone) return action;
  }
  const Action action = state_.poll(now, seen);
  GST_LOG_OBJECT(setup_.element, "%s, %.3f s after the last packet, %.3f s after the last frame%s",
                 to_string(state_.status()), seconds_since(now, seen.last_packet),
                 seconds_since(now, seen.last_frame), seen.is_blocked ? ", blocked" : "");
  if (action == Action::kDisconnect || action == Action::kGiveUp) text_.clear();
  return action;
}

void CameraRun::perform(Action action) {
  switch (action) {
    case Action::kNone:
      break;
    case Action::kConnect:
      connect();
      break;
    case Action::kDisconnect:
    case Action::kGiveUp:
      disconnect(Kind::kOutage);
      break;
    case Action::kEnd:
      disconnect(Kind::kEnd);
      break;
  }
}

void CameraRun::connect() {
  disconnect(Kind::kOutage);
  const std::uint64_t number = ++connections;
  {
    MutexLock lock(mutex_);
    number_ = number;
  }
  CameraConnection::Request request = setup_.request();
  request.number = number;
  setup_.queue->begin(number);
  // Its threads may be left alone for good: they hold the run, never the element.
  const std::weak_ptr<CameraRun> run = weak_from_this();
  auto connection = CameraConnection::open(std::move(request), setup_.element, setup_.queue,
                                           CapsPtr(gst_caps_ref(setup_.supported.get())),
                                           [run, number](Fault fault, std::string text) {
                                             if (const auto self = run.lock())
                                               self->post({number, fault, std::move(text)});
                                           });
  MutexLock lock(mutex_);
  connection_ = std::move(connection);
}

void CameraRun::disconnect(Kind kind) {
  std::shared_ptr<CameraConnection> connection;
  {
    MutexLock lock(mutex_);
    connection = std::exchange(connection_, nullptr);
    if (connection != nullptr) {
      closing_.push_back({connection, steady_clock().now() + setup_.teardown_timeout});
      const CameraConnection::Traffic traffic = connection->traffic();
      packets_ += traffic.packets;
      bytes_ += traffic.bytes;
    }
  }
  if (connection != nullptr) connection->close();
  if (connection != nullptr || kind == Kind::kEnd) setup_.queue->end(kind);
}

void CameraRun::look_after_closing(TimePoint now) {
  std::erase_if(closing_, [](const Closing& closing) { return closing.connection->is_closed(); });
  const auto abandoned =
      std::erase_if(closing_, [now](const Closing& closing) { return now >= closing.deadline; });
  if (abandoned == 0) return;
  abandoned_ += abandoned;
  GST_WARNING_OBJECT(setup_.element,
                     "a source of this camera is not down after its teardown-timeout; it is left "
                     "alone, and counted in teardowns-abandoned");
}

std::optional<CameraRun::Change> CameraRun::change() {
  const Status status = state_.status();
  if (status == told_ && state_.stats().attempts == told_attempts_) return std::nullopt;
  told_ = status;
  told_attempts_ = state_.stats().attempts;
  Change change;
  change.status = status;
  change.attempt = state_.attempt();
  if (status == Status::kWaiting || status == Status::kFailed) {
    change.fault = state_.stats().last_fault;
    change.text = what_is(change.fault);
    if (!text_.empty()) change.text += " (" + text_ + ")";
    change.retry_in = state_.retry_in(steady_clock().now());
  }
  return change;
}

}  // namespace nv12slot::gst
