import CajalBase
import CajalIR
import CajalTensor

/// A tensor that an optimizer keeps.
final class Slot: StateCell {
  private let state: Locked<Tensor>

  init(_ tensor: Tensor) { state = Locked(tensor) }

  var tensor: Tensor {
    get {
      let tensor = state.withLock { $0 }
      return Capture.current.map { Tensor($0.read(self, tensor.value)) } ?? tensor
    }
    set {
      Capture.current?.write(self, over: state.withLock { $0 }.value)
      state.withLock { $0 = newValue }
    }
  }

  var content: (value: Value, holder: AnyObject) { state.withLock { $0 }.held }
  func replace(with value: Value) { tensor = Tensor(value) }
}

/// What an optimizer keeps beside a parameter: its name in saved states, and how it begins.
package struct SlotKind {
  let name: String
  /// `nil` for the parameter's.
  let shape: Shape?
  let start: Double

  init(_ name: String, _ shape: Shape? = nil, start: Double = 0) {
    self.name = name
    self.shape = shape
    self.start = start
  }

  /// Numbers in memory, for a slot that every step reads and writes.
  func make(for type: TensorType, on device: Device) -> Tensor {
    .stored(start, TensorType(shape ?? type.shape, type.dtype), on: device)
  }
}

extension Tensor {
  static func stored(_ number: Double, _ type: TensorType, on device: Device) -> Tensor {
    withDevice(device) {
      Tensor([Double](repeating: number, count: type.shape.count), shape: type.shape, dtype: type.dtype)
    }
  }
}
