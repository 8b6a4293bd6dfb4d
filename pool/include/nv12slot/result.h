// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace nv12slot {

/// What went wrong, for callers that act on it.
enum class Errc {
  kInvalidArgument,  ///< the caller's value is out of range; the message says which and what is
                     ///< legal
  kNoDevice,         ///< no such device, no driver, or a build without CUDA
  kOutOfMemory,      ///< the domain could not allocate
  kExhausted,        ///< every slot of the domain is taken and the cap is reached
  kQuotaExceeded,    ///< the source already has as many slots as its quota allows
  kTimedOut,         ///< OnExhausted::kBlock waited as long as it was told to
  kCancelled,        ///< a Canceller woke the caller (flushing)
  kSourceClosed,     ///< the source is going or gone and takes no new frames
  kDeviceFailed,     ///< a driver call failed
  kExiting,          ///< exit() has begun; the driver must not be called any more
};

/// A short, stable word for `code`, e.g. "exhausted".
[[nodiscard]] const char* to_string(Errc code);

struct Error {
  Errc code = Errc::kInvalidArgument;
  std::string message;  ///< for a person; a driver error holds call, file:line, CUDA name and text
};

/// A value or an Error; [[nodiscard]], so that no result is ignored by accident.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  /// Precondition of value(), * and ->: ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// Precondition: !ok().
  const Error& error() const { return std::get<1>(state_); }
  Errc code() const { return error().code; }

 private:
  std::variant<T, Error> state_;
};

/// Success or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }

  /// Precondition: !ok().
  const Error& error() const { return *error_; }
  Errc code() const { return error().code; }

 private:
  std::optional<Error> error_;
};

}  // namespace nv12slot
