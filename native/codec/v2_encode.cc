#include <algorithm>
#include <array>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "codec/codec.h"
#include "codec/elements.h"
#include "codec/json_skip.h"
#include "codec/json_string.h"
#include "codec/v2_types.h"

namespace sconce::codec {
namespace {

struct Named {
  std::string name;
  std::size_t leaf = 0;
  bool text = false;
};

// One name per leaf: keys joined by dots, "output_0" where there are none. None is no output, but keeps its place.
void Collect(const OutputNode& node, const std::string& path, std::vector<Named>& out) {
  if (node.kind == OutputNode::Kind::kTensor) {
    out.push_back({path, static_cast<std::size_t>(node.leaf), node.leaf_kind == LeafKind::kText});
    return;
  }
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const std::string step = node.kind == OutputNode::Kind::kDict ? node.keys[i] : std::to_string(i);
    const bool numbered = path.empty() && node.kind == OutputNode::Kind::kList;
    Collect(node.children[i], path.empty() ? (numbered ? "output_" + step : step) : path + '.' + step, out);
  }
}

std::vector<Named> Outputs(const OutputNode& layout, const std::vector<std::string>& names) {
  std::vector<Named> outputs;
  Collect(layout, layout.kind == OutputNode::Kind::kTensor ? "output_0" : "", outputs);
  // The configuration's names are for what has none of its own.
  if (layout.kind != OutputNode::Kind::kDict && names.size() == outputs.size()) {
    for (std::size_t i = 0; i < names.size(); ++i) outputs[i].name = names[i];
  }
  return outputs;
}

struct Chosen {
  Named output;
  bool binary = false;
};

Status Choose(const V2Request& asked, std::vector<Named> all, std::vector<Chosen>& chosen) {
  if (asked.outputs.empty()) {
    for (Named& each : all) chosen.push_back({std::move(each), asked.binary});
    return Status::Ok();
  }
  for (const V2Request::Output& wanted : asked.outputs) {
    const auto found = std::ranges::find(all, wanted.name, &Named::name);
    if (found == all.end()) {
      std::string list;
      for (const Named& each : all) list += (list.empty() ? "" : ", ") + each.name;
      return {Code::kBadRequest, "there is no output \"" + ShownText(wanted.name) + "\"; the model has " + list};
    }
    chosen.push_back({*found, wanted.binary.value_or(asked.binary)});
  }
  return Status::Ok();
}

constexpr std::size_t kTextLengthBytes = 4;

// `length` in four bytes, little-endian.
void WriteLength(std::size_t length, std::byte* to) {
  for (std::size_t i = 0; i < kTextLengthBytes; ++i) to[i] = static_cast<std::byte>(length >> (8 * i) & 0xFFU);
}

class V2Writer {
 public:
  V2Writer(std::span<const std::vector<TensorView>> rows, bool batched, Buffer& out)
      : rows_(rows), batched_(batched), out_(out) {}

  void Text(std::string_view text) { out_.Append(text.data(), text.size()); }

  void Member(std::string_view key, std::string_view value) {
    Text(key);
    WriteString(value, out_);
  }

  Status Output(const Chosen& chosen) {
    const std::size_t leaf = chosen.output.leaf;
    const bool text = chosen.output.text;
    const TensorView& first = rows_[0][leaf];
    std::size_t bytes = 0;
    for (const std::vector<TensorView>& row : rows_) {
      if (row[leaf].dtype != first.dtype || (!text && !(row[leaf].shape == first.shape))) {
        return {Code::kNotAcceptable, "the samples' outputs differ in shape, so they are no one tensor"};
      }
      if (text && row[leaf].bytes > UINT32_MAX) return {Code::kNotAcceptable, "a text is over 4 GiB"};
      bytes += row[leaf].bytes + (text ? kTextLengthBytes : 0);
    }
    Member("{\"name\":", chosen.output.name);
    Text(",\"shape\":[");
    if (batched_) Text(std::to_string(rows_.size()));
    for (int i = 0; !text && i < first.shape.size(); ++i) {
      Text((batched_ || i > 0 ? "," : "") + std::to_string(first.shape[i]));
    }
    Text("],\"datatype\":\"");
    Text(text ? kV2Text : V2Type(first.dtype));
    if (chosen.binary) {
      Text("\",\"parameters\":{\"binary_data_size\":" + std::to_string(bytes) + "}}");
    } else if (text) {
      Texts(leaf);
    } else {
      Data(leaf);
    }
    return Status::Ok();
  }

  // A text is preceded by its length, little-endian.
  void Bytes(const Named& output) {
    for (const std::vector<TensorView>& row : rows_) {
      const TensorView& view = row[output.leaf];
      if (output.text) {
        std::array<std::byte, kTextLengthBytes> length{};
        WriteLength(view.bytes, length.data());
        out_.Append(length.data(), length.size());
      }
      out_.Append(view.data, view.bytes);
    }
  }

 private:
  void Texts(std::size_t leaf) {
    Text("\",\"data\":[");
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      if (r > 0) Text(",");
      WriteString(TextOf(rows_[r][leaf]), out_);
    }
    Text("]}");
  }

  void Data(std::size_t leaf) {
    Text("\",\"data\":[");
    bool first = true;
    for (const std::vector<TensorView>& row : rows_) {
      const TensorView& view = row[leaf];
      if (view.bytes == 0) continue;
      if (!std::exchange(first, false)) Text(",");
      AppendElements(view.dtype, view.data, static_cast<std::int64_t>(view.bytes / ByteSize(view.dtype)), out_);
    }
    Text("]}");
  }

  std::span<const std::vector<TensorView>> rows_;
  bool batched_;
  Buffer& out_;
};

Status Write(const V2Source& source, const V2Request& asked, const std::vector<Chosen>& chosen, V2Writer& writer,
             Buffer& out) {
  const bool binary = std::ranges::any_of(chosen, &Chosen::binary);
  constexpr std::array<std::byte, kV2PrefixBytes> kPrefix{};
  if (binary) out.Append(kPrefix.data(), kPrefix.size());
  writer.Member("{\"model_name\":", source.model);
  writer.Member(",\"model_version\":", source.version);
  if (!asked.id.empty()) writer.Member(",\"id\":", asked.id);
  writer.Text(",\"outputs\":[");
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (i > 0) writer.Text(",");
    if (Status s = writer.Output(chosen[i]); !s.ok()) return s;
  }
  writer.Text("]}");
  if (!binary) return Status::Ok();
  const std::size_t json_bytes = out.size() - kV2PrefixBytes;
  if (json_bytes > UINT32_MAX) return {Code::kNotAcceptable, "the answer's JSON is over 4 GiB; ask for bytes alone"};
  WriteLength(json_bytes, out.data() + 4);
  for (const Chosen& each : chosen) {
    if (each.binary) writer.Bytes(each.output);
  }
  return Status::Ok();
}

}  // namespace

void NameLeaves(const OutputNode& layout, const std::vector<std::string>& names, std::vector<LeafInfo>& leaves) {
  const std::vector<Named> outputs = Outputs(layout, names);
  for (const Named& output : outputs) {
    for (std::size_t i = output.leaf; i < leaves.size(); i += outputs.size()) {
      leaves[i].name = output.name;
      leaves[i].text = output.text;
    }
  }
}

Status EncodeV2(const V2Source& source, const V2Request& asked, const OutputNode& layout,
                std::span<const std::vector<TensorView>> rows, bool batched, Buffer& out) {
  out.Clear();
  if (rows.empty()) return {Code::kInternal, "nothing to encode"};
  try {
    std::vector<Chosen> chosen;
    if (Status s = Choose(asked, Outputs(layout, source.outputs), chosen); !s.ok()) return s;
    V2Writer writer(rows, batched, out);
    Status written = Write(source, asked, chosen, writer, out);
    if (!written.ok()) out.Clear();
    return written;
  } catch (const std::bad_alloc&) {
    out.Clear();
    return {Code::kOutOfMemory, "memory ran out while the answer was written"};
  }
}

}  // namespace sconce::codec
