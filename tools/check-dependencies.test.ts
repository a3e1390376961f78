import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findBreaches } from './check-dependencies.ts'

let packages: string

beforeEach(() => {
  packages = mkdtempSync(join(tmpdir(), 'oncekey-packages-'))
})

afterEach(() => {
  rmSync(packages, { recursive: true })
})

function givenPackage(name: string, manifest: object, source: string): void {
  mkdirSync(join(packages, name, 'src', 'deep'), { recursive: true })
  writeFileSync(join(packages, name, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(packages, name, 'src', 'deep', 'index.ts'), source)
}

// It parses every source file, which takes long beside other test files.
test('our own packages keep the rules', { timeout: 60_000 }, () => {
  expect(findBreaches('packages')).toEqual([])
})

test('an adapter may import core, itself and anything that is not ours', () => {
  givenPackage(
    'express',
    { dependencies: { '@oncekey/core': '*', express: '*' } },
    `import { once } from '@oncekey/core'\nimport '../other.ts'\nimport 'express'\nexport { once }`,
  )
  expect(findBreaches(packages)).toEqual([])
})

test.each([
  `import { postgresStore } from '@oncekey/postgres'`,
  `import type { Pool } from '@oncekey/postgres/pglite'`,
  `export * from '@oncekey/postgres'`,
  `export { inbox } from '@oncekey/postgres'`,
  `const store = await import('@oncekey/postgres')`,
  `export type Store = import('@oncekey/postgres').Store`,
  `import '../../../postgres/src/index.ts'`,
])('an adapter that imports a store is rejected: %s', (source) => {
  givenPackage('express', {}, source)
  expect(findBreaches(packages)).toEqual([
    expect.stringMatching(/^express\/src\/deep\/index\.ts: imports .*postgres/),
  ])
})

test.each(['dependencies', 'peerDependencies', 'optionalDependencies'])(
  'core is rejected if its %s contain one of our packages',
  (field) => {
    givenPackage('core', { [field]: { '@oncekey/postgres': '*' } }, '')
    expect(findBreaches(packages)).toEqual(['core/package.json: depends on @oncekey/postgres'])
  },
)

test('webhooks may import the SQL client port of postgres and nothing else of it', () => {
  givenPackage(
    'webhooks',
    { dependencies: { '@oncekey/postgres': '*' } },
    `import '@oncekey/postgres/client'\nimport '@oncekey/postgres'`,
  )
  expect(findBreaches(packages)).toEqual(['webhooks/src/deep/index.ts: imports @oncekey/postgres'])
})

test('an import in a comment does not count', () => {
  givenPackage('core', {}, `/** @example import { idempotency } from '@oncekey/express' */`)
  expect(findBreaches(packages)).toEqual([])
})

test('a package without a row in the table is rejected', () => {
  givenPackage('mystery', {}, '')
  expect(findBreaches(packages)).toEqual([expect.stringContaining('mystery: has no row')])
})
