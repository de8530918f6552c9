import CajalCKernels
import CajalCompiler
import CajalOperations

extension HostKernels {
  static func makeWeightGradient(
    _ gradient: ConvolutionWeightGradient, _ operands: [Placement], _ result: Int, _ workspace: Int?
  ) -> Kernel {
    let shape = shape(of: gradient, operands)
    let (x, dy) = (address(operands[0]), address(operands[1]))
    return { pointers in
      withUnsafePointer(to: shape) {
        cj_convolution_weight_gradient(
          $0, x(pointers), dy(pointers), pointers[result]!, workspace.flatMap { pointers[$0] })
      }
    }
  }

  static func workspace(_ gradient: ConvolutionWeightGradient, _ operands: [Placement]) -> Int {
    withUnsafePointer(to: shape(of: gradient, operands)) { Int(cj_convolution_weight_gradient_workspace($0)) }
  }

  private static func shape(of gradient: ConvolutionWeightGradient, _ operands: [Placement]) -> cj_convolution_shape {
    guard let sizes = try? gradient.sizes(operands[0].view.shape, operands[1].view.shape) else {
      preconditionFailure("a convolution's gradient was given operands that do not fit")
    }
    return cj_convolution_shape(gradient.geometry, sizes, operands[0].dtype)
  }
}
