// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensorsettings.h"

#include <array>
#include <cmath>
#include <optional>
#include <string>

using nv12slot::ChannelOrder;
using nv12slot::ScaleMode;
using nv12slot::TensorLayout;
using nv12slot::TensorType;

static GType gst_nv12_tensor_layout_get_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(TensorLayout::kNchw), "Channels, rows, columns: a plane for each channel",
         "nchw"},
        {static_cast<int>(TensorLayout::kNhwc), "Rows, columns, channels: pixel after pixel",
         "nhwc"},
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstNv12TensorLayout", values);
  }();
  return type;
}

static GType gst_nv12_tensor_channel_order_get_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(ChannelOrder::kRgb), "Red, green, blue", "rgb"},
        {static_cast<int>(ChannelOrder::kBgr), "Blue, green, red", "bgr"},
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstNv12TensorChannelOrder", values);
  }();
  return type;
}

static GType gst_nv12_tensor_element_type_get_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(TensorType::kU8), "Unsigned bytes", "u8"},
        {static_cast<int>(TensorType::kF16), "Floating point of 16 bits", "f16"},
        {static_cast<int>(TensorType::kF32), "Floating point of 32 bits", "f32"},
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstNv12TensorElementType", values);
  }();
  return type;
}

static GType gst_nv12_tensor_scale_mode_get_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(ScaleMode::kStretch), "Fill the tensor; shapes are distorted", "stretch"},
        {static_cast<int>(ScaleMode::kLetterboxCentred),
         "Keep the shape, in the middle, with a border on two sides", "letterbox"},
        {static_cast<int>(ScaleMode::kLetterboxTopLeft),
         "Keep the shape, in the top left corner, with a border on one side", "letterbox-top-left"},
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstNv12TensorScaleMode", values);
  }();
  return type;
}

namespace nv12slot::gst {
namespace {

GParamSpec* channels_param(const char* name, const char* nick, const char* blurb,
                           GParamFlags flags) {
  // Without what a value has to be: GStreamer (1.22, 1.26) reads a number's GParamSpec as an
  // array's where a value in a launch line is an array itself, and crashes.
  return gst_param_spec_array(name, nick, blurb, nullptr, flags);
}

/// Of whatever can be read as a number: a launch line's "1" is an integer.
std::optional<float> number_of(const GValue* value) {
  GValue number = G_VALUE_INIT;
  g_value_init(&number, G_TYPE_DOUBLE);
  const bool is_number = g_value_transform(value, &number) != FALSE;
  const auto as_float = static_cast<float>(g_value_get_double(&number));
  g_value_unset(&number);
  return is_number && std::isfinite(as_float) ? std::optional(as_float) : std::nullopt;
}

bool set_channels(std::array<float, 3>& channels, const GValue* value, std::string& why) {
  const guint count = gst_value_array_get_size(value);
  if (count != 1 && count != 3) {
    why = "it has " + std::to_string(count) + " values; give one for each channel, or one for all";
    return false;
  }
  std::array<float, 3> numbers{};
  for (guint i = 0; i < 3; ++i) {
    const std::optional<float> number =
        number_of(gst_value_array_get_value(value, count == 1 ? 0 : i));
    if (!number) {
      why = "it has a value that is no number, or none that a float can hold";
      return false;
    }
    numbers[i] = *number;
  }
  channels = numbers;
  return true;
}

void get_channels(const std::array<float, 3>& channels, GValue* value) {
  for (const float channel : channels) {
    GValue item = G_VALUE_INIT;
    g_value_init(&item, G_TYPE_DOUBLE);
    g_value_set_double(&item, static_cast<double>(channel));
    gst_value_array_append_and_take_value(value, &item);
  }
}

const char* type_name(TensorType type) {
  switch (type) {
    case TensorType::kU8:
      return "uint8";
    case TensorType::kF16:
      return "float16";
    case TensorType::kF32:
      return "float32";
  }
  return "";
}

}  // namespace

void install_tensor_properties(GObjectClass* object_class) {
  constexpr auto kNull = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  constexpr auto kReady = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY);
  constexpr auto kPlaying = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                     GST_PARAM_MUTABLE_PLAYING);
  constexpr auto kRead = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  const TensorSettings defaults;
  // Ranges are as wide as the types: a bad value is then refused with an error that says what is
  // wrong with it, where GObject would only print a warning.
  g_object_class_install_property(
      object_class, PROP_TENSOR_DEVICE,
      g_param_spec_int("device", "Device",
                       "Ordinal of the CUDA device to make tensors on; -1 makes them on the CPU. "
                       "Without any CUDA device, 0 does that too. Changeable only in NULL state",
                       G_MININT, G_MAXINT, defaults.device, kNull));
  g_object_class_install_property(
      object_class, PROP_TENSOR_WIDTH,
      g_param_spec_uint("width", "Width", "Columns of the tensor, 1 to 16384", 0, G_MAXUINT,
                        defaults.spec.width, kReady));
  g_object_class_install_property(
      object_class, PROP_TENSOR_HEIGHT,
      g_param_spec_uint("height", "Height", "Rows of the tensor, 1 to 16384", 0, G_MAXUINT,
                        defaults.spec.height, kReady));
  g_object_class_install_property(
      object_class, PROP_TENSOR_LAYOUT,
      g_param_spec_enum("layout", "Layout", "Order of the tensor's axes",
                        gst_nv12_tensor_layout_get_type(), static_cast<int>(defaults.spec.layout),
                        kReady));
  g_object_class_install_property(
      object_class, PROP_TENSOR_CHANNEL_ORDER,
      g_param_spec_enum("channel-order", "Channel order", "Order of the tensor's channels",
                        gst_nv12_tensor_channel_order_get_type(),
                        static_cast<int>(defaults.spec.order), kReady));
  g_object_class_install_property(
      object_class, PROP_TENSOR_TYPE,
      g_param_spec_enum("dtype", "Data type", "What the tensor's elements are",
                        gst_nv12_tensor_element_type_get_type(),
                        static_cast<int>(defaults.spec.type), kReady));
  g_object_class_install_property(
      object_class, PROP_TENSOR_SCALE_MODE,
      g_param_spec_enum("scale-mode", "Scale mode",
                        "How pictures of another shape are fitted into the tensor, by bilinear "
                        "interpolation. The tensor's meta says where each picture is",
                        gst_nv12_tensor_scale_mode_get_type(),
                        static_cast<int>(defaults.spec.scale_mode), kReady));
  g_object_class_install_property(
      object_class, PROP_TENSOR_BORDER,
      g_param_spec_double("border", "Border",
                          "Value of each channel around the picture, 0 to 255, which is then "
                          "scaled as the picture's are",
                          -G_MAXDOUBLE, G_MAXDOUBLE, static_cast<double>(defaults.spec.border),
                          kReady));
  g_object_class_install_property(
      object_class, PROP_TENSOR_SCALE,
      g_param_spec_double("scale", "Scale",
                          "Each element is (v * scale - mean) / std, where v is the channel's "
                          "value, 0 to 255. Elements of 8 bits are rounded and saturated: "
                          "set this to 1 with dtype=u8",
                          -G_MAXDOUBLE, G_MAXDOUBLE, static_cast<double>(defaults.spec.scale),
                          kReady));
  g_object_class_install_property(
      object_class, PROP_TENSOR_MEAN,
      channels_param("mean", "Mean",
                     "What is subtracted from each channel, in the tensor's channel order: three "
                     "values, or one for all; not set: 0",
                     kReady));
  g_object_class_install_property(
      object_class, PROP_TENSOR_STD,
      channels_param("std", "Standard deviation",
                     "What each channel is divided by at last, in the tensor's channel order: "
                     "three values other than 0, or one for all; not set: 1",
                     kReady));
  g_object_class_install_property(
      object_class, PROP_TENSOR_BATCH_SIZE,
      g_param_spec_uint("batch-size", "Batch size",
                        "Pictures in a tensor, of any pads, in the order in which they come", 0,
                        G_MAXUINT, kDefaultBatchSize, kReady));
  g_object_class_install_property(
      object_class, PROP_TENSOR_BATCH_TIMEOUT,
      g_param_spec_uint64("batch-timeout", "Batch time-out",
                          "How long after its first picture a batch waits for the others, in "
                          "nanoseconds; it is then pushed with those it has",
                          0, G_MAXUINT64, kDefaultBatchTimeout, kPlaying));
  g_object_class_install_property(
      object_class, PROP_TENSOR_TIMEOUT,
      g_param_spec_uint64("timeout", "Time-out",
                          "How long to wait for a slot for the tensor, in nanoseconds; pictures "
                          "that come to none are dropped and counted",
                          0, G_MAXUINT64, kDefaultSlotTimeout, kPlaying));
  g_object_class_install_property(
      object_class, PROP_TENSOR_PATH,
      g_param_spec_string("path", "Path",
                          "How the last picture came to where its tensor was made: 'zero-copy' (it "
                          "was read in place), 'peer' (in place, on another device), 'host' (it "
                          "was copied from or to the host), 'none' before the first",
                          "none", kRead));
  g_object_class_install_property(
      object_class, PROP_TENSOR_STATS,
      g_param_spec_boxed("stats", "Statistics",
                         "Counters of this element since it last left READY "
                         "(application/x-nv12slottensor-stats; the fields are in "
                         "docs/nv12slottensor.md)",
                         GST_TYPE_STRUCTURE, kRead));
}

bool set_tensor_property(TensorSettings& settings, guint id, const GValue* value,
                         std::string& why) {
  TensorSpec& spec = settings.spec;
  switch (id) {
    case PROP_TENSOR_DEVICE:
      settings.device = g_value_get_int(value);
      break;
    case PROP_TENSOR_WIDTH:
      spec.width = g_value_get_uint(value);
      break;
    case PROP_TENSOR_HEIGHT:
      spec.height = g_value_get_uint(value);
      break;
    case PROP_TENSOR_LAYOUT:
      spec.layout = static_cast<TensorLayout>(g_value_get_enum(value));
      break;
    case PROP_TENSOR_CHANNEL_ORDER:
      spec.order = static_cast<ChannelOrder>(g_value_get_enum(value));
      break;
    case PROP_TENSOR_TYPE:
      spec.type = static_cast<TensorType>(g_value_get_enum(value));
      break;
    case PROP_TENSOR_SCALE_MODE:
      spec.scale_mode = static_cast<ScaleMode>(g_value_get_enum(value));
      break;
    case PROP_TENSOR_BORDER:
      spec.border = static_cast<float>(g_value_get_double(value));
      break;
    case PROP_TENSOR_SCALE:
      spec.scale = static_cast<float>(g_value_get_double(value));
      break;
    case PROP_TENSOR_MEAN:
      return set_channels(spec.mean, value, why);
    case PROP_TENSOR_STD:
      return set_channels(spec.std, value, why);
    case PROP_TENSOR_BATCH_SIZE:
      settings.batch_size = g_value_get_uint(value);
      break;
    case PROP_TENSOR_BATCH_TIMEOUT:
      settings.batch_timeout = g_value_get_uint64(value);
      break;
    case PROP_TENSOR_TIMEOUT:
      settings.timeout = g_value_get_uint64(value);
      break;
    default:
      g_assert_not_reached();
  }
  return true;
}

void get_tensor_property(const TensorSettings& settings, guint id, GValue* value) {
  const TensorSpec& spec = settings.spec;
  switch (id) {
    case PROP_TENSOR_DEVICE:
      g_value_set_int(value, settings.device);
      break;
    case PROP_TENSOR_WIDTH:
      g_value_set_uint(value, spec.width);
      break;
    case PROP_TENSOR_HEIGHT:
      g_value_set_uint(value, spec.height);
      break;
    case PROP_TENSOR_LAYOUT:
      g_value_set_enum(value, static_cast<int>(spec.layout));
      break;
    case PROP_TENSOR_CHANNEL_ORDER:
      g_value_set_enum(value, static_cast<int>(spec.order));
      break;
    case PROP_TENSOR_TYPE:
      g_value_set_enum(value, static_cast<int>(spec.type));
      break;
    case PROP_TENSOR_SCALE_MODE:
      g_value_set_enum(value, static_cast<int>(spec.scale_mode));
      break;
    case PROP_TENSOR_BORDER:
      g_value_set_double(value, static_cast<double>(spec.border));
      break;
    case PROP_TENSOR_SCALE:
      g_value_set_double(value, static_cast<double>(spec.scale));
      break;
    case PROP_TENSOR_MEAN:
      get_channels(spec.mean, value);
      break;
    case PROP_TENSOR_STD:
      get_channels(spec.std, value);
      break;
    case PROP_TENSOR_BATCH_SIZE:
      g_value_set_uint(value, settings.batch_size);
      break;
    case PROP_TENSOR_BATCH_TIMEOUT:
      g_value_set_uint64(value, settings.batch_timeout);
      break;
    case PROP_TENSOR_TIMEOUT:
      g_value_set_uint64(value, settings.timeout);
      break;
    default:
      g_assert_not_reached();
  }
}

CapsPtr tensor_caps(const TensorSettings& settings) {
  const TensorSpec& spec = settings.spec;
  const std::string width = std::to_string(spec.width);
  const std::string height = std::to_string(spec.height);
  // NNStreamer names the fastest axis first.
  const std::string picture = spec.layout == TensorLayout::kNchw ? width + ":" + height + ":3"
                                                                 : "3:" + width + ":" + height;
  const std::string dimensions = picture + ":" + std::to_string(settings.batch_size);
  return CapsPtr(gst_caps_new_simple("other/tensors",                                  //
                                     "format", G_TYPE_STRING, "static",                //
                                     "num_tensors", G_TYPE_INT, 1,                     //
                                     "dimensions", G_TYPE_STRING, dimensions.c_str(),  //
                                     "types", G_TYPE_STRING, type_name(spec.type),     //
                                     "framerate", GST_TYPE_FRACTION, 0, 1, nullptr));
}

}  // namespace nv12slot::gst
