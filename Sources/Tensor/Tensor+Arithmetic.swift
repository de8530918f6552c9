import CajalBase
import CajalIR
import CajalOperations

// Operators. Shapes broadcast by NumPy's rule; dtypes are promoted by one table; a Swift scalar
// does not change a tensor's dtype, except that `/` and fractional scalars turn integers into
// float32. A literal (`x * 2`) is structure, a variable (`x * rate`) is data.

extension Tensor {
  public static func + (a: Tensor, b: Tensor) -> Tensor { a.map(b, +) }
  public static func - (a: Tensor, b: Tensor) -> Tensor { a.map(b, -) }
  public static func * (a: Tensor, b: Tensor) -> Tensor { a.map(b, *) }
  /// True division: integers become float32.
  public static func / (a: Tensor, b: Tensor) -> Tensor { a.map(b, /) }
  /// The remainder with the sign of `b`, as Python's; integers by zero give 0.
  public static func % (a: Tensor, b: Tensor) -> Tensor { a.map(b, Value.remainder) }
  public static prefix func - (a: Tensor) -> Tensor { a.map(-) }

  @_disfavoredOverload
  public static func + (a: Tensor, b: some TensorScalar) -> Tensor { a + a.data(b) }
  @_disfavoredOverload
  public static func - (a: Tensor, b: some TensorScalar) -> Tensor { a - a.data(b) }
  @_disfavoredOverload
  public static func * (a: Tensor, b: some TensorScalar) -> Tensor { a * a.data(b) }
  @_disfavoredOverload
  public static func / (a: Tensor, b: some TensorScalar) -> Tensor { a / a.data(b) }
  @_disfavoredOverload
  public static func % (a: Tensor, b: some TensorScalar) -> Tensor { a % a.data(b) }
  @_disfavoredOverload
  public static func + (a: some TensorScalar, b: Tensor) -> Tensor { b.data(a) + b }
  @_disfavoredOverload
  public static func - (a: some TensorScalar, b: Tensor) -> Tensor { b.data(a) - b }
  @_disfavoredOverload
  public static func * (a: some TensorScalar, b: Tensor) -> Tensor { b.data(a) * b }
  @_disfavoredOverload
  public static func / (a: some TensorScalar, b: Tensor) -> Tensor { b.data(a) / b }

  public static func += (a: inout Tensor, b: Tensor) { a = a + b }
  public static func -= (a: inout Tensor, b: Tensor) { a = a - b }
  public static func *= (a: inout Tensor, b: Tensor) { a = a * b }
  public static func /= (a: inout Tensor, b: Tensor) { a = a / b }
  @_disfavoredOverload
  public static func += (a: inout Tensor, b: some TensorScalar) { a = a + b }
  @_disfavoredOverload
  public static func -= (a: inout Tensor, b: some TensorScalar) { a = a - b }
  @_disfavoredOverload
  public static func *= (a: inout Tensor, b: some TensorScalar) { a = a * b }
  @_disfavoredOverload
  public static func /= (a: inout Tensor, b: some TensorScalar) { a = a / b }

  /// A Swift number on its way to meet this tensor: an input of the plan, in the dtype that the
  /// two have together.
  package func data(_ number: some TensorScalar) -> Tensor {
    let scalar = number.tensorScalar
    return Tensor(scalarValue(scalar, dtype.meeting(scalar)))
  }

  // MARK: Comparison, as tensors of bool

  public static func .== (a: Tensor, b: Tensor) -> Tensor { a.map(b, Value.equal) }
  public static func .!= (a: Tensor, b: Tensor) -> Tensor { a.map(b, Value.notEqual) }
  public static func .< (a: Tensor, b: Tensor) -> Tensor { a.map(b, <) }
  public static func .<= (a: Tensor, b: Tensor) -> Tensor { a.map(b, <=) }
  public static func .> (a: Tensor, b: Tensor) -> Tensor { a.map(b, >) }
  public static func .>= (a: Tensor, b: Tensor) -> Tensor { a.map(b, >=) }
  @_disfavoredOverload
  public static func .== (a: Tensor, b: some TensorScalar) -> Tensor { a .== a.data(b) }
  @_disfavoredOverload
  public static func .!= (a: Tensor, b: some TensorScalar) -> Tensor { a .!= a.data(b) }
  @_disfavoredOverload
  public static func .< (a: Tensor, b: some TensorScalar) -> Tensor { a .< a.data(b) }
  @_disfavoredOverload
  public static func .<= (a: Tensor, b: some TensorScalar) -> Tensor { a .<= a.data(b) }
  @_disfavoredOverload
  public static func .> (a: Tensor, b: some TensorScalar) -> Tensor { a .> a.data(b) }
  @_disfavoredOverload
  public static func .>= (a: Tensor, b: some TensorScalar) -> Tensor { a .>= a.data(b) }

  /// Logical on `bool`, bit by bit on integers.
  public static func & (a: Tensor, b: Tensor) -> Tensor { a.map(b, &) }
  public static func | (a: Tensor, b: Tensor) -> Tensor { a.map(b, |) }
  public static func ^ (a: Tensor, b: Tensor) -> Tensor { a.map(b, ^) }
  public static prefix func ! (a: Tensor) -> Tensor { a.map(!) }

  /// This tensor's elements where they are `true`: `first`, elsewhere `second`; all three broadcast.
  public func select(_ first: Tensor, _ second: Tensor) -> Tensor { map(first, second, Value.select) }
}

/// `condition ? first : second`, element by element; all three broadcast.
public func select(_ condition: Tensor, _ first: Tensor, _ second: Tensor) -> Tensor { condition.select(first, second) }

/// The larger (smaller) of each pair; NaN if either is. Ties share the gradient.
public func maximum(_ a: Tensor, _ b: Tensor) -> Tensor { a.map(b, Value.maximum) }
public func minimum(_ a: Tensor, _ b: Tensor) -> Tensor { a.map(b, Value.minimum) }

extension Tensor {
  /// ⌊a / b⌋; integers by zero give 0.
  public func floorDivided(by other: Tensor) -> Tensor { map(other, Value.floorDivide) }
  @_disfavoredOverload
  public func floorDivided(by number: some TensorScalar) -> Tensor { floorDivided(by: data(number)) }

  /// This tensor to the power of `exponent`.
  public func pow(_ exponent: Tensor) -> Tensor { map(exponent, Value.power) }
  @_disfavoredOverload
  public func pow(_ exponent: some TensorScalar) -> Tensor { pow(data(exponent)) }

  /// Converted: floats to integers truncate and saturate (NaN gives 0), integers wrap, anything to
  /// `bool` is `!= 0`.
  public func cast(to dtype: DType) -> Tensor { map { $0.cast(to: dtype) } }

  /// On another device. The gradient comes back to this one.
  public func to(_ device: Device) -> Tensor { map { $0.transferred(to: device) } }
}
