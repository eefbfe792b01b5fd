// Reports of a profile: tables to read, one to compute with, and a trace to look at.
#pragma once

#include <string>

#include "engine/profile/profile.h"

namespace diopter {

/// The best that the device can do, measured.
struct Roof {
  double bytes_per_microsecond = 0;       // of a copy, read and written
  double operations_per_microsecond = 0;  // of a product of matrices

  /// The time that work with this floor cannot beat.
  double microseconds(const LeastWork& least) const;
};

/// For people, for each outermost phase ("step"): its phases with time and memory, its kernels with time, floor and
/// share of the roof, and the layers that take longest.
std::string profile_table(const Profile& profile, const Roof& roof);

/// For programs, a line for each outermost phase, innermost phase, kernel and parameter:
/// part,phase,kernel,parameter,count,microseconds,bytes,operations,share_of_roof
std::string profile_csv(const Profile& profile, const Roof& roof);

/// JSON in the Trace Event Format of chrome://tracing and Perfetto: a row for each of the device's streams, and one for
/// the host where the device is another.
std::string profile_trace(const Profile& profile);

}  // namespace diopter
