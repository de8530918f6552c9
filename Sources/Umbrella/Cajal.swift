// What `import Cajal` gives: everything a user of the framework needs, and none of its inside.

@_exported import CajalData
@_exported import CajalLosses
@_exported import CajalMetrics
@_exported import CajalModels
@_exported import CajalNN
@_exported import CajalOptimizers
@_exported import CajalPlot
@_exported import CajalTensor
@_exported import CajalTraining
@_exported import CajalVision

@_exported import struct CajalBase.BFloat16
@_exported import enum CajalBase.DType
@_exported import struct CajalBase.Device
@_exported import struct CajalBase.Shape
@_exported import struct CajalBase.TensorError
@_exported import struct CajalEngine.EngineCounters
@_exported import class CajalEngine.EngineMeter
@_exported import struct CajalEngine.MachinePeaks
@_exported import class CajalEngine.Profile
@_exported import struct CajalFormats.FormatError
@_exported import struct CajalFormats.WeightFile
@_exported import class CajalIR.Generator
@_exported import struct CajalOperations.ConvolutionGeometry
@_exported import enum CajalOperations.Padding
@_exported import protocol CajalOperations.PerAxis
