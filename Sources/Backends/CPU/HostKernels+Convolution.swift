import CajalBase
import CajalCKernels
import CajalCompiler
import CajalIR
import CajalOperations

extension HostKernels {
  static func makeConvolution(
    _ convolution: Convolution, _ operands: [Placement], _ result: Int, _ workspace: Int?,
    _ packed: inout PackedOperands
  ) -> Kernel? {
    guard let shape = shape(of: convolution, operands) else { return nil }
    let (x, w) = (address(operands[0]), address(operands[1]))
    let copy = packed.add(.weights(shape, isGradient: false), operands[1])
    return { pointers in
      withUnsafePointer(to: shape.with(packed: copy, pointers)) {
        cj_convolution($0, x(pointers), w(pointers), pointers[result]!, workspace.flatMap { pointers[$0] }, nil, nil)
      }
    }
  }

  static func makeConvolutionInputGradient(
    _ gradient: ConvolutionInputGradient, _ operands: [Placement], _ result: Int, _ workspace: Int?,
    _ packed: inout PackedOperands
  ) -> Kernel? {
    guard let shape = shape(of: gradient, operands) else { return nil }
    let (dy, w) = (address(operands[0]), address(operands[1]))
    let copy = packed.add(.weights(shape, isGradient: true), operands[1])
    return { pointers in
      withUnsafePointer(to: shape.with(packed: copy, pointers)) {
        cj_convolution_input_gradient(
          $0, dy(pointers), w(pointers), pointers[result]!, workspace.flatMap { pointers[$0] }, nil, nil)
      }
    }
  }

  static func workspace(_ convolution: Convolution, _ operands: [Placement]) -> Int {
    shape(of: convolution, operands).map { withUnsafePointer(to: $0) { Int(cj_convolution_workspace($0)) } } ?? 0
  }

  static func workspace(_ gradient: ConvolutionInputGradient, _ operands: [Placement]) -> Int {
    shape(of: gradient, operands).map {
      withUnsafePointer(to: $0) { Int(cj_convolution_input_gradient_workspace($0)) }
    } ?? 0
  }

  // What does not fit together was refused when it was recorded.
  private static func shape(of convolution: Convolution, _ operands: [Placement]) -> cj_convolution_shape? {
    let sizes = try? convolution.sizes(operands[0].view.shape, operands[1].view.shape)
    return sizes.map { cj_convolution_shape(convolution.geometry, $0, operands[0].dtype) }
  }

  private static func shape(of gradient: ConvolutionInputGradient, _ operands: [Placement]) -> cj_convolution_shape? {
    let sizes = try? gradient.sizes(operands[0].view.shape, operands[1].view.shape)
    return sizes.map { cj_convolution_shape(gradient.geometry, $0, operands[0].dtype) }
  }
}

extension cj_convolution_shape {
  /// With the address of the weights' copy, if the run has one.
  fileprivate func with(packed: Int?, _ pointers: HostKernels.Pointers) -> cj_convolution_shape {
    var shape = self
    shape.packed = packed.flatMap { UnsafeRawPointer(pointers[$0]) }
    return shape
  }
}
