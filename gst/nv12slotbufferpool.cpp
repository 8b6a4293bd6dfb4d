// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/nv12slot/nv12slotbufferpool.h>

#include <gst/video/video.h>

#include <optional>

#include "config.h"
#include "cudacontext.h"
#include "debug.h"
#include "nv12slot/process.h"
#include "poolcontrol.h"
#include "slothold.h"

#ifdef HAVE_CUDA
#include <gst/cuda/gstcudabufferpool.h>
using ParentPool = GstCudaBufferPool;
using ParentPoolClass = GstCudaBufferPoolClass;
#define PARENT_POOL_TYPE GST_TYPE_CUDA_BUFFER_POOL
#else
using ParentPool = GstBufferPool;
using ParentPoolClass = GstBufferPoolClass;
#define PARENT_POOL_TYPE GST_TYPE_BUFFER_POOL
#endif

#define GST_CAT_DEFAULT gst_nv12_slot_debug

using nv12slot::AcquireRequest;
using nv12slot::Domain;
using nv12slot::Errc;
using nv12slot::Lease;
using nv12slot::Result;
using nv12slot::SlotPool;
using nv12slot::gst::PoolControl;
using nv12slot::gst::Reserve;
using nv12slot::gst::SlotHold;

namespace {

enum { PROP_0, PROP_DEVICE, PROP_TIMEOUT, PROP_QUOTA };

SlotPool& slot_pool() {
  return *nv12slot::Process::get().pool;
}

struct SlotBufferPool {
  Domain domain = nv12slot::kHostDomain;
  nv12slot::gst::ObjectPtr<GstObject> context;
  std::shared_ptr<PoolControl> control;

  // Written by set_config, which GstBufferPool calls with its lock held and only while the pool is
  // inactive and nothing is out: constant while acquire runs.
  GstVideoInfo info{};
  gpointer stream = nullptr;  // GstCudaStream of the config, owned

  nv12slot::Mutex mutex;
  std::shared_ptr<Reserve> reserve NV12SLOT_GUARDED_BY(mutex);
};

}  // namespace

struct _GstNv12SlotBufferPool {
  ParentPool parent;
  SlotBufferPool* impl;
};
struct GstNv12SlotBufferPoolClass {
  ParentPoolClass parent_class;
};

G_DEFINE_FINAL_TYPE(GstNv12SlotBufferPool, gst_nv12_slot_buffer_pool, PARENT_POOL_TYPE)

namespace {

SlotBufferPool& impl_of(GstBufferPool* pool) {
  return *GST_NV12_SLOT_BUFFER_POOL(pool)->impl;
}

/// GstBufferPool's own, past GstCudaBufferPool, which would allocate.
GstBufferPoolClass* base_class() {
  return static_cast<GstBufferPoolClass*>(g_type_class_peek(GST_TYPE_BUFFER_POOL));
}

void set_stream(SlotBufferPool& impl, GstStructure* config) {
#if defined(HAVE_CUDA) && GST_CHECK_VERSION(1, 24, 0)
  auto* old = static_cast<GstCudaStream*>(impl.stream);
  gst_clear_cuda_stream(&old);
  impl.stream = config != nullptr ? gst_buffer_pool_config_get_cuda_stream(config) : nullptr;
#else
  static_cast<void>(impl);
  static_cast<void>(config);
#endif
}

const gchar** slot_pool_get_options(GstBufferPool*) {
  static const gchar* options[] = {GST_BUFFER_POOL_OPTION_VIDEO_META, nullptr};
  return options;
}

gboolean slot_pool_set_config(GstBufferPool* pool, GstStructure* config) {
  SlotBufferPool& impl = impl_of(pool);
  GstCaps* caps = nullptr;
  guint min_buffers = 0;
  guint max_buffers = 0;
  if (!gst_buffer_pool_config_get_params(config, &caps, nullptr, &min_buffers, &max_buffers) ||
      caps == nullptr) {
    GST_WARNING_OBJECT(pool, "no caps in the configuration");
    return FALSE;
  }
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, caps) ||
      GST_VIDEO_INFO_FORMAT(&info) != GST_VIDEO_FORMAT_NV12) {
    GST_WARNING_OBJECT(pool, "not NV12: %" GST_PTR_FORMAT, caps);
    return FALSE;
  }
  auto device = slot_pool().device(impl.domain);
  auto layout = device ? nv12slot::nv12_layout(static_cast<std::uint32_t>(info.width),
                                               static_cast<std::uint32_t>(info.height),
                                               (*device)->row_alignment())
                       : Result<nv12slot::Nv12Layout>(device.error());
  if (!layout) {
    GST_WARNING_OBJECT(pool, "%s", layout.error().message.c_str());
    return FALSE;
  }
  gst_buffer_pool_config_set_params(config, caps, static_cast<guint>(layout->size()), min_buffers,
                                    max_buffers);
  impl.info = info;
  set_stream(impl, config);
  {
    nv12slot::MutexLock lock(impl.mutex);
    impl.reserve.reset();  // may be of another size
  }
  return base_class()->set_config(pool, config);
}

/// Slots are made when they are asked for: no camera gets some for later.
gboolean slot_pool_start(GstBufferPool*) {
  return TRUE;
}

gboolean slot_pool_stop(GstBufferPool* pool) {
  SlotBufferPool& impl = impl_of(pool);
  std::shared_ptr<Reserve> reserve;
  nv12slot::MutexLock lock(impl.mutex);
  reserve.swap(impl.reserve);
  lock.unlock();
  return base_class()->stop(pool);
}

void slot_pool_flush_start(GstBufferPool* pool) {
  impl_of(pool).control->set_pool_flushing(true);
}

void slot_pool_flush_stop(GstBufferPool* pool) {
  impl_of(pool).control->set_pool_flushing(false);
}

/// The reserve, which two frames may have to share: then nothing reads either.
std::shared_ptr<Reserve> get_reserve(SlotBufferPool& impl, AcquireRequest request) {
  nv12slot::MutexLock lock(impl.mutex);
  if (impl.reserve != nullptr) return impl.reserve;
  lock.unlock();
  request.reserve = true;
  request.on_exhausted = nv12slot::OnExhausted::kDrop;
  request.quota = nullptr;
  Result<Lease> lease = slot_pool().acquire(request);
  if (!lease) {
    GST_ERROR("no reserve slot: %s", lease.error().message.c_str());
    return nullptr;
  }
  auto reserve = std::make_shared<Reserve>(std::move(lease).value());
  lock.lock();
  if (impl.reserve == nullptr) impl.reserve = reserve;
  return impl.reserve;
}

GstFlowReturn slot_pool_acquire(GstBufferPool* pool, GstBuffer** buffer,
                                GstBufferPoolAcquireParams* params) {
  SlotBufferPool& impl = impl_of(pool);
  if (GST_BUFFER_POOL_IS_FLUSHING(pool)) return GST_FLOW_FLUSHING;

  PoolControl& control = *impl.control;
  const guint64 timeout = control.timeout.load();
  const bool may_wait =
      timeout > 0 &&
      (params == nullptr || (params->flags & GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT) == 0);
  const AcquireRequest request{
      .domain = impl.domain,
      .width = static_cast<std::uint32_t>(impl.info.width),
      .height = static_cast<std::uint32_t>(impl.info.height),
      .on_exhausted = may_wait ? nv12slot::OnExhausted::kBlock : nv12slot::OnExhausted::kDrop,
      .timeout = nv12slot::gst::to_duration(timeout),
      .quota = control.quota(),
      .canceller = &control.canceller()};
  Result<Lease> lease = slot_pool().acquire(request);

  std::unique_ptr<SlotHold> hold;
  if (lease) {
    hold = std::make_unique<SlotHold>(std::move(lease).value());
  } else if (lease.code() == Errc::kCancelled || lease.code() == Errc::kExiting) {
    return GST_FLOW_FLUSHING;
  } else {
    GST_DEBUG_OBJECT(pool, "%s", lease.error().message.c_str());
    std::shared_ptr<Reserve> reserve = control.spills ? get_reserve(impl, request) : nullptr;
    if (reserve == nullptr) {
      return lease.code() == Errc::kDeviceFailed ? GST_FLOW_ERROR : GST_NV12_SLOT_FLOW_EXHAUSTED;
    }
    hold = std::make_unique<SlotHold>(std::move(reserve));
  }
  *buffer =
      nv12slot::gst::slot_buffer_new(std::move(hold), impl.info, impl.context.get(), impl.stream);
  return *buffer != nullptr ? GST_FLOW_OK : GST_FLOW_ERROR;
}

/// The buffer is thrown away as it is, so nothing needs to be reset.
void slot_pool_reset_buffer(GstBufferPool*, GstBuffer*) {}

/// Gives the slot up now (unless somebody keeps the memory) instead of keeping it for this camera.
void slot_pool_release_buffer(GstBufferPool*, GstBuffer* buffer) {
  gst_buffer_unref(buffer);
}

void slot_pool_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  PoolControl& control = *impl_of(GST_BUFFER_POOL(object)).control;
  switch (id) {
    case PROP_TIMEOUT:
      control.timeout = g_value_get_uint64(value);
      break;
    case PROP_QUOTA:
      control.quota()->set_limit(g_value_get_uint(value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

void slot_pool_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  SlotBufferPool& impl = impl_of(GST_BUFFER_POOL(object));
  switch (id) {
    case PROP_DEVICE:
      g_value_set_int(value, impl.domain);
      break;
    case PROP_TIMEOUT:
      g_value_set_uint64(value, impl.control->timeout);
      break;
    case PROP_QUOTA:
      g_value_set_uint(value, impl.control->quota()->limit());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

void slot_pool_finalize(GObject* object) {
  SlotBufferPool* impl = GST_NV12_SLOT_BUFFER_POOL(object)->impl;
  set_stream(*impl, nullptr);
  delete impl;
  G_OBJECT_CLASS(gst_nv12_slot_buffer_pool_parent_class)->finalize(object);
}

}  // namespace

static void gst_nv12_slot_buffer_pool_class_init(GstNv12SlotBufferPoolClass* klass) {
  nv12slot::gst::init_debug();
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = slot_pool_set_property;
  object_class->get_property = slot_pool_get_property;
  object_class->finalize = slot_pool_finalize;
  constexpr auto kReadable = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  constexpr auto kReadWrite = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_property(
      object_class, PROP_DEVICE,
      g_param_spec_int("device", "Device", "Ordinal of the CUDA device, -1 for the host",
                       nv12slot::kHostDomain, G_MAXINT, nv12slot::kHostDomain, kReadable));
  g_object_class_install_property(
      object_class, PROP_TIMEOUT,
      g_param_spec_uint64("timeout", "Time-out",
                          "How long acquire waits for a slot, in nanoseconds (0: not at all)", 0,
                          G_MAXUINT64, 0, kReadWrite));
  g_object_class_install_property(
      object_class, PROP_QUOTA,
      g_param_spec_uint("quota", "Quota", "Slots out at a time at most (0: no limit)", 0, G_MAXUINT,
                        0, kReadWrite));

  auto* pool_class = GST_BUFFER_POOL_CLASS(klass);
  pool_class->get_options = slot_pool_get_options;
  pool_class->set_config = slot_pool_set_config;
  pool_class->start = slot_pool_start;
  pool_class->stop = slot_pool_stop;
  pool_class->flush_start = slot_pool_flush_start;
  pool_class->flush_stop = slot_pool_flush_stop;
  pool_class->acquire_buffer = slot_pool_acquire;
  pool_class->reset_buffer = slot_pool_reset_buffer;
  pool_class->release_buffer = slot_pool_release_buffer;
}

static void gst_nv12_slot_buffer_pool_init(GstNv12SlotBufferPool* self) {
  self->impl = new SlotBufferPool;
  self->impl->control =
      std::make_shared<PoolControl>(slot_pool(), std::make_shared<nv12slot::Quota>());
}

namespace nv12slot::gst {

GstBufferPool* slot_buffer_pool_new(Domain domain, GstObject* context,
                                    std::shared_ptr<PoolControl> control) {
  if (domain != kHostDomain && context == nullptr) return nullptr;
  auto* self = GST_NV12_SLOT_BUFFER_POOL(g_object_new(GST_TYPE_NV12_SLOT_BUFFER_POOL, nullptr));
  gst_object_ref_sink(self);
  self->impl->domain = domain;
  if (control != nullptr) self->impl->control = std::move(control);
  if (context != nullptr) {
    self->impl->context.reset(static_cast<GstObject*>(gst_object_ref(context)));
#ifdef HAVE_CUDA
    self->parent.context = GST_CUDA_CONTEXT(gst_object_ref(context));
#endif
  }
  return GST_BUFFER_POOL_CAST(self);
}

}  // namespace nv12slot::gst

GstBufferPool* gst_nv12_slot_buffer_pool_new(gint device) {
  return nv12slot::gst::slot_buffer_pool_new(device, gst_nv12_slot_cuda_context(device), nullptr);
}
