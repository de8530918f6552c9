import CajalBase
import CajalCKernels
import CajalCompiler
import CajalIR
import CajalOperations

extension HostKernels {
  static func makeConvolution(
    _ convolution: Convolution, _ operands: [Placement], _ result: Int, _ workspace: Int?,
    _ packed: inout PackedOperands, followedBy group: HostGroup?
  ) -> Kernel? {
    guard let shape = shape(of: convolution, operands) else { return nil }
    let (x, w) = (address(operands[0]), address(operands[1]))
    let copy = packed.add(.weights(shape, isGradient: false), operands[1])
    return { pointers in
      withUnsafePointer(to: shape.with(packed: copy, pointers)) { shape in
        let scratch = workspace.flatMap { pointers[$0] }
        group.following(pointers) {
          cj_convolution(shape, x(pointers), w(pointers), pointers[result]!, scratch, $0, $1)
        }
      }
    }
  }

  static func makeConvolutionInputGradient(
    _ gradient: ConvolutionInputGradient, _ operands: [Placement], _ result: Int, _ workspace: Int?,
    _ packed: inout PackedOperands, followedBy group: HostGroup?
  ) -> Kernel? {
    guard let shape = shape(of: gradient, operands) else { return nil }
    let (dy, w) = (address(operands[0]), address(operands[1]))
    let copy = packed.add(.weights(shape, isGradient: true), operands[1])
    return { pointers in
      withUnsafePointer(to: shape.with(packed: copy, pointers)) { shape in
        let scratch = workspace.flatMap { pointers[$0] }
        group.following(pointers) {
          cj_convolution_input_gradient(shape, dy(pointers), w(pointers), pointers[result]!, scratch, $0, $1)
        }
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

  /// Of a convolution, or the gradient of its input.
  private static func shape(_ operation: any Operation, _ operands: [Placement]) -> (
    shape: cj_convolution_shape, isGradient: Bool
  )? {
    switch operation {
    case let convolution as Convolution: shape(of: convolution, operands).map { ($0, false) }
    case let gradient as ConvolutionInputGradient: shape(of: gradient, operands).map { ($0, true) }
    default: nil
    }
  }

  /// What a profile calls the way in which kernels compute an operation.
  @Sendable static func way(_ operation: any Operation, _ operands: [Placement]) -> String? {
    guard let (shape, isGradient) = shape(operation, operands) else { return nil }
    return switch withUnsafePointer(to: shape, { cj_convolution_way_of($0, isGradient) }) {
    case CJ_CONVOLUTION_PRODUCT: "product"
    case CJ_CONVOLUTION_DEPTHWISE: "depthwise"
    case CJ_CONVOLUTION_WINOGRAD: "Winograd 4×4"
    case CJ_CONVOLUTION_WINDOWS: "windows"
    default: nil
    }
  }

  /// Whether a group should run over the parts of an operation's result: of convolutions, where these are whole rows.
  /// Parts of rows cost more than they save (Documentation/decisions/0014-groups-behind-convolutions.md).
  @Sendable static func follows(
    _ group: FusedGroup, _ operation: any Operation, _ operands: [Placement]
  ) -> Bool {
    guard let (shape, isGradient) = shape(operation, operands) else { return false }
    return withUnsafePointer(to: shape) { cj_convolution_has_whole_rows($0, isGradient) }
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
