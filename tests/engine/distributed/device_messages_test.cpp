#include "engine/distributed/device_messages.h"

#include "engine/tensor.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/files.h"
#include "tests/support/thread_ranks.h"

using namespace diopter;

TEST_CASE("a rank without NCCL leaves all without it") {
  for (const int without : {0, 1}) {
    std::vector<int> connected(2);
    test::ThreadRanks(2).run([&](Communicator& c) {
      const NcclLibrary* library = c.rank() == without ? nullptr : &test::nccl_stand_in();
      connected[c.rank()] = connect_devices(c, library) != nullptr;
    });
    CHECK(connected == std::vector<int>{0, 0});
  }
}

TEST_CASE("an error of NCCL is one of all ranks") {
  NcclLibrary failing = test::nccl_stand_in();
  failing.get_unique_id = [](NcclLibrary::Id*) { return 5; };
  CHECK(test::error_of([&] { test::ThreadRanks(2).run([&](Communicator& c) { connect_devices(c, &failing); }); }) ==
        "rank 0: ncclGetUniqueId failed: the stand-in fails");
}

TEST_CASE("messages from device to device pass tag by tag, after what was given to the device before") {
  if (!test::has_cuda()) return test::skip("this build has no CUDA");
  constexpr std::int64_t kSize = 5000;
  std::vector<std::vector<float>> got(2);
  std::vector<std::int64_t> waiting, sent(2);
  test::ThreadRanks(2).run([&](Communicator& c) {
    const std::unique_ptr<Messages> messages = c.connect_devices();
    const int other = 1 - c.rank();
    const Tensor mine = Tensor::full({2 * kSize}, static_cast<float>(c.rank() + 1), Device::cuda);
    const Tensor theirs = Tensor::zeros({2 * kSize}, DType::f32, Device::cuda);
    const auto half = [&](const Tensor& t, int i) { return t.slice(i * kSize, (i + 1) * kSize); };
    for (const int tag : {0, 1}) {
      messages->begin_receive(other, tag, half(theirs, tag).raw(), 4 * kSize);
      messages->begin_send(other, tag, half(mine, tag).raw(), 4 * kSize);
    }
    if (c.leads()) waiting.push_back(messages->progress());
    messages->all_begun(1);
    messages->all_begun(0);
    messages->complete();
    half(theirs, 1).copy_from(half(theirs, 0));  // after the message, by the device's order
    got[c.rank()] = theirs.to_vector<float>();
    if (c.leads()) waiting.push_back(messages->progress());
    sent[c.rank()] = messages->bytes_sent();
  });
  for (const int rank : {0, 1}) CHECK(got[rank] == std::vector<float>(2 * kSize, static_cast<float>(2 - rank)));
  CHECK(waiting == std::vector<std::int64_t>{8 * kSize, 0});
  CHECK(sent == std::vector<std::int64_t>{8 * kSize, 8 * kSize});
}

TEST_CASE("messages that are begun and not let go are an error, not old values") {
  if (!test::has_cuda()) return test::skip("this build has no CUDA");
  CHECK(test::contains(test::error_of([&] {
                         test::ThreadRanks(2).run([&](Communicator& c) {
                           const std::unique_ptr<Messages> messages = c.connect_devices();
                           const Tensor place = Tensor::zeros({1}, DType::f32, Device::cuda);
                           messages->begin_receive(1 - c.rank(), 3, place.raw(), 4);
                           messages->complete();
                         });
                       }),
                       "not let go"));
}

TEST_CASE("messages that fail under way are an error") {
  if (!test::has_cuda()) return test::skip("this build has no CUDA");
  NcclLibrary failing = test::nccl_stand_in();
  failing.async_error = [](void*, int* state) { return *state = 6, 0; };
  CHECK(test::contains(test::error_of([&] {
                         test::ThreadRanks(2).run([&](Communicator& c) { connect_devices(c, &failing)->complete(); });
                       }),
                       "a message between GPUs failed: the stand-in fails"));
}
