#include "codec/npy.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <string>

namespace sconce::codec {
namespace {

static_assert(std::endian::native == std::endian::little, "the raw and .npy codecs copy little-endian bytes");

struct DescrRow {
  std::string_view text;
  DType dtype;
};
constexpr std::array<DescrRow, 9> kDescr = {{{"|b1", DType::kBool},
                                             {"|u1", DType::kUint8},
                                             {"|i1", DType::kInt8},
                                             {"<i2", DType::kInt16},
                                             {"<i4", DType::kInt32},
                                             {"<i8", DType::kInt64},
                                             {"<f2", DType::kFloat16},
                                             {"<f4", DType::kFloat32},
                                             {"<f8", DType::kFloat64}}};

Status Bad(const std::string& what) { return {Code::kBadRequest, "malformed .npy: " + what}; }

// The header: a Python dict literal with exactly the keys descr, fortran_order and shape.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) : text_(text) {}

  Status Read(NpyArray* array) {
    if (!Take('{')) return Bad("the header is not a dict");
    bool descr = false;
    bool order = false;
    bool shape = false;
    while (!Take('}')) {
      std::string_view key;
      if (!String(&key) || !Take(':')) return Bad("the header's keys");
      Status s;
      if (key == "descr" && !descr) {
        descr = true;
        s = Descr(array);
      } else if (key == "fortran_order" && !order) {
        order = true;
        s = Order();
      } else if (key == "shape" && !shape) {
        shape = true;
        s = ReadShape(array);
      } else {
        s = Bad("an unknown or repeated key in the header");
      }
      if (!s.ok()) return s;
      if (!Take(',') && Peek() != '}') return Bad("the header's punctuation");
    }
    if (!descr || !order || !shape) return Bad("the header lacks descr, fortran_order or shape");
    Skip();
    return at_ == text_.size() ? Status::Ok() : Bad("something follows the header's dict");
  }

 private:
  void Skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  char Peek() {
    Skip();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  bool TakeWord(std::string_view word) {
    Skip();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool String(std::string_view* out) {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return false;
    const std::size_t close = text_.find(quote, at_ + 1);
    if (close == std::string_view::npos) return false;
    *out = text_.substr(at_ + 1, close - at_ - 1);
    at_ = close + 1;
    return true;
  }

  Status Descr(NpyArray* array) {
    std::string_view text;
    if (!String(&text)) return Bad("only plain dtypes are read, not structured ones");
    for (const DescrRow& row : kDescr) {
      if (row.text == text || (row.text[0] == '|' && text.size() == 3 && text.substr(1) == row.text.substr(1))) {
        array->dtype = row.dtype;
        return Status::Ok();
      }
    }
    if (!text.empty() && text[0] == '>') return Bad("big-endian data; convert with .astype(a.dtype.newbyteorder('<'))");
    return Bad("this dtype is not read; expected one of |b1 |u1 |i1 <i2 <i4 <i8 <f2 <f4 <f8");
  }

  Status Order() {
    if (TakeWord("False")) return Status::Ok();
    if (TakeWord("True")) return Bad("Fortran order; save with numpy.ascontiguousarray");
    return Bad("fortran_order is neither True nor False");
  }

  Status ReadShape(NpyArray* array) {
    if (!Take('(')) return Bad("shape is not a tuple");
    array->shape = Shape();
    while (!Take(')')) {
      Skip();
      std::int64_t dim = 0;
      const auto r = std::from_chars(text_.data() + at_, text_.data() + text_.size(), dim);
      if (r.ec != std::errc() || dim < 0) return Bad("a dimension that is not a whole number");
      at_ = static_cast<std::size_t>(r.ptr - text_.data());
      if (!array->shape.push_back(dim)) return Bad("more than " + std::to_string(kMaxDims) + " dimensions");
      if (!Take(',') && Peek() != ')') return Bad("the shape's punctuation");
    }
    return Status::Ok();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Status ParseNpy(std::span<const std::byte> file, NpyArray* array) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.substr(0, 6) != kMagic || file.size() < 10) return Bad("it does not begin with \\x93NUMPY and a version");
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(file[i]); };
  const std::uint32_t major = byte(6);
  if (major < 1 || major > 3) return Bad("format version " + std::to_string(major) + "; expected 1, 2 or 3");
  const std::size_t start = major == 1 ? 10 : 12;
  if (file.size() < start) return Bad("it ends inside its header");
  std::size_t length = byte(8) | (byte(9) << 8);
  if (major > 1) length |= (byte(10) << 16) | (static_cast<std::size_t>(byte(11)) << 24);
  if (length > kMaxNpyHeader) return Bad("a header over " + std::to_string(kMaxNpyHeader) + " bytes");
  if (length > file.size() - start) return Bad("it ends inside its header");
  if (Status s = HeaderReader(text.substr(start, length)).Read(array); !s.ok()) return s;
  array->data = file.subspan(start + length);
  const auto bytes = TensorBytes(array->shape, array->dtype);
  if (!bytes) return Bad("shape " + array->shape.ToString() + " is larger than memory can be");
  if (*bytes != array->data.size()) {
    return Bad("shape " + array->shape.ToString() + " needs " + std::to_string(*bytes) + " bytes of data, got " +
               std::to_string(array->data.size()));
  }
  return Status::Ok();
}

Status WriteNpyHeader(DType dtype, const Shape& shape, Buffer& out) {
  std::string_view descr;
  for (const DescrRow& row : kDescr) {
    if (row.dtype == dtype) descr = row.text;
  }
  if (descr.empty()) {
    return {Code::kNotAcceptable, std::string(DTypeName(dtype)) + " has no .npy type; ask for application/json"};
  }
  std::string header = "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': (";
  for (const std::int64_t dim : shape.dims()) header += std::to_string(dim) + ",";
  header += "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  const auto length = static_cast<std::uint16_t>(header.size());
  const unsigned char preamble[10] = {0x93,
                                      'N',
                                      'U',
                                      'M',
                                      'P',
                                      'Y',
                                      1,
                                      0,
                                      static_cast<unsigned char>(length & 0xFF),
                                      static_cast<unsigned char>(length >> 8)};
  out.Append(preamble, sizeof preamble);
  out.Append(header.data(), header.size());
  return Status::Ok();
}

}  // namespace sconce::codec
