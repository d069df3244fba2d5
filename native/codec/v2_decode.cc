#include "codec/v2_decode.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codec/check.h"
#include "codec/json_skip.h"
#include "codec/json_string.h"
#include "codec/json_tensor.h"
#include "codec/v2_types.h"

namespace sconce::codec {
namespace {

constexpr std::size_t kMaxWordBytes = 64;
constexpr int kDataDepth = 3;  // arrays and objects around an input's "data"
constexpr std::int64_t kUnbatched = -1;
constexpr std::size_t kMaxDigits = 18;
constexpr std::string_view kSharedMemory = "shared_memory_region";

struct Input {
  std::string name;
  std::string datatype;
  std::optional<Shape> shape;
  std::optional<std::size_t> binary;  // bytes that come behind the JSON
  std::optional<JsonReader> data;     // where the value of "data" begins, until it can be read
  // Once checked:
  bool checked = false;
  DType dtype = DType::kFloat32;
  std::size_t index = 0;   // among the model's inputs
  Shape sample;            // the shape without the batch
  std::size_t offset = 0;  // in the layout
  bool read = false;
};

std::string Quoted(std::string_view name) { return '"' + ShownText(name) + '"'; }

class V2Reader {
 public:
  V2Reader(std::span<const std::byte> body, std::size_t json_bytes, const Signature& signature, Layout& layout,
           Task& task)
      : body_(body),
        blobs_at_(json_bytes),
        reader_(body.first(json_bytes)),
        signature_(signature),
        layout_(layout),
        task_(task),
        asked_(*task.v2) {}

  Status Read() {
    reader_.SkipSpace();
    if (reader_.AtEnd()) return {Code::kBadRequest, "the body is empty; expected JSON: {\"inputs\": [...]}"};
    if (Status s = Members([this](const std::string& key) { return Member(key); }); !s.ok()) return s;
    reader_.SkipSpace();
    if (!reader_.AtEnd()) return reader_.Error("something follows the JSON value");
    if (inputs_.empty()) return {Code::kBadRequest, "\"inputs\" is missing or empty; expected " + Expected()};
    for (Input& input : inputs_) {
      if (Status s = Resolve(input); !s.ok()) return s;
    }
    if (blobs_at_ != body_.size()) {
      return {Code::kBadRequest, std::to_string(body_.size() - blobs_at_) +
                                     " bytes follow the last input that comes as bytes; no input takes them"};
    }
    return MakeRows();
  }

 private:
  // ── JSON's structure ──

  template <typename F>
  Status Members(F member) {
    if (!reader_.Take('{')) return reader_.Error("expected an object");
    reader_.SkipSpace();
    bool more = !reader_.Take('}');
    for (int keys = 1; more; ++keys) {
      if (keys > layout_.limits().max_json_keys) {
        return reader_.Error("more than " + std::to_string(layout_.limits().max_json_keys) + " keys in one object");
      }
      std::string key;
      if (Status s = ReadString(reader_, kMaxNameBytes, &key); !s.ok()) return s;
      reader_.SkipSpace();
      if (!reader_.Take(':')) return reader_.Error("expected :");
      reader_.SkipSpace();
      if (Status s = member(key); !s.ok()) return s;
      if (Status s = Next('}', &more); !s.ok()) return s;
    }
    return Status::Ok();
  }

  template <typename F>
  Status Elements(const char* what, F element) {
    if (!reader_.Take('[')) return reader_.Error(std::string("expected an array of ") + what);
    reader_.SkipSpace();
    bool more = !reader_.Take(']');
    while (more) {
      if (Status s = element(); !s.ok()) return s;
      if (Status s = Next(']', &more); !s.ok()) return s;
    }
    return Status::Ok();
  }

  Status Next(char close, bool* more) {
    reader_.SkipSpace();
    *more = reader_.Take(',');
    if (*more) {
      reader_.SkipSpace();
    } else if (!reader_.Take(close)) {
      return reader_.Error(std::string("expected , or ") + close);
    }
    return Status::Ok();
  }

  Status Skip() { return SkipValue(reader_, layout_.limits().max_json_depth); }

  Status WholeNumber(const char* what, std::int64_t* value) {
    if (reader_.Peek() == '-') return reader_.Error(std::string("a negative number for ") + what);
    const bool zero = reader_.Peek() == '0';
    std::size_t digits = 0;
    for (*value = 0; reader_.Peek() >= '0' && reader_.Peek() <= '9'; reader_.Advance(reader_.at() + 1)) {
      if (++digits > kMaxDigits) return reader_.Error(std::string("too large a number for ") + what);
      *value = *value * 10 + (reader_.Peek() - '0');
    }
    const char next = reader_.Peek();
    if (zero && digits > 1) return reader_.Error(std::string("a leading zero in ") + what);
    if (digits > 0 && next != '.' && next != 'e' && next != 'E') return Status::Ok();
    return reader_.Error(std::string("expected a whole number for ") + what);
  }

  Status Bool(const char* what, bool* value) {
    *value = reader_.TakeWord("true");
    if (*value || reader_.TakeWord("false")) return Status::Ok();
    return reader_.Error(std::string("expected true or false for ") + what);
  }

  // Refuses the second of two equal keys.
  Status Once(bool* seen, const std::string& key) { return std::exchange(*seen, true) ? Again(key) : Status::Ok(); }

  // ── the request ──

  Status Member(const std::string& key) {
    if (key == "id") {
      if (Status s = Once(&seen_id_, key); !s.ok()) return s;
      return ReadString(reader_, kMaxV2IdBytes, &asked_.id);
    }
    if (key == "inputs") {
      if (Status s = Once(&seen_inputs_, key); !s.ok()) return s;
      return Elements("inputs", [this] { return ReadInput(); });
    }
    if (key == "outputs") {
      if (Status s = Once(&seen_outputs_, key); !s.ok()) return s;
      return Elements("outputs", [this] { return ReadOutput(); });
    }
    if (key != "parameters") return Skip();
    return Members([this](const std::string& name) {
      if (name != "binary_data_output") return Skip();
      if (Status s = Once(&seen_binary_, name); !s.ok()) return s;
      return Bool("binary_data_output", &asked_.binary);
    });
  }

  Status ReadOutput() {
    if (asked_.outputs.size() == kMaxTensors) {
      return reader_.Error("more than " + std::to_string(kMaxTensors) + " outputs");
    }
    V2Request::Output output;
    Status read = Members([&](const std::string& key) {
      if (key == "name") {
        return output.name.empty() ? ReadString(reader_, kMaxNameBytes, &output.name) : Again(key);
      }
      if (key != "parameters") return Skip();
      return Members([&](const std::string& name) { return OutputParameter(name, output); });
    });
    if (!read.ok()) return read;
    if (output.name.empty()) return reader_.Error("an output without a \"name\"");
    for (const V2Request::Output& other : asked_.outputs) {
      if (other.name == output.name) return reader_.Error("the output " + Quoted(output.name) + " twice");
    }
    asked_.outputs.push_back(std::move(output));
    return Status::Ok();
  }

  Status OutputParameter(const std::string& name, V2Request::Output& output) {
    if (name == "classification") return Bad("the parameter \"classification\" is not supported");
    if (name == kSharedMemory) return NoSharedMemory();
    if (name != "binary_data") return Skip();
    if (output.binary) return Again(name);
    bool binary = false;
    Status read = Bool("binary_data", &binary);
    output.binary = binary;
    return read;
  }

  // Read past, an output would not be where its client looks for it.
  static Status NoSharedMemory() { return Bad("Shared memory is not supported; send the tensors in the request."); }

  // ── inputs ──

  Status ReadInput() {
    if (inputs_.size() == kMaxTensors) return reader_.Error("more than " + std::to_string(kMaxTensors) + " inputs");
    Input& input = inputs_.emplace_back();
    Status read = Members([&](const std::string& key) { return InputMember(key, input); });
    if (!read.ok()) return read;
    if (input.name.empty()) return reader_.Error("an input without a \"name\"");
    if (input.datatype.empty()) return reader_.Error("input " + Quoted(input.name) + " has no \"datatype\"");
    if (!input.shape) return reader_.Error("input " + Quoted(input.name) + " has no \"shape\"");
    return input.checked ? Status::Ok() : Check(input);
  }

  Status InputMember(const std::string& key, Input& input) {
    if (key == "name") {
      if (!input.name.empty()) return Again(key);
      return ReadString(reader_, kMaxNameBytes, &input.name);
    }
    if (key == "datatype") {
      if (!input.datatype.empty()) return Again(key);
      return ReadString(reader_, kMaxWordBytes, &input.datatype);
    }
    if (key == "shape") return input.shape ? Again(key) : ReadShape(input.shape.emplace());
    if (key == "data") return Data(input);
    if (key != "parameters") return Skip();
    return Members([&](const std::string& name) {
      if (name == kSharedMemory) return NoSharedMemory();
      if (name != "binary_data_size") return Skip();
      if (input.binary) return Again(name);
      std::int64_t size = 0;
      Status read = WholeNumber("binary_data_size", &size);
      input.binary = static_cast<std::size_t>(size);
      return read;
    });
  }

  Status Again(const std::string& key) { return reader_.Error("the key " + Quoted(key) + " again"); }

  Status ReadShape(Shape& shape) {
    return Elements("sizes", [&]() -> Status {
      std::int64_t size = 0;
      if (Status s = WholeNumber("a size of \"shape\"", &size); !s.ok()) return s;
      if (shape.push_back(size)) return Status::Ok();
      return reader_.Error("more than " + std::to_string(kMaxDims) + " dimensions");
    });
  }

  // Read at once where name, datatype and shape stand before it, as clients write them; else later.
  Status Data(Input& input) {
    if (input.data || input.read) return reader_.Error("the key \"data\" again");
    if (input.name.empty() || input.datatype.empty() || !input.shape) {
      input.data = reader_;
      return Skip();
    }
    if (Status s = Check(input); !s.ok()) return s;
    return ReadData(reader_, input);
  }

  // Name, datatype and shape against what the model declares.
  Status Check(Input& input) {
    input.checked = true;
    const InputSpec* declared = nullptr;
    if (Status s = Find(input, &declared); !s.ok()) return s;
    const std::optional<DType> dtype = ParseV2Type(input.datatype);
    if (!dtype || (declared != nullptr && declared->dtype != *dtype)) return WrongType(input, declared);
    input.dtype = *dtype;
    const Shape& shape = *input.shape;
    const int rank = declared != nullptr ? declared->shape.size() : std::max(shape.size() - 1, 0);
    const bool batched = shape.size() == rank + 1;
    if (!batched && shape.size() != rank) return WrongShape(input, declared);
    input.sample = batched ? Shape(shape.dims().subspan(1)) : shape;
    if (declared != nullptr && !input.sample.Matches(declared->shape)) return WrongShape(input, declared);
    return SameBatch(input, batched ? shape[0] : kUnbatched);
  }

  Status Find(Input& input, const InputSpec** declared) {
    for (const Input& other : inputs_) {
      if (&other != &input && other.name == input.name) return Bad("input " + Quoted(input.name) + " twice");
    }
    if (!signature_.declared) {
      input.index = static_cast<std::size_t>(&input - inputs_.data());
      return Status::Ok();
    }
    const auto found = std::ranges::find(signature_.inputs, input.name, &InputSpec::name);
    if (found == signature_.inputs.end()) {
      return Bad("there is no input " + Quoted(input.name) + "; expected " + Expected());
    }
    input.index = static_cast<std::size_t>(found - signature_.inputs.begin());
    *declared = &*found;
    return Status::Ok();
  }

  Status SameBatch(const Input& input, std::int64_t batch) {
    if (!batch_) batch_ = batch;
    if (*batch_ == batch) return Status::Ok();
    const auto words = [](std::int64_t size) {
      return size == kUnbatched ? "no batch dimension" : "a batch of " + std::to_string(size);
    };
    return Bad("input " + Quoted(input.name) + " has " + words(batch) + ", the inputs before it " + words(*batch_));
  }

  Status ReadData(JsonReader& reader, Input& input) {
    if (input.dtype == DType::kFloat16 || input.dtype == DType::kBFloat16) {
      return Bad("input " + Quoted(input.name) + ": " + input.datatype +
                 " has no form in JSON; send it as bytes (binary_data_size)");
    }
    const auto count = ElementCount(*input.shape);
    const auto left = static_cast<std::int64_t>(reader.end() - reader.at());
    // An element is a digit and a comma at least: what cannot be there takes no memory.
    if (!count || *count > left / 2 + 1) {
      return Bad("input " + Quoted(input.name) + ": \"data\" is shorter than shape " + input.shape->ToString());
    }
    JsonReader ahead = reader;
    ahead.Take('[');
    ahead.SkipSpace();
    const bool nested = input.shape->size() > 1 && ahead.Peek() == '[';
    const InputSpec spec{input.name, input.dtype, nested ? *input.shape : Shape{*count}, false};
    TensorView view;
    if (Status s = ReadTensor(reader, {&spec, spec.name, kDataDepth}, layout_, &view); !s.ok()) return s;
    input.offset = reinterpret_cast<std::uintptr_t>(view.data);
    input.read = true;
    return Status::Ok();
  }

  Status Resolve(Input& input) {
    if (input.binary && (input.read || input.data)) {
      return Bad("input " + Quoted(input.name) + " has both \"data\" and \"binary_data_size\"");
    }
    if (input.read) return Status::Ok();
    if (input.data) return ReadData(*input.data, input);
    if (!input.binary) return Bad("input " + Quoted(input.name) + " has no \"data\"");
    return ReadBytes(input);
  }

  Status ReadBytes(Input& input) {
    const auto bytes = TensorBytes(*input.shape, input.dtype);
    if (!bytes || *bytes != *input.binary) {
      return Bad("input " + Quoted(input.name) + ": " + input.datatype + ' ' + input.shape->ToString() + " takes " +
                 (bytes ? std::to_string(*bytes) : "more than any number of") + " bytes, binary_data_size says " +
                 std::to_string(*input.binary));
    }
    if (*bytes > body_.size() - blobs_at_) {
      return Bad("input " + Quoted(input.name) + ": " + std::to_string(*bytes) + " bytes expected behind the JSON, " +
                 std::to_string(body_.size() - blobs_at_) +
                 " are there; the header Inference-Header-Content-Length says where the JSON ends");
    }
    const std::span<const std::byte> blob = body_.subspan(blobs_at_, *bytes);
    if (Status s = CheckBools(input.dtype, blob); !s.ok()) return s;
    if (Status s = layout_.Begin(input.dtype, &input.offset); !s.ok()) return s;
    if (Status s = layout_.Grow(*bytes); !s.ok()) return s;
    if (*bytes > 0) std::memcpy(layout_.at(input.offset), blob.data(), *bytes);
    blobs_at_ += *bytes;
    return Status::Ok();
  }

  Status MakeRows() {
    const std::int64_t count = *batch_ == kUnbatched ? 1 : *batch_;
    if (count == 0) return Bad("a batch of no samples; expected at least one");
    if (static_cast<std::size_t>(count) > layout_.limits().max_instances) {
      return Bad(std::to_string(count) + " samples, more than " + std::to_string(layout_.limits().max_instances) +
                 kInstancesOption);
    }
    if (Status s = CheckComplete(); !s.ok()) return s;
    task_.instances = *batch_ != kUnbatched;
    // One input of a model that declares none goes to its first argument, whatever it is called.
    if (!signature_.declared && inputs_.size() > 1) {
      for (const Input& input : inputs_) task_.names.push_back(input.name);
    }
    const std::size_t width = signature_.declared ? signature_.inputs.size() : inputs_.size();
    task_.rows.reserve(static_cast<std::size_t>(count));
    for (std::size_t row = 0; row < static_cast<std::size_t>(count); ++row) {
      std::vector<TensorView>& views = layout_.AddRow(width);
      for (TensorView& view : views) view.present = false;
      for (const Input& input : inputs_) {
        const std::size_t bytes = *TensorBytes(input.sample, input.dtype);
        Layout::Place(views[input.index], input.dtype, input.sample, input.offset + row * bytes, bytes);
      }
    }
    return Status::Ok();
  }

  Status CheckComplete() const {
    for (const Input& input : inputs_) {
      if (!signature_.declared && *TensorBytes(input.sample, input.dtype) == 0) {
        return Bad("input " + Quoted(input.name) + " is empty; only a declared -1 dimension may be");
      }
    }
    if (!signature_.declared) return Status::Ok();
    for (std::size_t i = 0; i < signature_.inputs.size(); ++i) {
      const bool sent = std::ranges::find(inputs_, i, &Input::index) != inputs_.end();
      if (!sent && !signature_.inputs[i].optional) {
        return Bad("input \"" + signature_.inputs[i].name + "\" is missing; expected " + Expected());
      }
    }
    return Status::Ok();
  }

  // ── words ──

  static Status Bad(std::string message) { return {Code::kBadRequest, std::move(message)}; }

  static std::string Words(const InputSpec& input) {
    return std::string(V2Type(input.dtype)) + ' ' + input.shape.ToString();
  }

  std::string Expected() const {
    if (!signature_.declared) return "inputs with name, shape, datatype and data";
    std::string list;
    for (const InputSpec& input : signature_.inputs) {
      list += (list.empty() ? "" : ", ") + std::string(input.optional ? "optional " : "") + '"' + input.name + "\" (" +
              Words(input) + ')';
    }
    return list;
  }

  Status WrongType(const Input& input, const InputSpec* declared) const {
    return Bad("input " + Quoted(input.name) + ": expected datatype " +
               (declared != nullptr ? std::string(V2Type(declared->dtype))
                                    : "BOOL, UINT8, INT8, INT16, INT32, INT64, FP16, BF16, FP32 or FP64") +
               ", got " + Quoted(input.datatype));
  }

  Status WrongShape(const Input& input, const InputSpec* declared) const {
    return Bad("input " + Quoted(input.name) + ": expected shape " + declared->shape.ToString() +
               ", or one dimension more in front for a batch; got " + input.shape->ToString());
  }

  std::span<const std::byte> body_;
  std::size_t blobs_at_;  // the first byte that no input has taken
  JsonReader reader_;
  const Signature& signature_;
  Layout& layout_;
  Task& task_;
  V2Request& asked_;
  std::vector<Input> inputs_;
  std::optional<std::int64_t> batch_;
  bool seen_id_ = false;
  bool seen_inputs_ = false;
  bool seen_outputs_ = false;
  bool seen_binary_ = false;
};

}  // namespace

Status ReadV2(std::span<const std::byte> body, std::size_t json_bytes, const Signature& signature, Layout& layout,
              Task& task) {
  task.v2 = std::make_unique<V2Request>();
  if (signature.inputs.size() > kMaxTensors) return {Code::kInternal, "the model declares too many inputs"};
  if (json_bytes > body.size()) {
    return {Code::kBadRequest, "Inference-Header-Content-Length is " + std::to_string(json_bytes) + ", the body has " +
                                   std::to_string(body.size()) + " bytes"};
  }
  return V2Reader(body, json_bytes, signature, layout, task).Read();
}

}  // namespace sconce::codec
