import CajalCKernels
import CajalCompiler
import CajalOperations

extension HostKernels {
  /// `nil` for integers, and where the values are not asked for.
  static func makeMaxPooling(_ pooling: MaxPooling, _ operand: Placement, _ results: [Int?]) -> Kernel? {
    guard operand.dtype.isFloat, let values = results[0], let sizes = try? pooling.sizes(operand.view.shape) else {
      return nil
    }
    let shape = cj_convolution_shape(pooling.geometry, sizes, operand.dtype)
    let x = address(operand)
    let positions = results[1]
    return { pointers in
      withUnsafePointer(to: shape) {
        let places = positions.flatMap { pointers[$0] }?.assumingMemoryBound(to: Int32.self)
        cj_max_pool($0, x(pointers), pointers[values]!, places)
      }
    }
  }
}
