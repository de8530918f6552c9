import CajalBase
import CajalFormats
import CajalIR
import CajalTensor

// Models as safetensors: keys are the parameters' paths.

extension Module {
  /// Writes all parameters and buffers: whole or not at all, an existing file stays until then.
  ///
  /// A model that can be described (see ``Architecture``) has its description in the metadata as well, so that
  /// ``DescribedLayer/load(_:)`` needs nothing but the file.
  ///
  /// - Throws: ``TensorError`` for a parameter that cannot be read, a file error otherwise.
  public func save(_ path: String, metadata: [String: String] = [:]) throws {
    let tensors = try namedParameters.map { name, parameter in
      let value = parameter.stored()
      return SafetensorsWriter.Tensor(
        name: name, dtype: value.dtype.safetensorsName, shape: value.shape.array, bytes: try value.bytes())
    }
    var metadata = metadata
    if let layer = self as? any DescribedLayer, metadata[Architecture.metadataKey] == nil {
      metadata[Architecture.metadataKey] = try? Architecture.text(of: layer)
    }
    try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
  }

  /// Reads parameters and buffers that ``save(_:metadata:)`` wrote, or another program, as safetensors or PyTorch's
  /// `.pt`. Nothing changes unless all of them fit.
  ///
  /// - Parameter map: says what another program's names and layouts are here; without it they are the same.
  /// - Returns: the file's metadata.
  @discardableResult
  public func load(_ path: String, map: WeightMap? = nil) throws -> [String: String] {
    let file = try WeightFile.read(path)
    let named = namedParameters
    let known = Set(named.map(\.path))
    let names = try map?.names(in: file, for: known)
    let values = try named.map { path, parameter in
      try tensor(path, called: names == nil ? path : names?[path], for: parameter, in: file, map)
    }
    if map == nil, let stranger = file.tensors.first(where: { !known.contains($0.name) }) {
      throw FormatError(
        path: path, problem: "it holds \(stranger.name), which this model does not have",
        remedy: "Build the model that was saved")
    }
    for ((_, parameter), value) in zip(named, values) { parameter.value = value }
    return file.metadata
  }

  private func tensor(
    _ path: String, called name: String?, for parameter: Parameter, in file: WeightFile, _ map: WeightMap?
  ) throws -> Tensor {
    guard let name, let entry = file[name] else {
      throw FormatError(path: file.path, problem: "it has no \(path)", remedy: "Build the model that was saved")
    }
    guard let dtype = DType(safetensorsName: entry.dtype) else {
      throw FormatError(
        path: file.path, problem: "\(name) is \(entry.dtype), which no tensor holds", remedy: "Save it in another dtype"
      )
    }
    let stored = try file.bytes(of: name).withUnsafeBytes { Tensor(bytes: $0, shape: Shape(entry.shape), dtype: dtype) }
    let value = map?.arranged(stored, path, parameter.shape) ?? stored
    if let expected = parameter.shape, expected != value.shape {
      throw FormatError(
        path: file.path, problem: "\(name) has shape \(value.shape), the model's has \(expected)",
        remedy: "Build the model with the layer sizes that were saved")
    }
    // Floats of another width are converted; a float from integers would be another model.
    guard dtype == parameter.dtype || (dtype.isFloat && parameter.dtype.isFloat) else {
      throw FormatError(
        path: file.path, problem: "\(name) is \(dtype), the model's is \(parameter.dtype)",
        remedy: "Build the model that was saved")
    }
    return value.cast(to: parameter.dtype)
  }
}

extension Architecture {
  /// The model that a file holds, whatever kind of layer it is.
  ///
  /// - Throws: ``FormatError`` where the file has no description, or one of something else than it holds.
  public static func load(_ path: String) throws -> any DescribedLayer {
    let model = try make(file: WeightFile.read(path))
    try model.load(path)
    return model
  }

  private static func make(file: WeightFile) throws -> any DescribedLayer {
    guard let text = file.metadata[metadataKey] else {
      throw FormatError(
        path: file.path, problem: "it holds weights, but not what model they belong to",
        remedy: "Build the model in your program and call `model.load`")
    }
    do { return try make(text) } catch let error as ArchitectureError {
      throw FormatError(path: file.path, problem: error.problem, remedy: error.remedy)
    }
  }
}

extension DescribedLayer {
  /// The model that ``Module/save(_:metadata:)`` wrote: made again, with its weights.
  ///
  /// ```swift
  /// let model = try Sequential.load("digits.safetensors")
  /// ```
  public static func load(_ path: String) throws -> Self {
    let model = try Architecture.load(path)
    if let model = model as? Self { return model }
    throw FormatError(
      path: path, problem: "it holds a \(type(of: model)), not a \(Self.self)",
      remedy: "Use \(type(of: model)).load, or Architecture.load for any model")
  }
}

extension DType {
  /// The format's name of this dtype.
  public var safetensorsName: String {
    switch self {
    case .bool: "BOOL"
    case .uint8: "U8"
    case .int8: "I8"
    case .int16: "I16"
    case .int32: "I32"
    case .int64: "I64"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .float32: "F32"
    case .float64: "F64"
    }
  }

  public init?(safetensorsName name: String) {
    guard let dtype = DType.allCases.first(where: { $0.safetensorsName == name }) else { return nil }
    self = dtype
  }
}
