#include <unistd.h>

#include <new>

#include "core/buffer.h"
#include "core/device.h"

namespace sconce {
namespace {

class CpuStaging final : public Staging {
 public:
  explicit CpuStaging(std::size_t bytes) : buffer_(bytes), bytes_(bytes) {}
  std::byte* data() const override { return buffer_.data(); }
  std::size_t bytes() const override { return bytes_; }

 private:
  mutable Buffer buffer_;
  std::size_t bytes_;
};

class CpuStream final : public Stream {
 public:
  void Enter() override {}
  void Leave() override {}
  Status Synchronise() override { return Status::Ok(); }
};

class CpuEvent final : public Event {
 public:
  Status Record(Stream&) override { return Status::Ok(); }
  Status Wait() override { return Status::Ok(); }
};

class Cpu final : public Device {
 public:
  const std::string& name() const override { return name_; }
  bool is_host() const override { return true; }
  Result<std::unique_ptr<Staging>> NewStaging(std::size_t bytes) const override {
    try {
      return std::unique_ptr<Staging>(std::make_unique<CpuStaging>(bytes));
    } catch (const std::bad_alloc&) {
      return Status(Code::kOutOfMemory, "no memory for " + std::to_string(bytes) + " bytes of a batch");
    }
  }
  Result<std::unique_ptr<Stream>> NewStream(StreamPriority) const override {
    return std::unique_ptr<Stream>(std::make_unique<CpuStream>());
  }
  Result<std::unique_ptr<Event>> NewEvent() const override {
    return std::unique_ptr<Event>(std::make_unique<CpuEvent>());
  }
  Result<DeviceMemory> Memory() const override {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return DeviceMemory{page * static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)),
                        page * static_cast<std::size_t>(sysconf(_SC_AVPHYS_PAGES))};
  }
  void ReleaseCached() const override {}
  Status Check() const override { return Status::Ok(); }

 private:
  const std::string name_ = "cpu";
};

}  // namespace

const Device& CpuDevice() {
  static const Cpu cpu;
  return cpu;
}

}  // namespace sconce
