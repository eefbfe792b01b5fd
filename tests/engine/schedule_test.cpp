#include "engine/schedule.h"

#include "tests/support/catch.h"

namespace diopter {
namespace {

TEST_CASE("Schedule: linear warm-up") {
  const Schedule schedule{.kind = Schedule::Kind::constant,
                          .base = 0.01,
                          .milestones = {},
                          .warmup_iterations = 500,
                          .warmup_factor = 0.001};
  CHECK(schedule.at(0) == Approx(1e-5));
  CHECK(schedule.at(1) == Approx(1e-5 + 0.00999 / 500));
  CHECK(schedule.at(250) == Approx(0.005005));
  CHECK(schedule.at(499) == Approx(0.01 - 0.00999 / 500));
  CHECK(schedule.at(500) == 0.01);
  CHECK(schedule.at(1000000) == 0.01);
}

TEST_CASE("Schedule: steps at the milestones") {
  const Schedule schedule{.kind = Schedule::Kind::multistep, .base = 0.01, .milestones = {60000, 80000}, .gamma = 0.1};
  CHECK(schedule.at(0) == 0.01);
  CHECK(schedule.at(59999) == 0.01);
  CHECK(schedule.at(60000) == Approx(0.001));
  CHECK(schedule.at(79999) == Approx(0.001));
  CHECK(schedule.at(80000) == Approx(0.0001));
  CHECK(schedule.at(90000) == Approx(0.0001));
}

TEST_CASE("Schedule: a milestone within the warm-up") {
  const Schedule schedule{.kind = Schedule::Kind::multistep,
                          .base = 1,
                          .milestones = {5},
                          .gamma = 0.5,
                          .warmup_iterations = 10,
                          .warmup_factor = 0};
  CHECK(schedule.at(4) == Approx(0.4));
  CHECK(schedule.at(5) == Approx(0.25));
  CHECK(schedule.at(10) == Approx(0.5));
}

TEST_CASE("Schedule: cosine from the base to zero") {
  const Schedule schedule{.kind = Schedule::Kind::cosine, .base = 0.02, .iterations = 300, .milestones = {}};
  CHECK(schedule.at(0) == 0.02);
  CHECK(schedule.at(100) == Approx(0.015));
  CHECK(schedule.at(150) == Approx(0.01));
  CHECK(schedule.at(200) == Approx(0.005));
  CHECK(schedule.at(300) == Approx(0).margin(1e-15));
  CHECK(schedule.at(400) == Approx(0).margin(1e-15));
  CHECK(Schedule{.kind = Schedule::Kind::cosine, .iterations = 0, .milestones = {}}.at(0) == 0.01);
}

TEST_CASE("Schedule: the next decay") {
  Schedule schedule{.kind = Schedule::Kind::multistep, .iterations = 100, .milestones = {80, 50}};
  CHECK(schedule.next_decay(0) == 50);
  CHECK(schedule.next_decay(49) == 50);
  CHECK(schedule.next_decay(50) == 80);
  CHECK(schedule.next_decay(80) == 100);
  schedule.kind = Schedule::Kind::constant;
  CHECK(schedule.next_decay(0) == 100);
}

TEST_CASE("Schedule: exponential by a factor over all of it") {
  const Schedule schedule{
      .kind = Schedule::Kind::exponential, .base = 1e-4, .iterations = 10, .milestones = {}, .gamma = 1e6};
  CHECK(schedule.at(0) == Approx(1e-4));
  CHECK(schedule.at(5) == Approx(0.1));
  CHECK(schedule.at(10) == Approx(100));
}

}  // namespace
}  // namespace diopter
