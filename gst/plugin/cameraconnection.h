// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/rtsp/gstrtsptransport.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "camerauri.h"
#include "encodedqueue.h"
#include "fault.h"
#include "nv12slot/clock.h"

namespace nv12slot::gst {

/// One try to get video from a camera: source, depayloader or demuxer, and parser, in a pipeline of
/// their own, which the application's pipeline does not know; so nothing a camera does to them
/// reaches it. Encoded frames go into the queue of the camera as long as it hears this connection.
///
/// A thread of its own ("nv12slot-source") opens the pipeline, and takes it down after close().
/// Both may hang in what GStreamer's sources do, and nobody waits for them: the thread owns all it
/// needs, and ends when it can.
///
/// close() and the getters: any thread. Locks: one mutex, a leaf.
class CameraConnection : public std::enable_shared_from_this<CameraConnection> {
 public:
  struct Request {
    CameraUri camera;
    std::uint64_t number = 0;  ///< of this connection, for the queue
    GstRTSPLowerTrans protocols = GST_RTSP_LOWER_TRANS_TCP;
    guint64 latency = 0;          ///< ns, of the jitter buffer
    guint64 connect_timeout = 0;  ///< ns, 0: the source's own
    guint tls_validation_flags = 0;
  };

  /// Told of every fault, on any thread; it may be a last time while close() runs. Quick. The end
  /// of a stream goes through the queue, behind its frames.
  using Listener = std::function<void(camera::Fault, std::string)>;

  /// What came from the source so far, decodable or not.
  struct Traffic {
    std::optional<TimePoint> first, last;
    std::uint64_t packets = 0, bytes = 0;
  };

  /// Opens it on its thread. `element` posts the source's requests for contexts and emits
  /// "source-setup"; no reference is kept. `supported` are the caps the decoder takes.
  static std::shared_ptr<CameraConnection> open(Request request, GstElement* element,
                                                std::shared_ptr<EncodedQueue> queue,
                                                CapsPtr supported, Listener listener);
  ~CameraConnection();
  CameraConnection(const CameraConnection&) = delete;
  CameraConnection& operator=(const CameraConnection&) = delete;

  /// Has its thread take it down; returns at once, and the listener hears nothing more.
  void close();
  /// Waits until it is down; false if it is not by `until`.
  [[nodiscard]] bool wait_closed(TimePoint until);
  [[nodiscard]] bool is_closed();

  [[nodiscard]] std::uint64_t number() const { return request_.number; }
  [[nodiscard]] Traffic traffic() const;

 private:
  struct Private {};

 public:
  CameraConnection(Private, Request request, GstElement* element,
                   std::shared_ptr<EncodedQueue> queue, CapsPtr supported, Listener listener);

 private:
  void run();
  [[nodiscard]] bool build();
  void set_up_source();
  void set_up_rtsp();
  void watch_certificates();
  void link_source_pad(GstPad* pad);
  void add_parsebin(GstPad* pad);
  void take_stream(GstPad* pad);
  void tell_no_video();
  GstFlowReturn take_sample();
  void handle_message(GstMessage* message);
  void tell(camera::Fault fault, std::string text);
  void see(std::uint64_t packets, std::uint64_t bytes);

  template <typename Function>
  void connect(gpointer object, const char* signal, Function* callback);

  const Request request_;
  GWeakRef element_;
  const std::shared_ptr<EncodedQueue> queue_;

  // Of the thread, and of the source's threads while the pipeline runs.
  ObjectPtr<GstElement> pipeline_;
  GstElement* source_ = nullptr;  // in it
  GstElement* sink_ = nullptr;    // in it
  CapsPtr supported_;
  std::atomic<bool> has_pad_{false}, has_video_{false}, has_selected_{false};

  std::atomic<Duration::rep> first_{0}, last_{0};
  std::atomic<std::uint64_t> packets_{0}, bytes_{0};

  Mutex mutex_;
  CondVar changed_;
  Listener listener_ NV12SLOT_GUARDED_BY(mutex_);
  bool closing_ NV12SLOT_GUARDED_BY(mutex_) = false;
  bool closed_ NV12SLOT_GUARDED_BY(mutex_) = false;
};

}  // namespace nv12slot::gst
