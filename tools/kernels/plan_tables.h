// How the rows of plans.h are written down.
#pragma once

#include <string>
#include <vector>

#include "tools/kernels/plans.h"

namespace diopter {

/// A table of the rows of one GPU by kind of problem, and how many rows are computed in which way.
std::string plan_summary(const std::vector<PlanRow>& rows);

/// All rows, with a line of names first, and as an array of objects with those names.
std::string plan_csv(const std::vector<PlanRow>& rows);
std::string plan_json(const std::vector<PlanRow>& rows);

}  // namespace diopter
