import { ColumnCombinationArguments, ColumnSumArguments, combineColumns, sumColumns } from './columns';
import { ConvolutionArguments, convolve, convolveVolume } from './convolution';
import {
  DenseGradientArguments,
  GradientPartArguments,
  addDenseGradient,
  addGradientPart,
} from './dense-gradient';
import { BinaryArguments, SumArguments, UnaryArguments, binary, sumRows, unary } from './elementwise';
import { MaxPoolArguments, maxPool, maxPoolGradient } from './max-pool';
import { RegionArguments, addRegionSums } from './normalisation';
import { PadArguments, pad } from './padding';
import { PooledGradientArguments, addPooledGradient } from './pooled-gradient';
import {
  GradientsArguments,
  HeadArguments,
  LoadArguments,
  StatisticsArguments,
  clearGradients,
  loadSample,
  runHead,
  storeGradients,
  sumSquares,
  sumVoxels,
} from './sample';
import { SoftmaxArguments, softmaxCrossEntropy } from './softmax';
import {
  AdamArguments,
  MomentumArguments,
  ReduceArguments,
  reduceParts,
  stepAdam,
  stepMomentum,
} from './vectors';
import { WeightsArguments, packBlocks, packRows, packWinograd, unpackRows } from './weights';
import { WinogradArguments, convolveWinograd } from './winograd';

/** Runs the kernel of a number. The numbers are those of `KERNELS` in src/simd/kernel-calls.ts. */
export function runKernel(kernel: i32, a: usize, task: i32): void {
  switch (kernel) {
    case 1:
      return convolve(changetype<ConvolutionArguments>(a), task);
    case 2:
      return convolveVolume(changetype<ConvolutionArguments>(a));
    case 3:
      return convolveWinograd(changetype<WinogradArguments>(a));
    case 4:
      return addDenseGradient(changetype<DenseGradientArguments>(a));
    case 5:
      return addPooledGradient(changetype<PooledGradientArguments>(a));
    case 6:
      return addRegionSums(changetype<RegionArguments>(a));
    case 7:
      return sumVoxels(changetype<StatisticsArguments>(a), task);
    case 8:
      return sumSquares(changetype<StatisticsArguments>(a), task);
    case 9:
      return loadSample(changetype<LoadArguments>(a), task);
    case 10:
      return runHead(changetype<HeadArguments>(a), task);
    case 11:
      return clearGradients(changetype<GradientsArguments>(a));
    case 12:
      return storeGradients(changetype<GradientsArguments>(a), task);
    case 13:
      return reduceParts(changetype<ReduceArguments>(a), task);
    case 14:
      return stepMomentum(changetype<MomentumArguments>(a), task);
    case 15:
      return packBlocks(changetype<WeightsArguments>(a), task);
    case 16:
      return packRows(changetype<WeightsArguments>(a), task);
    case 17:
      return unpackRows(changetype<WeightsArguments>(a), task);
    case 18:
      return packWinograd(changetype<WeightsArguments>(a), task);
    case 19:
      return pad(changetype<PadArguments>(a), task);
    case 20:
      return addGradientPart(changetype<GradientPartArguments>(a), task);
    case 21:
      return maxPool(changetype<MaxPoolArguments>(a), task);
    case 22:
      return maxPoolGradient(changetype<MaxPoolArguments>(a), task);
    case 23:
      return binary(changetype<BinaryArguments>(a), task);
    case 24:
      return unary(changetype<UnaryArguments>(a), task);
    case 25:
      return sumRows(changetype<SumArguments>(a), task);
    case 26:
      return sumColumns(changetype<ColumnSumArguments>(a), task);
    case 27:
      return combineColumns(changetype<ColumnCombinationArguments>(a), task);
    case 28:
      return softmaxCrossEntropy(changetype<SoftmaxArguments>(a), task);
    case 29:
      return stepAdam(changetype<AdamArguments>(a), task);
    default:
      unreachable();
  }
}
