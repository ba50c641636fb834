export { createProgram } from './program.ts';
export { LocalStack, type LocalStackOptions, type StackAddresses } from './local-stack.ts';
