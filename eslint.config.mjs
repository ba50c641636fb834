import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

const PLATFORM_PACKAGES = ['@grpc/*', '@opentelemetry/*', 'pino'];
const TFJS_PACKAGES = ['@tensorflow/*'];

// Who may import whom. Every project carries one type tag; there is no row for '*', so an untagged project fails.
const depConstraints = [
  { sourceTag: 'type:contract', onlyDependOnLibsWithTags: [], bannedExternalImports: TFJS_PACKAGES },
  {
    sourceTag: 'type:domain',
    onlyDependOnLibsWithTags: ['type:domain', 'type:testing'],
    bannedExternalImports: [...PLATFORM_PACKAGES, ...TFJS_PACKAGES],
  },
  {
    sourceTag: 'type:engine',
    onlyDependOnLibsWithTags: ['type:domain', 'type:testing'],
    bannedExternalImports: PLATFORM_PACKAGES,
  },
  {
    sourceTag: 'type:platform',
    onlyDependOnLibsWithTags: ['type:platform', 'type:domain', 'type:contract', 'type:testing'],
    bannedExternalImports: TFJS_PACKAGES,
  },
  {
    sourceTag: 'type:service',
    onlyDependOnLibsWithTags: [
      'type:domain',
      'type:engine',
      'type:platform',
      'type:contract',
      'type:testing',
    ],
    bannedExternalImports: TFJS_PACKAGES,
  },
  { sourceTag: 'type:testing', onlyDependOnLibsWithTags: [], bannedExternalImports: TFJS_PACKAGES },
  {
    sourceTag: 'type:tool',
    onlyDependOnLibsWithTags: [
      'type:domain',
      'type:engine',
      'type:platform',
      'type:contract',
      'type:testing',
      'type:tool',
    ],
    bannedExternalImports: TFJS_PACKAGES,
  },
];

const noProcessEnv = [
  {
    selector: "MemberExpression[object.name='process'][property.name='env']",
    message: 'Only main.ts may read process.env: take the environment as a parameter.',
  },
];
const noMathRandom = [
  {
    selector: "MemberExpression[object.name='Math'][property.name='random']",
    message: 'Results must be reproducible: draw from @lunastream/random.',
  },
];
const restrictedImports = {
  paths: ['node:process', 'process'].map((name) => ({
    name,
    message: 'Only main.ts may touch the process: pass what you need.',
  })),
};
const testingOnlyInTests = [
  '@lunastream/testing',
  '@lunastream/testing/otlp',
  '@lunastream/service-kit/testing',
  '@lunastream/chunk-source/testing',
  '@lunastream/volume/testing',
].map((name) => ({
  name,
  message: `Only tests and tools may import ${name}.`,
}));

export default tseslint.config(
  {
    ignores: [
      '**/dist/',
      '**/build/',
      '**/node_modules/',
      // AssemblyScript: its types are not TypeScript's.
      'libs/*/kernels/',
      '.nx/',
      'libs/contracts/src/generated/',
      'runs/',
      'out/',
      '.lunastream/',
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    plugins: { '@nx': nx },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        { depConstraints, enforceBuildableLibDependency: false, allow: [] },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      'max-depth': ['error', 4],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 4],
      'no-console': 'error',
      'no-restricted-imports': ['error', { paths: [...restrictedImports.paths, ...testingOnlyInTests] }],
      'no-restricted-syntax': ['error', ...noProcessEnv, ...noMathRandom],
      eqeqeq: 'error',
    },
  },
  {
    // Tests and benches: whole suites are one function, and fakes may be loose.
    files: ['**/*.test.ts', '**/test/**/*.ts', 'tools/e2e/**/*.ts', 'tools/bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      'max-lines-per-function': 'off',
      'max-params': 'off',
      'no-restricted-imports': ['error', restrictedImports],
    },
  },
  {
    files: ['**/src/main.ts'],
    rules: { 'no-restricted-syntax': ['error', ...noMathRandom], 'no-restricted-imports': 'off' },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        performance: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
      },
    },
  },
);
