export { measureProductCeiling, type ProductCeiling, type ProductCeilingOptions } from './measure-ceiling.ts';
