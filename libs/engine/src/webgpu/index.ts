export { measureFloatCeiling, type CeilingOptions, type DeviceCeiling } from './measure-ceiling.ts';
