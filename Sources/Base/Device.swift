/// Where tensors live and plans run.
public struct Device: Hashable, Sendable, CustomStringConvertible {
  /// Small and unique in this process: stands in plan keys. One byte, for every node has a device.
  public let id: UInt8

  private init(id: UInt8) { self.id = id }

  /// The name by which a backend registers, and that `--device` takes.
  public var name: String { Device.names[Int(id)] }
  private static let names = ["cpu", "reference", "fake"]

  /// The CPU's vector kernels.
  public static var cpu: Device { Device(id: 0) }
  /// Slow, plain Swift: the judge of the others.
  public static var reference: Device { Device(id: 1) }
  /// An accelerator that is not there: asynchronous, with memory of its own.
  public static var fake: Device { Device(id: 2) }

  public static let all: [Device] = [.cpu, .reference, .fake]

  /// The device of that name, or `nil`.
  public init?(named name: String) {
    guard let device = Device.all.first(where: { $0.name == name }) else { return nil }
    self = device
  }

  public var description: String { name }
}
