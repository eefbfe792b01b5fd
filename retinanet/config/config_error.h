// Errors of configurations, which know their key and place.
#pragma once

#include <string>
#include <utility>

#include "kernels/base/check.h"

namespace diopter {

/// A key that does not exist, or a value that it cannot have. what() is "WHERE: MESSAGE".
class ConfigError : public Error {
 public:
  ConfigError(std::string key, std::string where, const std::string& message)
      : Error(where.empty() ? message : where + ": " + message), key_(std::move(key)), where_(std::move(where)) {}
  const std::string& key() const { return key_; }
  /// "--set train.lr=0.02", "FILE:LINE", or "" where values that came from different places do not go together.
  const std::string& where() const { return where_; }

 private:
  std::string key_, where_;
};

class UnknownKey : public ConfigError {
 public:
  using ConfigError::ConfigError;
};

}  // namespace diopter
