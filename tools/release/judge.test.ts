import { expect, test } from 'vitest'
import { judge } from './judge.ts'
import type { Manifest, Packed } from './packed.ts'

const packed = (manifest: Partial<Manifest> = {}, more: Partial<Packed> = {}): Packed => ({
  tarball: '/x.tgz',
  manifest: { name: '@oncekey/a', version: '0.2.0', repository: {}, homepage: 'x', ...manifest },
  files: ['LICENSE', 'README.md', 'dist/index.js', 'package.json'],
  bytes: 100,
  unpackedBytes: 300,
  ...more,
})
const limits = { '@oncekey/a': 100, '@oncekey/b': 100 }

test('a package that is ready has no fault', () => {
  expect(judge([packed()], limits)).toEqual({ faults: [], missing: [] })
})

test.each([
  [packed({}, { files: ['package.json'] }), ['no README.md', 'no LICENSE', 'no dist']],
  [packed({ scripts: { postinstall: 'x' } }), ['runs a script (postinstall)']],
  [packed({ dependencies: { pg: 'catalog:' } }), ['depends on pg as catalog:']],
  [packed({}, { bytes: 101 }), ['has 101 bytes packed; 100 are the limit']],
  [packed({ name: '@oncekey/new' }), ['has no limit']],
])('%#: what is wrong with a package is a fault', (one, parts) => {
  const { faults } = judge([one], limits)
  expect(faults).toHaveLength(parts.length)
  for (const [at, part] of parts.entries()) expect(faults[at]).toContain(part)
})

test('versions that differ are a fault, and an address that is not known is told', () => {
  const other = packed({ name: '@oncekey/b', version: '0.3.0', repository: undefined })
  const { faults, missing } = judge([packed(), other], limits)
  expect(faults).toEqual(['The packages share one version, and have 0.2.0, 0.3.0.'])
  expect(missing[0]).toContain('"repository"')
})
