/// Finds the tensors in what the pickle of a file of PyTorch says.
struct PyTorchCollector {
  let path: String
  let pickle: Pickle
  let storages: any PyTorchStorages
  private(set) var entries: [PyTorchFile.Entry] = []
  private(set) var indices: [String: Int] = [:]
  /// How many values were looked at.
  private var visited = 0

  init(path: String, pickle: Pickle, storages: any PyTorchStorages) {
    self.path = path
    self.pickle = pickle
    self.storages = storages
  }

  /// An element type by its names in the safetensors format, in PyTorch, and of PyTorch's typed storages.
  private static let dtypes: [(code: String, name: String, storage: String, size: Int)] = [
    ("F32", "float32", "FloatStorage", 4), ("F64", "float64", "DoubleStorage", 8),
    ("F16", "float16", "HalfStorage", 2), ("BF16", "bfloat16", "BFloat16Storage", 2),
    ("I64", "int64", "LongStorage", 8), ("I32", "int32", "IntStorage", 4), ("I16", "int16", "ShortStorage", 2),
    ("I8", "int8", "CharStorage", 1), ("U8", "uint8", "ByteStorage", 1), ("BOOL", "bool", "BoolStorage", 1),
    ("C64", "complex64", "ComplexFloatStorage", 8), ("C128", "complex128", "ComplexDoubleStorage", 16),
    ("U16", "uint16", "UInt16Storage", 2), ("U32", "uint32", "UInt32Storage", 4),
    ("U64", "uint64", "UInt64Storage", 8), ("F8_E4M3", "float8_e4m3fn", "Float8_e4m3fnStorage", 1),
    ("F8_E5M2", "float8_e5m2", "Float8_e5m2Storage", 1),
  ]

  /// The names that a pickle may import: those of tensors and what PyTorch puts around them.
  static let globals = Set(
    [
      "collections.OrderedDict", "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
      "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter", "torch.Size", "torch.device",
      "torch.storage.UntypedStorage", "torch.UntypedStorage",
    ] + dtypes.flatMap { ["torch.\($0.name)", "torch.\($0.storage)"] })

  static let remedy =
    "If you trust the file, load it in PyTorch and save its tensors alone: torch.save(model.state_dict(), \"new.pt\")"

  /// Enters the tensors in `value`, which `name` leads to.
  mutating func collect(_ value: Pickle.Value, name: String, depth: Int) throws {
    visited += 1
    // A value may stand in many others: a small pickle could be a large tree, or no tree at all.
    guard depth <= 32, visited <= 4 * pickle.partCount + 1 else {
      throw error("its values are nested too deeply", at: name)
    }
    switch value {
    case .call:
      if let view = try tensor(value, name) { try enter(view.view, dtype: view.dtype, name) }
    case .dictionary:
      let parts = pickle.parts(value)
      for index in stride(from: 0, to: parts.count, by: 2) {
        // Other keys than these are of no tensors that have names.
        guard let key = parts[index].string ?? parts[index].integer.map(String.init) else { continue }
        try collect(parts[index + 1], name: try join(name, key), depth: depth + 1)
      }
    case .sequence:
      for (index, part) in pickle.parts(value).enumerated() {
        try collect(part, name: try join(name, String(index)), depth: depth + 1)
      }
    default: break
    }
  }

  private func join(_ name: String, _ key: String) throws -> String {
    let greatest = 1000  // bytes; no module path comes near
    guard name.utf8.count + key.utf8.count <= greatest else { throw error("its name is too long", at: name) }
    return name.isEmpty ? key : "\(name).\(key)"
  }

  private mutating func enter(_ view: PyTorchView, dtype: String, _ name: String) throws {
    let greatest = 1 << 17  // what the greatest pickle has room for, if names are short
    guard entries.count < greatest else { throw error("there are more than \(greatest) tensors", at: name) }
    guard indices.updateValue(entries.count, forKey: name) == nil else {
      throw error("there are two tensors of this name", at: name)
    }
    entries.append(PyTorchFile.Entry(name: name, dtype: dtype, shape: view.shape, view: view))
  }

  /// The tensor that a call would build; `nil` of a call that builds none.
  private func tensor(_ value: Pickle.Value, _ name: String) throws -> (view: PyTorchView, dtype: String)? {
    guard let (function, arguments) = pickle.call(value) else { return nil }
    switch function {
    case "torch._utils._rebuild_parameter":
      // A parameter is a tensor and whether it has a gradient. What it is made of is no parameter again.
      guard let data = arguments.first, pickle.call(data)?.function != function else {
        throw error("a parameter holds no tensor", at: name)
      }
      return try tensor(data, name)
    case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
      guard arguments.count >= 4, let offset = arguments[1].integer, let shape = pickle.integers(arguments[2]),
        let strides = pickle.integers(arguments[3])
      else { throw error("a tensor has no storage, offset, shape and strides", at: name) }
      let isUntyped = function.hasSuffix("_v3")
      guard !isUntyped || arguments.count >= 7 else { throw error("a tensor has no dtype", at: name) }
      let place = try storage(arguments[0], dtype: isUntyped ? arguments[6] : nil, name)
      guard
        let view = PyTorchView(
          storage: place.key, shape: shape, strides: strides, offset: offset, elementSize: place.size),
        let byteCount = storages.byteCount(of: place.key), view.range.upperBound <= byteCount
      else { throw error("shape \(shape) with strides \(strides) from \(offset) on is beyond its storage", at: name) }
      guard view.count <= view.span || view.count * view.elementSize <= PyTorchFile.greatestExpansion else {
        throw error("shape \(shape) is far more than the \(view.span) elements that it is made of", at: name)
      }
      return (view, place.code)
    default: return nil
    }
  }

  /// A storage is kept outside the pickle, under ("storage", its type, its key, its device, its count, …).
  private func storage(
    _ value: Pickle.Value, dtype: Pickle.Value?, _ name: String
  ) throws -> (key: String, code: String, size: Int) {
    guard case .persistent = value, let place = pickle.parts(value).first, case let parts = pickle.parts(place),
      parts.count >= 5, parts[0].string == "storage", let type = parts[1].global, let key = parts[2].string
    else { throw error("its storage is none", at: name) }
    // A sixth part is of files before PyTorch 0.4, where a storage could be a view of another.
    if parts.count > 5, case .sequence = parts[5] {
      throw error("its storage is part of another, as before PyTorch 0.4", at: name)
    }
    let wanted = dtype?.global ?? type
    guard let known = Self.dtypes.first(where: { wanted == "torch.\($0.name)" || wanted == "torch.\($0.storage)" })
    else { throw error("its elements have no known type", at: name) }
    return (key, known.code, known.size)
  }

  /// The size of an element of each storage that the pickle speaks of.
  static func elementSizes(_ pickle: Pickle) -> [String: Int] {
    var sizes: [String: Int] = [:]
    for place in pickle.persistent {
      let parts = pickle.parts(place)
      guard parts.count >= 5, let type = parts[1].global, let key = parts[2].string else { continue }
      sizes[key] = dtypes.first { type == "torch.\($0.storage)" }?.size
    }
    return sizes
  }

  private func error(_ problem: String, at name: String) -> FormatError {
    FormatError(path: path, problem: "\(quoted(name)): \(problem)", remedy: "Save the file again, or download it again")
  }
}
