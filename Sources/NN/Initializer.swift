import CajalBase
import CajalTensor

/// How a parameter's first numbers are drawn.
public struct Initializer: Sendable {
  let make: @Sendable (Shape, DType) -> Tensor

  /// A rule of your own: a tensor of this shape and dtype.
  public init(_ make: @escaping @Sendable (Shape, DType) -> Tensor) { self.make = make }

  public static let zeros = Initializer { Tensor.zeros($0, dtype: $1) }
  public static let ones = Initializer { Tensor.ones($0, dtype: $1) }

  public static func constant(_ value: Double) -> Initializer { Initializer { Tensor.full($0, value, dtype: $1) } }

  public static func uniform(from lower: Double, to upper: Double) -> Initializer {
    Initializer { Tensor.uniform($0, from: lower, to: upper, dtype: $1) }
  }

  public static func normal(standardDeviation: Double) -> Initializer {
    Initializer { Tensor.normal($0, standardDeviation: standardDeviation, dtype: $1) }
  }

  /// Normal, drawn again beyond two standard deviations.
  public static func truncatedNormal(standardDeviation: Double) -> Initializer {
    Initializer { Tensor.truncatedNormal($0, standardDeviation: standardDeviation, dtype: $1) }
  }

  /// Ones on the diagonal of the last two axes, zeros elsewhere.
  public static let identity = Initializer { shape, dtype in
    Tensor.eye(shape[-2], columns: shape[-1], dtype: dtype).broadcast(to: shape)
  }
}

// MARK: By the number of inputs and outputs

extension Initializer {
  /// He's rule keeps the variance through units that are zero half of the time.
  static func standard(before activation: Activation) -> Initializer {
    activation.isRectifying ? .heUniform : .glorotUniform
  }

  /// Of variance 2 / (inputs + outputs): Glorot and Bengio 2010. For tanh, sigmoid, softmax.
  public static let glorotUniform = scaled(.uniform) { 2 / ($0 + $1) }
  public static let glorotNormal = scaled(.normal) { 2 / ($0 + $1) }

  /// Of variance 2 / inputs: He et al. 2015. For relu and its kin.
  public static let heUniform = scaled(.uniform) { inputs, _ in 2 / inputs }
  public static let heNormal = scaled(.normal) { inputs, _ in 2 / inputs }

  /// Of variance 1 / inputs: LeCun et al. 1998. For selu (Klambauer et al. 2017).
  public static let lecunUniform = scaled(.uniform) { inputs, _ in 1 / inputs }
  public static let lecunNormal = scaled(.normal) { inputs, _ in 1 / inputs }

  private enum Form {
    case uniform, normal
  }

  private static func scaled(
    _ form: Form, variance: @escaping @Sendable (_ inputs: Double, _ outputs: Double) -> Double
  ) -> Initializer {
    Initializer { shape, dtype in
      let (inputs, outputs) = fans(shape)
      let variance = variance(max(1, inputs), outputs)
      switch form {
      case .uniform:
        let limit = (3 * variance).squareRoot()
        return Tensor.uniform(shape, from: -limit, to: limit, dtype: dtype)
      // The standard deviation of a normal distribution that ends at two of its own.
      case .normal:
        return Tensor.truncatedNormal(
          shape, standardDeviation: variance.squareRoot() / 0.879_625_661_034_239_78, dtype: dtype)
      }
    }
  }

  /// Inputs and outputs of one unit: the last two axes, times what a kernel covers before them.
  private static func fans(_ shape: Shape) -> (inputs: Double, outputs: Double) {
    if shape.rank < 2 { return (Double(shape.count), Double(shape.count)) }
    let covered = Double(shape.prefix(shape.rank - 2).count)
    return (covered * Double(shape[-2]), covered * Double(shape[-1]))
  }
}

// MARK: Orthogonal

extension Initializer {
  /// Columns (or rows, where there are fewer of them) that are orthonormal: Saxe et al. 2014. All axes but the
  /// last count as one.
  public static func orthogonal(gain: Double = 1) -> Initializer {
    Initializer { shape, dtype in
      let columns = max(1, shape[-1])
      let rows = shape.count / columns
      guard let numbers = try? Tensor.normal([shape.count], dtype: .float64).scalars(Double.self) else {
        return Tensor.zeros(shape, dtype: dtype)
      }
      // As many vectors as the shorter side has elements, each of the longer side's length.
      let (count, length) = (min(rows, columns), max(rows, columns))
      let vectors = orthonormal((0..<count).map { Array(numbers[$0 * length..<($0 + 1) * length]) })
      let elements = (0..<shape.count).map { index in
        let (row, column) = (index / columns, index % columns)
        return gain * (rows < columns ? vectors[row][column] : vectors[column][row])
      }
      return Tensor(elements, shape: shape, dtype: dtype)
    }
  }

  /// By Gram and Schmidt, each vector twice, which is enough (Giraud et al. 2005).
  private static func orthonormal(_ vectors: [[Double]]) -> [[Double]] {
    func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    var done: [[Double]] = []
    for vector in vectors {
      var rest = vector
      for _ in 0..<2 {
        for other in done {
          let share = product(rest, other)
          for index in rest.indices { rest[index] -= share * other[index] }
        }
      }
      let length = product(rest, rest).squareRoot()
      done.append(rest.map { $0 / length })
    }
    return done
  }
}
