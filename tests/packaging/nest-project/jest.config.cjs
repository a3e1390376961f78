/** @type {import('jest').Config} */
module.exports = {
  // Jest requires what it loads, so packages that are ES modules alone are compiled like the tests.
  transform: {
    '\\.[jt]s$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'commonjs' },
      },
    ],
  },
  transformIgnorePatterns: ['/node_modules/(?!(@oncekey|canonicalize|structured-headers|uuid)/)'],
  // It exports nothing that can be required.
  moduleNameMapper: { '^canonicalize$': '<rootDir>/node_modules/canonicalize/lib/canonicalize.js' },
}
