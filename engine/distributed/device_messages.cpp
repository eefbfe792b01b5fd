#include "engine/distributed/device_messages.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

/// Messages of a tag pass together, when all of them have been begun.
class DeviceMessages final : public Messages {
 public:
  explicit DeviceMessages(std::unique_ptr<DeviceLink> link) : link_(std::move(link)) {}

  Device memory() const override { return Device::cuda; }
  void begin_send(int to, int tag, const void* bytes, std::int64_t count) override {
    begun_[tag].sends.push_back({to, const_cast<void*>(bytes), static_cast<std::size_t>(count)});
    sent_ += count;
  }
  void begin_receive(int from, int tag, void* bytes, std::int64_t count) override {
    begun_[tag].receives.push_back({from, bytes, static_cast<std::size_t>(count)});
  }
  void all_begun(int tag) override {
    const auto group = begun_.extract(tag);
    if (group) link_->pass(group.mapped().sends, group.mapped().receives);
  }
  std::int64_t progress() override {
    std::int64_t bytes = link_->bytes_to_come();
    for (const auto& [tag, group] : begun_) {
      for (const DeviceLink::Message& m : group.receives) bytes += static_cast<std::int64_t>(m.bytes);
    }
    return bytes;
  }
  void complete() override {
    DIOPTER_CHECK(begun_.empty(), "messages between GPUs of ", begun_.size(), " tags were begun and not let go");
    link_->wait();
  }
  std::int64_t bytes_sent() const override { return sent_; }

 private:
  struct Group {
    std::vector<DeviceLink::Message> sends, receives;
  };
  std::unique_ptr<DeviceLink> link_;
  std::map<int, Group> begun_;  // by tag
  std::int64_t sent_ = 0;
};

NcclOfMachine load(NcclLibrary& functions) {
  const char* named = std::getenv("DIOPTER_NCCL");
  if (named && std::strcmp(named, "off") == 0) return {nullptr, "off (DIOPTER_NCCL)"};
  const std::string file = named && *named ? named : "libnccl.so.2";
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return {nullptr, "no " + file};
  bool complete = true;
  const auto find = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    complete = complete && function;
  };
  int (*get_version)(int*) = nullptr;
  find("ncclGetVersion", get_version);
  find("ncclGetUniqueId", functions.get_unique_id);
  find("ncclCommInitRank", functions.init_rank);
  find("ncclCommDestroy", functions.destroy);
  find("ncclCommAbort", functions.abort);
  find("ncclCommGetAsyncError", functions.async_error);
  find("ncclGroupStart", functions.group_start);
  find("ncclGroupEnd", functions.group_end);
  find("ncclSend", functions.send);
  find("ncclRecv", functions.receive);
  find("ncclGetErrorString", functions.error_text);
  if (!complete) return {nullptr, file + " is too old: it has no ncclSend"};
  int version = 0;  // 10000 major + 100 minor + patch, since 2.9
  get_version(&version);
  return {&functions, std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
                          std::to_string(version % 100) + " (" + file + ")"};
}

}  // namespace

std::unique_ptr<Messages> connect_devices(Communicator& ranks, const NcclLibrary* library) {
  if (any(ranks, !library)) return nullptr;
  NcclLibrary::Id id{};
  together(ranks, [&] {
    if (!ranks.leads()) return;
    const int result = library->get_unique_id(&id);
    DIOPTER_CHECK(result == 0, "ncclGetUniqueId failed: ", library->error_text(result));
  });
  const std::string told = ranks.gather({id.bytes, sizeof id.bytes})[0];
  std::memcpy(id.bytes, told.data(), sizeof id.bytes);
  std::unique_ptr<DeviceLink> link;
  together(ranks,
           [&] { link = DIOPTER_DISPATCH(Device::cuda, link_devices, *library, id, ranks.rank(), ranks.ranks()); });
  return std::make_unique<DeviceMessages>(std::move(link));
}

const NcclOfMachine& nccl_of_machine() {
  static NcclLibrary functions;
  static const NcclOfMachine found = load(functions);
  return found;
}

}  // namespace diopter
