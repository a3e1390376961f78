import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findRoomBreaches } from './check-rooms.ts'

let packages: string

beforeEach(() => {
  packages = mkdtempSync(join(tmpdir(), 'oncekey-rooms-'))
})

afterEach(() => {
  rmSync(packages, { recursive: true })
})

function givenFiles(files: Record<string, string>): void {
  for (const [file, source] of Object.entries(files)) {
    const path = join(packages, 'core', 'src', file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, source)
  }
}

test('folders that import downward pass', () => {
  givenFiles({
    'index.ts': `export { run } from './engine/run.ts'`,
    'engine/run.ts': `import type { Store } from '../contracts/store.ts'`,
    'contracts/store.ts': `export interface Store {}`,
  })
  expect(findRoomBreaches(packages)).toEqual([])
})

test('reports a folder of more than twenty files, with their count', () => {
  const files = Array.from({ length: 21 }, (_, at) => [`engine/part-${at}.ts`, ''])
  givenFiles(Object.fromEntries(files))
  expect(findRoomBreaches(packages)).toEqual(['core/src: engine has 21 files; 20 are the most'])
})

test('reports files that import each other, even for types only', () => {
  givenFiles({
    'engine/run.ts': `import { settle } from './settle.ts'`,
    'engine/settle.ts': `import { tell } from './tell.ts'`,
    'engine/tell.ts': `import type { Run } from './run.ts'`,
    'engine/engine.ts': `import './run.ts'`,
  })
  expect(findRoomBreaches(packages)).toEqual([
    'core/src: a circle of imports: engine/run.ts, engine/settle.ts, engine/tell.ts',
  ])
})

test('reports two folders that import each other, with an import of each', () => {
  givenFiles({
    'engine/run.ts': `import './../response/body.ts'`,
    'response/body.ts': '',
    'response/head.ts': `import '../engine/options.ts'`,
    'engine/options.ts': '',
  })
  expect(findRoomBreaches(packages)).toEqual([
    'core/src: engine and response import each other: ' +
      'engine/run.ts imports response/body.ts, response/head.ts imports engine/options.ts',
  ])
})
