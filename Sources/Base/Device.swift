/// Where tensors live and plans run.
public struct Device: Hashable, Sendable, CustomStringConvertible {
  /// The name by which a backend registers, and that `--device` takes.
  public let name: String
  /// Small and unique in this process: stands in plan keys.
  public let id: UInt8

  private init(_ name: String, id: UInt8) {
    self.name = name
    self.id = id
  }

  /// The CPU's vector kernels.
  public static let cpu = Device("cpu", id: 0)
  /// Slow, plain Swift: the judge of the others.
  public static let reference = Device("reference", id: 1)
  /// An accelerator that is not there: asynchronous, with memory of its own.
  public static let fake = Device("fake", id: 2)

  public static let all: [Device] = [.cpu, .reference, .fake]

  /// The device of that name, or `nil`.
  public init?(named name: String) {
    guard let device = Device.all.first(where: { $0.name == name }) else { return nil }
    self = device
  }

  public static func == (left: Device, right: Device) -> Bool { left.id == right.id }
  public func hash(into hasher: inout Hasher) { hasher.combine(id) }
  public var description: String { name }
}
