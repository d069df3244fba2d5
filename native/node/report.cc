#include "node/report.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>
#include <utility>

namespace sconce::node {

namespace {

// Below this a copy into memory that V8 allocates is cheaper than an external buffer with its finalizer.
constexpr std::size_t kExternalBytes = std::size_t{16} << 10;

bool IsAscii(const char* text, std::size_t size) {
  std::uint64_t seen = 0;
  for (; size >= sizeof(seen); text += sizeof(seen), size -= sizeof(seen)) {
    std::uint64_t word;
    std::memcpy(&word, text, sizeof(word));
    seen |= word;
  }
  for (; size > 0; ++text, --size) seen |= static_cast<std::uint64_t>(static_cast<unsigned char>(*text));
  return (seen & 0x8080808080808080U) == 0;
}

void FreeBuffer(napi_env, void*, void* hint) { delete static_cast<Buffer*>(hint); }

napi_value CopyToArrayBuffer(napi_env env, const Buffer& bytes) {
  void* data = nullptr;
  napi_value value = nullptr;
  if (napi_create_arraybuffer(env, bytes.size(), &data, &value) != napi_ok) return nullptr;
  if (bytes.size() > 0) std::memcpy(data, bytes.data(), bytes.size());
  return value;
}

// A Float64Array: every number here is far below 2^53.
napi_value DescribeLeaves(napi_env env, const std::vector<LeafInfo>& leaves) {
  std::vector<double> numbers;
  for (const LeafInfo& leaf : leaves) {
    numbers.push_back(static_cast<double>(leaf.dtype));
    numbers.push_back(static_cast<double>(leaf.offset));
    numbers.push_back(static_cast<double>(leaf.bytes));
    numbers.push_back(static_cast<double>(leaf.shape.size()));
    for (std::int64_t size : leaf.shape.dims()) numbers.push_back(static_cast<double>(size));
  }
  void* data = nullptr;
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  if (napi_create_arraybuffer(env, numbers.size() * sizeof(double), &data, &buffer) != napi_ok) return nullptr;
  if (!numbers.empty()) std::memcpy(data, numbers.data(), numbers.size() * sizeof(double));
  napi_create_typedarray(env, napi_float64_array, numbers.size(), buffer, 0, &array);
  return array;
}

}  // namespace

napi_value ToArrayBuffer(napi_env env, Buffer bytes) {
  if (bytes.size() < kExternalBytes) return CopyToArrayBuffer(env, bytes);
  auto holder = std::make_unique<Buffer>(std::move(bytes));
  napi_value value = nullptr;
  if (napi_create_external_arraybuffer(env, holder->data(), holder->size(), FreeBuffer, holder.get(), &value) ==
      napi_ok) {
    (void)holder.release();
    return value;
  }
  return CopyToArrayBuffer(env, *holder);
}

void Reporter::Add(std::vector<TaskPtr> tasks) {
  if (empty()) {
    tasks_ = std::move(tasks);
    next_ = 0;
  } else {
    tasks_.insert(tasks_.end(), std::make_move_iterator(tasks.begin()), std::make_move_iterator(tasks.end()));
  }
}

void Reporter::Drop() {
  tasks_.clear();
  next_ = 0;
}

void Reporter::AddValue(napi_env env, napi_value value) {
  if (!value) napi_get_undefined(env, &value);
  values_.push_back(value);
}

void Reporter::PackOne(napi_env env, Task& task, std::uint32_t* record) {
  const bool failed = !task.status.ok();
  record[0] = task.cookie;
  record[1] = static_cast<std::uint32_t>(task.status.code());
  record[2] = task.model ? task.model->config().tag : 0;
  const std::string& message = task.status.message();
  const char* text = failed ? message.data() : reinterpret_cast<const char*>(task.answer.data());
  const std::size_t size = failed ? message.size() : task.answer.size();
  // A v2 answer that holds bytes begins with a zero byte.
  const bool v2_text = task.format == OutputFormat::kV2 && size > 0 && *text == '{';
  const bool textual = failed || task.format == OutputFormat::kJson || v2_text;
  if (textual && size <= kTextBytes && IsAscii(text, size)) {
    record[3] = kText;
    record[4] = static_cast<std::uint32_t>(text_.size());
    record[5] = static_cast<std::uint32_t>(size);
    text_.append(text, size);
    return;
  }
  record[3] = kValue;
  record[4] = static_cast<std::uint32_t>(values_.size());
  record[5] = 0;
  if (failed) {
    napi_value words = nullptr;
    napi_create_string_utf8(env, text, size, &words);
    return AddValue(env, words);
  }
  AddValue(env, ToArrayBuffer(env, std::move(task.answer)));
  if (task.format == OutputFormat::kTensors) {
    record[3] = kTensors;
    AddValue(env, DescribeLeaves(env, task.leaves));
  }
}

napi_value Reporter::Pack(napi_env env) {
  text_.clear();
  values_.clear();
  const std::size_t room = (words_ - kHeaderWords) / kWords;
  std::size_t count = 0;
  std::uint32_t* record = meta_ + kHeaderWords;
  while (!empty() && count < room && text_.size() < kPackBytes) {
    TaskPtr task = std::move(tasks_[next_++]);
    PackOne(env, *task, record);
    channel_.Recycle(std::move(task));
    record += kWords;
    ++count;
  }
  meta_[0] = static_cast<std::uint32_t>(count);
  meta_[1] = empty() ? 0 : 1;
  if (text_.empty() && values_.empty()) return nullptr;
  napi_value packed = nullptr;
  if (napi_create_string_latin1(env, text_.data(), text_.size(), &packed) != napi_ok) return nullptr;
  if (values_.empty()) return packed;
  napi_value all = nullptr;
  if (napi_create_array_with_length(env, values_.size() + 1, &all) != napi_ok) return nullptr;
  napi_set_element(env, all, 0, packed);
  for (std::size_t i = 0; i < values_.size(); ++i) {
    napi_set_element(env, all, static_cast<std::uint32_t>(i + 1), values_[i]);
  }
  return all;
}

}  // namespace sconce::node
