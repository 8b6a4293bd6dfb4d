// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <functional>
#include <string>

namespace nv12slot::bench {

/// Elements that play between a pad that pushes and one that takes, all on the calling thread.
class PushedBin {
 public:
  /// `description` as of gst-launch-1.0, with one open end on either side; `taken` is given each
  /// buffer that comes out, borrowed. `context` (nullptr: none) is set on the elements first.
  PushedBin(const std::string& description, const std::string& caps,
            std::function<void(GstBuffer*, const GstCaps*)> taken, GstContext* context = nullptr);
  ~PushedBin();
  PushedBin(const PushedBin&) = delete;
  PushedBin& operator=(const PushedBin&) = delete;

  /// False where an element is missing.
  [[nodiscard]] bool is_valid() const { return bin_ != nullptr; }
  /// The pad that takes.
  [[nodiscard]] GstPad* sink() const { return sink_; }
  /// Returns when the buffer went through; false when an element did not take it.
  [[nodiscard]] bool push(GstBuffer* buffer);

 private:
  void link(GstPad* pad, const char* name);
  static GstFlowReturn take(GstPad* pad, GstObject* parent, GstBuffer* buffer);

  std::function<void(GstBuffer*, const GstCaps*)> taken_;
  GstElement* bin_ = nullptr;
  GstPad* source_ = nullptr;
  GstPad* sink_ = nullptr;
};

}  // namespace nv12slot::bench
