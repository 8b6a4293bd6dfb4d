// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <memory>

namespace nv12slot::gst {

// By overloads, as several of GStreamer's functions are static inline and so no template arguments.
struct Unref {
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
  void operator()(GstContext* context) const { gst_context_unref(context); }
  void operator()(GstMemory* memory) const { gst_memory_unref(memory); }
  void operator()(GstQuery* query) const { gst_query_unref(query); }
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
};
struct ObjectUnref {
  void operator()(gpointer object) const { gst_object_unref(object); }
};

// Owned references of GStreamer's types; hand one over with release().
using BufferPtr = std::unique_ptr<GstBuffer, Unref>;
using CapsPtr = std::unique_ptr<GstCaps, Unref>;
using ContextPtr = std::unique_ptr<GstContext, Unref>;
using MemoryPtr = std::unique_ptr<GstMemory, Unref>;
using QueryPtr = std::unique_ptr<GstQuery, Unref>;
using StructurePtr = std::unique_ptr<GstStructure, Unref>;
template <typename T>
using ObjectPtr = std::unique_ptr<T, ObjectUnref>;

}  // namespace nv12slot::gst
