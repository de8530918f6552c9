import CajalBase
import CajalCKernels
import CajalOperations

extension cj_convolution_shape {
  init(_ geometry: ConvolutionGeometry, _ sizes: ConvolutionSizes, _ dtype: DType) {
    self.init()
    self.dtype = dtype.kernel
    batch = Int64(sizes.batch)
    channels = Int64(sizes.channels)
    filters = Int64(sizes.filters)
    groups = Int64(sizes.groups)
    extents = Self.axes(sizes.inputs, else: 1)
    results = Self.axes(sizes.outputs, else: 1)
    window = Self.axes(sizes.window, else: 1)
    strides = Self.axes(geometry.strides, else: 1)
    dilations = Self.axes(geometry.dilations, else: 1)
    before = Self.axes(geometry.padding.map(\.before), else: 0)
    is_plain = !Settings.process.winograd
  }

  /// Fewer than three axes are the last ones.
  private static func axes(_ numbers: [Int], else missing: Int) -> (Int64, Int64, Int64) {
    let all = [Int](repeating: missing, count: 3 - numbers.count) + numbers
    return (Int64(all[0]), Int64(all[1]), Int64(all[2]))
  }
}
