import CajalBase
import CajalIR

/// Every operation there is, by name. Adding one takes its family file, a line here, and a
/// public method; the conformance suite fails for one without samples.
public enum Catalogue {
  /// Functions of elements.
  public static let functions: [ElementwiseFunction] =
    ElementwiseFunction.arithmetic + ElementwiseFunction.functions
    + ElementwiseFunction.optimizerSteps

  /// The names of all operations.
  public static let names: [String] =
    functions.map(\.name) + [
      "cast", "constant", "iota",
      "reshape", "transpose", "broadcast", "flip",
      "slice", "update", "concatenate", "pad",
      "sum", "product", "max", "min", "argmax", "argmin", "argsort", "cumulativeSum",
      "matmul", "convolution", "convolutionInputGradient", "convolutionWeightGradient", "maxPool",
      "checkIndices", "gather", "scatterAdd", "gatherAlong", "scatterAddAlong",
      "randomUniform", "randomNormal", "randomBits",
      "stopGradient", "alias", "customGradient", "transfer",
      "scan",
    ]
}
