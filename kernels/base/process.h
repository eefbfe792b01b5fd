// This process, as the system sees it.
#pragma once

namespace diopter {

/// Largest resident size so far, in MiB.
double peak_resident_mib();

}  // namespace diopter
