// Results of approximate instructions, which a GPU computes in its own way: as near as they can be, or moved.
#pragma once

namespace diopter::host_executor::ptx {

/// The float nearest to an exact result, moved by as many units in the last place as DIOPTER_EXECUTOR_APPROX says.
float approximate(double exact);

/// 2^x in the same way, but 1 of 0, as PTX promises.
float approximate_exp2(float x);

/// So many floats further up, or down; 0, infinities and NaN stay.
float moved(float value, int ulps);
/// From -2 to 2, by the value and the seed alone, so that it does not depend on the order of threads.
int random_ulps(float value, unsigned seed);

}  // namespace diopter::host_executor::ptx
